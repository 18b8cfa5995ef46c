"""From a training job to its facts.

Takes what the other stages stored, decides nothing that one of them has decided, and requires nothing: what
is missing is left out, what cannot be read is noted in ``problems``, and the page says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from include.loop.config import DATASET_SLICES
from include.loop.core import layout, storage
from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.records.base import Part
from include.loop.core.records.batch_facts import Example
from include.loop.core.records.deployments import Deployment
from include.loop.core.records.facts import (
    DatasetFacts,
    DeploymentFacts,
    EvaluationFacts,
    Facts,
    ModelFacts,
    PackageFacts,
    Promotion,
    Rejection,
    RoundOutcome,
    RoundVerdict,
    SliceFacts,
    TrainingCurves,
    TrainRecallFacts,
)
from include.loop.core.records.metrics import ImageComparison, MetricsParts
from include.loop.core.records.verdict import Verdict
from include.loop.report.batches import read_batches
from include.loop.report.examples import choose
from include.loop.report.standings import gather_standings
from include.loop.workspace import Workspace

Value = TypeVar("Value", bound=Part)
# So many reasons why lines were left out are told; rejected.jsonl has every line.
REASONS = 10


def gather(workspace: Workspace, training_job: str, others: Iterable[Facts] = ()) -> Facts:
    """Everything that is stored about a round. ``others`` are rounds that were told before: their batches
    need not be read again.
    """
    reader = _Reader(workspace)
    model = reader.find(layout.model_file(training_job))
    dataset_id = model.get("dataset_id")
    dataset = reader.find(layout.dataset_file(dataset_id)) if dataset_id else {}
    metrics = MetricsParts.find(workspace.storage, training_job)
    reader.problems += metrics.problems
    verdict = reader.verdict(training_job)
    judged_at = workspace.storage.modified_at(layout.verdict_file(training_job))
    promotion = reader.promotion(training_job, read_champions(workspace))
    package = reader.package(training_job)
    known = {item.batch: item for told in others for item in (*told.earlier, *told.batches)}
    batches, earlier = read_batches(workspace, sorted(dataset.get("shards", ())), known, reader.problems)
    slices = _slices(metrics)
    pipeline = workspace.pipeline
    return Facts(
        pipeline=pipeline.name,
        training_job=training_job,
        outcome=_outcome(verdict, promotion, package),
        description=pipeline.description,
        parent=model.get("parent"),
        promotion=promotion,
        judged_at=judged_at.isoformat(timespec="seconds") if judged_at else "",
        batches=batches,
        earlier=earlier,
        dataset=reader.make(DatasetFacts, dataset, "dataset"),
        standings=gather_standings(workspace, metrics.score_threshold, reader.problems),
        rejections=reader.rejections(dataset_id) if dataset_id else (),
        model=reader.make(ModelFacts, model, "model"),
        evaluation=EvaluationFacts(score_threshold=metrics.score_threshold, confidence=metrics.confidence),
        slices=slices,
        # The gate's own rule: as configured, else every test set (or validation).
        improve_on=pipeline.gate.improve_on
        or tuple(item.name for item in slices if item.name not in DATASET_SLICES),
        latency=metrics.latency,
        train_recall=tuple(
            TrainRecallFacts(name=name, **dict(item)) for name, item in metrics.train_recall.items()
        ),
        verdict=verdict,
        examples=reader.examples(training_job, dataset_id),
        curves=reader.make(TrainingCurves, reader.find(layout.curves_file(training_job)), "curves"),
        package=package,
        deployment=reader.deployment(training_job),
        problems=tuple(reader.problems),
    )


def read_champions(workspace: Workspace) -> list[dict[str, Any]]:
    """The numbered records of all champions, the first one first."""
    target = workspace.storage
    return list(storage.in_parallel(lambda item: target.read_json(item.uri), target.list(layout.CHAMPIONS)))


def has_changed(workspace: Workspace, facts: Facts, champions: list[dict[str, Any]]) -> bool:
    """Whether a round that was told has ended otherwise since: decided by a person, promoted, rolled back."""
    reader = _Reader(workspace)
    promotion = reader.promotion(facts.training_job, champions)
    waits = facts.outcome is RoundOutcome.WAITING
    package = reader.package(facts.training_job) if waits else facts.package
    return _outcome(facts.verdict, promotion, package) is not facts.outcome


def _outcome(
    verdict: RoundVerdict | None, promotion: Promotion | None, package: PackageFacts | None
) -> RoundOutcome:
    if promotion:
        return RoundOutcome.UNDONE if promotion.undone else RoundOutcome.PROMOTED
    if verdict is None:
        return RoundOutcome.UNKNOWN
    if not verdict.promote:
        return RoundOutcome.REJECTED
    declined = package and package.decision and package.decision.status == "Rejected"
    return RoundOutcome.DECLINED if declined else RoundOutcome.WAITING


def _slices(metrics: MetricsParts) -> tuple[SliceFacts, ...]:
    """The test sets (or validation) first, then the parts of the dataset."""
    found = (SliceFacts(name=name, **dict(item)) for name, item in metrics.slices.items())
    return tuple(sorted(found, key=lambda item: item.name in DATASET_SLICES))


class _Reader:
    """Reads what may be missing or odd, and keeps what was wrong."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._storage = workspace, workspace.storage
        self.problems: list[str] = []

    def find(self, location: str) -> dict[str, Any]:
        try:
            value = self._storage.find_json(location)
        except ValueError as error:
            self.problems.append(f"{location} is not JSON: {error}")
            return {}
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problems.append(f"{location} is not an object")
            return {}
        return value

    def make(self, kind: type[Value], value: Mapping[str, Any], what: str) -> Value | None:
        """A value of this kind, None for nothing or for something that does not fit."""
        if not value:
            return None
        # JSON's null stands for what is not there
        given = {name: item for name, item in value.items() if item is not None}
        try:
            return kind.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"])
            self.problems.append(f"{what}: {path}: {first['msg'].lower()}")
            return None

    def verdict(self, training_job: str) -> RoundVerdict | None:
        try:
            found = Verdict.find(self._storage, training_job)
        except (BadRecord, Fatal) as error:
            self.problems.append(str(error))
            return None
        if found is None:
            return None
        return RoundVerdict(promote=found.promote, rules=found.rules, reasons=found.reasons)

    def examples(self, training_job: str, dataset_id: str | None) -> tuple[Example, ...]:
        try:
            rows = list(ImageComparison.read_all(self._storage, training_job))
        except FileNotFoundError:
            return ()
        except (BadRecord, Fatal, ValueError) as error:
            self.problems.append(str(error))
            return ()
        return tuple(choose(self._workspace, rows, dataset_id))

    def rejections(self, dataset_id: str) -> tuple[Rejection, ...]:
        """What the dataset left out, by reason. The lines of older datasets say the same."""
        location = layout.dataset_rejected(dataset_id)
        try:
            rows = list(self._storage.read_lines(location))
        except FileNotFoundError:
            return ()
        except ValueError as error:
            self.problems.append(f"{location} is not JSON Lines: {error}")
            return ()
        kinds: dict[tuple[bool, str], list[dict[str, Any]]] = {}
        for row in (row for row in rows if isinstance(row, dict)):
            reason = str(row.get("reason") or "no reason was kept")
            # Reasons tell places and sizes: those that differ in numbers alone are of one kind.
            kinds.setdefault(("box" in row, re.sub(r"\d[\d.,]*", "0", reason)), []).append(row)
        frequent = sorted(kinds.items(), key=lambda item: -len(item[1]))
        told = (
            {
                "count": len(own),
                "boxes": boxes,
                "reason": str(own[0].get("reason") or "no reason was kept"),
                "manifest": str(own[0].get("manifest") or ""),
                "line": str(own[0].get("line") or ""),
            }
            for (boxes, _), own in frequent[:REASONS]
        )
        return tuple(Rejection(**item) for item in told)

    def promotion(self, training_job: str, champions: list[dict[str, Any]]) -> Promotion | None:
        """The newest one of this model, None when it never was the champion."""
        mine = [record for record in champions if record.get("training_job") == training_job]
        if not mine:
            return None
        left = {record.get("rolled_back_from") for record in champions}
        return self.make(Promotion, mine[-1] | {"undone": mine[-1].get("number") in left}, "promotion")

    def package(self, training_job: str) -> PackageFacts | None:
        value = self.find(layout.registry_file(training_job))
        decision = self.find(layout.decision_file(training_job))
        return self.make(PackageFacts, value | {"decision": decision or None}, "package") if value else None

    def deployment(self, training_job: str) -> DeploymentFacts | None:
        """The newest one of this model, None where it was never served."""
        for item in reversed(list(self._storage.list(layout.DEPLOYMENTS))):
            try:
                record = Deployment.find_at(self._storage, item.uri)
            except (BadRecord, Fatal) as error:
                self.problems.append(str(error))
                continue
            if record and record.training_job == training_job:
                return DeploymentFacts(
                    endpoint=record.endpoint, config=record.config, deployed_at=record.deployed_at
                )
        return None
