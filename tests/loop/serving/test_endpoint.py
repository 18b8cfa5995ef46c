"""Endpoints are made of what the environment says, and every state one can be found in has a way on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from include.loop.aws.jobs import Pending, ResourceKind
from include.loop.config import DeploymentSettings, NetworkSettings
from include.loop.core.clients import Clients
from include.loop.core.errors import ConfigurationError, DeploymentFailed
from include.loop.models import registry
from include.loop.serving.endpoint import (
    deployment_config,
    describe_endpoint,
    endpoint_name,
    ensure_config,
    is_named_after,
    reconcile,
    serves,
)
from include.loop.workspace import Workspace
from tests.loop.place import Place
from tests.loop.served import Serving
from tests.support.sagemaker import detector


@pytest.mark.parametrize(
    ("settings", "routing"),
    [
        ({}, {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}),
        (
            {"traffic": "canary", "step_percent": 25, "bake_seconds": 600},
            {
                "Type": "CANARY",
                "WaitIntervalInSeconds": 600,
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            },
        ),
        (
            {"traffic": "linear", "bake_seconds": 60},
            {
                "Type": "LINEAR",
                "WaitIntervalInSeconds": 60,
                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 10},
            },
        ),
    ],
)
def test_traffic_moves_as_the_environment_says(place: Place, settings: dict, routing: dict):
    config = deployment_config(DeploymentSettings(**settings, alarms=("5xx", "slow"), keep_old_seconds=300))
    assert config == {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 300},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "5xx"}, {"AlarmName": "slow"}]},
    }
    model = place.sagemaker.meta.service_model.operation_model("UpdateEndpoint").input_shape
    request = {"EndpointName": "e", "EndpointConfigName": "c", "DeploymentConfig": config}
    assert not ParamValidator().validate(request, model).has_errors()
    assert "AutoRollbackConfiguration" not in deployment_config(DeploymentSettings(**settings))


def test_what_is_made_carries_the_settings_of_the_place_and_a_name_of_its_content(place: Place):
    serving = Serving(place, instance_type="ml.m5.large", instance_count=2)
    package = registry.read_package(serving.workspace, serving.model("one"))
    name = ensure_config(serving.workspace, package)
    assert ensure_config(serving.workspace, package) == name
    variant = serving.sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"][0]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.m5.large", 2)
    model = serving.sagemaker.describe_model(ModelName=variant["ModelName"])
    assert [item["ModelPackageName"] for item in model["Containers"]] == [package.arn]
    assert {is_named_after(text, {package.training_job}) for text in (name, variant["ModelName"])} == {True}

    network = NetworkSettings(
        subnets=("subnet-1",), security_groups=("sg-1",), isolation=True, volume_kms_key="key-1"
    )
    private = Workspace(
        place.pipeline,
        serving.workspace.environment.model_copy(update={"network": network, "tags": {"team": "vision"}}),
        place.storage,
        place.clients,
    )
    other = ensure_config(private, package)
    assert other != name
    config = serving.sagemaker.describe_endpoint_config(EndpointConfigName=other)
    assert config["KmsKeyId"] == "key-1"
    model = serving.sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    assert model["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert model["EnableNetworkIsolation"]
    tags = serving.sagemaker.list_tags(ResourceArn=config["EndpointConfigArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "vision"}]


def test_an_endpoint_that_is_found_failed_is_made_anew(place: Place):
    serving = Serving(place)
    package = registry.read_package(serving.workspace, serving.model("one"))
    config = ensure_config(serving.workspace, package)
    artifact = f"models/{package.training_job}/output/model.tar.gz"
    place.storage.write(artifact, b"no archive")

    def go_on(waited_for: Pending | None) -> Pending | None:
        return reconcile(serving.workspace, serving.endpoint, config, waited_for)

    first = go_on(None)
    assert first == Pending(ResourceKind.ENDPOINT, (serving.endpoint,), aim=config)
    serving.wait(first)
    with pytest.raises(DeploymentFailed, match=f"(?s)endpoint {serving.endpoint} failed: .*The next try"):
        go_on(first)
    place.storage.write(artifact, detector(1))
    step = go_on(None)  # the next try: it is deleted
    while step is not None:
        serving.wait(step)
        step = go_on(step)
    assert serves(describe_endpoint(serving.sagemaker, serving.endpoint), config)
    serving.sagemaker.delete_endpoint(EndpointName=serving.endpoint)


@pytest.fixture(scope="module")
def far_away() -> Any:
    """A client of nobody: the local cloud never comes into these states, and what AWS says is put there."""
    return boto3.client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def found(client: Any, status: str) -> Stubber:
    """An endpoint that is found in a state."""
    stub = Stubber(client)
    described = {
        "EndpointName": "e",
        "EndpointArn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e",
        "EndpointConfigName": "old",
        "EndpointStatus": status,
        "FailureReason": "an alarm rang",
        "CreationTime": 0,
        "LastModifiedTime": 0,
    }
    stub.add_response("describe_endpoint", described, {"EndpointName": "e"})
    return stub


def asking(client: Any, place: Place) -> Workspace:
    return replace(Serving(place).workspace, clients=Clients(lambda service, review: client))


@pytest.mark.parametrize("status", ["UpdateRollbackFailed", "OutOfService"])
def test_a_state_that_no_update_mends_is_told(place: Place, far_away: Any, status: str):
    message = rf"endpoint e is {status} \(an alarm rang\)"
    with found(far_away, status), pytest.raises(DeploymentFailed, match=message):
        reconcile(asking(far_away, place), "e", "new", None)


@pytest.mark.parametrize("status", ["SystemUpdating", "RollingBack", "Deleting"])
def test_whatever_goes_on_is_waited_for(place: Place, far_away: Any, status: str):
    with found(far_away, status):
        step = reconcile(asking(far_away, place), "e", "new", None)
    assert step == Pending(ResourceKind.ENDPOINT, ("e",), aim="")


def test_an_environment_without_deployment_has_no_endpoint(place: Place):
    with pytest.raises(ConfigurationError, match="deployment: is missing: nothing is served here"):
        endpoint_name(place.workspace)
