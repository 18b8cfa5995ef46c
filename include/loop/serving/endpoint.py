"""What an endpoint is made of, and how it gets from one configuration to another.

Takes a model package, gives the SageMaker model and endpoint configuration that serve it, under names that
carry a hash of what they say; takes an endpoint's name and a configuration, and goes on until the endpoint is
in service with it. SageMaker reports a failed update as success with the old configuration, and refuses a
second update while one goes on: both are told apart here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.aws.jobs import ENDPOINT_BUSY, Pending, ResourceKind, is_missing
from include.loop.aws.request_options import given, tags, volume_key, vpc
from include.loop.config import DeploymentSettings
from include.loop.core.errors import ConfigurationError, DeploymentFailed
from include.loop.core.identity import HASH_CHARS, check_name, content_hash
from include.loop.models.registry import ModelPackage
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

log = logging.getLogger(__name__)

VARIANT = "model"  # the one variant of our endpoints


def deployment_settings(workspace: Workspace) -> DeploymentSettings:
    """The environment's ``deployment``. ConfigurationError where it has none."""
    if workspace.environment.deployment is None:
        raise ConfigurationError(
            f"{workspace.environment.path}: deployment: is missing: nothing is served here"
        )
    return workspace.environment.deployment


def endpoint_name(workspace: Workspace) -> str:
    """The live endpoint: the environment's, else named after the pipeline."""
    return deployment_settings(workspace).endpoint or workspace.pipeline.name


def candidate_name(workspace: Workspace) -> str:
    """The endpoint on which a model is tried before it gets traffic."""
    return check_name(f"{endpoint_name(workspace)}-candidate")


def ensure_config(workspace: Workspace, package: ModelPackage) -> str:
    """The endpoint configuration that serves a package, and its model; made unless they are there.

    The model is not the one that batch transforms use: that one is made of the artifact (algorithm.py) before
    there is a package.
    """
    environment, place = workspace.environment, deployment_settings(workspace)
    model: dict[str, Any] = {
        "Containers": [{"ModelPackageName": package.arn}],
        "ExecutionRoleArn": environment.role_arn,
        "EnableNetworkIsolation": environment.network.isolation,
        **given(VpcConfig=vpc(environment)),
    }
    model_name = check_name(f"{package.training_job}-{content_hash(model)}")
    config: dict[str, Any] = {
        "ProductionVariants": [
            {
                "VariantName": VARIANT,
                "ModelName": model_name,
                "InstanceType": place.instance_type,
                "InitialInstanceCount": place.instance_count,
                "InitialVariantWeight": 1.0,
            }
        ],
        **given(KmsKeyId=volume_key(environment, place.instance_type)),
    }
    config_name = check_name(f"{package.training_job}-{content_hash(config)}")
    try:
        workspace.clients.sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
    except ClientError as error:
        if not is_missing(error):
            raise
        labels = given(Tags=tags(environment))
        _create(workspace.clients.sagemaker.create_model, ModelName=model_name, **model, **labels)
        _create(
            workspace.clients.sagemaker.create_endpoint_config,
            EndpointConfigName=config_name,
            **config,
            **labels,
        )
    return config_name


def is_named_after(name: str, training_jobs: Collection[str]) -> bool:
    """Whether a model or configuration was made for one of these jobs, here or for its batch transforms."""
    stem, _, digest = name.rpartition("-")
    return name in training_jobs or (stem in training_jobs and len(digest) == HASH_CHARS)


def describe_endpoint(sagemaker: SageMakerClient, name: str) -> dict[str, Any] | None:
    """DescribeEndpoint's answer, or None when there is no such endpoint."""
    try:
        return dict(sagemaker.describe_endpoint(EndpointName=name))
    except ClientError as error:
        if not is_missing(error):
            raise
        return None


def serves(endpoint: dict[str, Any] | None, config: str) -> bool:
    """Whether an endpoint is in service with this configuration: the status alone says too little."""
    return (
        endpoint is not None
        and endpoint["EndpointStatus"] == "InService"
        and endpoint["EndpointConfigName"] == config
    )


def reconcile(workspace: Workspace, name: str, config: str, waited_for: Pending | None) -> Pending | None:
    """Bring an endpoint to a configuration (see jobs.py for the calling pattern); None when it serves so.

    DeploymentFailed when the change that was waited for failed, or was rolled back. An endpoint that is found
    Failed can only be deleted: it is, and made anew.
    """
    endpoint = describe_endpoint(workspace.clients.sagemaker, name)
    mine = waited_for is not None and name in waited_for.names and waited_for.aim == config
    if endpoint is None:
        return _start(workspace, name, config, update=False)
    status, reason = endpoint["EndpointStatus"], endpoint.get("FailureReason", "no reason was given")
    if status in ENDPOINT_BUSY:
        return Pending(ResourceKind.ENDPOINT, (name,), _heading_for(endpoint, config))
    if status == "Failed" and not mine:
        log.warning("endpoint %s is Failed (%s): deleting it, to make it anew", name, reason)
        workspace.clients.sagemaker.delete_endpoint(EndpointName=name)
        return Pending(ResourceKind.ENDPOINT, (name,))
    if status == "Failed":
        raise DeploymentFailed(f"endpoint {name} failed: {reason}. The next try makes it anew.")
    if serves(endpoint, config):
        return None
    if status != "InService":
        # UpdateRollbackFailed: an update and its undoing both failed, and old and new answer side by side.
        raise DeploymentFailed(
            f"endpoint {name} is {status} ({reason}): SageMaker left it in a state that an update does not "
            "mend. Look at it in the console; deleting it (teardown) and deploying again makes it anew."
        )
    if mine:
        raise DeploymentFailed(
            f"SageMaker rolled endpoint {name} back to {endpoint['EndpointConfigName']} instead of serving "
            f"{config}: {reason}. Look at the alarms and the endpoint's log before the next try."
        )
    return _start(workspace, name, config, update=True)


def deployment_config(place: DeploymentSettings) -> Any:
    """How traffic moves (UpdateEndpoint's DeploymentConfig): blue/green, and the alarms that undo it."""
    routing: dict[str, Any] = {
        "Type": place.traffic.upper(),
        "WaitIntervalInSeconds": place.bake_seconds,
    }
    step = {"Type": "CAPACITY_PERCENT", "Value": place.step_percent}
    if place.traffic == "canary":
        routing["CanarySize"] = step
    elif place.traffic == "linear":
        routing["LinearStepSize"] = step
    config: dict[str, Any] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": place.keep_old_seconds,
        }
    }
    if place.alarms:
        config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in place.alarms]}
    return config


def _start(workspace: Workspace, name: str, config: str, update: bool) -> Pending:
    """Ask for the change. Where somebody else was faster, theirs is waited for, and ours comes after."""
    environment = workspace.environment
    try:
        if update:
            policy = deployment_config(deployment_settings(workspace))
            workspace.clients.sagemaker.update_endpoint(
                EndpointName=name, EndpointConfigName=config, DeploymentConfig=policy
            )
        else:
            labels = given(Tags=tags(environment))
            workspace.clients.sagemaker.create_endpoint(
                EndpointName=name, EndpointConfigName=config, **labels
            )
    except ClientError as error:
        if "in-progress" not in str(error) and "already existing" not in str(error):
            raise
        log.info("endpoint %s is being changed by somebody else: waiting for that first", name)
        return Pending(ResourceKind.ENDPOINT, (name,))
    log.info("endpoint %s: asked for %s", name, config)
    return Pending(ResourceKind.ENDPOINT, (name,), aim=config)


def _heading_for(endpoint: dict[str, Any], config: str) -> str:
    """The aim of a change that goes on: ours again after a crash, or "" for somebody else's."""
    pending = endpoint.get("PendingDeploymentSummary", endpoint)
    return config if pending.get("EndpointConfigName") == config else ""


def _create(operation: Any, **request: Any) -> None:
    """Create something that is named after its content: when it is there, it is the same."""
    try:
        operation(**request)
    except ClientError as error:
        if "already existing" not in str(error):
            raise
