"""What each member of a request does in the local cloud: one table for every operation that starts something.

``check`` refuses what would give other results than asked for, and returns what was asked for and changes
nothing here: such members are kept, described back, and named once in the log. A test finds the members of
the service model that no table has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Union

from include.wire import AwsError

KEPT_AS = "WithoutEffect"  # the member of our documents for what ``check`` returned: never on the wire


class Does(Enum):
    AS_AWS = "what it does on AWS"
    PLACE = "says where, on how many machines or as whom: here is one machine, one network and one owner"
    NOTHING = "is not done here, and the results are the same without it"


@dataclass(frozen=True)
class Refused:
    """The results would be others without it."""

    reason: str


Members = Mapping[str, Union[Does, Refused, "Members"]]  # a structure's, or of each item of a list


def _members(
    acts: str, place: str = "", nothing: str = "", refused: Mapping[str, str] | None = None, **parts: Members
) -> Members:
    return {
        **dict.fromkeys(acts.split(), Does.AS_AWS),
        **dict.fromkeys(place.split(), Does.PLACE),
        **dict.fromkeys(nothing.split(), Does.NOTHING),
        **{member: Refused(reason) for member, reason in (refused or {}).items()},
        **parts,
    }


TRAINING_JOB = _members(
    acts="TrainingJobName HyperParameters InputDataConfig StoppingCondition Tags EnableManagedSpotTraining "
    "CheckpointConfig Environment",
    place="RoleArn VpcConfig EnableNetworkIsolation EnableInterContainerTrafficEncryption",
    nothing="DebugHookConfig DebugRuleConfigurations TensorBoardOutputConfig ExperimentConfig ProfilerConfig "
    "ProfilerRuleConfigurations RetryStrategy RemoteDebugConfig InfraCheckConfig SessionChainingConfig "
    "MlflowConfig",
    refused={
        "ServerlessJobConfig": "it would tune a model of Amazon's; give an AlgorithmSpecification",
        "ModelPackageConfig": "no model package is made of the result; make one with CreateModelPackage",
    },
    AlgorithmSpecification=_members(
        acts="TrainingImage TrainingInputMode MetricDefinitions",
        place="TrainingImageConfig",
        nothing="EnableSageMakerMetricsTimeSeries",
        refused={
            "AlgorithmName": "give TrainingImage",
            "ContainerEntrypoint": "an algorithm is started as `train` here",
            "ContainerArguments": "an algorithm is started as `train` here",
        },
    ),
    OutputDataConfig=_members(acts="S3OutputPath CompressionType", place="KmsKeyId"),
    ResourceConfig=_members(
        acts="KeepAlivePeriodInSeconds",
        place="InstanceType InstanceCount VolumeSizeInGB VolumeKmsKeyId InstanceGroups TrainingPlanArn "
        "InstancePlacementConfig InstancePreferences SelectedInstanceType SelectedInstanceCount",
    ),
)

TRANSFORM_JOB = _members(
    acts="TransformJobName ModelName MaxConcurrentTransforms ModelClientConfig MaxPayloadInMB BatchStrategy "
    "Environment TransformInput DataProcessing Tags",
    place="TransformResources",
    nothing="DataCaptureConfig ExperimentConfig",
    TransformOutput=_members(
        acts="S3OutputPath Accept",
        place="KmsKeyId",
        refused={"AssembleWith": "each object's answer is stored as it came (None)"},
    ),
)

_CONTAINER = _members(
    acts="Image ModelDataUrl ModelDataSource Environment ModelPackageName",
    place="ContainerHostname ImageConfig",
    nothing="ContainerMetricsConfig",
    refused={
        "Mode": "a server holds one model here (SingleModel)",
        "MultiModelConfig": "a server holds one model here",
        "AdditionalModelDataSources": "a server gets one archive here",
        "InferenceSpecificationName": "a model package is used by its InferenceSpecification here",
    },
)

MODEL = _members(
    acts="ModelName Tags",
    place="ExecutionRoleArn VpcConfig EnableNetworkIsolation InferenceExecutionConfig",
    PrimaryContainer=_CONTAINER,
    Containers=_CONTAINER,
)

ENDPOINT_CONFIG = _members(
    acts="EndpointConfigName Tags",
    place="KmsKeyId ExecutionRoleArn VpcConfig EnableNetworkIsolation",
    nothing="DataCaptureConfig MetricsConfig",
    refused={
        "AsyncInferenceConfig": "there is no InvokeEndpointAsync here",
        "ExplainerConfig": "answers are not explained here",
        "ShadowProductionVariants": "no copies of requests are sent to a second model here",
    },
    ProductionVariants=_members(
        acts="VariantName ModelName InitialVariantWeight ContainerStartupHealthCheckTimeoutInSeconds",
        place="InitialInstanceCount InstanceType InstancePools VariantInstanceProvisionTimeoutInSeconds "
        "AcceleratorType VolumeSizeInGB ModelDataDownloadTimeoutInSeconds RoutingConfig InferenceAmiVersion "
        "CapacityReservationConfig ServerlessConfig",
        nothing="CoreDumpConfig EnableSSMAccess ManagedInstanceScaling",
    ),
)

ENDPOINT = _members(acts="EndpointName EndpointConfigName DeploymentConfig Tags")

# What says that something shall not be done.
_OFF: Mapping[str, Any] = {"DisableProfiler": True, "Mode": "SingleModel", "AssembleWith": "None"}


def check(table: Members, params: Mapping[str, Any]) -> list[str]:
    """The members, such as ``ProfilerConfig``, that were asked for and have no effect here.

    Raises ``ValidationException`` for one that cannot be left out.
    """
    return sorted(set(_without_effect(table, params, "")))


def tell(say: Callable[[str], None], *documents: Mapping[str, Any]) -> None:
    """Name in a log what the documents of a job, its model and the like have kept without effect."""
    members = sorted({member for document in documents for member in document.get(KEPT_AS, ())})
    if members:
        have = "has" if len(members) == 1 else "have"
        say(f"[sagemaker logs]: {', '.join(members)} {have} no effect in the local cloud")


def _without_effect(table: Members, params: Mapping[str, Any], path: str) -> Iterator[str]:
    for member, value in params.items():
        does = table.get(member, Does.AS_AWS)
        if isinstance(does, Mapping):
            for item in value if isinstance(value, list) else [value]:
                yield from _without_effect(does, item, f"{path}{member}.")
        elif not _asks(member, value):
            continue
        elif isinstance(does, Refused):
            raise AwsError(
                "ValidationException",
                f"{path}{member} is not available in the local cloud: {does.reason}",
            )
        elif does is Does.NOTHING:
            yield f"{path}{member}"


def _asks(member: str, value: Any) -> bool:
    """Whether a member wants something done: not when it is empty, or every switch in it is off."""
    if isinstance(value, Mapping):
        return any(_asks(name, item) for name, item in value.items())
    if isinstance(value, list):
        return any(_asks(member, item) for item in value)
    return bool(value) and value != _OFF.get(member)
