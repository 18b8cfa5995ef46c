"""Which model is served, and how an endpoint is waited for. The endpoint itself is in test_round.py."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.loop.aws.jobs import Pending, ResourceKind
from nightloop.operators.serving import ChooseModelOperator, DeployOperator
from nightloop.triggers.jobs_ended import SageMakerJobsTrigger
from tests.airflow.place import Place, first_event

PATHS = {"rollback": ["rollback"], "serve": ["deploy", "promote"]}


def choose(place: Place, **kwargs: Any) -> tuple[list[str], Any]:
    with DAG("deployment"):
        task = ChooseModelOperator(task_id="choose", pipeline=place.name, paths=PATHS, **kwargs)
    context = place.context()
    return task.choose_branch(context), context["ti"]


def test_without_a_model_there_is_nothing_to_serve_or_to_return_to(place: Place) -> None:
    with pytest.raises(AirflowFailException, match="no approved model yet"):
        choose(place)
    with pytest.raises(AirflowFailException, match="no champion"):
        choose(place, rollback=True)


def test_an_earlier_champion_is_chosen_by_its_number(place: Place) -> None:
    place.put("champions/0003.json", json.dumps(CHAMPION).encode())
    paths, left = choose(place, rollback=True, number=3)
    assert (paths, left["number"], left["training_job"]) == (["rollback"], 3, CHAMPION["training_job"])
    with pytest.raises(AirflowFailException, match="no champion number 2"):
        choose(place, rollback=True, number=2)


CHAMPION = {
    "number": 3, "training_job": "pets-train-1", "model_data": "s3://b/m.tar.gz", "dataset_id": "d1",
    "base_network": "resnet-50", "num_classes": 2, "image_shape": 300, "metrics": {},
    "promoted_at": "2026-11-01T00:00:00+00:00", "package_arn": "arn:aws:sagemaker:us-east-1:0:model-package",
}  # fmt: skip


def test_a_model_that_is_served_nowhere_skips(place: Place) -> None:
    with pytest.raises(AirflowSkipException, match="served nowhere"):
        place.run(DeployOperator(task_id="deploy", pipeline=place.name, training_job="any"))


def waits(name: str, seconds: float = 600) -> SageMakerJobsTrigger:
    running = Pending(ResourceKind.ENDPOINT, (name,), aim="config-1").to_dict()
    return SageMakerJobsTrigger(pending=running, seconds=seconds, interval=0.1, aws_conn_id="aws_default")


def test_waiting_for_an_endpoint_that_is_deleted_ends(place: Place) -> None:
    event = asyncio.run(first_event(waits("never-there")))
    assert (event["ending"], event["statuses"]) == ("done", {"never-there": "Deleted"})
    assert event["pending"] == {"kind": "endpoint", "names": ["never-there"], "aim": "config-1"}


def test_killing_a_wait_for_an_endpoint_stops_nothing_and_says_so(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    before = asked_of_sagemaker(place)
    asyncio.run(waits("somebody").on_kill())
    assert "cannot be stopped" in capsys.readouterr().out
    assert asked_of_sagemaker(place) == before


def asked_of_sagemaker(place: Place) -> dict[str, int]:
    """Without what a job of an earlier test may still read, write and log."""
    return {name: count for name, count in place.cloud.requests().items() if ":" not in name}
