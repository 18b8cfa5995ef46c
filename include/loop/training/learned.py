"""What a training job has learned, as its request tells it: which task, which classes, and their names.

Takes a job as SageMaker describes it. A job by hand belongs to no pipeline: one is made of its labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from include.loop.aws.jobs import is_missing
from include.loop.config import Pipeline
from include.loop.config.fields import TaskName
from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import Storage
from include.loop.training.material import Material, call, look, names_beside

NAME = "by-hand"  # of the pipeline that there is none of
# A hyperparameter that one algorithm has and the other has not: an image of one's own may have any name.
_TELLING: dict[str, TaskName] = {
    "base_network": "object-detection",
    "label_width": "object-detection",
    "num_layers": "image-classification",
    "multi_label": "image-classification",
}


# The environment variable of a job that says what its network is like, where its hyperparameters do not: an
# image of one's own has them under other names, or nowhere.
SHAPE_VARIABLE = "NIGHTLOOP_SHAPE"


def hyperparameters_of(details: Mapping[str, Any]) -> dict[str, str]:
    """What a job was sent, and under SageMaker's names what its network is like."""
    shape = json.loads(details.get("Environment", {}).get(SHAPE_VARIABLE, "{}"))
    return (details.get("HyperParameters") or {}) | shape


def find_job(clients: Clients, name: str) -> dict[str, Any] | None:
    """A job by its name; None where SageMaker knows none."""
    if not layout.is_training_job(name):
        return None
    try:
        return dict(clients.sagemaker.describe_training_job(TrainingJobName=name))
    except ClientError as error:
        if not is_missing(error):
            raise
        return None


def task_of_job(details: Mapping[str, Any]) -> tuple[TaskName, bool] | None:
    """A job's task, and whether an image may have several classes; None where it does not tell."""
    values = hyperparameters_of(details)
    told = next((task for name, task in _TELLING.items() if name in values), None)
    return None if told is None else (told, values.get("multi_label") == "1")


def check_task(pipeline: Pipeline, details: Mapping[str, Any]) -> None:
    """ConfigurationError when a pipeline cannot read what the job's model says: it is of another task."""
    theirs = task_of_job(details)
    if theirs is not None and theirs != (pipeline.task, pipeline.multi_label):
        raise ConfigurationError(
            f"{details['TrainingJobName']} has learned {call(*theirs)}, and pipeline {pipeline.name} is of "
            f"{call(pipeline.task, pipeline.multi_label)}: name its own with --pipeline"
        )


def pipeline_of(storage: Storage, details: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a job that belongs to none. Classes have the names of the job's own manifest or of the
    list beside its RecordIO file, else their numbers. ConfigurationError when its request does not tell.
    """
    source = details["InputDataConfig"][0]["DataSource"].get("S3DataSource", {})
    count = int(hyperparameters_of(details).get("num_classes", 0))
    if source.get("S3DataType") == "AugmentedManifestFile":
        pipeline = made_of(look(storage, source["S3Uri"], source["AttributeNames"][1]))
        more = tuple(f"class-{index}" for index in range(len(pipeline.classes), count))
        return pipeline.model_copy(update={"classes": pipeline.classes + more})
    told = task_of_job(details)
    if told is None or not count or "S3Uri" not in source:
        raise ConfigurationError(
            f"{details['TrainingJobName']} does not say what it has learned: say with --pipeline whose it is"
        )
    names = names_beside(storage, source["S3Uri"])
    return _made(details["TrainingJobName"], *told, tuple(names.get(n, f"class-{n}") for n in range(count)))


def made_of(found: Material) -> Pipeline:
    """A pipeline for labels that have none: their task, their classes, and everything else as it is by
    default.
    """
    classes = found.class_names()
    if not classes:
        raise ConfigurationError(f"{found.place}: there is nothing on any image")
    return _made(found.place, found.task, found.multi_label, classes)


def _made(place: str, task: TaskName, multi_label: bool, classes: tuple[str, ...]) -> Pipeline:
    try:
        return Pipeline(name=NAME, path=Path(NAME), task=task, multi_label=multi_label, classes=classes)
    except ValidationError as error:
        raise ConfigurationError(f"{place}: its classes: {error.errors()[0]['msg']}") from None
