"""What consolidation takes and gives: a job's facts, objects with their answers, and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from include.review_server.labeling.task_types import TaskType


@dataclass(frozen=True)
class JobFacts:
    """What labels say about their job. ``categories`` are in the order of the category file, whose index is
    the class; ``files_at`` is the S3 URI of the folder that a label's files are written to (masks).
    """

    job_name: str
    label_attribute: str
    categories: tuple[str, ...]
    files_at: str


@dataclass(frozen=True)
class AnsweredObject:
    """One object of a job: its line of the manifest, and what each worker answered (``answerContent``, by
    worker, in the order of submission).
    """

    number: int
    line: dict[str, Any]
    answers: Mapping[str, Any]


@dataclass(frozen=True)
class Consolidated:
    """What became of one object. ``content`` is ``{attribute: label, attribute-metadata: …}`` in the order of
    the manifest's line; None where there is no label, and then ``failure_reason`` says why, in one line.
    ``files`` are (name, bytes) below ``JobFacts.files_at``.
    """

    number: int
    content: dict[str, Any] | None
    failure_reason: str | None = None
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Label:
    """The value under the label attribute, its metadata, and the files that belong to it."""

    value: Any
    metadata: dict[str, Any]
    files: tuple[tuple[str, bytes], ...] = ()


class BadAnswer(ValueError):
    """An answer, or answers that do not go together, of which no label can be made: why, in one line."""


@dataclass(frozen=True)
class Question:
    """What the workers were asked, and when their answers are consolidated (``now``, in UTC)."""

    task_type: TaskType
    job: JobFacts
    now: datetime

    @cached_property
    def classes(self) -> dict[str, int]:
        """The index of each category."""
        return {name: index for index, name in enumerate(self.job.categories)}

    @property
    def job_name(self) -> str:
        """As metadata names the job: in lower case, as its ARN does."""
        return f"labeling-job/{self.job.job_name.lower()}"

    @property
    def date(self) -> str:
        """Microseconds and no zone, as Ground Truth writes it."""
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.%f")
