from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.cloud import LocalCloud, eventually
from tests.support.sagemaker import log_of, make_model


def make_config(cloud: LocalCloud, bucket: str, name: str, **environment: str) -> str:
    model = make_model(cloud, bucket, f"{bucket}-{name}", **environment)
    cloud.client("sagemaker").create_endpoint_config(
        EndpointConfigName=f"{bucket}-{name}",
        ProductionVariants=[
            {
                "VariantName": "main",
                "ModelName": model,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
            }
        ],
    )
    return f"{bucket}-{name}"


def settled(cloud: LocalCloud, name: str) -> dict[str, Any]:
    sagemaker = cloud.client("sagemaker")

    def reached() -> dict[str, Any] | None:
        endpoint: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
        return endpoint if endpoint["EndpointStatus"] in ("InService", "Failed") else None

    return eventually(reached, within=180)


def gone(cloud: LocalCloud, name: str) -> bool:
    try:
        cloud.client("sagemaker").describe_endpoint(EndpointName=name)
    except ClientError as error:
        return "Could not find endpoint" in error.response["Error"]["Message"]
    return False


def test_an_endpoint_serves_updates_and_goes(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, runtime, name = cloud.client("sagemaker"), cloud.client("sagemaker-runtime"), f"{bucket}-e"
    first = make_config(cloud, bucket, "one", ECHO="first")
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=first)
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=first)
    endpoint = settled(cloud, name)
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", first)
    assert endpoint["ProductionVariants"][0]["VariantName"] == "main"

    reply = runtime.invoke_endpoint(
        EndpointName=name, Body=b"\x00image", ContentType="image/jpeg", Accept="application/json"
    )
    assert reply["InvokedProductionVariant"] == "main"
    answer = json.loads(reply["Body"].read())
    assert (answer["bytes"], answer["content_type"], answer["environment"]) == (6, "image/jpeg", "first")

    with pytest.raises(ClientError) as error:
        runtime.invoke_endpoint(EndpointName=name, Body=b"bad")
    assert error.value.response["Error"]["Code"] == "ModelError"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert error.value.response["OriginalStatusCode"] == 400
    assert "unable to decode the image" in error.value.response["OriginalMessage"]

    second = make_config(cloud, bucket, "two", ECHO="second")
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second)
    assert settled(cloud, name)["EndpointConfigName"] == second
    answer = json.loads(runtime.invoke_endpoint(EndpointName=name, Body=b"x")["Body"].read())
    assert answer["environment"] == "second"
    with pytest.raises(ClientError, match="to the configuration that it has"):
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second)

    group = f"/aws/sagemaker/Endpoints/{name}"  # lines come there a moment later
    eventually(lambda: any("invocations" in line for line in log_of(cloud, group, "main/")))
    sagemaker.delete_endpoint(EndpointName=name)
    eventually(lambda: gone(cloud, name))
    with pytest.raises(ClientError, match="not found"):
        runtime.invoke_endpoint(EndpointName=name, Body=b"x")


def test_no_request_fails_while_the_endpoint_changes_its_configuration_and_back(
    cloud: LocalCloud, bucket: str
) -> None:
    """Short and long requests through an update and its undoing, without any retry of the client's."""
    sagemaker, name = cloud.client("sagemaker"), f"{bucket}-e"
    runtime = cloud.session().client(
        "sagemaker-runtime",
        endpoint_url=cloud.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=6),
    )
    configs = {said: make_config(cloud, bucket, said, ECHO=said) for said in ("first", "second")}
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configs["first"])
    settled(cloud, name)
    answers: Counter[str] = Counter()
    errors: list[str] = []
    ending = threading.Event()

    def ask(body: bytes) -> str:
        reply = runtime.invoke_endpoint(EndpointName=name, Body=body)
        return str(json.loads(reply["Body"].read())["environment"])

    def hammer(body: bytes) -> None:
        while not ending.is_set():
            try:
                answers[ask(body)] += 1
            except ClientError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=hammer, args=(body,)) for body in (b"x", b"x", b"slow", b"slow")]
    for thread in threads:
        thread.start()
    try:
        for said in ("second", "first"):
            sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=configs[said])
            assert settled(cloud, name)["EndpointConfigName"] == configs[said]
            # Nothing of the other version comes any more.
            assert {ask(b"x") for _ in range(20)} == {said}
            assert ask(b"slow") == said
    finally:
        ending.set()
        for thread in threads:
            thread.join()

    assert errors == []
    assert answers.keys() == {"first", "second"}
    sagemaker.delete_endpoint(EndpointName=name)


def test_a_deployment_policy_is_checked_kept_and_shown(cloud: LocalCloud, bucket: str) -> None:
    """Alarms are kept with it: none can go off here, so the new version is not undone by one."""
    sagemaker, name = cloud.client("sagemaker"), f"{bucket}-e"
    first, second = (make_config(cloud, bucket, said) for said in ("one", "two"))
    policy = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300},
            "TerminationWaitInSeconds": 120,
            "MaximumExecutionTimeoutInSeconds": 1800,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "live-5xx"}]},
    }
    short = json.loads(json.dumps(policy).replace("1800", "600").replace("300", "480"))
    with pytest.raises(ClientError, match="its waits alone take 600 s"):
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=first, DeploymentConfig=short)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=first)
    assert "LastDeploymentConfig" not in settled(cloud, name)

    with pytest.raises(ClientError, match="its waits alone take 600 s"):
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=short)
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=policy)
    assert settled(cloud, name)["LastDeploymentConfig"] == policy
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=first, RetainDeploymentConfig=True)
    assert settled(cloud, name)["LastDeploymentConfig"] == policy
    sagemaker.delete_endpoint(EndpointName=name)


def test_a_configuration_and_its_model_may_be_deleted_under_a_living_endpoint(
    cloud: LocalCloud, bucket: str
) -> None:
    """Clients delete the configuration first, then the endpoint, as AWS allows."""
    sagemaker, runtime, name = cloud.client("sagemaker"), cloud.client("sagemaker-runtime"), f"{bucket}-e"
    first, second = (make_config(cloud, bucket, said, ECHO=said) for said in ("one", "two"))

    def delete(config: str) -> None:
        sagemaker.delete_endpoint_config(EndpointConfigName=config)
        sagemaker.delete_model(ModelName=config)

    def answer() -> str:
        reply = runtime.invoke_endpoint(EndpointName=name, Body=b"x")
        return str(json.loads(reply["Body"].read())["environment"])

    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=first)
    delete(first)  # while it is being created
    assert settled(cloud, name)["EndpointConfigName"] == first
    assert answer() == "one"
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second)
    delete(second)  # while it is on its way there
    assert settled(cloud, name)["EndpointConfigName"] == second
    assert answer() == "two"
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.describe_endpoint_config(EndpointConfigName=second)
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=first)
    sagemaker.delete_endpoint(EndpointName=name)
    eventually(lambda: gone(cloud, name))


def test_weights_move_the_traffic_and_may_be_retained(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, runtime, name = cloud.client("sagemaker"), cloud.client("sagemaker-runtime"), f"{bucket}-e"
    models = {said: make_model(cloud, bucket, f"{bucket}-{said}", ECHO=said) for said in ("old", "new")}
    for config in ("one", "two"):
        sagemaker.create_endpoint_config(
            EndpointConfigName=f"{bucket}-{config}",
            ProductionVariants=[
                {
                    "VariantName": said,
                    "ModelName": model,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                }
                for said, model in models.items()
            ],
        )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{bucket}-one")
    settled(cloud, name)

    def variants() -> set[str]:
        return {
            runtime.invoke_endpoint(EndpointName=name, Body=b"x")["InvokedProductionVariant"]
            for _ in range(40)
        }

    assert variants() == {"old", "new"}
    with pytest.raises(ClientError, match="has no variant other"):
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "other", "DesiredWeight": 1}]
        )
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[
            {"VariantName": "old", "DesiredWeight": 0},
            {"VariantName": "new", "DesiredInstanceCount": 2},
        ],
    )
    assert variants() == {"new"}
    sagemaker.update_endpoint(
        EndpointName=name, EndpointConfigName=f"{bucket}-two", RetainAllVariantProperties=True
    )
    old, new = settled(cloud, name)["ProductionVariants"]
    assert (old["CurrentWeight"], new["CurrentWeight"], new["CurrentInstanceCount"]) == (0, 1, 2)
    assert variants() == {"new"}
    sagemaker.delete_endpoint(EndpointName=name)


def test_a_failed_update_leaves_the_old_version_serving(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, name = cloud.client("sagemaker"), f"{bucket}-e"
    first = make_config(cloud, bucket, "one", ECHO="first")
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=first)
    settled(cloud, name)

    broken = make_config(cloud, bucket, "two", ECHO="broken")
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=broken)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=broken)
    endpoint = settled(cloud, name)

    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == ("InService", first)
    assert "cannot load the model" in endpoint["FailureReason"]
    assert cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=b"x")["Body"].read()
    sagemaker.delete_endpoint(EndpointName=name)


def test_an_endpoint_that_does_not_come_up_has_failed_with_a_reason(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, name = cloud.client("sagemaker"), f"{bucket}-e"
    sagemaker.create_endpoint(
        EndpointName=name, EndpointConfigName=make_config(cloud, bucket, "one", ECHO="broken")
    )
    endpoint = settled(cloud, name)
    assert endpoint["EndpointStatus"] == "Failed"
    assert "cannot load the model" in endpoint["FailureReason"]
    sagemaker.delete_endpoint(EndpointName=name)
    eventually(lambda: gone(cloud, name))


def test_a_server_that_dies_is_started_again(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, runtime, name = cloud.client("sagemaker"), cloud.client("sagemaker-runtime"), f"{bucket}-e"
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=make_config(cloud, bucket, "one"))
    settled(cloud, name)
    with pytest.raises(ClientError):
        runtime.invoke_endpoint(EndpointName=name, Body=b"crash")

    def answers() -> bool:
        try:
            return bool(runtime.invoke_endpoint(EndpointName=name, Body=b"x")["Body"].read())
        except ClientError:
            return False

    assert eventually(answers)
    sagemaker.delete_endpoint(EndpointName=name)


def test_a_body_over_six_mebibytes_is_refused(cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match="less than or equal to 6291456"):
        cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName="any", Body=b"x" * 6_291_457)


def test_configurations_and_models_are_listed_described_and_deleted(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, name = cloud.client("sagemaker"), make_config(cloud, bucket, "one")
    (config,) = sagemaker.list_endpoint_configs(NameContains=bucket)["EndpointConfigs"]
    (model,) = sagemaker.list_models(NameContains=bucket)["Models"]
    assert (config["EndpointConfigName"], model["ModelName"]) == (name, name)
    described = sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert described["ProductionVariants"][0]["InitialVariantWeight"] == 1
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        make_model(cloud, bucket, name)

    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    sagemaker.delete_model(ModelName=name)

    for lookup, said in (
        (
            lambda: sagemaker.describe_endpoint_config(EndpointConfigName=name),
            "Could not find endpoint config",
        ),
        (lambda: sagemaker.describe_model(ModelName=name), "Could not find model"),
        (lambda: sagemaker.delete_model(ModelName=name), "Could not find model"),
    ):
        with pytest.raises(ClientError, match=said) as error:
            lookup()
        assert error.value.response["Error"]["Code"] == "ValidationException"
