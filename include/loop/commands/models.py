"""The model that a command is about: a training job's, an artifact, the champion, or an endpoint's."""

from __future__ import annotations

import argparse
from typing import Any

from include.loop.commands.base import add_pipeline, clients, workspace_of
from include.loop.config import load_environment, pipeline_names
from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.core.errors import ConfigurationError, NotSetUp
from include.loop.core.storage import Storage
from include.loop.evaluation.predictions import Contestant
from include.loop.models.champion import read_champion
from include.loop.serving.asking import contestant
from include.loop.training.learned import NAME, check_task, find_job, hyperparameters_of, pipeline_of
from include.loop.workspace import Workspace, open_workspace


def add_model(parser: argparse.ArgumentParser, endpoint: str, required: bool = False) -> None:
    """The options that name a model; ``endpoint`` says what the endpoint is by default."""
    add_pipeline(parser)
    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument(
        "--model",
        metavar="JOB|S3URI|champion",
        help="a training job's model, an artifact, or the champion, by a batch transform: no endpoint is "
        "needed, and on AWS it costs some minutes of a machine",
    )
    which.add_argument("--endpoint", metavar="NAME", help=endpoint)


def open_model(options: argparse.Namespace) -> tuple[Workspace, Contestant, dict[str, Any] | None]:
    """Where the model of ``--model`` belongs, itself, and its training job where SageMaker knows one.

    The classes are those of ``--pipeline``; else of the pipeline in whose folder the job has put its model;
    else those that the job's own labels name. ConfigurationError when a job has another number of them, or
    is of another task: before anything is sent.
    """
    given, connected = options.model, clients()
    if given == "champion":
        workspace = workspace_of(options)
        champion = read_champion(workspace)
        if champion is None:
            raise NotSetUp(f"pipeline {workspace.pipeline.name} has no champion yet")
        return workspace, Contestant(champion.training_job, champion.model_data), None
    default = workspace_of(options)
    is_uri = given.startswith("s3://")
    job = contestant(default, given).training_job if is_uri else given
    details = find_job(connected, job)
    if details is None and not is_uri:
        raise ConfigurationError(f"there is no training job {given!r}, and it is no S3 URI of an artifact")
    if details is not None and details["TrainingJobStatus"] != "Completed":
        raise NotSetUp(f"training job {job} is {details['TrainingJobStatus']}: it has no model to ask")
    workspace = default
    if details is not None and not options.pipeline:
        workspace = _workspace_of_job(connected, details, default)
        options.by_default = None
    if details is not None:
        _check_classes(workspace, details)
    model_data = given if details is None or is_uri else details["ModelArtifacts"]["S3ModelArtifacts"]
    if not workspace.storage.exists(model_data):
        raise NotSetUp(f"there is no artifact {model_data}")
    return workspace, Contestant(job, model_data), details


def _workspace_of_job(connected: Clients, details: dict[str, Any], default: Workspace) -> Workspace:
    output = details["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    for name in pipeline_names():
        if output == f"s3://{default.storage.bucket}/{name}/{layout.MODELS}".rstrip("/"):
            return open_workspace(connected, name)
    environment = load_environment()
    storage = Storage(connected.s3, environment.bucket, NAME)
    return Workspace(pipeline_of(storage, details), environment, storage, connected)


def _check_classes(workspace: Workspace, details: dict[str, Any]) -> None:
    check_task(workspace.pipeline, details)
    ours, theirs = len(workspace.pipeline.classes), hyperparameters_of(details).get("num_classes")
    if theirs is not None and str(ours) != theirs:
        raise ConfigurationError(
            f"{details['TrainingJobName']} has learned {theirs} classes, and pipeline "
            f"{workspace.pipeline.name} has {ours}: name its own with --pipeline"
        )
