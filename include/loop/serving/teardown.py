"""Away with what costs money: the pipeline's endpoints, the configurations and models they were made of, and
labeling jobs that still ask people.

Takes nothing but the workspace, and deletes nothing that was learned: images, labels, datasets, artifacts and
packages stay, and the next deployment makes the rest anew. Only what carries the name of a training job or a
labeling job of this bucket is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from include.loop.aws.jobs import ENDPOINT_BUSY, Pending, ResourceKind, is_missing
from include.loop.core import layout
from include.loop.labeling.job import asking_jobs, stop
from include.loop.serving.endpoint import candidate_name, describe_endpoint, endpoint_name, is_named_after
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class TeardownResult:
    """The names of what was deleted or, of ``labeling_jobs``, stopped; with ``dry_run``, of what there is."""

    labeling_jobs: list[str]
    endpoints: list[str]
    endpoint_configs: list[str]
    models: list[str]
    dry_run: bool


def teardown(
    workspace: Workspace, dry_run: bool = False, waited_for: Pending | None = None
) -> Pending | TeardownResult:
    """Delete them (see jobs.py for the calling pattern), or with ``dry_run`` only say which there are."""
    found = _endpoints(workspace)
    if found and not dry_run:
        for name, status in found.items():
            if status not in ENDPOINT_BUSY:
                workspace.clients.sagemaker.delete_endpoint(EndpointName=name)
        # One that is being changed cannot be deleted yet; a configuration has to outlive its endpoint.
        return Pending(ResourceKind.ENDPOINT, tuple(found))
    jobs = set(workspace.storage.list_folders(layout.MODELS))
    configs = list(
        _named_after(workspace.clients.sagemaker, "list_endpoint_configs", "EndpointConfig", jobs, workspace)
    )
    models = list(_named_after(workspace.clients.sagemaker, "list_models", "Model", jobs, workspace))
    asking = list(asking_jobs(workspace))
    if not dry_run:
        for job in asking:
            stop(workspace.clients.review, job)
        # Configurations first: one whose model is gone would look whole to the next deployment.
        for name in configs:
            _delete(workspace.clients.sagemaker.delete_endpoint_config, EndpointConfigName=name)
        for name in models:
            _delete(workspace.clients.sagemaker.delete_model, ModelName=name)
    endpoints = list(found) if dry_run or waited_for is None else list(waited_for.names)
    return TeardownResult(asking, endpoints, configs, models, dry_run)


def _endpoints(workspace: Workspace) -> dict[str, str]:
    """The endpoints that are there, with their statuses; none where the environment serves nothing."""
    if workspace.environment.deployment is None:
        return {}
    names = (endpoint_name(workspace), candidate_name(workspace))
    described = ((name, describe_endpoint(workspace.clients.sagemaker, name)) for name in names)
    return {name: endpoint["EndpointStatus"] for name, endpoint in described if endpoint}


def _named_after(
    sagemaker: Any, operation: str, kind: str, jobs: set[str], workspace: Workspace
) -> Iterator[str]:
    """The resources of a kind that were made for one of these training jobs."""
    pages = sagemaker.get_paginator(operation).paginate(NameContains=f"{workspace.pipeline.name}-")
    for page in pages:
        for item in page[f"{kind}s"]:
            if is_named_after(item[f"{kind}Name"], jobs):
                yield item[f"{kind}Name"]


def _delete(operation: Any, **name: str) -> None:
    try:
        operation(**name)
    except ClientError as error:
        if not is_missing(error):  # somebody else was faster
            raise
