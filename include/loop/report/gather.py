"""From a training job to its facts.

Takes what the other stages stored, decides nothing that one of them has decided, and requires nothing: what
is missing is left out, what cannot be read is noted in ``problems``, and the page says so. Knows facts,
nights and storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from include.loop.config import DATASET_SLICES
from include.loop.core import layout, storage
from include.loop.report.examples import choose
from include.loop.report.facts import (
    Curves,
    Dataset,
    Deployment,
    Facts,
    Model,
    Outcome,
    Package,
    Promotion,
    Rejection,
    Verdict,
)
from include.loop.report.measures import Evaluation, Example, Latency, Learned, Slice
from include.loop.report.nights import read_nights
from include.loop.report.standings import gather_standings
from include.loop.workspace import Workspace

Value = TypeVar("Value")
# So many reasons why lines were left out are told; rejected.jsonl has every line.
REASONS = 10


def gather(workspace: Workspace, training_job: str, others: Iterable[Facts] = ()) -> Facts:
    """Everything that is stored about a round. ``others`` are rounds that were told before: their nights
    need not be read again.
    """
    reader = _Reader(workspace)
    model = reader.find(layout.model_file(training_job))
    dataset_id = model.get("dataset_id")
    dataset = reader.find(layout.dataset_file(dataset_id)) if dataset_id else {}
    metrics = reader.find(layout.metrics_file(training_job))
    verdict_location = layout.verdict_file(training_job)
    verdict = reader.make(Verdict, reader.find(verdict_location), "verdict")
    judged_at = workspace.storage.modified_at(verdict_location)
    promotion = reader.promotion(training_job, read_champions(workspace))
    package = reader.package(training_job)
    known = {night.batch: night for told in others for night in (*told.earlier, *told.nights)}
    nights, earlier = read_nights(workspace, sorted(dataset.get("shards", ())), known, reader.problems)
    slices = reader.slices(metrics)
    evaluation = reader.make(Evaluation, metrics, "evaluation") or Evaluation()
    pipeline = workspace.pipeline
    return Facts(
        pipeline=pipeline.name,
        training_job=training_job,
        outcome=_outcome(verdict, promotion, package),
        description=pipeline.description,
        parent=model.get("parent"),
        promotion=promotion,
        judged_at=judged_at.isoformat(timespec="seconds") if judged_at else "",
        nights=nights,
        earlier=earlier,
        dataset=reader.make(Dataset, dataset, "dataset"),
        standings=gather_standings(workspace, evaluation.score_threshold, reader.make, reader.problems),
        rejections=reader.rejections(dataset_id) if dataset_id else (),
        model=reader.make(Model, model, "model"),
        evaluation=evaluation,
        slices=slices,
        # The gate's own rule: as configured, else every test set (or validation).
        improve_on=pipeline.gate.improve_on
        or tuple(item.name for item in slices if item.name not in DATASET_SLICES),
        latency=reader.make(Latency, metrics.get("latency") or {}, "latency"),
        learned=tuple(reader.make_all(Learned, _named(metrics.get("learned")), "learned")),
        verdict=verdict,
        examples=reader.examples(training_job, dataset_id),
        curves=reader.make(Curves, reader.find(layout.curves_file(training_job)), "curves"),
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
    waits = facts.outcome is Outcome.WAITING
    package = reader.package(facts.training_job) if waits else facts.package
    return _outcome(facts.verdict, promotion, package) is not facts.outcome


def _outcome(verdict: Verdict | None, promotion: Promotion | None, package: Package | None) -> Outcome:
    if promotion:
        return Outcome.UNDONE if promotion.undone else Outcome.PROMOTED
    if verdict is None:
        return Outcome.UNKNOWN
    if not verdict.promote:
        return Outcome.REJECTED
    declined = package and package.decision and package.decision.status == "Rejected"
    return Outcome.DECLINED if declined else Outcome.WAITING


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
        # dataset.json keeps more than is told; JSON's null stands for what is not there
        names = {item.name for item in fields(kind)} | {"class"}  # type: ignore[arg-type]
        given = {name: item for name, item in value.items() if name in names and item is not None}
        try:
            return TypeAdapter(kind).validate_python(given)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"])
            name = f" {value['name']}" if "name" in value else ""
            self.problems.append(f"{what}{name}: {path}: {first['msg'].lower()}")
            return None

    def make_all(self, kind: type[Value], values: Iterable[Mapping[str, Any]], what: str) -> list[Value]:
        made = (self.make(kind, value, what) for value in values)
        return [value for value in made if value is not None]

    def slices(self, metrics: Mapping[str, Any]) -> tuple[Slice, ...]:
        """The test sets (or validation) first, then the parts of the dataset."""
        found = self.make_all(Slice, _named(metrics.get("slices")), "slice")
        return tuple(sorted(found, key=lambda item: item.name in DATASET_SLICES))

    def examples(self, training_job: str, dataset_id: str | None) -> tuple[Example, ...]:
        location = layout.measured_images_file(training_job)
        try:
            rows = list(self._storage.read_lines(location))
        except FileNotFoundError:
            return ()
        except ValueError as error:
            self.problems.append(f"{location} is not JSON Lines: {error}")
            return ()
        return tuple(self.make_all(Example, choose(self._workspace, rows, dataset_id), "example"))

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
        return tuple(self.make_all(Rejection, told, "rejection"))

    def promotion(self, training_job: str, champions: list[dict[str, Any]]) -> Promotion | None:
        """The newest one of this model, None when it never was the champion."""
        mine = [record for record in champions if record.get("training_job") == training_job]
        if not mine:
            return None
        left = {record.get("rolled_back_from") for record in champions}
        return self.make(Promotion, mine[-1] | {"undone": mine[-1].get("number") in left}, "promotion")

    def package(self, training_job: str) -> Package | None:
        value = self.find(layout.registry_file(training_job))
        decision = self.find(layout.decision_file(training_job))
        return self.make(Package, value | {"decision": decision or None}, "package") if value else None

    def deployment(self, training_job: str) -> Deployment | None:
        """The newest one of this model, None where it was never served."""
        for item in reversed(list(self._storage.list(layout.DEPLOYMENTS))):
            record = self.find(item.uri)
            if record.get("training_job") == training_job:
                return self.make(Deployment, record, "deployment")
        return None


def _named(values: Any) -> list[dict[str, Any]]:
    """``{name: {…}}`` as ``[{"name": name, …}]``."""
    return [{"name": name, **value} for name, value in (values or {}).items()]
