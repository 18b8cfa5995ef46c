"""deploy/helm/values.yaml says of Airflow what docker-compose.yaml says, in the words of the official chart.

`CHART` are the keys of chart 1.22.0 (Airflow's, of June 2026) that are used. They were taken from its release
notes and from values that others wrote for it; its values.schema.json was not at hand.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.test_setup import ROOT, compose, dockerfile

CHART = {
    *(f"{part}.resources.{kind}.{what}"
      for part in ("workers.celery", "workers.kubernetes", "scheduler", "apiServer", "dagProcessor",
                   "triggerer")
      for kind in ("requests", "limits") for what in ("cpu", "memory")),
    *(f"{part}.terminationGracePeriodSeconds"
      for part in ("workers.celery", "scheduler", "dagProcessor", "triggerer")),
    *(f"{part}.enabled"
      for part in ("postgresql", "redis", "statsd", "logs.persistence", "createUserJob.defaultUser",
                   "triggerer.persistence", "workers.celery.persistence")),
    "airflowVersion", "images.airflow.repository", "images.airflow.tag", "executor", "env", "extraEnvFrom",
    "workers.celery.replicas",
}  # fmt: skip
# What the chart sets from a Secret that it is given the name of.
OF_SECRETS = {
    "fernetKeySecretName": "AIRFLOW__CORE__FERNET_KEY",
    "apiSecretKeySecretName": "AIRFLOW__API__SECRET_KEY",
    "jwtSecretName": "AIRFLOW__API_AUTH__JWT_SECRET",
    "data.metadataSecretName": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "data.resultBackendSecretName": "AIRFLOW__CELERY__RESULT_BACKEND",
    "data.brokerUrlSecretName": "AIRFLOW__CELERY__BROKER_URL",
}
# The chart's own `executor`; and a variable of the image that the chart sets for workers.
OTHERWISE = {"AIRFLOW__CORE__EXECUTOR", "DUMB_INIT_SETSID"}
# Not as in compose: the address is of a Service, logs always go to S3, the chart has another auth manager.
DIFFERENT = {
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__LOGGING__REMOTE_LOGGING",
    "AIRFLOW__CORE__AUTH_MANAGER",
}
PARTS = {
    "workers.celery": "airflow-worker",
    "scheduler": "airflow-scheduler",
    "apiServer": "airflow-apiserver",
    "dagProcessor": "airflow-dag-processor",
    "triggerer": "airflow-triggerer",
}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(leaves(yaml.safe_load((ROOT / "deploy/helm/values.yaml").read_text())))


@pytest.fixture(scope="module")
def variables(values: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in values["env"]}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its dotted path; a list is one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}".lstrip("."))
    else:
        yield path, value


def worker() -> dict[str, str]:
    return compose()["services"]["airflow-worker"]["environment"]


def of_the_place() -> dict[str, str]:
    """The variables of the Secret `nightloop`."""
    lines = (ROOT / "deploy/helm/nightloop.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_only_keys_of_the_chart_are_used(values: dict[str, Any]) -> None:
    assert values.keys() == CHART | OF_SECRETS.keys()


def test_every_variable_of_compose_comes_from_one_place_and_no_other(variables: dict[str, str]) -> None:
    names = [*variables, *of_the_place(), *OF_SECRETS.values(), *OTHERWISE]
    assert len(names) == len(set(names))
    assert set(names) == worker().keys() | {"AIRFLOW__CORE__AUTH_MANAGER"}


def test_a_variable_has_the_value_that_compose_gives_it(
    values: dict[str, Any], variables: dict[str, str]
) -> None:
    same = variables.keys() - DIFFERENT
    assert {name: variables[name] for name in same} == {name: worker()[name] for name in same}
    assert values["executor"] == worker()["AIRFLOW__CORE__EXECUTOR"]
    assert variables["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"].endswith("-api-server:8080/execution/")


def test_what_compose_asks_for_and_every_password_is_in_a_secret(
    values: dict[str, Any], variables: dict[str, str]
) -> None:
    asked = {name for name, value in worker().items() if "${" in str(value)} - DIFFERENT
    assert asked == of_the_place().keys() | set(OF_SECRETS.values())
    assert yaml.safe_load(values["extraEnvFrom"]) == [{"secretRef": {"name": "nightloop"}}]
    assert not [name for name in variables if re.search("KEY|SECRET|PASSWORD|_CONN$", name)]
    assert values["createUserJob.defaultUser.enabled"] is False, "it would be admin with the password admin"
    assert all(re.fullmatch("nightloop-[a-z-]+", values[key]) for key in OF_SECRETS)
    assert of_the_place()["AWS_SECRET_ACCESS_KEY"] == ""
    assert '"password": ""' in of_the_place()["AIRFLOW_CONN_AWS_REVIEW"]


def test_image_limits_and_grace_periods_are_those_of_compose(values: dict[str, Any]) -> None:
    assert f"ARG AIRFLOW_VERSION={values['airflowVersion']}\n" in dockerfile()
    for part, name in PARTS.items():
        service = compose()["services"][name]
        limits = service["deploy"]["resources"]["limits"]
        assert values["images.airflow.repository"].rpartition("/")[2] == service["image"]
        assert values[f"{part}.resources.limits.cpu"] == limits["cpus"]
        assert values[f"{part}.resources.limits.memory"] == limits["memory"].replace("g", "Gi")
        if f"{part}.terminationGracePeriodSeconds" in values:
            seconds = values[f"{part}.terminationGracePeriodSeconds"]
            assert service["stop_grace_period"] in (f"{seconds}s", f"{seconds // 60}m")


def test_the_auth_manager_is_one_that_the_image_has(variables: dict[str, str]) -> None:
    module, _, name = variables["AIRFLOW__CORE__AUTH_MANAGER"].rpartition(".")
    assert hasattr(importlib.import_module(module), name)
