"""The champion: the one model of a pipeline that predicts and that the next training starts from.

Takes a registered challenger, gives ``champion.json`` (replaced with If-Match, so that two promotions cannot
overwrite each other) and one numbered copy per change of champion in ``champions/``: promotions, and returns
to an earlier model. Knows storage and registry.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from include.loop.core import layout, storage
from include.loop.core.errors import NotSetUp
from include.loop.core.records.verdict import Verdict
from include.loop.models import registry
from include.loop.models.registry import Approval, Package
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Champion:
    """A reigning model. ``metrics`` is mAP@0.5 by slice; ``number`` counts changes of champion from 1.

    ``rolled_back_from`` is the number that was left for this one; None for a promotion.
    """

    number: int
    training_job: str
    model_data: str
    dataset_id: str
    base_network: str
    num_classes: int
    image_shape: int
    metrics: dict[str, float | None]
    promoted_at: str
    package_arn: str
    rolled_back_from: int | None = None

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Champion:
        return cls(**value)


def read_champion(workspace: Workspace) -> Champion | None:
    """The reigning champion, or None before the first promotion."""
    value = workspace.storage.find_json(layout.CHAMPION)
    return None if value is None else Champion.from_dict(value)


def find_champion(workspace: Workspace, training_job: str | None) -> Champion | None:
    """The model that a dataset names as its parent, also when another one reigns by now; None for None."""
    if training_job is None:
        return None
    reigning = read_champion(workspace)
    if reigning and reigning.training_job == training_job:
        return reigning
    for earlier in read_history(workspace):
        if earlier.training_job == training_job:
            return earlier
    raise NotSetUp(f"{training_job} is named as a parent, but was never a champion")


def read_history(workspace: Workspace) -> Iterator[Champion]:
    """Every champion there was, the first one first."""
    for item in workspace.storage.list(layout.CHAMPIONS):
        yield Champion.from_dict(workspace.storage.read_json(item.uri))


def read_numbered(workspace: Workspace, number: int) -> Champion:
    """The champion of that number; NotSetUp when there was none."""
    value = workspace.storage.find_json(layout.champion_history(number))
    if value is None:
        where = workspace.storage.uri(layout.CHAMPIONS)
        raise NotSetUp(f"there was no champion number {number}; those there were are in {where}")
    return Champion.from_dict(value)


def promote(workspace: Workspace, training_job: str) -> dict[str, Any]:
    """Make the challenger the champion, if its package is Approved and its parent still reigns.

    ``{"promoted": bool, "reason", "training_job", "champion", "number", "champion_uri"}``. A challenger that
    comes too late is Rejected: what the reigning model has learned since would be lost without a trace.
    """
    value, etag = workspace.storage.find_version(layout.CHAMPION)
    reigning = None if value is None else Champion.from_dict(value)
    package = registry.read_package(workspace, training_job)
    if reigning and reigning.training_job == training_job:
        _remember(workspace, reigning)  # in case the last try died between the two writes
        return _report(workspace, reigning, training_job, promoted=True, reason="is the champion")
    verdict = Verdict.read(workspace.storage, training_job)
    reason = obstacle(workspace, package, reigning)
    if reason:
        if package.status is Approval.APPROVED and not _has_reigned(workspace, training_job):
            registry.set_status(workspace, package, Approval.REJECTED, "the loop", reason)
        return _report(workspace, reigning, training_job, promoted=False, reason=reason)
    model = workspace.storage.read_json(layout.model_file(training_job))
    champion = Champion(
        number=reigning.number + 1 if reigning else 1,
        training_job=training_job,
        model_data=model["model_data"],
        dataset_id=model["dataset_id"],
        base_network=model["base_network"],
        num_classes=model["num_classes"],
        image_shape=model["image_shape"],
        metrics=verdict.score,
        promoted_at=_now(),
        package_arn=package.arn,
    )
    _crown(workspace, champion, etag)
    reason = package.comment or "; ".join(verdict.reasons)
    return _report(workspace, champion, training_job, promoted=True, reason=reason)


def obstacle(workspace: Workspace, package: Package, reigning: Champion | None) -> str:
    """Why a model may not take over now; "" when it may, or reigns already with an Approved package."""
    job = package.training_job
    if package.status is Approval.PENDING:
        return f"package {package.version} waits for somebody to approve it"
    if package.status is Approval.REJECTED:
        verdict = Verdict.read(workspace.storage, job)
        return package.comment or "; ".join(verdict.reasons)
    if reigning and reigning.training_job == job:
        return ""
    parent = workspace.storage.read_json(layout.model_file(job))["parent"]
    if parent == (reigning.training_job if reigning else None):
        return ""
    if _has_reigned(workspace, job):
        return "has been the champion before: a rollback returns to it"
    return f"was trained from {parent}, but {reigning and reigning.training_job} reigns now"


def restore(workspace: Workspace, number: int) -> Champion:
    """Make an earlier champion the champion again, under a new number; nothing new when it reigns."""
    value, etag = workspace.storage.find_version(layout.CHAMPION)
    target = read_numbered(workspace, number)
    reigning = Champion.from_dict(value) if value else target
    if reigning.training_job == target.training_job:
        _remember(workspace, reigning)
        return reigning
    champion = dataclasses.replace(
        target, number=reigning.number + 1, promoted_at=_now(), rolled_back_from=reigning.number
    )
    _crown(workspace, champion, etag)
    return champion


def _has_reigned(workspace: Workspace, training_job: str) -> bool:
    return any(earlier.training_job == training_job for earlier in read_history(workspace))


def _crown(workspace: Workspace, champion: Champion, etag: str | None) -> None:
    workspace.storage.replace(layout.CHAMPION, storage.dump(asdict(champion)), etag)
    _remember(workspace, champion)


def _remember(workspace: Workspace, champion: Champion) -> None:
    workspace.storage.write_once(layout.champion_history(champion.number), storage.dump(asdict(champion)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _report(
    workspace: Workspace, champion: Champion | None, training_job: str, promoted: bool, reason: str
) -> dict[str, Any]:
    return {
        "promoted": promoted,
        "training_job": training_job,
        "champion": champion.training_job if champion else None,
        "number": champion.number if champion else 0,
        "reason": reason,
        "champion_uri": workspace.storage.uri(layout.CHAMPION),
    }
