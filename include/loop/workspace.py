"""Where a step works: one pipeline, one environment, the pipeline's storage, and AWS.

Takes clients and a pipeline's name, gives the ``Workspace`` that every step is handed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from include.loop.config import Environment, Pipeline, load_environment, load_pipeline
from include.loop.core.clients import Clients
from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import Storage
from include.loop.tasks import task_of
from include.loop.tasks.protocol import AnyTask


@dataclass(frozen=True)
class Workspace:
    """What a step needs to know besides its own arguments."""

    pipeline: Pipeline
    environment: Environment
    storage: Storage
    clients: Clients

    @cached_property
    def task(self) -> AnyTask:
        """What the pipeline's models learn to do."""
        return task_of(self.pipeline, self.environment.adapter.output)


def open_workspace(
    clients: Clients, pipeline: str | None = None, environment: str | None = None
) -> Workspace:
    """Open a pipeline; None is the environment's default one. ConfigurationError also where the two do not go
    together.
    """
    place = load_environment(environment)
    what = load_pipeline(pipeline or place.pipeline)
    _check_form(what, place)
    storage = Storage(
        clients.s3,
        bucket=place.bucket,
        folder=what.name,
        pipeline_sha256=hashlib.sha256(what.path.read_bytes()).hexdigest(),
    )
    return Workspace(what, place, storage, clients)


def _check_form(pipeline: Pipeline, environment: Environment) -> None:
    """What an image reads, against what a pipeline has: told now, and not after a dataset was built."""
    if environment.adapter.channels.format != "coco":
        return
    where = f"{environment.path}: adapter.channels.format: coco"
    if pipeline.task != "object-detection":
        raise ConfigurationError(
            f"{where} is of boxes, and pipeline {pipeline.name} is of {pipeline.task}: leave format out, or "
            "name another environment"
        )
    if pipeline.training.format == "recordio":
        raise ConfigurationError(
            f"{where} is not what {pipeline.path} says, training.format: recordio; leave one of them out"
        )
