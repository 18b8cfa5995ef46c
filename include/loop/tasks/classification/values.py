"""What the parts of image classification hand to each other: a class with its score, and a labelled image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from include.loop.tasks.values import Lost


@dataclass(frozen=True)
class ClassScore:
    """How sure a model is of a class, 0 to 1. A prediction has one for each class of the pipeline, best first
    (of equal ones the lower index): with one label per image they add up to 1, with many each stands alone.
    """

    class_id: int
    score: float


@dataclass(frozen=True)
class LabelledImage:
    """One labelled image: what a manifest line says, and the line itself (``value``), as it came; where an
    image may have many labels, with its list of classes as ids.

    ``classes`` has exactly one class index where an image has one label; where it may have many, those that
    it has, ascending, and none says that it is of no class of the pipeline.
    """

    source: str
    classes: tuple[int, ...]
    created: str
    value: dict[str, Any]

    @property
    def size(self) -> tuple[int, int] | None:
        """A class label does not say how large the picture was."""
        return None

    @property
    def lost(self) -> tuple[Lost, ...]:
        """A label is learned whole or not at all."""
        return ()

    @property
    def objects(self) -> int:
        return len(self.classes)
