"""A training job for labels that belong to no dataset: what the loop would ask for, derived from them.

Takes what both channels are to have (material.py), and perhaps a pipeline or a model to go on from; gives the
request and the name of its job. What can be counted is counted, and classes of another list fail here and not
in the job. The same request has the same name, so that a command which is given twice trains once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.loop.aws.jobs import Job, JobStatus, ResourceKind, create, latest
from include.loop.config import Environment, Pipeline, Stage
from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.core.errors import ConfigurationError, Incompatible
from include.loop.core.identity import attempt_name, job_stem
from include.loop.core.records.dataset import Dataset
from include.loop.core.storage import Storage
from include.loop.manifests.places import is_in_s3
from include.loop.training.channels import model_channel
from include.loop.training.hyperparameters import loop_values, request_hyperparameters
from include.loop.training.job import job_request, shape_beside
from include.loop.training.learned import NAME, check_task, find_job, hyperparameters_of, made_of
from include.loop.training.material import Material, call, look
from include.loop.training.parents import Parent
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Wish:
    """What a person asks for. ``train`` and ``validation`` are S3 URIs; ``parent`` is a training job or the
    S3 URI of an artifact; ``output`` where models go, the pipeline's folder by default.
    """

    train: str
    validation: str
    label: str | None = None
    parent: str | None = None
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    output: str | None = None


@dataclass(frozen=True)
class Plan:
    """A request without its name, the ``stem`` of that name, the task's classes, and how many ``images``
    train.
    """

    stem: str
    request: dict[str, Any]
    attribute: str | None
    classes: tuple[str, ...]
    images: int


@dataclass(frozen=True)
class _Known:
    """A model that a person has named, as a ``Parent``."""

    training_job: str
    model_data: str
    hyperparameters: Mapping[str, str]


def plan(clients: Clients, environment: Environment, pipeline: Pipeline | None, wish: Wish) -> Plan:
    """The request. ConfigurationError or Incompatible for what could not work, before anything is sent."""
    names = environment.adapter.channels
    if names.format == "coco":
        raise ConfigurationError(
            f"{environment.path}: adapter.channels.format: by hand a job is given the manifests as they are; "
            "its COCO files are made of the loop's own datasets only"
        )
    if wish.parent and names.model is None:
        raise ConfigurationError(f"{environment.path}: adapter.channels.model: this image takes no parent")
    anywhere = Storage(clients.s3, environment.bucket, pipeline.name if pipeline else NAME)
    train = look(anywhere, wish.train, wish.label)
    validation = look(anywhere, wish.validation, train.attribute or wish.label)
    pipeline = pipeline or made_of(train)
    for found in (train, validation):
        _check(pipeline, found)
    workspace = Workspace(pipeline, _with_last_word(environment, wish), anywhere, clients)
    if environment.image is None:  # one's own may take others
        workspace.task.algorithm.check_values(wish.hyperparameters)
    dataset = Dataset(dataset_id=NAME, train=train.images, max_boxes=train.most)
    parent = _parent(workspace, wish.parent, dataset) if wish.parent else None
    channels = [train.channel(workspace, "train"), validation.channel(workspace, "validation")]
    if parent:
        channels.append(model_channel(workspace, parent.model_data))
    output = wish.output or anywhere.uri(layout.MODELS)
    values = loop_values(workspace, dataset, parent)
    hyperparameters = request_hyperparameters(workspace, values, parent)
    request = job_request(workspace, channels, hyperparameters, output) | shape_beside(workspace, values)
    slug = "train" if pipeline.name == NAME else NAME
    stem = job_stem(pipeline.name, slug, request, train.version, validation.version)
    return Plan(stem, request, train.attribute, pipeline.classes, train.images)


def next_name(clients: Clients, plan: Plan) -> str:
    """What a job of this request would be called now."""
    job = latest(clients.sagemaker, ResourceKind.TRAINING, plan.stem)
    return attempt_name(plan.stem, job.attempt + 1 if job else 1)


def start(clients: Clients, plan: Plan) -> Job:
    """The job of this request: the one that runs or has completed, else a new one."""
    job = latest(clients.sagemaker, ResourceKind.TRAINING, plan.stem)
    if job and (job.completed or not job.ended):
        return job
    attempt = job.attempt + 1 if job else 1
    return create(clients.sagemaker, ResourceKind.TRAINING, plan.stem, attempt, plan.request)


def _with_last_word(environment: Environment, wish: Wish) -> Environment:
    """The environment's settings come last (hyperparameters.py): there a person's come after them."""
    stage: Stage = "incremental" if wish.parent else "initial"
    place = environment.training
    settings = {**(place.hyperparameters.get(stage) or {}), **wish.hyperparameters}
    place = place.model_copy(update={"hyperparameters": place.hyperparameters | {stage: settings}})
    return environment.model_copy(update={"training": place})


def _check(pipeline: Pipeline, found: Material) -> None:
    """The pipeline's task, and every class is one of its own, under the same name."""
    if (found.task, found.multi_label) != (pipeline.task, pipeline.multi_label):
        raise ConfigurationError(
            f"{found.place}: the labels are of {call(found.task, found.multi_label)}, what is trained of "
            f"{call(pipeline.task, pipeline.multi_label)}"
        )
    if found.class_count > len(pipeline.classes):
        raise ConfigurationError(
            f"{found.place}: class {found.class_count - 1} is none of the {len(pipeline.classes)} that are "
            f"trained: {', '.join(pipeline.classes)}"
        )
    for index, name in sorted(found.names.items()):
        if name != pipeline.classes[index]:
            raise ConfigurationError(
                f"{found.place}: class {index} is {name!r}, and {pipeline.classes[index]!r} here"
            )


def _parent(workspace: Workspace, given: str, dataset: Dataset) -> Parent:
    """A job's model with its hyperparameters. An artifact is taken to be of the job that it is named after;
    of another one nothing is known, and the algorithm itself compares when it begins.
    """
    job = given.split("/")[-3] if is_in_s3(given) and given.count("/") > 4 else given
    details = find_job(workspace.clients, job)
    if details is not None:
        if details["TrainingJobStatus"] != JobStatus.COMPLETED:
            raise Incompatible(
                f"training job {job} is {details['TrainingJobStatus']}: it has no model to go on from"
            )
        check_task(workspace.pipeline, details)
    model_data = given
    if not is_in_s3(given):
        if details is None:
            raise ConfigurationError(f"--from {given}: there is no such training job, and it is no S3 URI")
        model_data = details["ModelArtifacts"]["S3ModelArtifacts"]
    if not workspace.storage.exists(model_data):
        raise ConfigurationError(f"--from {given}: there is no artifact {model_data}")
    settings = loop_values(workspace, dataset, None)
    same = details is not None and details["ModelArtifacts"]["S3ModelArtifacts"] == model_data
    if details is not None and same:
        settings |= hyperparameters_of(details)
    return _Known(job, model_data, settings)
