"""reports/<job>/facts.json: what the page of a round tells, as one value; all but a round's name may be
missing.

The running history is made from the facts of all rounds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field

from include.loop.core import layout
from include.loop.core.records import version_1
from include.loop.core.records.base import Location, Part, Record
from include.loop.core.records.batch_facts import BatchFacts, CellFacts, Example, StandingFacts
from include.loop.core.records.calibration import Calibration
from include.loop.core.records.metrics import LatencyMetrics, Number, SliceMetrics, TrainRecall
from include.loop.core.records.verdict import JudgedRule


class RoundOutcome(StrEnum):
    """What became of a challenger."""

    PROMOTED = "promoted"
    UNDONE = "undone"  # promoted, and rolled back later
    REJECTED = "rejected"  # by the gate
    DECLINED = "declined"  # by a person
    WAITING = "waiting"  # the gate says yes; nobody has decided, or the deployment has not ended
    UNKNOWN = "unknown"  # there is no verdict


class RoundVerdict(Part):
    """What the gate said."""

    promote: bool
    rules: tuple[JudgedRule, ...] = ()
    reasons: tuple[str, ...] = ()


class CurveFacts(Part):
    """The training as its log tells it: for each epoch its number (``epoch``) and what else is told, by name;
    the throughput is in images per second.
    """

    epochs: tuple[dict[str, int | float | None], ...] = ()
    throughput: Number = None


class DatasetFacts(Part):
    """The counts of a dataset."""

    dataset_id: str
    parent_dataset: str | None = None
    new: int = 0
    replayed: int = 0
    train: int = 0
    validation: int = 0
    retention: int = 0
    recent: int = 0
    audit: int = 0
    held_out: int = 0
    superseded: int = 0
    near_duplicates: int = 0
    rejected: int = 0
    rejected_boxes: int = 0
    backfilled: tuple[str, ...] = ()


class Rejection(Part):
    """Lines of manifests, or single parts of lines (``boxes``), that the dataset left out for one kind of
    reason: how many, and the first of them.
    """

    count: int
    reason: str
    manifest: str = ""
    line: str = ""
    boxes: bool = False


class ModelFacts(Part):
    """How a model was made; seconds are the machine's, None where nobody wrote them down."""

    model_data: str | None = None
    from_scratch: bool = False
    hyperparameters: dict[str, str] = Field(default={})
    seconds: Number = None
    billable_seconds: Number = None
    instance_type: str | None = None


class PromotionFacts(Part):
    """When it became the champion, and as which number (from 1); whether a rollback has left it since."""

    number: int
    promoted_at: str = ""
    undone: bool = False


class DecisionFacts(Part):
    """A person's word on a package."""

    status: str
    by: str = ""
    comment: str = ""
    decided_at: str = ""


class PackageFacts(Part):
    """Its entry in the model registry."""

    package_arn: str
    group: str = ""
    version: int | None = None
    decision: DecisionFacts | None = None


class DeploymentFacts(Part):
    """Where the model was put to work."""

    endpoint: str
    config: str = ""
    deployed_at: str = ""


class EvaluationFacts(Part):
    """How both models were measured: by which number (empty where an older version did not say it).
    ``confidence`` is that of each of an interval's two bounds; ``calibration`` how the challenger's scores
    are to be read (None where nobody has looked).
    """

    metric: str = ""
    score_threshold: float = 0.5
    confidence: Number = None
    calibration: Calibration | None = None


class SliceFacts(SliceMetrics):
    """Both models on one set of labelled images, by its name."""

    name: str

    @property
    def before(self) -> float | None:
        return self.champion.score if self.champion else None

    @property
    def after(self) -> float | None:
        return self.challenger.score


class TrainRecallFacts(TrainRecall):
    """How well labels were learned: those of a batch, or the "replayed" ones."""

    name: str


class Facts(Record):
    """Everything that the page of one round tells. Money and time of people are per batch."""

    LOCATION: ClassVar[Location] = staticmethod(layout.report_facts)
    VERSION: ClassVar[int] = 2

    pipeline: str
    training_job: str
    outcome: RoundOutcome
    description: str = ""
    parent: str | None = None
    promotion: PromotionFacts | None = None
    judged_at: str = ""
    batches: tuple[BatchFacts, ...] = ()
    earlier: tuple[BatchFacts, ...] = ()  # the last batches before them, for comparison
    standings: tuple[
        StandingFacts, ...
    ] = ()  # of all batches that no champion has learned from, oldest first
    dataset: DatasetFacts | None = None
    rejections: tuple[Rejection, ...] = ()  # the most frequent reasons first
    model: ModelFacts | None = None
    evaluation: EvaluationFacts = EvaluationFacts()
    slices: tuple[SliceFacts, ...] = ()
    improve_on: tuple[str, ...] = ()  # the slices on which it should gain
    train_recall: tuple[TrainRecallFacts, ...] = ()
    latency: LatencyMetrics | None = None
    verdict: RoundVerdict | None = None
    examples: tuple[Example, ...] = ()
    mistakes: tuple[Example, ...] = ()  # the challenger's, the surest first
    cells: tuple[CellFacts, ...] = ()  # of its confusion, the largest first
    curves: CurveFacts | None = None
    package: PackageFacts | None = None
    deployment: DeploymentFacts | None = None
    problems: tuple[str, ...] = ()

    def slice(self, name: str) -> SliceFacts | None:
        return next((item for item in self.slices if item.name == name), None)

    @property
    def gain(self) -> float | None:
        """Mean gain on the slices it should improve on, None without a champion to gain over."""
        parts = [
            item.after - item.before
            for item in self.slices
            if item.name in self.improve_on and item.after is not None and item.before is not None
        ]
        return sum(parts) / len(parts) if parts and len(parts) == len(self.improve_on) else None

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        return version_1.facts(value) if version < 2 else value
