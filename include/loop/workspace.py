"""Where a step works: one pipeline, one environment, and the pipeline's storage.

Takes a boto3 S3 client and a pipeline's name, gives the ``Workspace`` that every step is handed. Knows config
and storage only. Other AWS clients are separate arguments of the steps that need them, so that a signature
says whom a step talks to: ``sagemaker`` (jobs), ``control`` (boto3 ``sagemaker`` at the review plane) and
``runtime`` (``sagemaker-a2i-runtime``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from include.loop.config import Environment, Pipeline, load_environment, load_pipeline
from include.loop.core.storage import Storage


@dataclass(frozen=True)
class Workspace:
    """What a step needs to know besides its own arguments."""

    pipeline: Pipeline
    environment: Environment
    storage: Storage


def open_workspace(s3: Any, pipeline: str | None = None, environment: str | None = None) -> Workspace:
    """Open a pipeline (None: the environment's default) over a boto3 S3 client."""
    place = load_environment(environment)
    what = load_pipeline(pipeline or place.pipeline)
    return Workspace(what, place, Storage(s3, bucket=place.bucket, folder=what.name))
