"""The states of flow definitions, labeling jobs, items and tasks, their groups, and what is asked of them.

Values are those of the API where the API has them; a state that only the server knows says so here.
"""

from __future__ import annotations

from enum import StrEnum


class QueueKind(StrEnum):
    """Who owns a work queue and its items."""

    FLOW_DEFINITION = "FlowDefinition"
    LABELING_JOB = "LabelingJob"

    @property
    def resource(self) -> str:
        """The kind as ARNs write it."""
        return {"FlowDefinition": "flow-definition", "LabelingJob": "labeling-job"}[self.value]


class LabelingStatus(StrEnum):
    """Status of a labeling job, in the API's words."""

    INITIALIZING = "Initializing"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will change any more."""
        return self not in LABELING_AT_WORK


LABELING_AT_WORK = frozenset(
    {LabelingStatus.INITIALIZING, LabelingStatus.IN_PROGRESS, LabelingStatus.STOPPING}
)


class ObjectStatus(StrEnum):
    """Where an object of a labeling job stands.

    ``ASKED``: it is out with people. ``ANSWERED``: their answers are in S3 and wait to be consolidated.
    ``PASSED``: its pre-annotation function said that nobody need look at it; it goes on without a label.
    ``EXISTING``: its line had the label already, and keeps it. Who labelled it is in the label's metadata.
    """

    UNLABELED = "Unlabeled"
    ASKED = "Asked"
    ANSWERED = "Answered"
    LABELED = "Labeled"
    FAILED = "Failed"
    PASSED = "Passed"
    EXISTING = "Existing"


class RoundStage(StrEnum):
    """How far a round of automated labeling is, in its order.

    ``ASKING``: the machine has labelled what it is sure of, and people are to have the next batch.
    """

    TRAINING = "Training"
    VALIDATING = "Validating"
    PREDICTING = "Predicting"
    READING = "Reading"
    LABELING = "Labeling"
    ASKING = "Asking"


class FlowStatus(StrEnum):
    """Status of a flow definition. ``DELETED`` is ours: the API answers as if it had never been."""

    INITIALIZING = "Initializing"
    ACTIVE = "Active"
    FAILED = "Failed"
    DELETING = "Deleting"
    DELETED = "Deleted"


class ItemStatus(StrEnum):
    """Status of a human loop, and of an object that a labeling job has sent to people.

    ``WRITING`` is ours: every answer is in and the result is on its way to S3. The API shows it as
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
        return ItemStatus.IN_PROGRESS.value if self is ItemStatus.WRITING else self.value

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will change any more: the loop may be deleted and holds no quota."""
        return self in TERMINAL_ITEMS


TERMINAL_ITEMS = frozenset({ItemStatus.COMPLETED, ItemStatus.STOPPED, ItemStatus.FAILED})


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


class DeclineReason(StrEnum):
    """Why a worker would rather not answer."""

    NOT_SURE = "NotSure"
    BAD_IMAGE = "BadImage"
    UNCLEAR_RULE = "UnclearRule"
    OTHER = "Other"

    @property
    def said(self) -> str:
        """In words, within a sentence."""
        return {"NotSure": "not sure", "BadImage": "bad image", "UnclearRule": "unclear rule"}.get(
            self.value, "other"
        )


class FailureCode(StrEnum):
    """Why a loop failed, in the words of the API's documentation."""

    EXPIRED = "Expired"
    VALIDATION_ERROR = "ValidationError"
    INTERNAL_ERROR = "InternalError"
