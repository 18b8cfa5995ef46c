"""The champion: the one model of a pipeline that predicts and that the next training starts from.

Takes a registered challenger, gives ``champion.json`` (replaced with If-Match, so that two promotions cannot
overwrite each other) and one numbered copy per change of champion in ``champions/``: promotions, and returns
to an earlier model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from include.loop.core import copies, layout
from include.loop.core.errors import NotSetUp
from include.loop.core.records.models import Champion, TrainedModel
from include.loop.core.records.verdict import Verdict
from include.loop.core.times import now
from include.loop.models import registry
from include.loop.models.registry import Approval, ModelPackage
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class PromotionResult:
    """Whether a challenger is the champion now, and why; ``champion`` is the current one's training job (None
    while there is none), ``number`` its number.
    """

    promoted: bool
    training_job: str
    champion: str | None
    number: int
    reason: str
    champion_uri: str


def read_champion(workspace: Workspace) -> Champion | None:
    """The current champion, or None before the first promotion."""
    return Champion.find_at(workspace.storage, layout.CHAMPION)


def find_champion(workspace: Workspace, training_job: str | None) -> Champion | None:
    """The model that a dataset names as its parent, whichever is the champion by now; None for None."""
    if training_job is None:
        return None
    current = read_champion(workspace)
    if current and current.training_job == training_job:
        return current
    for earlier in read_history(workspace):
        if earlier.training_job == training_job:
            return earlier
    raise NotSetUp(f"{training_job} is named as a parent, but was never a champion")


def read_history(workspace: Workspace, keep: bool = False) -> Iterator[Champion]:
    """Every champion there was, the first one first. ``keep`` as ``copies.read_all`` takes it."""
    storage = workspace.storage
    copy = layout.copy_file("champions")
    for item, body in copies.read_all(storage, storage.list(layout.CHAMPIONS), copy, keep):
        yield Champion.of_bytes(storage, item.uri, body)


def read_numbered(workspace: Workspace, number: int) -> Champion:
    """The champion of that number; NotSetUp when there was none."""
    found = Champion.find(workspace.storage, number)
    if found is None:
        where = workspace.storage.uri(layout.CHAMPIONS)
        raise NotSetUp(f"there was no champion number {number}; those there were are in {where}")
    return found


def promote(workspace: Workspace, training_job: str) -> PromotionResult:
    """Make the challenger the champion, if its package is Approved and its parent still is the champion.

    A challenger that comes too late is Rejected: what the current model has learned since would be lost
    without a trace.
    """
    current, etag = Champion.find_version_at(workspace.storage, layout.CHAMPION)
    package = registry.read_package(workspace, training_job)
    if current and current.training_job == training_job:
        _remember(workspace, current)  # in case the last try died between the two writes
        return _report(workspace, current, training_job, promoted=True, reason="is the champion")
    verdict = Verdict.read(workspace.storage, training_job)
    reason = obstacle(workspace, package, current)
    if reason:
        if package.status is Approval.APPROVED and not _was_champion(workspace, training_job):
            registry.set_status(workspace, package, Approval.REJECTED, "the loop", reason)
        return _report(workspace, current, training_job, promoted=False, reason=reason)
    model = TrainedModel.read(workspace.storage, training_job)
    champion = Champion(
        number=current.number + 1 if current else 1,
        training_job=training_job,
        model_data=model.model_data,
        dataset_id=model.dataset_id,
        hyperparameters=model.shape,
        metric=verdict.metric,
        score=verdict.score,
        promoted_at=now().isoformat(),
        package_arn=package.arn,
    )
    _set_champion(workspace, champion, etag)
    reason = package.comment or "; ".join(verdict.reasons)
    return _report(workspace, champion, training_job, promoted=True, reason=reason)


def obstacle(workspace: Workspace, package: ModelPackage, current: Champion | None) -> str:
    """Why a model may not take over now; "" when it may, or is the champion and its package Approved."""
    job = package.training_job
    if package.status is Approval.PENDING:
        return f"package {package.version} waits for somebody to approve it"
    if package.status is Approval.REJECTED:
        verdict = Verdict.read(workspace.storage, job)
        return package.comment or "; ".join(verdict.reasons)
    if current and current.training_job == job:
        return ""
    model = TrainedModel.read(workspace.storage, job)
    if model.parent == (current.training_job if current else None):
        return ""
    if _was_champion(workspace, job):
        return "has been the champion before: a rollback returns to it"
    how = "measured against" if model.from_scratch and model.parent else "trained from"
    return f"was {how} {model.parent}, but {current and current.training_job} is the champion now"


def restore(workspace: Workspace, number: int) -> Champion:
    """Make an earlier champion the champion again, under a new number; nothing new when it is already."""
    found, etag = Champion.find_version_at(workspace.storage, layout.CHAMPION)
    target = read_numbered(workspace, number)
    current = found or target
    if current.training_job == target.training_job:
        _remember(workspace, current)
        return current
    changes = {"number": current.number + 1, "promoted_at": now().isoformat()}
    champion = target.model_copy(update=changes | {"rolled_back_from": current.number})
    _set_champion(workspace, champion, etag)
    return champion


def _was_champion(workspace: Workspace, training_job: str) -> bool:
    return any(earlier.training_job == training_job for earlier in read_history(workspace))


def _set_champion(workspace: Workspace, champion: Champion, etag: str | None) -> None:
    workspace.storage.replace(layout.CHAMPION, champion.dump(workspace.storage), etag)
    _remember(workspace, champion)


def _remember(workspace: Workspace, champion: Champion) -> None:
    champion.write_once(workspace.storage, champion.number)


def _report(
    workspace: Workspace, champion: Champion | None, training_job: str, promoted: bool, reason: str
) -> PromotionResult:
    return PromotionResult(
        promoted=promoted,
        training_job=training_job,
        champion=champion.training_job if champion else None,
        number=champion.number if champion else 0,
        reason=reason,
        champion_uri=workspace.storage.uri(layout.CHAMPION),
    )
