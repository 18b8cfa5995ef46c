"""A step of the loop taken to its end by one process, for a person who waits at a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from include.loop.aws.jobs import Pending, has_ended
from include.loop.workspace import Workspace

T = TypeVar("T")


def finish(
    workspace: Workspace, step: Callable[[Pending | None], Pending | T], say: Callable[[str], None]
) -> T:
    """Call a step until it needs no more jobs; each that is waited for is told once."""
    result = step(None)
    while isinstance(result, Pending):
        say(f"waiting for {result.kind} job {', '.join(result.names)}")
        describe = getattr(workspace.clients.sagemaker, result.kind.describe_operation)
        for name in result.names:
            while not has_ended(result.kind, describe(**{result.kind.name_field: name})):
                time.sleep(workspace.environment.poll_seconds)
        result = step(result)
    return result
