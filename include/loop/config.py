"""What to look for (pipelines) and where to run (environments), read from YAML and checked field by field.

This is the only module that reads YAML. It takes the files in ``include/pipelines`` and
``include/environments`` (and first those below ``NIGHTLOOP_CONFIG_DIR``, when that is set), gives frozen
``Pipeline`` and ``Environment`` values, and knows only the names of the triage strategies. DAG files import
it while they are parsed: it stays light.
"""

from __future__ import annotations

import os
import string
from collections.abc import Iterator
from datetime import date as Date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from include.loop.errors import ConfigurationError
from include.loop.strategies import STRATEGIES

HERE = Path(__file__).parent.parent
SHARE = Annotated[float, Field(ge=0, le=1)]

# Names go into job, loop and flow-definition names of at most 63 characters (identity.py): 24 leave room for
# a date, an epoch, a hash and an attempt number.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9])*$", max_length=24)]
# SageMaker's rule for label attribute names (LabelAttributeName), without the two endings that mean something
# else.
LabelAttribute = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}$")]
Scalar = str | int | float | bool
Stage = Literal["initial", "incremental"]
# The slices that every dataset brings along; the others are the pipeline's test sets.
DATASET_SLICES = ("memory", "newest", "audit")
# What AWS allows in the tags of its resources.
TagText = Annotated[str, StringConstraints(pattern=r"^[\w.:/=+\-@ ]*$")]
TagName = Annotated[TagText, Field(min_length=1, max_length=128)]
TagValue = Annotated[TagText, Field(max_length=256)]
# Counted or decided by the loop itself: a setting of the same name would silently disagree with the data.
COMPUTED = frozenset({"num_classes", "num_training_samples", "label_width", "base_network"})


def _no_computed(values: dict[str, Scalar]) -> dict[str, Scalar]:
    if clash := sorted(COMPUTED & values.keys()):
        raise ValueError(f"{', '.join(clash)} is set by the loop itself; remove it")
    return values


Hyperparameters = Annotated[dict[str, Scalar], AfterValidator(_no_computed)]


class Strict(BaseModel):
    """Frozen, and a field that is not known is an error rather than a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


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
    """Where the labels of the first model lie, relative to the pipeline's folder or as S3 URIs."""

    train: str = "initial/train.manifest"
    validation: str = "initial/validation.manifest"


class TriageSettings(Strict):
    """When an image is worth a person's time."""

    strategy: str = "least_confident"
    threshold: SHARE = 0.5
    audit_share: SHARE = 0.02
    cap: int = Field(default=100, ge=1)

    @field_validator("strategy")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in STRATEGIES:
            raise ValueError(f"must be one of {', '.join(sorted(STRATEGIES))}")
        return value


class ReviewSettings(Strict):
    """What the reviewers see, and how much of their time a question takes. Limits are those of A2I."""

    title: str = Field(default="Check the boxes", min_length=1, max_length=128)
    description: str = Field(default="Correct every box and label", min_length=1, max_length=255)
    template: str = "templates/bounding-box.liquid.html"
    instructions: str = "Draw one tight box around every object and choose its label."
    task_count: int = Field(default=1, ge=1, le=3)
    time_limit_seconds: int = Field(default=3600, ge=30)
    availability_seconds: int = Field(default=259_200, ge=60)
    deadline_hours: float = Field(default=20, gt=0, le=720)
    prelabel_threshold: SHARE = 0.3
    seconds_per_image: float = Field(default=20, gt=0)
    dollars_per_hour: float = Field(default=15, ge=0)


class StageSettings(Strict):
    """Hyperparameters under SageMaker's names."""

    hyperparameters: Hyperparameters = {}


class ReplaySettings(Strict):
    """Known labels that are shown again while new ones are learned, against forgetting."""

    per_new: float = Field(default=3, ge=0)
    choose: Literal["balanced_hard", "random"] = "balanced_hard"
    # The champion scores so many candidates per replayed image, to find those that it finds hard.
    pool: float = Field(default=2, ge=1, le=20)


class TrainingSettings(Strict):
    """How models are trained, and from what."""

    base_network: Literal["vgg-16", "resnet-50"] = "resnet-50"
    image_shape: int = Field(default=300, ge=96)
    initial: StageSettings = StageSettings()
    incremental: StageSettings = StageSettings()
    replay: ReplaySettings = ReplaySettings()
    min_new_labels: int = Field(default=1, ge=1)
    validation_share: float = Field(default=0.1, ge=0, lt=1)
    memory_images: int = Field(default=200, ge=0)


class EvaluationSettings(Strict):
    """How models are measured. ``score_threshold`` is the score from which a detection counts at work."""

    score_threshold: SHARE = 0.5
    audit_images: int = Field(default=300, ge=0)


class GateSettings(Strict):
    """When a challenger becomes the champion. Gains and losses are differences of mAP@0.5.

    ``improve_on`` names slices (test sets, or ``validation``, ``memory``, ``newest``, ``audit``); empty means
    every test set, or ``validation`` where there are none. There the gain has to be ``min_gain``, and with
    ``confidence`` more than nothing; elsewhere a loss counts when it is more than ``max_loss`` and, with the
    same confidence, more than nothing. Slices of fewer than ``min_images`` images, and classes of fewer
    boxes, are told and not judged.
    """

    improve_on: tuple[Name, ...] = ()
    min_gain: float = Field(default=0.01, ge=0, le=1)
    max_loss: SHARE = 0.04
    max_class_loss: SHARE = 0.15
    # The share of a night's boxes that the model they taught finds again, next to its share of replayed ones.
    # With 40 % of the classes wrong it was at most two thirds in the sample, with good labels at least 0.7.
    min_learned: SHARE = 0.5
    floor: SHARE = 0
    class_floor: SHARE = 0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    max_calibration_error: SHARE = 0.25
    max_seconds_per_image: float = Field(default=10, gt=0)
    min_images: int = Field(default=20, ge=1)
    min_boxes: int = Field(default=1, ge=0)
    approval: bool = False


class Pipeline(Strict):
    """One model: what to look for, when to ask, when to promote. ``name`` is the file's name."""

    name: Name
    path: Path = Field(repr=False)
    description: str = ""
    classes: tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...] = Field(min_length=1)
    label_attribute: LabelAttribute = "review"
    batch: BatchSettings = BatchSettings()
    initial: InitialSettings | None = None
    test_sets: dict[Name, str] = {}
    triage: TriageSettings = TriageSettings()
    review: ReviewSettings = ReviewSettings()
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

    @model_validator(mode="after")
    def _slices_are_known(self) -> Self:
        if clash := sorted({*DATASET_SLICES, "validation"} & self.test_sets.keys()):
            raise ValueError(f"test_sets: {', '.join(clash)} is the name of a part of every dataset")
        allowed = sorted({*(self.test_sets or ("validation",)), *DATASET_SLICES})
        if unknown := sorted(set(self.gate.improve_on) - set(allowed)):
            raise ValueError(f"gate.improve_on: no slice {', '.join(unknown)}; allowed: {', '.join(allowed)}")
        return self

    def template(self) -> str:
        """The worker task template's text: 1 to 128,000 characters (CreateHumanTaskUi)."""
        places = [self.path.parent / self.review.template, HERE / "pipelines" / self.review.template]
        for place in places:
            if place.is_file():
                return place.read_text(encoding="utf-8")
        raise ConfigurationError(
            f"{self.path}: review.template: no such file: {self.review.template} (looked for {places[0]})"
        )


class TrainingPlace(Strict):
    """The machines that train, and hyperparameters that only this place needs.

    With ``spot``, ``max_wait_seconds`` (None: twice the runtime) is the longest from request to end.
    ``checkpoints`` keeps them in S3, so that an interrupted job goes on where it was. ``warm_pool_seconds``
    keeps the machines for a next job; SageMaker takes it without spot only.
    """

    instance_type: str = "ml.g4dn.xlarge"
    instance_count: int = Field(default=1, ge=1, le=20)
    volume_gb: int = Field(default=50, ge=1)
    max_runtime_seconds: int = Field(default=86_400, ge=60, le=432_000)
    spot: bool = False
    max_wait_seconds: int | None = Field(default=None, ge=60, le=2_419_200)
    checkpoints: bool = False
    warm_pool_seconds: int = Field(default=0, ge=0, le=3600)
    hyperparameters: dict[Stage, Hyperparameters] = {}

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.spot and self.warm_pool_seconds:
            raise ValueError("warm_pool_seconds is for machines of one's own: not together with spot")
        if self.max_wait_seconds is not None and not self.spot:
            raise ValueError("max_wait_seconds is for spot: true")
        if self.max_wait_seconds is not None and self.max_wait_seconds < self.max_runtime_seconds:
            raise ValueError("max_wait_seconds must not be below max_runtime_seconds")
        return self


class TransformPlace(Strict):
    """The machines that predict. ``max_payload_mb`` None is SageMaker's own limit for one image, 6."""

    instance_type: str = "ml.m5.xlarge"
    instance_count: int = Field(default=1, ge=1, le=100)
    max_payload_mb: int | None = Field(default=None, ge=1, le=100)


class NetworkPlace(Strict):
    """The private network and the keys of jobs and endpoints, passed to SageMaker as they are."""

    subnets: tuple[str, ...] = Field(default=(), max_length=16)
    security_groups: tuple[str, ...] = Field(default=(), max_length=5)
    isolation: bool = False
    encrypt_between_containers: bool = False
    kms_key: str | None = None
    volume_kms_key: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups go together: give both or neither")
        return self


class DeploymentPlace(Strict):
    """The endpoint, and how traffic moves to a new model. ``alarms`` are CloudWatch alarms that roll it back.

    ``known_images`` held-out images are sent to a new model before it gets traffic; their detections may
    differ from what evaluation saw by ``tolerance`` (scores, and box corners as shares of the image).
    """

    endpoint: Name | None = None
    instance_type: str = "ml.m5.xlarge"
    instance_count: int = Field(default=1, ge=1, le=100)
    traffic: Literal["all_at_once", "canary", "linear"] = "all_at_once"
    step_percent: int = Field(default=10, ge=1, le=50)
    bake_seconds: int = Field(default=0, ge=0, le=3600)
    keep_old_seconds: int = Field(default=0, ge=0, le=3600)
    alarms: tuple[str, ...] = Field(default=(), max_length=10)
    known_images: int = Field(default=5, ge=1, le=100)
    tolerance: float = Field(default=0.02, gt=0, le=1)


class ReviewPlace(Strict):
    """Who reviews, and where. Either an existing work team (by ARN) or the name of one to make."""

    workteam: Name = "reviewers"
    workteam_arn: str | None = None
    oidc_groups: tuple[str, ...] = Field(default=("reviewers",), min_length=1, max_length=10)
    portal_url: str | None = None
    poll_seconds: float = Field(default=60, gt=0)


class Environment(Strict):
    """One place to run. ``name`` is the file's name, chosen by ``NIGHTLOOP_ENVIRONMENT``; ``tags`` go on all
    jobs, models and endpoints.
    """

    name: str
    path: Path = Field(repr=False)
    region: str = Field(min_length=1)
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]$")
    pipeline: Name
    role_arn: str = Field(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:role/.+$")
    algorithm: Literal["local", "sagemaker"]
    image: str | None = None
    poll_seconds: float = Field(default=60, gt=0)
    tags: dict[TagName, TagValue] = Field(default={}, max_length=50)
    training: TrainingPlace = TrainingPlace()
    transform: TransformPlace = TransformPlace()
    network: NetworkPlace = NetworkPlace()
    deployment: DeploymentPlace | None = None  # None: models are registered and promoted, and served nowhere
    review: ReviewPlace = ReviewPlace()

    @model_validator(mode="after")
    def _arn_is_a_work_team(self) -> Self:
        arn = self.review.workteam_arn
        if arn is not None and ":workteam/" not in arn:
            raise ValueError("review.workteam_arn must be the ARN of a work team (arn:…:workteam/…)")
        return self


def load_pipeline(name: str) -> Pipeline:
    """Read ``pipelines/<name>.yaml``; ConfigurationError names file, field and what is allowed."""
    return _load(Pipeline, "pipelines", name)


def load_environment(name: str | None = None) -> Environment:
    """Read ``environments/<name>.yaml``; None means ``NIGHTLOOP_ENVIRONMENT``, or else ``local``."""
    return _load(Environment, "environments", name or os.environ.get("NIGHTLOOP_ENVIRONMENT") or "local")


def pipeline_names() -> list[str]:
    """The pipelines that have a file, sorted; a user's own directory may add to those shipped."""
    return sorted({path.stem for folder in _folders("pipelines") for path in folder.glob("*.yaml")})


Model = TypeVar("Model", Pipeline, Environment)


def _load(model: type[Model], kind: str, name: str) -> Model:
    path = _find(kind, name)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: must be a mapping of fields to values")
    if reserved := {"name", "path"} & content.keys():
        raise ConfigurationError(f"{path}: {reserved.pop()}: is taken from the file's name; remove it")
    try:
        return model(name=name, path=path, **content)
    except ValidationError as error:
        lines = [f"{path}: {_explain(model, item)}" for item in error.errors()]
        raise ConfigurationError("\n".join(lines)) from None
    except TypeError as error:  # a key that is no text, `1: x`
        raise ConfigurationError(f"{path}: field names must be text: {error}") from None


class _Loader(yaml.SafeLoader):
    """YAML as data only, in which a field that is written twice is a mistake (YAML would keep the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is written twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _folders(kind: str) -> Iterator[Path]:
    if own := os.environ.get("NIGHTLOOP_CONFIG_DIR"):
        yield Path(own) / kind
    yield HERE / kind


def _find(kind: str, name: str) -> Path:
    for folder in _folders(kind):
        if (path := folder / f"{name}.yaml").is_file():
            return path
    known = sorted({path.stem for folder in _folders(kind) for path in folder.glob("*.yaml")})
    raise ConfigurationError(
        f"no {kind[:-1]} named {name!r}: {folder / name}.yaml is missing; there are {known}"
    )


def _explain(model: type[BaseModel], item: Any) -> str:
    """One pydantic error as ``field: what is wrong (what is allowed)``."""
    where = ".".join(str(part) for part in item["loc"]) or "file"
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown field; allowed here: {', '.join(_fields(model, item['loc'][:-1]))}"
    if item["type"] == "string_type" and isinstance(item["input"], bool | int | float):
        return f'{where}: must be text; put it in quotes: "{item["input"]}"'
    if item["type"] == "missing":
        return f"{where}: is required"
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {message} (given: {item['input']!r})"


def _fields(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    for part in loc:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        inner = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return sorted(set(model.model_fields) - {"name", "path"})
