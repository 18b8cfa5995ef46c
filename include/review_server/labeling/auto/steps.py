"""What automated labeling wants to happen next in a job, said to whoever runs the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wait:
    """A training or transform job is under way: ask again later."""


@dataclass(frozen=True)
class AskPeople:
    """The next batch: these objects (lines of the manifest, from 0) go to people."""

    numbers: Sequence[int]


@dataclass(frozen=True)
class Label:
    """Labels made by machine in this iteration: object to attribute and metadata. Ask again at once."""

    iteration: int
    labels: Mapping[int, dict[str, Any]]


@dataclass(frozen=True)
class Done:
    """Nothing is left without a label that could have one."""


@dataclass(frozen=True)
class Fail:
    """The job cannot go on; the labels that there are stay."""

    reason: str


Step = Wait | AskPeople | Label | Done | Fail
