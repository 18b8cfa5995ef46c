"""Training: one SageMaker job per dataset and parent model.

Takes a dataset, gives a completed training job and ``models/<job>/model.json``, the record of what came from
what. The request follows the incremental-training recipe of SageMaker's object detection: augmented manifests
through Pipe mode, the parent's artifact as a File channel named ``model``; machines, network and keys are the
environment's, and so is what an image of one's own has otherwise (``adapter``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.loop.aws.containers import training_image
from include.loop.aws.jobs import Job, Pending, ResourceKind, attach_or_create
from include.loop.aws.request_options import given, tags, volume_key, vpc
from include.loop.config import TrainingInstances
from include.loop.core import layout
from include.loop.core.identity import job_stem
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import Champion, TrainedModel, shape_of
from include.loop.models.champion import find_champion
from include.loop.training.channels import dataset_channels, is_model_channel, model_channel
from include.loop.training.coco import write_coco
from include.loop.training.hyperparameters import loop_values, request_hyperparameters
from include.loop.training.learned import SHAPE_VARIABLE, hyperparameters_of
from include.loop.training.packing import pack_dataset
from include.loop.workspace import Workspace

LONGEST_WAIT = 2_419_200  # seconds: 28 days, the most that CreateTrainingJob's MaxWaitTimeInSeconds takes


@dataclass(frozen=True)
class Trained:
    """A completed training job: which ``attempt`` it was, how long it took, and SageMaker's final ``metrics``
    by name.
    """

    training_job: str
    dataset_id: str
    parent: str | None
    model_data: str
    attempt: int
    seconds: float | None
    metrics: dict[str, float]


def train(workspace: Workspace, dataset_id: str, waited_for: Pending | None = None) -> Pending | Trained:
    """Train on a dataset, from its parent when it has one (see jobs.py for the calling pattern).

    Incompatible when the parent has another base network or other classes; ConfigurationError when
    SageMaker's own algorithm would refuse a hyperparameter.
    """
    dataset = Dataset.read(workspace.storage, dataset_id)
    parent = parent_of(workspace, dataset)
    channels = workspace.environment.adapter.channels
    # What counts is what the job will read.
    if channels.format == "coco":
        dataset = dataset.model_copy(update={"train": write_coco(workspace, dataset).train})
    elif workspace.pipeline.trains_from_recordio:
        dataset = dataset.model_copy(update={"train": pack_dataset(workspace, dataset).train})
    values = loop_values(workspace, dataset, parent)
    hyperparameters = request_hyperparameters(workspace, values, parent)
    job = attach_or_create(
        workspace.clients.sagemaker,
        ResourceKind.TRAINING,
        training_stem(workspace.pipeline.name, dataset),
        lambda: make_request(workspace, dataset, parent, hyperparameters) | shape_beside(workspace, values),
        waited_for,
    )
    if not job.ended:
        return Pending(ResourceKind.TRAINING, (job.name,))
    return _finish(workspace, dataset, job)


def parent_of(workspace: Workspace, dataset: Dataset) -> Champion | None:
    """The model that is trained further; None for a first one, and where the image begins anew every time."""
    if workspace.environment.adapter.channels.model is None:
        return None
    return find_champion(workspace, dataset.parent)


def make_request(
    workspace: Workspace, dataset: Dataset, parent: Champion | None, hyperparameters: dict[str, str]
) -> dict[str, Any]:
    """CreateTrainingJob's arguments without the name."""
    storage = workspace.storage
    channels = dataset_channels(workspace, dataset)
    if parent:
        channels.append(model_channel(workspace, parent.model_data))
    request = job_request(workspace, channels, hyperparameters, storage.uri(layout.MODELS))
    return request | given(CheckpointConfig=_checkpoints(workspace, dataset))


def job_request(
    workspace: Workspace, channels: list[dict[str, Any]], hyperparameters: dict[str, str], output: str
) -> dict[str, Any]:
    """What every training request of an environment has in common; ``output`` is the S3 URI below which
    SageMaker puts the model.
    """
    environment = workspace.environment
    place, network = environment.training, environment.network
    metrics = [{"Name": name, "Regex": text} for name, text in environment.adapter.metrics.items()]
    request = {
        "AlgorithmSpecification": given(
            TrainingImage=training_image(workspace),
            # A channel's own mode goes before the job's, which no request can do without.
            TrainingInputMode=channels[0]["InputMode"],
            MetricDefinitions=metrics or None,
        ),
        "RoleArn": environment.role_arn,
        "HyperParameters": hyperparameters,
        "InputDataConfig": channels,
        "OutputDataConfig": given(S3OutputPath=output, KmsKeyId=network.kms_key),
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
    return request | given(VpcConfig=vpc(environment), Tags=tags(environment))


def shape_beside(workspace: Workspace, values: Mapping[str, str]) -> dict[str, Any]:
    """The member of a request that says what the network is like, of ``loop_values``: what a job was sent is
    read again when it has ended, and the settings may be others by then.
    """
    if workspace.environment.adapter.hyperparameters is None:
        return {}
    return {"Environment": {SHAPE_VARIABLE: json.dumps(shape_of(values))}}


def _longest_wait(place: TrainingInstances) -> int | None:
    """Spot capacity has to be waited for; SageMaker wants the longest time from the request to the end."""
    if not place.spot:
        return None
    return place.max_wait_seconds or min(2 * place.max_runtime_seconds, LONGEST_WAIT)


def _checkpoints(workspace: Workspace, dataset: Dataset) -> dict[str, str] | None:
    """One folder per dataset and parent: the next attempt goes on where an interrupted one was."""
    if not workspace.environment.training.checkpoints:
        return None
    return {
        "S3Uri": workspace.storage.uri(layout.checkpoints(training_stem(workspace.pipeline.name, dataset)))
    }


def training_stem(pipeline: str, dataset: Dataset) -> str:
    """The name of the dataset's training jobs, without the number of the attempt."""
    return job_stem(pipeline, "train", dataset.dataset_id, dataset.parent)


def _finish(workspace: Workspace, dataset: Dataset, job: Job) -> Trained:
    model = TrainedModel(
        training_job=job.name,
        dataset_id=dataset.dataset_id,
        parent=dataset.parent,
        from_scratch=not any(map(is_model_channel, job.details.get("InputDataConfig", ()))),
        model_data=job.details["ModelArtifacts"]["S3ModelArtifacts"],
        hyperparameters=hyperparameters_of(job.details),
        training_job_arn=job.details["TrainingJobArn"],
        instance_type=job.details["ResourceConfig"]["InstanceType"],
        seconds=job.seconds,
        billable_seconds=job.details.get("BillableTimeInSeconds"),
    ).write_once(workspace.storage, job.name)
    metrics = {item["MetricName"]: item["Value"] for item in job.details.get("FinalMetricDataList", ())}
    return Trained(
        training_job=job.name,
        dataset_id=dataset.dataset_id,
        parent=dataset.parent,
        model_data=model.model_data,
        attempt=job.attempt,
        seconds=job.seconds,
        metrics=metrics,
    )
