"""From a training job to its facts.

Takes what the other stages stored, decides nothing that one of them has decided, and requires nothing: what
is missing is left out, what cannot be read is noted in ``problems``, and the page says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from include.loop.config import DATASET_SLICES
from include.loop.core import copies, layout
from include.loop.core.records.dataset import Dataset, RejectedLine
from include.loop.core.records.deployments import Deployment
from include.loop.core.records.facts import (
    CurveFacts,
    DatasetFacts,
    DecisionFacts,
    DeploymentFacts,
    EvaluationFacts,
    Facts,
    ModelFacts,
    PackageFacts,
    PromotionFacts,
    Rejection,
    RoundOutcome,
    RoundVerdict,
    SliceFacts,
    TrainRecallFacts,
)
from include.loop.core.records.metrics import ImageComparison, MetricsParts
from include.loop.core.records.models import (
    ApprovalDecision,
    Champion,
    Registration,
    TrainedModel,
    TrainingCurves,
)
from include.loop.core.records.verdict import Verdict
from include.loop.models.champion import read_history
from include.loop.report.batches import read_batches
from include.loop.report.examples import choose
from include.loop.report.mistakes import cells, surest, with_labels
from include.loop.report.reader import Reader
from include.loop.report.standings import gather_standings
from include.loop.workspace import Workspace

# So many reasons why lines were left out are told; rejected.jsonl has every line.
REASONS = 10


def gather(workspace: Workspace, training_job: str, others: Iterable[Facts] = ()) -> Facts:
    """Everything that is stored about a round. ``others`` are rounds that were told before: their batches
    need not be read again.
    """
    metrics = MetricsParts.find(workspace.storage, training_job)
    problems = list(metrics.problems)
    reader = Reader(workspace.storage, problems)
    model = reader.find(TrainedModel, training_job)
    dataset = reader.find(Dataset, model.dataset_id) if model else None
    verdict = reader.find(Verdict, training_job)
    judged_at = workspace.storage.modified_at(layout.verdict_file(training_job))
    promotion = _promotion(training_job, list(read_history(workspace)))
    package = _package(reader, training_job)
    known = {item.batch: item for told in others for item in (*told.earlier, *told.batches)}
    batches, earlier = read_batches(workspace, sorted(dataset.shards) if dataset else [], known, problems)
    slices = _slices(metrics)
    curves = reader.find(TrainingCurves, training_job)
    compared = reader.lines(ImageComparison, training_job)
    pipeline = workspace.pipeline
    return Facts(
        pipeline=pipeline.name,
        training_job=training_job,
        outcome=_outcome(verdict, promotion, package),
        description=pipeline.description,
        parent=model.parent if model else None,
        promotion=promotion,
        judged_at=judged_at.isoformat(timespec="seconds") if judged_at else "",
        batches=batches,
        earlier=earlier,
        dataset=DatasetFacts.model_validate(dict(dataset)) if dataset else None,
        standings=gather_standings(workspace, metrics.score_threshold, problems),
        rejections=_rejections(reader.lines(RejectedLine, model.dataset_id)) if model else (),
        model=ModelFacts.model_validate(dict(model)) if model else None,
        evaluation=EvaluationFacts(
            metric=metrics.metric,
            score_threshold=metrics.score_threshold,
            confidence=metrics.confidence,
            calibration=metrics.calibration,
        ),
        slices=slices,
        # The gate's own rule: as configured, else every test set (or validation).
        improve_on=pipeline.gate.improve_on
        or tuple(item.name for item in slices if item.name not in DATASET_SLICES),
        latency=metrics.latency,
        train_recall=tuple(
            TrainRecallFacts(name=name, **dict(item)) for name, item in metrics.train_recall.items()
        ),
        verdict=RoundVerdict.model_validate(dict(verdict)) if verdict else None,
        examples=tuple(choose(workspace, compared, dataset)),
        mistakes=tuple(with_labels(workspace, surest(compared), dataset)),
        cells=tuple(cells(compared)),
        curves=CurveFacts(epochs=curves.epochs, throughput=curves.throughput) if curves else None,
        package=package,
        deployment=_deployment(workspace, reader, training_job),
        problems=tuple(problems),
    )


def has_changed(workspace: Workspace, facts: Facts, champions: list[Champion]) -> bool:
    """Whether a round that was told has ended otherwise since: decided by a person, promoted, rolled back."""
    waits = facts.outcome is RoundOutcome.WAITING
    package = _package(Reader(workspace.storage, []), facts.training_job) if waits else facts.package
    promotion = _promotion(facts.training_job, champions)
    return _outcome(facts.verdict, promotion, package) is not facts.outcome


def _outcome(
    verdict: RoundVerdict | Verdict | None, promotion: PromotionFacts | None, package: PackageFacts | None
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


def _rejections(lines: Iterable[RejectedLine]) -> tuple[Rejection, ...]:
    """What the dataset left out, by reason, the most frequent ones first."""
    kinds: dict[tuple[bool, str], list[RejectedLine]] = {}
    for line in lines:
        # Reasons tell places and sizes: those that differ in numbers alone are of one kind.
        kinds.setdefault((line.box is not None, re.sub(r"\d[\d.,]*", "0", line.reason)), []).append(line)
    frequent = sorted(kinds.items(), key=lambda item: -len(item[1]))
    return tuple(
        Rejection(
            count=len(own), boxes=boxes, reason=own[0].reason, manifest=own[0].manifest, line=own[0].line
        )
        for (boxes, _), own in frequent[:REASONS]
    )


def _promotion(training_job: str, champions: Sequence[Champion]) -> PromotionFacts | None:
    """The newest one of this model, None when it never was the champion."""
    mine = [champion for champion in champions if champion.training_job == training_job]
    if not mine:
        return None
    left = {champion.rolled_back_from for champion in champions}
    return PromotionFacts(
        number=mine[-1].number, promoted_at=mine[-1].promoted_at, undone=mine[-1].number in left
    )


def _package(reader: Reader, training_job: str) -> PackageFacts | None:
    registered = reader.find(Registration, training_job)
    if registered is None:
        return None
    decision = reader.find(ApprovalDecision, training_job)
    return PackageFacts(
        package_arn=registered.package_arn,
        group=registered.group,
        version=registered.version,
        decision=DecisionFacts.model_validate(dict(decision)) if decision else None,
    )


def _deployment(workspace: Workspace, reader: Reader, training_job: str) -> DeploymentFacts | None:
    """The newest one of this model, None where it was never served."""
    storage = workspace.storage
    copy = layout.copy_file("deployments")
    found = list(copies.read_all(storage, storage.list(layout.DEPLOYMENTS), copy, keep=True))
    for item, body in reversed(found):
        record = reader.of_bytes(Deployment, item.uri, body)
        if record and record.training_job == training_job:
            return DeploymentFacts.model_validate(dict(record))
    return None
