"""Models: what one was trained from, how training went, which package it became, and who is the champion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from include.loop.core import layout
from include.loop.core.records.base import Location, Record
from include.loop.core.records.version_1 import METRIC, slice_name

# Hyperparameters that say what a model's network is like, whatever its task. Version 1 kept those that it had
# as fields of their own.
SHAPE = ("base_network", "num_layers", "num_classes", "image_shape", "multi_label")


def shape_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Those of them that are among values."""
    return {name: str(values[name]) for name in SHAPE if name in values}


class TrainedModel(Record):
    """``models/<job>/model.json``. ``hyperparameters`` are those the job ran with, as text, and under their
    own names those that say what the network is like, however the job's image calls them. ``parent`` is the
    champion that it is to follow, and was trained further from unless it began ``from_scratch``, as every
    model of an image that takes none does. ``seconds`` are the machine's, None where nobody wrote them down.
    """

    VERSION: ClassVar[int] = 2
    LOCATION: ClassVar[Location] = staticmethod(layout.model_file)

    training_job: str
    dataset_id: str
    parent: str | None = None
    from_scratch: bool = False
    model_data: str
    hyperparameters: dict[str, str] = Field(default={})
    training_job_arn: str | None = None
    instance_type: str | None = None
    seconds: float | None = None
    billable_seconds: float | None = None

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        if version < 2:
            value["hyperparameters"] = shape_of(value) | (value.get("hyperparameters") or {})
        return value

    @property
    def origin(self) -> str | None:
        """The model whose weights it began with; None for none."""
        return None if self.from_scratch else self.parent

    @property
    def shape(self) -> dict[str, str]:
        """The hyperparameters that a model which is trained further from this one shares or takes over."""
        return shape_of(self.hyperparameters)


class Champion(Record):
    """``champion.json`` is the current one, ``champions/NNNN.json`` each that was; ``number`` counts changes
    of champion from 1. ``score`` is its ``metric`` by slice. ``rolled_back_from`` is the number that was left
    for this one; None for a promotion.
    """

    VERSION: ClassVar[int] = 2
    LOCATION: ClassVar[Location] = staticmethod(layout.champion_history)

    number: int
    training_job: str
    model_data: str
    dataset_id: str
    hyperparameters: dict[str, str] = Field(default={})
    metric: str = ""
    score: dict[str, float | None] = Field(default={})
    promoted_at: str
    package_arn: str
    rolled_back_from: int | None = None

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        if version < 2:
            value["hyperparameters"] = shape_of(value)
            value["metric"] = METRIC
            value["score"] = {slice_name(name): score for name, score in value["metrics"].items()}
        return value


class TrainingCurves(Record):
    """``models/<job>/curves.json``: for each epoch its number (``epoch``) and what the algorithm's log tells
    of it, by name; ``throughput`` in images per second.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.curves_file)

    epochs: tuple[dict[str, int | float | None], ...] = ()
    throughput: float | None = None


class Registration(Record):
    """``registry/<job>.json``: which version of which model package group a model became."""

    LOCATION: ClassVar[Location] = staticmethod(layout.registry_file)

    package_arn: str
    group: str
    version: int


class ApprovalDecision(Record):
    """``registry/<job>.decision.json``: the last decision about a package. ``status`` is SageMaker's."""

    LOCATION: ClassVar[Location] = staticmethod(layout.decision_file)

    status: str
    by: str
    comment: str
    decided_at: str
