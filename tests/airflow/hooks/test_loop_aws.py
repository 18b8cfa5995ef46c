"""Connections, with their fallback, for boto3 and aiobotocore, against a real endpoint."""

from __future__ import annotations

import asyncio
import json

import pytest
from airflow.sdk import BaseOperator

from include import __version__
from include.loop.core.storage import CONNECTIONS
from nightloop.hooks.loop_aws import AugmentedAIHook, LoopAwsHook
from tests.airflow.place import Place

REGION = "us-east-1"


def endpoint(client: object) -> str:
    return client.meta.endpoint_url  # type: ignore[attr-defined]


async def aioendpoint(hook: LoopAwsHook) -> str:
    async with await hook.get_async_conn() as client:
        return endpoint(client)


def test_boto3_and_aiobotocore_reach_the_same_endpoint(place: Place) -> None:
    async def list_jobs() -> list[object]:
        async with await LoopAwsHook(client_type="sagemaker").get_async_conn() as client:
            return (await client.list_training_jobs(NameContains=place.name))["TrainingJobSummaries"]

    client = LoopAwsHook(client_type="sagemaker").get_conn()
    assert client.list_training_jobs(NameContains=place.name)["TrainingJobSummaries"] == []
    assert asyncio.run(list_jobs()) == []


def test_the_review_plane_falls_back_to_aws_default(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_AWS_REVIEW")
    assert endpoint(AugmentedAIHook().get_conn()) == place.cloud.endpoint_url
    assert asyncio.run(aioendpoint(AugmentedAIHook())) == place.cloud.endpoint_url


def test_a_connection_of_its_own_wins(place: Place) -> None:
    assert endpoint(AugmentedAIHook().get_conn()) == place.rig.url
    assert endpoint(AugmentedAIHook(client_type="sagemaker").get_conn()) == place.rig.url
    assert asyncio.run(aioendpoint(AugmentedAIHook())) == place.rig.url
    assert endpoint(LoopAwsHook(client_type="sagemaker").get_conn()) == place.cloud.endpoint_url


def test_botocores_service_models_are_read_once_for_all_clients(place: Place) -> None:
    loaders = {
        id(hook.get_session()._session.get_component("data_loader"))
        for hook in (LoopAwsHook(client_type="s3"), AugmentedAIHook())
    }
    assert len(loaders) == 1


def test_requests_say_that_they_are_nightloops(place: Place) -> None:
    for hook in (LoopAwsHook(client_type="s3"), AugmentedAIHook()):
        assert hook.get_conn().meta.config.user_agent.startswith(f"nightloop/{__version__} ")


def test_aws_is_told_which_operator_calls_without_the_source_of_anything_being_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asks(BaseOperator):
        def execute_complete(self) -> str:
            return LoopAwsHook(client_type="s3").get_conn().meta.config.user_agent_extra

    monkeypatch.delattr("inspect.findsource")
    assert "Caller/Asks " in Asks(task_id="asks").execute_complete()


def test_a_connections_own_client_settings_win_over_the_patient_ones(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LoopAwsHook(client_type="s3").config.retries["max_attempts"] == 8
    own = json.loads(place.variables()["AIRFLOW_CONN_AWS_DEFAULT"])
    own["extra"]["config_kwargs"] = {"retries": {"max_attempts": 2}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(own))
    config = LoopAwsHook(client_type="s3").config
    assert config.retries == {"max_attempts": 2}
    assert config.max_pool_connections == CONNECTIONS  # what it does not say stays as it was


def test_asynchronous_code_never_looks_for_a_connection_in_the_blocking_way(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty waits start at once when a triggerer comes up: a blocking look-up would stop its event loop."""
    monkeypatch.delenv("AIRFLOW_CONN_AWS_REVIEW")

    def blocking(conn_id: str) -> object:
        raise AssertionError(f"looked for {conn_id} in the blocking way")

    monkeypatch.setattr(AugmentedAIHook, "get_connection", blocking)

    async def many() -> list[str]:
        return list(await asyncio.gather(*(aioendpoint(AugmentedAIHook()) for _ in range(60))))

    assert set(asyncio.run(asyncio.wait_for(many(), timeout=240))) == {place.cloud.endpoint_url}
