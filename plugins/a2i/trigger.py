"""The triggers of tasks that were waiting when the package was renamed to `nightloop`."""

from typing import Any

from nightloop.triggers.jobs_ended import SageMakerJobsTrigger as JobsTrigger
from nightloop.triggers.loops_answered import HumanLoopsTrigger

__all__ = ["HumanLoopsTrigger", "SageMakerJobsTrigger"]


class SageMakerJobsTrigger(JobsTrigger):
    """Takes what is stored of it: `pending` was called `running`."""

    def __init__(self, *, running: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(pending=running, **kwargs)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As the trigger of today: what is stored anew has `pending`, which this class does not take."""
        kwargs = super().serialize()[1]
        return f"{JobsTrigger.__module__}.{JobsTrigger.__qualname__}", kwargs
