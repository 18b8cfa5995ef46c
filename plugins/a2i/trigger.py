"""The triggers of tasks that were waiting when the package was renamed to `nightloop`."""

from nightloop.triggers.polling import HumanLoopsTrigger, SageMakerJobsTrigger

__all__ = ["HumanLoopsTrigger", "SageMakerJobsTrigger"]
