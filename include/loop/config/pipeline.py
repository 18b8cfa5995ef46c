"""One model's settings: what to look for, when to ask people, how to train, when to promote.

Reads no file but the worker template.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from include.loop.config.fields import (
    SHARE,
    EndpointName,
    Hyperparameters,
    LabelAttribute,
    Name,
    Strict,
    TaskName,
)
from include.loop.config.plain_yaml import read_text
from include.loop.core.errors import ConfigurationError
from include.loop.strategies import find_strategy, strategy_names

SHIPPED = Path(__file__).parents[2] / "pipelines"
MOST_TEMPLATE_BYTES = 4 * 128_000  # CreateHumanTaskUi takes 128,000 characters
# The slices that every dataset brings along; the others are the pipeline's test sets.
DATASET_SLICES = ("retention", "recent", "audit")

# The numbers of the classes of another model.
ForeignClasses = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]

# What one task has a setting for and the others have not: place in the file → the task.
ONLY_FOR: dict[tuple[str, ...], TaskName] = {
    ("multi_label",): "image-classification",
    ("training", "num_layers"): "image-classification",
    ("training", "base_network"): "object-detection",
    ("review", "prelabel_classes"): "object-detection",
    ("evaluation", "least_precision"): "object-detection",
    ("evaluation", "least_recall"): "object-detection",
}
# The numbers by which a model may be judged, by task and whether an image has many labels; the first one
# where a pipeline names none.
METRICS: dict[tuple[TaskName, bool], tuple[str, ...]] = {
    ("object-detection", False): ("mAP@0.5",),
    ("image-classification", False): ("accuracy", "top-k-accuracy", "macro-f1", "auroc", "auprc"),
    ("image-classification", True): ("auprc", "auroc", "macro-f1", "micro-f1", "accuracy", "exact-match"),
}
# What people are shown in a labeling job where a pipeline says nothing, likewise.
LABELINGS: dict[tuple[TaskName, bool], dict[str, str]] = {
    ("image-classification", False): {
        "title": "Name the picture",
        "description": "Choose what the picture shows",
        "template": "templates/labeling/image-classification.liquid.html",
    },
    ("image-classification", True): {
        "title": "Name what is in the picture",
        "description": "Choose all that the picture shows",
        "template": "templates/labeling/multi-label.liquid.html",
    },
}
# What the reviewers are shown where a pipeline says nothing, by task and whether an image has many labels.
REVIEWS: dict[tuple[TaskName, bool], dict[str, str]] = {
    ("image-classification", False): {
        "title": "Name the picture",
        "description": "Choose what the picture shows",
        "template": "templates/image-classification.liquid.html",
        "instructions": "Choose the class of what the picture shows.",
    },
    ("image-classification", True): {
        "title": "Name what is in the picture",
        "description": "Choose all that the picture shows",
        "template": "templates/multi-label.liquid.html",
        "instructions": "Choose every class that the picture shows, or say that there is none of them.",
    },
}


class BatchSettings(Strict):
    """Which objects make up the batch of a date."""

    prefix: str = "images/dt={date}/"
    suffixes: tuple[str, ...] = Field(default=(".jpg", ".jpeg", ".png"), min_length=1)

    @field_validator("prefix")
    @classmethod
    def _formats_a_date(cls, value: str) -> str:
        fields = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
        if fields != {"date"}:
            raise ValueError("must contain {date} (or {date:%Y/%m/%d}) and no other field")
        if not value.format(date=Date(2026, 1, 2)).endswith("/"):
            # A bare prefix matches as text: `in` would also match `in_old/`.
            raise ValueError("must end with '/'")
        return value


class InitialSettings(Strict):
    """Where the labels of the first model lie, relative to the pipeline's folder or as S3 URIs: augmented
    manifests, or RecordIO files (``.rec``). Those number their classes as the pipeline orders them, or as
    ``classes.txt`` beside the file does, one name a line.
    """

    train: str = "initial/train.manifest"
    validation: str = "initial/validation.manifest"


class BudgetSettings(Strict):
    """The most that the questions of a night may take of people's time, by what their answers have taken so
    far: in seconds or in dollars, and of a calendar month (UTC) together. None: no limit but ``triage.cap``.
    """

    seconds: float | None = Field(default=None, gt=0)
    dollars: float | None = Field(default=None, gt=0)
    month_seconds: float | None = Field(default=None, gt=0)
    month_dollars: float | None = Field(default=None, gt=0)


class TriageSettings(Strict):
    """When an image is worth a person's time. ``strategy`` is the rule, or several with the share of what is
    asked that each has; together they are 1. ``references`` is a manifest that says what is on the images,
    for the strategy that asks about those that the model gets wrong. ``cold_start`` is how images are chosen
    while there is no model. ``drift_limit`` is how far a batch may be from those before it, as a population
    stability index, before people are told; None: nobody is.
    """

    strategy: str | dict[str, float] = "least_confident"
    threshold: SHARE = 0.5
    references: str | None = None
    audit_share: SHARE = 0.02
    cold_start: Literal["diverse", "random"] = "diverse"
    cap: int = Field(default=100, ge=1)
    budget: BudgetSettings = BudgetSettings()
    drift_limit: float | None = Field(default=0.25, gt=0)

    @field_validator("strategy")
    @classmethod
    def _known(cls, value: str | dict[str, float]) -> str | dict[str, float]:
        shares = {value: 1.0} if isinstance(value, str) else value
        if not shares or any(name not in strategy_names() for name in shares):
            raise ValueError(f"must be one of {', '.join(strategy_names())}, or several with their shares")
        if not all(0 < one <= 1 for one in shares.values()) or not math.isclose(
            math.fsum(shares.values()), 1, abs_tol=1e-6
        ):
            told = " + ".join(f"{one:g}" for one in shares.values())
            raise ValueError(f"shares must be above 0 and add up to 1, not {told}")
        return value

    @property
    def shares(self) -> dict[str, float]:
        """The strategies, and which share of what is asked each has."""
        return {self.strategy: 1.0} if isinstance(self.strategy, str) else self.strategy


class ReviewSettings(Strict):
    """What the reviewers see, and how much of their time a question takes. Limits are those of A2I.

    ``prelabel_endpoint`` names a SageMaker endpoint whose answers they begin with while there is no model,
    ``prelabel_classes`` the numbers of its classes that each of ours stands for.
    """

    title: str = Field(default="Check the boxes", min_length=1, max_length=128)
    description: str = Field(default="Correct every box and label", min_length=1, max_length=255)
    template: str = "templates/bounding-box.liquid.html"
    instructions: str = "Draw one tight box around every object and choose its label."
    task_count: int = Field(default=1, ge=1, le=3)
    time_limit_seconds: int = Field(default=3600, ge=30)
    availability_seconds: int = Field(default=259_200, ge=60)
    deadline_hours: float = Field(default=20, gt=0, le=720)
    prelabel_threshold: SHARE = 0.3
    prelabel_endpoint: EndpointName | None = None
    prelabel_classes: dict[str, ForeignClasses] = Field(default={})
    seconds_per_image: float = Field(default=20, gt=0)
    dollars_per_hour: float = Field(default=15, ge=0)


class LabelingSettings(Strict):
    """A labeling job over images that nobody has labelled yet: what people see, how many of them label each
    image, and for how long. Limits are those of Ground Truth; None: the instructions of ``review``.
    """

    title: str = Field(default="Draw the boxes", min_length=1, max_length=128)
    description: str = Field(
        default="Draw a tight box around every object and choose its label", min_length=1, max_length=255
    )
    template: str = "templates/labeling/bounding-box.liquid.html"
    instructions: str | None = None
    workers: int = Field(default=1, ge=1, le=9)
    images_at_once: int = Field(default=1000, ge=1, le=5000)
    availability_seconds: int = Field(default=864_000, ge=60, le=2_592_000)


class StageSettings(Strict):
    """Hyperparameters under SageMaker's names."""

    hyperparameters: Hyperparameters = Field(default={})


class ReplaySettings(Strict):
    """Known labels that are shown again while new ones are learned, against forgetting."""

    per_new: float = Field(default=3, ge=0)
    choose: Literal["balanced_hard", "random"] = "balanced_hard"
    # The champion scores so many candidates per replayed image, to find those that it finds hard.
    pool: float = Field(default=2, ge=1, le=20)


class TrainingSettings(Strict):
    """How models are trained, and from what.

    ``base_network`` is for object detection, ``num_layers`` for image classification; ``image_shape`` is the
    side of the square that a model sees, in pixels. None: what the task takes by default. ``format`` is how
    the labels of a dataset reach the training job: as an augmented manifest through a pipe, or as RecordIO
    files. None: as the labels of the first model come, RecordIO when ``initial.train`` is a ``.rec``.
    """

    base_network: Literal["vgg-16", "resnet-50"] | None = None
    num_layers: Literal[18, 20, 32, 34, 44, 50, 56, 101, 110, 152, 200] | None = None
    image_shape: int | None = Field(default=None, ge=28)
    format: Literal["augmented-manifest", "recordio"] | None = None
    initial: StageSettings = StageSettings()
    incremental: StageSettings = StageSettings()
    replay: ReplaySettings = ReplaySettings()
    min_new_labels: int = Field(default=1, ge=1)
    validation_share: float = Field(default=0.1, ge=0, lt=1)
    retention_images: int = Field(default=200, ge=0)
    # Further trainings within 24 hours, to find the one among some batches that does harm; 0: none.
    trials: int = Field(default=3, ge=0, le=100)


class EvaluationSettings(Strict):
    """How models are measured. ``score_threshold`` is the score from which a prediction counts at work.

    ``least_precision`` and ``least_recall`` say what the calibrated score from which to work is to have,
    which the report tells; without one of them it is the score of the best F1.

    ``metric`` is the number that decides about a model (None: the first of its task). Object detection has
    mAP@0.5; image classification accuracy, top-k-accuracy, macro-f1, auroc, auprc, and with multi_label
    auprc, auroc, macro-f1, micro-f1, accuracy (the mean over classes), exact-match. ``top_k`` is among how
    many classes the right one has to be for top-k accuracy.
    """

    score_threshold: SHARE = 0.5
    metric: str | None = None
    top_k: int = Field(default=2, ge=2)
    least_precision: SHARE | None = None
    least_recall: SHARE | None = None
    audit_images: int = Field(default=300, ge=0)

    @model_validator(mode="after")
    def _wants_one_thing(self) -> Self:
        if self.least_precision is not None and self.least_recall is not None:
            raise ValueError(
                "least_precision and least_recall: one score cannot promise both; keep one of them"
            )
        return self


class GateSettings(Strict):
    """When a challenger becomes the champion. Gains and losses are differences of the metric
    (``evaluation.metric``).

    ``improve_on`` names slices (test sets, or ``validation``, ``retention``, ``recent``, ``audit``); empty
    means every test set, or ``validation`` where there are none. There the gain has to be ``min_gain``, and
    with ``confidence`` more than nothing; elsewhere a loss counts when it is more than ``max_loss`` and, with
    the same confidence, more than nothing. Slices of fewer than ``min_images`` images, and classes of fewer
    objects, are told and not judged.
    """

    improve_on: tuple[Name, ...] = ()
    min_gain: float = Field(default=0.01, ge=0, le=1)
    max_loss: SHARE = 0.04
    max_class_loss: SHARE = 0.15
    # The share of a batch's labels that the model finds again which learned them, next to its share of
    # replayed ones. Where good and bad labels part depends on images and epochs: `python -m benchmarks.gate`
    # measures it for the digits.
    min_train_recall: SHARE = 0.5
    floor: SHARE = 0
    class_floor: SHARE = 0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    max_calibration_error: SHARE = 0.25
    max_seconds_per_image: float = Field(default=10, gt=0)
    min_images: int = Field(default=20, ge=1)
    min_objects: int = Field(default=1, ge=0)
    approval: bool = False


class Pipeline(Strict):
    """One model: what to look for, when to ask, when to promote. ``name`` is the file's name."""

    name: Name
    path: Path = Field(repr=False)
    description: str = ""
    # What the model learns to do, by the name of SageMaker's algorithm.
    task: TaskName = "object-detection"
    # Of image classification: an image may be of several classes, or of none.
    multi_label: bool = False
    classes: tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...] = Field(min_length=1)
    label_attribute: LabelAttribute = "review"
    batch: BatchSettings = BatchSettings()
    initial: InitialSettings | None = None
    test_sets: dict[Name, str] = Field(default={})
    triage: TriageSettings = TriageSettings()
    review: ReviewSettings = ReviewSettings()
    labeling: LabelingSettings = LabelingSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    gate: GateSettings = GateSettings()

    @field_validator("classes")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each class must be named once")
        return value

    @field_validator("label_attribute")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value in {"source", "source-ref"} or value.endswith(("-metadata", "-ref")):
            raise ValueError("must not be source or source-ref, nor end with -metadata or -ref")
        return value

    @model_validator(mode="before")
    @classmethod
    def _as_the_task_has_it(cls, value: Any) -> Any:
        """What people are shown depends on the task, wherever the file does not say it."""
        if not isinstance(value, dict):
            return value
        task = value.get("task", "object-detection"), value.get("multi_label", False) is True
        shown = {"review": REVIEWS.get(task, {}), "labeling": LABELINGS.get(task, {})}
        return value | {
            name: usual | value.get(name, {})
            for name, usual in shown.items()
            if isinstance(value.get(name, {}), dict)
        }

    @model_validator(mode="after")
    def _settings_are_of_the_task(self) -> Self:
        for place, task in ONLY_FOR.items():
            value: Any = self
            for part in place:
                value = getattr(value, part)
            if value and self.task != task:
                raise ValueError(f"{'.'.join(place)}: is for task: {task}; remove it")
        return self

    @model_validator(mode="after")
    def _dollars_buy_time(self) -> Self:
        budget = self.triage.budget
        for name in ("dollars", "month_dollars"):
            if getattr(budget, name) and not self.review.dollars_per_hour:
                raise ValueError(
                    f"triage.budget.{name}: needs review.dollars_per_hour above 0; without it say seconds"
                )
        return self

    @model_validator(mode="after")
    def _strategy_is_of_the_task(self) -> Self:
        """Found here and not at night: which strategies can judge a task's scores, and from what."""
        references = self.triage.references
        strategies = {name: find_strategy(name) for name in self.triage.shares}
        for name, strategy in strategies.items():
            if strategy.tasks and self.task not in strategy.tasks:
                others = (other for other in strategy_names() if other != name)
                allowed = (
                    other for other in others if self.task in (find_strategy(other).tasks or (self.task,))
                )
                raise ValueError(
                    f"triage.strategy: {name} is for task: {' or '.join(strategy.tasks)}; "
                    f"allowed for {self.task}: {', '.join(allowed)}"
                )
            if strategy.references and not references:
                raise ValueError(
                    f"triage.references: strategy {name} needs a manifest of what is on the images; name it"
                )
        if references and not any(strategy.references for strategy in strategies.values()):
            names = " and ".join(strategies)
            raise ValueError(f"triage.references: strategy {names} does not read it; remove it")
        return self

    @model_validator(mode="after")
    def _metric_is_of_the_task(self) -> Self:
        allowed, metric = METRICS[self.task, self.multi_label], self.evaluation.metric
        if metric is not None and metric not in allowed:
            many = " with multi_label" if self.multi_label else ""
            raise ValueError(
                f"evaluation.metric: must be one of {', '.join(allowed)} for task: {self.task}{many}, "
                f"not {metric}"
            )
        if "top_k" in self.evaluation.model_fields_set and "top-k-accuracy" not in allowed:
            raise ValueError("evaluation.top_k: is for classes of which an image has one; remove it")
        if metric == "top-k-accuracy" and self.evaluation.top_k >= len(self.classes):
            raise ValueError(
                f"evaluation.top_k: must be smaller than the number of classes ({len(self.classes)}): every "
                "model has the right one among them all"
            )
        return self

    @model_validator(mode="after")
    def _prelabels_have_our_classes(self) -> Self:
        review, place = self.review, "review.prelabel_classes"
        if review.prelabel_classes and not review.prelabel_endpoint:
            raise ValueError(f"{place}: is for review.prelabel_endpoint: name it, or remove the classes")
        if unknown := sorted(review.prelabel_classes.keys() - {*self.classes}):
            raise ValueError(
                f"{place}: {', '.join(map(repr, unknown))} is none of classes: {', '.join(self.classes)}"
            )
        theirs = Counter(number for some in review.prelabel_classes.values() for number in some)
        if twice := sorted(number for number, count in theirs.items() if count > 1):
            raise ValueError(f"{place}: {', '.join(map(str, twice))} is said twice; it can be one class only")
        return self

    @model_validator(mode="after")
    def _slices_are_known(self) -> Self:
        if clash := sorted({*DATASET_SLICES, "validation"} & self.test_sets.keys()):
            raise ValueError(f"test_sets: {', '.join(clash)} is the name of a part of every dataset")
        allowed = sorted({*(self.test_sets or ("validation",)), *DATASET_SLICES})
        if unknown := sorted(set(self.gate.improve_on) - set(allowed)):
            raise ValueError(f"gate.improve_on: no slice {', '.join(unknown)}; allowed: {', '.join(allowed)}")
        return self

    @property
    def one_label(self) -> bool:
        """Whether each image is of just one class, so that a model's scores are shares of a whole."""
        return self.task == "image-classification" and not self.multi_label

    @property
    def trains_from_recordio(self) -> bool:
        """Whether training jobs read RecordIO files instead of augmented manifests."""
        if self.training.format is not None:
            return self.training.format == "recordio"
        return self.initial is not None and self.initial.train.endswith(".rec")

    def template(self) -> str:
        """The worker task template's text: 1 to 128,000 characters (CreateHumanTaskUi)."""
        return self._text("review.template", self.review.template)

    def labeling_template(self) -> str:
        """The text of the worker task template of labeling jobs."""
        return self._text("labeling.template", self.labeling.template)

    def _text(self, field: str, name: str) -> str:
        places = [self.path.parent / name, SHIPPED / name]
        for place in places:
            if place.is_file():
                return read_text(place, MOST_TEMPLATE_BYTES)
        raise ConfigurationError(f"{self.path}: {field}: no such file: {name} (looked for {places[0]})")
