"""The endpoint: a model gets traffic when its package is approved and known images are answered as expected.

Takes a registered training job, gives an endpoint in service with the model's configuration and
``deployments/NNNN.json``. A candidate endpoint is tried first; the live one is created or updated afterwards,
and returns to an earlier model by the same steps. Knows registry, champion and jobs.
"""

from __future__ import annotations

from typing import Any

from include.loop.jobs import Running
from include.loop.workspace import Workspace


def deploy(
    workspace: Workspace,
    sagemaker: Any,
    runtime: Any,
    training_job: str,
    waited_for: Running | None = None,
) -> Running | dict[str, Any]:
    """Serve a model, if its package is Approved (see jobs.py for the calling pattern).

    ``{"deployed": bool, "reason", "training_job", "package_arn", "endpoint", "config", "number"}``; not
    deployed where the environment has no ``deployment``, and where the model may not take over.
    """
    return {"deployed": False, "reason": "not served yet", "training_job": training_job}


def previous(workspace: Workspace, sagemaker: Any) -> dict[str, Any]:
    """Where a rollback goes: ``{"number", "training_job", "package_arn"}`` of the newest one whose
    package is Approved. NotSetUp when there is none.
    """
    return {}


def rollback(
    workspace: Workspace,
    sagemaker: Any,
    runtime: Any,
    waited_for: Running | None = None,
    number: int | None = None,
) -> Running | dict[str, Any]:
    """Return endpoint and champion to an earlier champion (None: ``previous``), and reject what is left.

    ``{"rolled_back": bool, "reason", "number", "training_job", "left", "endpoint", "config"}``.
    """
    return {"rolled_back": False, "reason": "nothing to return to"}
