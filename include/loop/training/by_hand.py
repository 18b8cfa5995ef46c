"""A training job for manifests that belong to no dataset: what the loop would ask for, derived from them.

Takes the manifests of both channels, and perhaps a pipeline or a model to go on from; gives the request and
the name of its job. What can be counted is counted, and what would fail in the job fails here: a label
attribute that is not there, lines without a label, classes of another list. The same request has the same
name, so that a command which is given twice trains once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from include.loop.aws.jobs import Job, JobStatus, ResourceKind, create, is_missing, latest
from include.loop.config import Environment, Pipeline, Stage
from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.core.errors import ConfigurationError, Incompatible
from include.loop.core.identity import attempt_name, job_stem
from include.loop.core.records.dataset import Dataset
from include.loop.core.storage import Storage
from include.loop.manifests.places import is_in_s3, numbered_lines
from include.loop.manifests.survey import Attribute, Survey, survey
from include.loop.training.hyperparameters import make_hyperparameters
from include.loop.training.job import job_request, manifest_channel, model_channel
from include.loop.training.parents import Parent
from include.loop.workspace import Workspace

# SageMaker's image classification takes a list as a 0 or 1 for every class unless it is told otherwise.
MULTI_HOT = "application/x-recordio"
NAME = "by-hand"  # of the pipeline that there is none of


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
    """A request without its name, the ``stem`` of that name, and the task's classes."""

    stem: str
    request: dict[str, Any]
    attribute: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """A model that a person has named, as a ``Parent``."""

    training_job: str
    model_data: str
    hyperparameters: Mapping[str, str]


def plan(clients: Clients, environment: Environment, pipeline: Pipeline | None, wish: Wish) -> Plan:
    """The request. ConfigurationError or Incompatible for what could not work, before anything is sent."""
    anywhere = Storage(clients.s3, environment.bucket, pipeline.name if pipeline else NAME)
    train, validation = (_look(anywhere, place, wish.label) for place in (wish.train, wish.validation))
    label = train.choose(wish.label)
    for found in (train, validation):
        _check_lines(found, label.name)
    pipeline = _of_manifest(train, label) if pipeline is None else _fitting(pipeline, train, label)
    measured = validation.choose(label.name)
    _check_classes(pipeline, validation, measured)
    workspace = Workspace(pipeline, _with_last_word(environment, wish), anywhere, clients)
    dataset = Dataset(dataset_id=NAME, train=label.labelled, max_boxes=label.most)
    parent = _parent(workspace, wish.parent, dataset) if wish.parent else None
    channels = [
        _channel(workspace, "train", train, label),
        _channel(workspace, "validation", validation, measured),
    ]
    if parent:
        channels.append(model_channel(parent.model_data))
    output = wish.output or anywhere.uri(layout.MODELS)
    request = job_request(workspace, channels, make_hyperparameters(workspace, dataset, parent), output)
    etags = [item.etag for place in (wish.train, wish.validation) if (item := anywhere.stat(place))]
    slug = "train" if pipeline.name == NAME else NAME
    return Plan(job_stem(pipeline.name, slug, request, etags), request, label.name, pipeline.classes)


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


def _channel(workspace: Workspace, split: str, found: Survey, label: Attribute) -> dict[str, Any]:
    """As the loop sends it; but others may have written a 0 or 1 for every class, where it has ids."""
    channel = manifest_channel(workspace, split, found.place, label.name)
    if label.multi_hot:
        if len(label.multi_hot) > 1 or label.multi_hot.total() < label.labelled:
            raise ConfigurationError(
                f"{found.place}: {label.name!r} is not a 0 or 1 for each class in all lines"
            )
        channel["ContentType"] = MULTI_HOT
    return channel


def _with_last_word(environment: Environment, wish: Wish) -> Environment:
    """The environment's settings come last (hyperparameters.py): there a person's come after them."""
    stage: Stage = "incremental" if wish.parent else "initial"
    place = environment.training
    settings = {**(place.hyperparameters.get(stage) or {}), **wish.hyperparameters}
    place = place.model_copy(update={"hyperparameters": place.hyperparameters | {stage: settings}})
    return environment.model_copy(update={"training": place})


def pipeline_of(storage: Storage, details: Mapping[str, Any]) -> Pipeline:
    """What a job that belongs to no pipeline has learned, as its own manifest says it. ConfigurationError
    when it learned from files that have no names of classes.
    """
    source = details["InputDataConfig"][0]["DataSource"].get("S3DataSource", {})
    if source.get("S3DataType") != "AugmentedManifestFile":
        raise ConfigurationError(
            f"{details['TrainingJobName']} has learned from no augmented manifest, which would name its "
            "classes: say with --pipeline whose they are"
        )
    label = source["AttributeNames"][1]
    found = _look(storage, source["S3Uri"], label)
    pipeline = _of_manifest(found, found.choose(label))
    count = int(details["HyperParameters"].get("num_classes", len(pipeline.classes)))
    more = tuple(f"class-{index}" for index in range(len(pipeline.classes), count))
    return pipeline.model_copy(update={"classes": pipeline.classes + more})


def _look(storage: Storage, place: str, label: str | None) -> Survey:
    if not is_in_s3(place):
        raise ConfigurationError(f"{place} is not in S3, where a job reads: aws s3 cp {place} s3://…")
    return survey(place, numbered_lines(place, lambda: storage), label)


def _check_lines(found: Survey, name: str) -> None:
    """A job stops at the first line that has no label, or skips it: either way the counts are wrong."""
    label = found.choose(name)
    without = found.lines - label.labelled
    if without:
        why = [*found.problems, *(f"{reason} ({count})" for reason, count in label.unreadable.most_common(3))]
        raise ConfigurationError(
            f"{found.place}: {without:,} of {found.lines:,} lines have no label {name!r} that can be read"
            + "".join(f"; {reason}" for reason in why[:3])
            + ". `data split` leaves such lines out"
        )
    if len(label.tasks) > 1:
        raise ConfigurationError(f"{found.place}: {name!r} is of several tasks: {sorted(label.tasks)}")


def _of_manifest(found: Survey, label: Attribute) -> Pipeline:
    """A pipeline for labels that have none: their task, their classes, and everything else as it is by
    default.
    """
    ((task, multi_label),) = label.tasks
    classes = tuple(label.class_names())
    if not classes:
        raise ConfigurationError(
            f"{found.place}: {label.name!r} shows nothing on any image: nothing to learn"
        )
    try:
        return Pipeline(name=NAME, path=Path(NAME), task=task, multi_label=multi_label, classes=classes)
    except ValidationError as error:
        raise ConfigurationError(f"{found.place}: its classes: {error.errors()[0]['msg']}") from None


def _fitting(pipeline: Pipeline, found: Survey, label: Attribute) -> Pipeline:
    ((task, _),) = label.tasks
    if task != pipeline.task:
        raise ConfigurationError(
            f"{found.place}: {label.name!r} is of {task}, and pipeline {pipeline.name} of {pipeline.task}"
        )
    _check_classes(pipeline, found, label)
    return pipeline


def _check_classes(pipeline: Pipeline, found: Survey, label: Attribute) -> None:
    """Every index is one of the classes, under the same name."""
    if label.class_count > len(pipeline.classes):
        raise ConfigurationError(
            f"{found.place}: class {label.class_count - 1} is none of the {len(pipeline.classes)} that are "
            f"trained: {', '.join(pipeline.classes)}"
        )
    names = label.class_names()
    for index in sorted(label.names):
        if names[index] != pipeline.classes[index]:
            raise ConfigurationError(
                f"{found.place}: class {index} is {names[index]!r}, and {pipeline.classes[index]!r} here"
            )


def _parent(workspace: Workspace, given: str, dataset: Dataset) -> Parent:
    """A job's model with its hyperparameters. An artifact is taken to be of the job that it is named after;
    of another one nothing is known, and the algorithm itself compares when it begins.
    """
    job = given.split("/")[-3] if is_in_s3(given) and given.count("/") > 4 else given
    details = find_job(workspace.clients, job)
    if details is not None and details["TrainingJobStatus"] != JobStatus.COMPLETED:
        raise Incompatible(
            f"training job {job} is {details['TrainingJobStatus']}: it has no model to go on from"
        )
    model_data = given
    if not is_in_s3(given):
        if details is None:
            raise ConfigurationError(f"--from {given}: there is no such training job, and it is no S3 URI")
        model_data = details["ModelArtifacts"]["S3ModelArtifacts"]
    if not workspace.storage.exists(model_data):
        raise ConfigurationError(f"--from {given}: there is no artifact {model_data}")
    settings = make_hyperparameters(workspace, dataset, None)
    if details is not None and details["ModelArtifacts"]["S3ModelArtifacts"] == model_data:
        settings |= details["HyperParameters"]
    return _Known(job, model_data, settings)


def find_job(clients: Clients, name: str) -> dict[str, Any] | None:
    if not layout.is_training_job(name):
        return None
    try:
        return dict(clients.sagemaker.describe_training_job(TrainingJobName=name))
    except ClientError as error:
        if not is_missing(error):
            raise
        return None
