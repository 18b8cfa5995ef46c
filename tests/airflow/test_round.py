"""A whole round under Airflow's own `dag.test()`: which tasks run after a yes, after a no, after a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from nightloop.operators.serving import DeployOperator, RollbackOperator, TearDownOperator
from tests.airflow.listeners import Listener
from tests.airflow.operators.test_sagemaker_jobs import label_lines
from tests.airflow.place import Place, notify
from tests.airflow.test_flows import run_dag
from tests.support.cloud import eventually

pytestmark = [pytest.mark.usefixtures("airflow_database"), pytest.mark.timeout(900)]
ALWAYS = ["plan", "score_replay", "build_dataset", "train", "evaluate", "gate", "register", "report"]


@pytest.fixture
def labelled(place: Place) -> Place:
    """Labels of one batch, and a test set; no model yet."""
    lines = [json.loads(line) for line in label_lines(place.put_images("2026-11-01", 6)).splitlines()]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    place.put("labels/dt=2026-11-01/augmented.manifest", body)
    place.put("labels/dt=2026-11-01/quarantine.jsonl", b"")
    summary = {"batch": "2026-11-01", "labels": len(lines)}
    place.put("labels/dt=2026-11-01/summary.json", json.dumps(summary).encode())
    place.put("test/day.manifest", label_lines(place.put_images("test", 2)))
    place.settings["test_sets"] = {"day": "test/day.manifest"}
    place.save()
    return place


@contextmanager
def somebody_decides(place: Place, status: str) -> Iterator[list[str]]:
    """A person with a SageMaker client, who sets the package's status once Airflow has asked and the report
    can be read; gives what it asked.
    """
    sagemaker = place.cloud.client("sagemaker")
    questions: list[str] = []

    def decide() -> None:
        questions.extend(eventually(lambda: asked(place), within=600))
        readable = reports(place)
        [package] = packages(place, "PendingManualApproval")
        sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus=status)
        assert len(readable) == 2, "whoever is asked can read the round's page and the history"

    with ThreadPoolExecutor(1) as pool:
        decided = pool.submit(decide)
        yield questions
        decided.result()


def asked(place: Place) -> list[str]:
    """What Airflow shows under "Required actions"; an earlier try's question is still there."""
    from airflow.models.hitl import HITLDetail
    from airflow.utils.session import create_session

    with create_session() as session:
        found = [f"{item.subject}\n{item.body}" for item in session.query(HITLDetail)]
    return [text for text in found if place.name in text]


def packages(place: Place, status: str) -> list[str]:
    sagemaker = place.cloud.client("sagemaker")
    groups = sagemaker.list_model_package_groups(NameContains=place.name)["ModelPackageGroupSummaryList"]
    if not groups:
        return []
    found = sagemaker.list_model_packages(ModelPackageGroupName=place.name, ModelApprovalStatus=status)
    return [item["ModelPackageArn"] for item in found["ModelPackageSummaryList"]]


def reports(place: Place) -> list[str]:
    found = place.s3.list_objects_v2(Bucket=place.bucket, Prefix=f"{place.name}/reports/")
    return [item["Key"] for item in found.get("Contents", []) if item["Key"].endswith("/index.html")]


def champion(place: Place) -> Any:
    found = place.s3.list_objects_v2(Bucket=place.bucket, Prefix=f"{place.name}/champion.json")
    return found.get("Contents")


def endpoints(place: Place) -> dict[str, str]:
    found = place.cloud.client("sagemaker").list_endpoints(NameContains=place.name)["Endpoints"]
    return {item["EndpointName"]: item["EndpointStatus"] for item in found}


def test_a_round_waits_for_a_person_then_serves_and_promotes(labelled: Place, slack: Listener) -> None:
    """And what it serves can be torn down and served again."""
    notify(labelled)
    labelled.environment_settings["deployment"] = {"smoke_test_images": 1}
    labelled.save()
    with somebody_decides(labelled, "Approved") as questions:
        state, tasks, run = run_dag(labelled, "incremental_training", "2026-11-02", approval=True)
    assert state == "success", tasks
    assert tasks.pop("look_again") == "skipped", "nothing is new"
    assert set(tasks.values()) == {"success"}
    assert champion(labelled)
    assert len(reports(labelled)) == 2, "the round's page and the history"
    [question] = questions
    pipeline = labelled.name
    job = run.get_task_instance("train").xcom_pull(task_ids="train")["training_job"]
    assert f"May the new model of {pipeline} be used?" in question
    assert "this run was told to ask" in question
    assert f"(/nightloop/reports/{pipeline}/{job}/index.html)" in question
    assert "| passed | measured | day: fully measured |" in question
    waiting, promoted = slack.slack_texts()
    assert "May the new model of" in waiting
    assert f"{job} is the champion" in promoted

    assert endpoints(labelled) == {pipeline: "InService"}
    listed = labelled.run(TearDownOperator(task_id="teardown", pipeline=pipeline))
    assert (listed["dry_run"], listed["endpoints"]) == (True, [pipeline])
    assert endpoints(labelled) == {pipeline: "InService"}
    sure = TearDownOperator(task_id="teardown", pipeline=pipeline, only_list=False, confirm=pipeline)
    assert labelled.run(sure)["endpoints"] == [pipeline]
    assert endpoints(labelled) == {}
    again = labelled.run(DeployOperator(task_id="deploy", pipeline=pipeline, training_job=job))
    assert (again["endpoint"], endpoints(labelled)) == (pipeline, {pipeline: "InService"})
    same = labelled.run(RollbackOperator(task_id="rollback", pipeline=pipeline, number="1"))
    assert (same["training_job"], same["left"]) == (job, None)


def test_a_gate_that_says_no_is_a_good_end(labelled: Place, slack: Listener) -> None:
    notify(labelled)
    labelled.settings["gate"] |= {"min_objects": 1000}
    labelled.save()
    state, tasks, _ = run_dag(labelled, "incremental_training", "2026-11-02")
    assert state == "success", tasks
    assert {tasks.pop(name) for name in [*ALWAYS, "record"]} == {"success"}
    assert set(tasks.values()) == {"skipped"}, "nobody is asked, nothing is served or promoted"
    [text] = slack.slack_texts()
    assert "the gate turned" in text
    assert len(packages(labelled, "Rejected")) == 1
    assert champion(labelled) is None
    assert len(reports(labelled)) == 2


def test_a_crashed_step_fails_the_run_and_somebody_is_told(labelled: Place, slack: Listener) -> None:
    """ClientError: the data's fault, so it is not tried again."""
    notify(labelled)
    failing = {"fail_without": "/nowhere", "reason": "ClientError: line 7 is no label"}
    labelled.settings["training"] = {"initial": {"hyperparameters": failing}}
    labelled.save()
    state, tasks, _ = run_dag(labelled, "incremental_training", "2026-11-02")
    assert (state, tasks["train"], tasks["record"], tasks["look_again"]) == (
        "failed", "failed", "failed", "upstream_failed",
    )  # fmt: skip
    assert champion(labelled) is None
    [text] = slack.slack_texts()
    assert f"incremental_training__{labelled.name} failed" in text
