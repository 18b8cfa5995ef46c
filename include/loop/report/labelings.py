"""The labeling jobs of a pipeline that were judged: what the numbers beside their pages say of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.storage import in_parallel
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Labeling:
    """One judged job. ``score`` is the mean that its page explains, None where nothing could be compared;
    ``seconds`` are the workers', as far as their answers were read.
    """

    job: str
    human: int
    machine: int
    failed: int
    answers: int
    seconds: float
    dollars: float
    score: float | None

    @property
    def labels(self) -> int:
        return self.human + self.machine


def read_labelings(workspace: Workspace, rounds: Collection[str]) -> list[Labeling]:
    """Those that have a page, by name, beside the folders of ``rounds``. What cannot be read is left out."""

    def read(folder: str) -> Labeling | None:
        try:
            return _labeling(folder, workspace.storage.find_json(layout.report_numbers(folder)))
        except (AttributeError, BadRecord, Fatal, KeyError, TypeError, ValueError):
            return None

    folders = (folder for folder in workspace.storage.list_folders(layout.REPORTS) if folder not in rounds)
    found = [labeling for labeling in in_parallel(read, folders) if labeling]
    return sorted(found, key=lambda labeling: labeling.job)


def _labeling(job: str, numbers: Any) -> Labeling | None:
    if numbers is None or not layout.is_training_job(job):
        return None
    score = numbers["groups"]["all"]["mean"]
    return Labeling(
        job=job,
        human=int(numbers["human"]),
        machine=int(numbers["machine"]),
        failed=int(numbers["states"].get("failed", 0)),
        answers=int(numbers["answers"]),
        seconds=float(numbers["seconds"]),
        dollars=float(numbers["costs"]["total"]),
        score=None if score is None else float(score),
    )
