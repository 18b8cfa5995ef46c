"""What the page of a round tells, as one frozen value.

``Facts`` and its parts, in the shapes in which the other stages store them; all but a round's name may be
missing. It is kept as ``reports/<job>/facts.json``, and the running history is made from the facts of all
rounds. Knows storage and the nights.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import AliasChoices, Field, TypeAdapter

from include.loop.core import layout, storage
from include.loop.report.measures import Evaluation, Example, Finite, Latency, Learned, Slice
from include.loop.report.nights import Night
from include.loop.report.standings import Standing
from include.loop.workspace import Workspace


class Outcome(StrEnum):
    """What became of a challenger."""

    PROMOTED = "promoted"
    UNDONE = "undone"  # promoted, and rolled back later
    REJECTED = "rejected"  # by the gate
    DECLINED = "declined"  # by a person
    WAITING = "waiting"  # the gate says yes; nobody has decided, or the deployment has not ended
    UNKNOWN = "unknown"  # there is no verdict


@dataclass(frozen=True)
class Rule:
    """One rule of the gate, as it was judged."""

    rule: str
    slice: str | None = None
    class_name: Annotated[str | None, Field(validation_alias=AliasChoices("class", "class_name"))] = None
    value: Finite | None = None
    limit: Finite | None = None
    passed: bool = False
    judged: bool = True
    text: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the gate said."""

    promote: bool
    rules: tuple[Rule, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Epoch:
    """One epoch of the training."""

    epoch: int
    validation_map: Finite | None = None
    cross_entropy: Finite | None = None
    smooth_l1: Finite | None = None


@dataclass(frozen=True)
class Curves:
    """The training as its log tells it; the throughput is in images per second."""

    epochs: tuple[Epoch, ...] = ()
    throughput: Finite | None = None


@dataclass(frozen=True)
class Dataset:
    """The counts of dataset.json."""

    dataset_id: str
    parent_dataset: str | None = None
    new: int = 0
    replayed: int = 0
    train: int = 0
    validation: int = 0
    memory: int = 0
    newest: int = 0
    audit: int = 0
    held_out: int = 0
    superseded: int = 0
    near_duplicates: int = 0
    rejected: int = 0
    rejected_boxes: int = 0
    backfilled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rejection:
    """Lines of manifests, or single boxes of lines, that the dataset left out for one kind of reason: how
    many, and the first of them.
    """

    count: int
    reason: str
    manifest: str = ""
    line: str = ""
    boxes: bool = False


@dataclass(frozen=True)
class Model:
    """What model.json says; seconds are the machine's, None where nobody wrote them down."""

    model_data: str | None = None
    base_network: str | None = None
    hyperparameters: dict[str, str] = field(default_factory=dict)
    seconds: Finite | None = None
    billable_seconds: Finite | None = None
    instance_type: str | None = None


@dataclass(frozen=True)
class Promotion:
    """When it became the champion, and as which number (from 1); whether a rollback has left it since."""

    number: int
    promoted_at: str = ""
    undone: bool = False


@dataclass(frozen=True)
class Decision:
    """A person's word on a package."""

    status: str
    by: str = ""
    comment: str = ""
    decided_at: str = ""


@dataclass(frozen=True)
class Package:
    """Its entry in the model registry."""

    package_arn: str
    group: str = ""
    version: int | None = None
    decision: Decision | None = None


@dataclass(frozen=True)
class Deployment:
    """Where the model was put to work."""

    endpoint: str
    config: str = ""
    deployed_at: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that the page of one round tells. Money and time of people are per night, see ``Night``."""

    pipeline: str
    training_job: str
    outcome: Outcome
    description: str = ""
    parent: str | None = None
    promotion: Promotion | None = None
    judged_at: str = ""
    nights: tuple[Night, ...] = ()
    earlier: tuple[Night, ...] = ()  # the last nights before them, for comparison
    standings: tuple[Standing, ...] = ()  # of all nights that no champion has learned from, oldest first
    dataset: Dataset | None = None
    rejections: tuple[Rejection, ...] = ()  # the most frequent reasons first
    model: Model | None = None
    evaluation: Evaluation = field(default_factory=Evaluation)
    slices: tuple[Slice, ...] = ()
    improve_on: tuple[str, ...] = ()  # the slices on which it should gain
    learned: tuple[Learned, ...] = ()
    latency: Latency | None = None
    verdict: Verdict | None = None
    examples: tuple[Example, ...] = ()
    curves: Curves | None = None
    package: Package | None = None
    deployment: Deployment | None = None
    problems: tuple[str, ...] = ()

    def slice(self, name: str) -> Slice | None:
        return next((item for item in self.slices if item.name == name), None)

    @property
    def gain(self) -> float | None:
        """Mean gain of mAP@0.5 on the slices it should improve on, None without a champion to gain over."""
        parts = [
            item.after - item.before
            for item in self.slices
            if item.name in self.improve_on and item.after is not None and item.before is not None
        ]
        return sum(parts) / len(parts) if parts and len(parts) == len(self.improve_on) else None


_FACTS = TypeAdapter(Facts)


def to_json(facts: Facts) -> bytes:
    return storage.dump(asdict(facts))


def from_json(body: bytes) -> Facts:
    """Facts as they were written; ValueError when they cannot be read any more."""
    return _FACTS.validate_json(body)


def read_all(workspace: Workspace) -> list[Facts]:
    """The facts of every round that was told; those that cannot be read any more are left out."""

    def read(folder: str) -> Facts | None:
        found = workspace.storage.find(layout.report_facts(folder))
        try:
            facts = from_json(found[0]) if found else None
        except ValueError:
            return None
        # Facts are written again under the name they bear: it has to be their own.
        return facts if facts and facts.training_job == folder and layout.is_training_job(folder) else None

    told = storage.in_parallel(read, workspace.storage.list_folders(layout.REPORTS))
    return [facts for facts in told if facts is not None]
