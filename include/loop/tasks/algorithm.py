"""What the loop has to know of SageMaker's built-in algorithm for a task: its image, its limits, its log."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from include.loop.config import Environment, TrainingSettings


@dataclass(frozen=True)
class LogPatterns:
    """How the algorithm's log tells of an epoch.

    ``values`` have the groups ``epoch``, ``name`` and ``value``, and ``host`` where machines write their own;
    ``fields`` are the names that curves.json gives to these names; ``throughput`` has the group ``value``, in
    images per second.
    """

    values: tuple[re.Pattern[str], ...]
    fields: Mapping[str, str]
    throughput: re.Pattern[str]


def unknown_names(given: Iterable[str], names: frozenset[str]) -> Iterator[str]:
    """What is wrong with each name that is none of an algorithm's."""
    for name in sorted({*given} - names):
        near = difflib.get_close_matches(name, names, 1)
        yield f"{name} is none of its hyperparameters: " + (
            f"{near[0]} is meant, perhaps" if near else ", ".join(sorted(names))
        )


def wrong_counts(given: Mapping[str, str], least: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with each value that has to be a whole number, and so large at least."""
    for name, low in least.items():
        text = given.get(name)
        if text is not None and not (text.isascii() and text.isdigit() and int(text) >= low):
            yield f"{name} must be a whole number of {low} or more, not {text}"


class Algorithm(Protocol):
    """A built-in algorithm; its constants are those of SageMaker's own pages."""

    @property
    def name(self) -> str:
        """The repository of its image."""

    @property
    def shared(self) -> tuple[str, ...]:
        """The hyperparameters that a model must have in common with the one it is trained further from."""

    @property
    def inherited(self) -> tuple[str, ...]:
        """Those that it takes from that one when nothing is said."""

    @property
    def learning_rate(self) -> float:
        """The default."""

    @property
    def mini_batch_size(self) -> int:
        """The default; no data set may be smaller than the one that is used."""

    @property
    def manifest_content_type(self) -> str:
        """The ContentType of a channel of augmented manifests: RecordIO, and how its labels are written."""

    @property
    def log(self) -> LogPatterns: ...

    def computed(self, settings: TrainingSettings, classes: int, images: int, most: int) -> dict[str, Any]:
        """The hyperparameters that the loop counts or decides: for so many classes and training images, of
        which the fullest has ``most`` labelled things.
        """

    def check_values(self, given: Mapping[str, str]) -> None:
        """ConfigurationError for names that are no hyperparameters, and for values that the algorithm takes
        nowhere, be it SageMaker's image or ours.
        """

    def check_limits(self, hyperparameters: Mapping[str, str]) -> None:
        """ConfigurationError before the job is sent for what SageMaker would refuse after it has started."""

    def check_machines(self, environment: Environment) -> None:
        """ConfigurationError for instances on which SageMaker's image does not train; one's own image may."""
