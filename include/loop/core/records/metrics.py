"""evaluations/<job>/metrics.json: what two models score on the same images, and by how much they differ.

Every number is finite or None: the gate turns None down, and pages show a dash. What a rule of the gate needs
has no default, so that a number which was never written cannot pass for one that could not be measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from include.loop.core import layout
from include.loop.core.errors import Fatal
from include.loop.core.records import version_1
from include.loop.core.records.base import Line, Location, Part, Record
from include.loop.core.records.calibration import Calibration
from include.loop.core.storage import Storage

Kind = TypeVar("Kind", bound=Part)


# The two models of an evaluation: the names under which records hold what they score.
CHALLENGER, CHAMPION = "challenger", "champion"
MODELS = (CHALLENGER, CHAMPION)


def _finite(value: Any) -> Any:
    """JSON's NaN and infinity are read as no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
Point = tuple[float, float]


def finite(value: Any) -> float | None:
    """A number as records hold it: five decimals, None for what is not finite."""
    return round(float(value), 5) if math.isfinite(value) else None


def _is_empty(value: Any) -> bool:
    """What a task has not is not written."""
    return not value


class ClassScore(Part):
    """One class on one slice: its score, the bounds of that, and the objects it was measured on; ``more`` are
    other numbers of the task by their names.
    """

    score: Number
    low: Number = None
    high: Number = None
    objects: int
    more: dict[str, Number] = Field(default={}, exclude_if=_is_empty)


class Curve(Part):
    """How a class is told from the rest when the score from which it counts is moved; without a name, all
    classes together. ``roc`` has false and true positive rates, ``pr`` recall and precision.
    """

    name: str
    roc: tuple[Point, ...]
    pr: tuple[Point, ...]


class ReliabilityBin(Part):
    """The predictions with scores from ``low`` to ``high``: their mean score, and the share that is right."""

    low: float
    high: float
    count: int
    mean_score: Number = None
    precision: Number = None


class Mistake(Part):
    """What a model is surest of and wrong about on an image: the names of the true class and of the one that
    it says, as they stand in a confusion, and how sure it is, 0 to 1.
    """

    true: str
    said: str
    score: float


class ModelScores(Part):
    """One model on one slice, shares from 0 to 1. ``low`` and ``high`` are the score's bounds; ``more`` are
    other numbers of the task by their names; ``confusion`` counts by true and predicted class.
    """

    score: Number
    low: Number = None
    high: Number = None
    more: dict[str, Number] = Field(default={})
    recall: Number
    recall_low: Number = None
    recall_high: Number = None
    precision: Number = None
    precision_low: Number = None
    precision_high: Number = None
    calibration_error: Number
    reliability: tuple[ReliabilityBin, ...] = ()
    classes: dict[str, ClassScore] = Field(min_length=1)
    confusion: dict[str, dict[str, int]] = Field(default={})
    curves: tuple[Curve, ...] = Field(default=(), exclude_if=_is_empty)
    unpredicted: int = 0


class ClassDelta(Part):
    score: Number
    low: Number
    high: Number


class Delta(Part):
    """Challenger less champion, with the bounds of the paired bootstrap; also by class."""

    score: Number
    low: Number
    high: Number
    classes: dict[str, ClassDelta]


class SliceMetrics(Part):
    """Both models on one set of labelled images. ``gone`` images are there no more; ``digest`` is of images
    and labels; ``best`` is the highest score that a champion of this line had on these very images.
    """

    images: int
    objects: int = 0
    gone: int = 0
    judged: bool = True
    challenger: ModelScores
    champion: ModelScores | None
    delta: Delta | None
    digest: str = ""
    best: Number


class TrainRecall(Part):
    """How much of the labels that it was shown the challenger finds again at work."""

    images: int
    objects: int
    recall: Number
    recall_low: Number = None
    recall_high: Number = None


class TimedImages(Part):
    challenger: int
    champion: int = 0


class LatencyMetrics(Part):
    """Seconds per image of the transform jobs, their start included, and over how many images that was."""

    challenger: Number
    champion: Number = None
    images: TimedImages


class Unpredicted(Part):
    """How many images of a slice got no prediction from a model, the first of them, and why. They count as
    nothing found, unless they are ``left_out`` of the slice.
    """

    slice: str
    model: str
    images: int
    first: str
    why: str
    left_out: bool = False


class Evaluator(Part):
    """The package that computed the scores."""

    library: str
    version: str


class Metrics(Record):
    """``champion`` is the parent's training job, None for a first model; ``train_recall`` is by new batch,
    and ``replayed`` for what was shown again. ``calibration`` says how the challenger's scores are to be
    read; every other number is of the scores as they are.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.metrics_file)
    VERSION: ClassVar[int] = 2

    training_job: str = ""
    dataset_id: str = ""
    champion: str | None
    metric: str
    score_threshold: float = 0.5
    confidence: Number = None
    slices: dict[str, SliceMetrics] = Field(min_length=1)
    train_recall: dict[str, TrainRecall]
    latency: LatencyMetrics
    unpredicted: tuple[Unpredicted, ...] = ()
    evaluator: Evaluator | None = None
    calibration: Calibration | None = Field(default=None, exclude_if=_is_empty)

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        return version_1.metrics(value) if version < 2 else value


@dataclass(frozen=True)
class MetricsParts:
    """What of a metrics.json can be read when some of it cannot: ``problems`` say what is left out."""

    metric: str = ""
    score_threshold: float = 0.5
    confidence: float | None = None
    slices: dict[str, SliceMetrics] = field(default_factory=dict)
    train_recall: dict[str, TrainRecall] = field(default_factory=dict)
    latency: LatencyMetrics | None = None
    calibration: Calibration | None = None
    problems: tuple[str, ...] = ()

    @classmethod
    def find(cls, storage: Storage, training_job: str) -> MetricsParts:
        """Nothing where there is no metrics.json; never an error."""
        location = Metrics.location(training_job)
        try:
            value = storage.find_json(location)
            if value is None:
                return cls()
            value = Metrics.upgrade(dict(value), value.get("schema_version", 1))
            slices, recalls = value.get("slices") or {}, value.get("train_recall") or {}
            parts = {name: {name: value[name]} for name in ("latency", "calibration") if value.get(name)}
            score_threshold, confidence = value.get("score_threshold"), value.get("confidence")
        except (Fatal, AttributeError, KeyError, TypeError, ValueError) as error:
            return cls(problems=(f"{location} cannot be read: {error}",))
        problems: list[str] = []
        return cls(
            metric=str(value.get("metric", "")),
            score_threshold=score_threshold if isinstance(score_threshold, float | int) else 0.5,
            confidence=confidence if isinstance(confidence, float | int) else None,
            slices=_usable(SliceMetrics, slices, "slice ", problems),
            train_recall=_usable(TrainRecall, recalls, "train recall ", problems),
            latency=_usable(LatencyMetrics, parts.get("latency", {}), "", problems).get("latency"),
            calibration=_usable(Calibration, parts.get("calibration", {}), "", problems).get("calibration"),
            problems=tuple(problems),
        )


def _usable(kind: type[Kind], values: Any, what: str, problems: list[str]) -> dict[str, Kind]:
    """Those that can be read, by name; what is wrong with the others is noted."""
    found: dict[str, Kind] = {}
    if not isinstance(values, dict):
        problems.append(f"{what.strip()}: must be a JSON object, not {type(values).__name__}")
        return found
    for name, value in values.items():
        try:
            found[name] = kind.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            problems.append(f"{what}{name}: {place}: {first['msg'].lower()}")
    return found


class ImageComparison(Line):
    """One image of a judged slice, in images.jsonl: how right each model is on it (F1, or what the task has
    in its place), the gain, what the challenger mistakes it for, and where their predictions lie.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.measured_images_file)

    slice: str
    image: str
    challenger_f1: Number = None
    champion_f1: Number = None
    gain: Number = None
    mistake: Mistake | None = None
    out: dict[str, str | None] = Field(default={})

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        return value | {"slice": version_1.slice_name(value["slice"])}
