"""Training: one SageMaker job per dataset and parent model.

Takes a dataset, gives a completed training job and ``models/<job>/model.json``, the record of what came from
what. The request follows the incremental-training recipe of SageMaker's object detection: augmented manifests
through Pipe mode, the parent's artifact as a File channel named ``model``; machines, network and keys are the
environment's. Knows dataset, algorithm, champion and jobs.
"""

from __future__ import annotations

from typing import Any

from include.loop.aws.containers import check_limits, check_machines, training_image
from include.loop.aws.jobs import Job, Pending, ResourceKind, attach_or_create
from include.loop.aws.request_options import given, tags, volume_key, vpc
from include.loop.config import Stage, TrainingInstances
from include.loop.core import layout
from include.loop.core.errors import Incompatible
from include.loop.core.identity import job_stem
from include.loop.dataset.build import read_dataset
from include.loop.models.champion import Champion, find_champion
from include.loop.workspace import Workspace

# SageMaker's default label_width; it must hold five numbers per box of the fullest image, and two more.
MIN_LABEL_WIDTH = 350
NUMBERS_PER_BOX = 5
DEFAULT_LEARNING_RATE = 0.001  # that of SageMaker's object detection
LONGEST_WAIT = 2_419_200  # seconds: 28 days, the most that CreateTrainingJob's MaxWaitTimeInSeconds takes


def train(
    workspace: Workspace, dataset_id: str, waited_for: Pending | None = None
) -> Pending | dict[str, Any]:
    """Train on a dataset, from its parent when it has one (see jobs.py for the calling pattern).

    Incompatible when the parent has another base network or other classes; ConfigurationError when
    SageMaker's own algorithm would refuse a hyperparameter.
    """
    record = read_dataset(workspace, dataset_id)
    parent = find_champion(workspace, record["parent"])
    hyperparameters = make_hyperparameters(workspace, record, parent)
    job = attach_or_create(
        workspace.clients.sagemaker,
        ResourceKind.TRAINING,
        _stem(workspace, record),
        lambda: make_request(workspace, record, parent, hyperparameters),
        waited_for,
    )
    if not job.ended:
        return Pending(ResourceKind.TRAINING, (job.name,))
    return _finish(workspace, record, job)


def make_hyperparameters(
    workspace: Workspace, record: dict[str, Any], parent: Champion | None
) -> dict[str, str]:
    """What is counted, then the pipeline's settings, then the environment's; all as text, as the API wants
    them. A model that is trained further takes the first model's settings, gentler, and then its own.
    """
    settings = workspace.pipeline.training
    values: dict[str, Any] = {
        "num_classes": len(workspace.pipeline.classes),
        "base_network": settings.base_network,
        "image_shape": settings.image_shape,
        "num_training_samples": record["train"],
        "label_width": max(MIN_LABEL_WIDTH, NUMBERS_PER_BOX * record["max_boxes"] + 2),
    }
    values |= _settings(workspace, "initial")
    if parent:
        values |= _gentler(values, parent) | _settings(workspace, "incremental")
        values["use_pretrained_model"] = 0  # the parent's weights take the place of SageMaker's
        _check_parent(parent, values)
    # "The number of input images must be bigger or equal to the mini_batch_size": so a small dataset trains
    # too.
    values["mini_batch_size"] = min(int(values.get("mini_batch_size", 32)), record["train"])
    texts = {name: str(value) for name, value in sorted(values.items())}
    if workspace.environment.algorithm == "sagemaker":
        check_limits(texts)
        check_machines(workspace.environment)
    return texts


def read_model(workspace: Workspace, training_job: str) -> dict[str, Any]:
    """model.json of a completed training job."""
    return dict(workspace.storage.read_json(layout.model_file(training_job)))


def _settings(workspace: Workspace, stage: Stage) -> dict[str, Any]:
    pipeline, place = workspace.pipeline.training, workspace.environment.training
    chosen = pipeline.initial if stage == "initial" else pipeline.incremental
    return chosen.hyperparameters | (place.hyperparameters.get(stage) or {})


def _gentler(first: dict[str, Any], parent: Champion) -> dict[str, Any]:
    """What changes when a model is trained further and nothing is said: SageMaker's example for retraining
    with A2I keeps all settings of the first training but its learning rate, a tenth, so that what the model
    knows is refined and not overwritten. The image size is the parent's.
    """
    rate = float(first.get("learning_rate", DEFAULT_LEARNING_RATE))
    return {"learning_rate": f"{rate / 10:g}", "image_shape": parent.image_shape}


def _check_parent(parent: Champion, values: dict[str, Any]) -> None:
    """SageMaker's rule for incremental training: the same network and the same number of classes."""
    for name in ("base_network", "num_classes"):
        if values[name] != getattr(parent, name):
            raise Incompatible(
                f"{name} is {values[name]!r}, but the champion {parent.training_job} has "
                f"{getattr(parent, name)!r}: a model cannot be trained further with another {name}. "
                "Give the new model a pipeline of its own."
            )


def make_request(
    workspace: Workspace, record: dict[str, Any], parent: Champion | None, hyperparameters: dict[str, str]
) -> dict[str, Any]:
    """CreateTrainingJob's arguments without the name."""
    environment = workspace.environment
    place, network = environment.training, environment.network
    channels = [_data_channel(workspace, record["dataset_id"], side) for side in ("train", "validation")]
    if parent:
        channels.append(_model_channel(parent.model_data))
    request = {
        "AlgorithmSpecification": {
            "TrainingImage": training_image(environment),
            "TrainingInputMode": "Pipe",
        },
        "RoleArn": environment.role_arn,
        "HyperParameters": hyperparameters,
        "InputDataConfig": channels,
        "OutputDataConfig": given(
            S3OutputPath=workspace.storage.uri(layout.MODELS), KmsKeyId=network.kms_key
        ),
        "ResourceConfig": given(
            InstanceType=place.instance_type,
            InstanceCount=place.instance_count,
            VolumeSizeInGB=place.volume_gb,
            VolumeKmsKeyId=volume_key(environment, place.instance_type),
            KeepAlivePeriodInSeconds=place.warm_pool_seconds or None,
        ),
        "StoppingCondition": given(
            MaxRuntimeInSeconds=place.max_runtime_seconds, MaxWaitTimeInSeconds=_longest_wait(place)
        ),
        "EnableManagedSpotTraining": place.spot,
        "EnableNetworkIsolation": network.isolation,
        "EnableInterContainerTrafficEncryption": network.encrypt_between_containers,
    }
    return request | given(
        VpcConfig=vpc(environment), CheckpointConfig=_checkpoints(workspace, record), Tags=tags(environment)
    )


def _longest_wait(place: TrainingInstances) -> int | None:
    """Spot capacity has to be waited for; SageMaker wants the longest time from the request to the end."""
    if not place.spot:
        return None
    return place.max_wait_seconds or min(2 * place.max_runtime_seconds, LONGEST_WAIT)


def _checkpoints(workspace: Workspace, record: dict[str, Any]) -> dict[str, str] | None:
    """One folder per dataset and parent: the next attempt goes on where an interrupted one was."""
    if not workspace.environment.training.checkpoints:
        return None
    return {"S3Uri": workspace.storage.uri(layout.checkpoints(_stem(workspace, record)))}


def _stem(workspace: Workspace, record: dict[str, Any]) -> str:
    return job_stem(workspace.pipeline.name, "train", record["dataset_id"], record["parent"])


def _data_channel(workspace: Workspace, dataset_id: str, side: str) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "ChannelName": side,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "AugmentedManifestFile",
                "S3Uri": workspace.storage.uri(layout.dataset_manifest(dataset_id, side)),
                "S3DataDistributionType": "FullyReplicated",
                # The order counts: the image first, then its label.
                "AttributeNames": ["source-ref", workspace.pipeline.label_attribute],
            }
        },
        "ContentType": "application/x-recordio",
        "RecordWrapperType": "RecordIO",
        "CompressionType": "None",
        "InputMode": "Pipe",
    }
    if side == "train":
        channel["ShuffleConfig"] = {"Seed": 1}  # the manifest is sorted; learning wants it mixed
    return channel


def _model_channel(model_data: str) -> dict[str, Any]:
    return {
        "ChannelName": "model",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": model_data,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "ContentType": "application/x-sagemaker-model",
        "CompressionType": "None",
        "InputMode": "File",
    }


def _finish(workspace: Workspace, record: dict[str, Any], job: Job) -> dict[str, Any]:
    used = job.details["HyperParameters"]
    model = workspace.storage.write_json_once(
        layout.model_file(job.name),
        {
            "training_job": job.name,
            "dataset_id": record["dataset_id"],
            "parent": record["parent"],
            "model_data": job.details["ModelArtifacts"]["S3ModelArtifacts"],
            "base_network": used["base_network"],
            "num_classes": int(used["num_classes"]),
            "image_shape": int(used["image_shape"]),
            "hyperparameters": used,
            "training_job_arn": job.details["TrainingJobArn"],
            "instance_type": job.details["ResourceConfig"]["InstanceType"],
            "seconds": job.seconds,
            "billable_seconds": job.details.get("BillableTimeInSeconds"),
        },
    )
    metrics = {item["MetricName"]: item["Value"] for item in job.details.get("FinalMetricDataList", ())}
    return {
        "training_job": job.name,
        "dataset_id": record["dataset_id"],
        "parent": record["parent"],
        "model_data": model["model_data"],
        "attempt": job.attempt,
        "seconds": job.seconds,
        "metrics": metrics,
    }
