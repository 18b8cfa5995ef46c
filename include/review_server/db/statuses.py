"""The states of flow definitions, human loops and tasks, their groups, and the questions asked of them.

Values are those of the API where the API has them; a state that only the server knows says so here.
"""

from __future__ import annotations

from enum import StrEnum


class FlowStatus(StrEnum):
    """Status of a flow definition. ``DELETED`` is ours: the API answers as if it had never been."""

    INITIALIZING = "Initializing"
    ACTIVE = "Active"
    FAILED = "Failed"
    DELETING = "Deleting"
    DELETED = "Deleted"


class LoopStatus(StrEnum):
    """Status of a human loop.

    ``WRITING`` is ours: every answer is in and ``output.json`` is on its way to S3. The API shows it as
    InProgress, so that Completed always means that the object is there.
    """

    IN_PROGRESS = "InProgress"
    WRITING = "Writing"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    STOPPED = "Stopped"
    FAILED = "Failed"

    @property
    def shown(self) -> str:
        """The status as the API shows it."""
        return LoopStatus.IN_PROGRESS.value if self is LoopStatus.WRITING else self.value

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will change any more: the loop may be deleted and holds no quota."""
        return self in TERMINAL_LOOPS


TERMINAL_LOOPS = frozenset({LoopStatus.COMPLETED, LoopStatus.STOPPED, LoopStatus.FAILED})


class TaskStatus(StrEnum):
    """Status of a task: one worker's turn at one loop."""

    IN_HAND = "InHand"
    ANSWERED = "Answered"
    DECLINED = "Declined"
    RETURNED = "Returned"
    EXPIRED = "Expired"
    WITHDRAWN = "Withdrawn"


# A worker who answered, declined or holds a task is not offered another one of the same loop; one who gave
# it back or ran out of time may be.
BARRING_TASKS = frozenset({TaskStatus.IN_HAND, TaskStatus.ANSWERED, TaskStatus.DECLINED})

# Tasks that take one of a loop's places.
SEATED_TASKS = frozenset({TaskStatus.IN_HAND, TaskStatus.ANSWERED})


class FailureCode(StrEnum):
    """Why a loop failed, in the words of the API's documentation."""

    EXPIRED = "Expired"
    VALIDATION_ERROR = "ValidationError"
    INTERNAL_ERROR = "InternalError"
