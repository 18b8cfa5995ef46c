"""How good the models were, as evaluation wrote it: both on every slice, class by class.

The shapes of ``evaluations/<job>/metrics.json``, of which everything but a name may be missing. All shares
are from 0 to 1, and every number is finite or None. Knows manifest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from include.loop.tasks.detection.manifest import ManifestBox

Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True)
class ClassScore:
    """Average precision at IoU 0.5 of one class, its interval, and the objects it was measured on."""

    ap50: Finite | None = None
    low: Finite | None = None
    high: Finite | None = None
    boxes: int = 0


@dataclass(frozen=True)
class ReliabilityBin:
    """The detections with scores from ``low`` to ``high``: their mean score, and the share that is right."""

    low: Finite
    high: Finite
    count: int
    mean_score: Finite | None = None
    precision: Finite | None = None


@dataclass(frozen=True)
class Measure:
    """One model on one slice; all shares from 0 to 1, None where it could not be measured."""

    map50: Finite | None = None
    map50_low: Finite | None = None
    map50_high: Finite | None = None
    map: Finite | None = None
    recall: Finite | None = None
    recall_low: Finite | None = None
    recall_high: Finite | None = None
    precision: Finite | None = None
    calibration_error: Finite | None = None
    reliability: tuple[ReliabilityBin, ...] = ()
    classes: dict[str, ClassScore] = field(default_factory=dict)
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    unpredicted: int = 0


@dataclass(frozen=True)
class Delta:
    """Challenger less champion, with the interval of the paired bootstrap; also by class."""

    map50: Finite | None = None
    low: Finite | None = None
    high: Finite | None = None
    classes: dict[str, ClassScore] = field(default_factory=dict)


@dataclass(frozen=True)
class Slice:
    """Both models on one set of labelled images."""

    name: str
    images: int = 0
    boxes: int = 0
    gone: int = 0
    judged: bool = True
    challenger: Measure | None = None
    champion: Measure | None = None
    delta: Delta | None = None

    @property
    def before(self) -> float | None:
        return self.champion.map50 if self.champion else None

    @property
    def after(self) -> float | None:
        return self.challenger.map50 if self.challenger else None


@dataclass(frozen=True)
class Latency:
    """Seconds per image of the transform jobs, their start included, and the images they were timed on."""

    challenger: Finite | None = None
    champion: Finite | None = None
    images: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """How both models were measured. ``confidence`` is that of each of an interval's two bounds."""

    score_threshold: Finite = 0.5
    confidence: Finite | None = None


@dataclass(frozen=True)
class Learned:
    """How much of the labels that it was shown the challenger has learned: its recall on them."""

    name: str  # a night, or "replayed"
    images: int = 0
    boxes: int = 0
    recall: Finite | None = None
    recall_low: Finite | None = None
    recall_high: Finite | None = None


@dataclass(frozen=True)
class Example:
    """An image on which the models differ from each other, or from the labels of a night (``slice``): its
    size and labels in pixels, and where the models' outputs lie.
    """

    slice: str
    image: str
    width: int
    height: int
    champion_f1: Finite = 0.0
    challenger_f1: Finite = 0.0
    gain: Finite = 0.0
    boxes: tuple[ManifestBox, ...] = ()
    out: dict[str, str | None] = field(default_factory=dict)  # None: no prediction on this image
