"""The champion: the one model of a pipeline that predicts and that the next training starts from.

Takes a trained challenger and the gate's verdict, gives ``champion.json`` (replaced with If-Match, so that
two promotions cannot overwrite each other) and one numbered copy per promotion in ``champions/``. Knows
storage only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from include.loop import storage
from include.loop.errors import NotSetUp
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Champion:
    """A promoted model. ``metrics`` is mAP@0.5 by test set; ``number`` counts promotions from 1."""

    number: int
    training_job: str
    model_data: str
    dataset_id: str
    base_network: str
    num_classes: int
    image_shape: int
    metrics: dict[str, float]
    promoted_at: str

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Champion:
        return cls(**value)


def read_champion(workspace: Workspace) -> Champion | None:
    """The reigning champion, or None before the first promotion."""
    value = workspace.storage.find_json(storage.CHAMPION)
    return None if value is None else Champion.from_dict(value)


def find_champion(workspace: Workspace, training_job: str | None) -> Champion | None:
    """The model that a dataset names as its parent, also when another one reigns by now; None for None."""
    if training_job is None:
        return None
    reigning = read_champion(workspace)
    if reigning and reigning.training_job == training_job:
        return reigning
    for item in workspace.storage.list(storage.CHAMPIONS):
        earlier = Champion.from_dict(workspace.storage.read_json(item.uri))
        if earlier.training_job == training_job:
            return earlier
    raise NotSetUp(f"{training_job} is named as a parent, but was never a champion")


def promote(workspace: Workspace, sagemaker: Any, training_job: str) -> dict[str, Any]:
    """Make the challenger the champion, if the gate's verdict says so and its parent still reigns."""
    value, etag = workspace.storage.find_version(storage.CHAMPION)
    reigning = None if value is None else Champion.from_dict(value)
    verdict = workspace.storage.find_json(storage.evaluation_file(training_job, "verdict.json"))
    if verdict is None:
        raise NotSetUp(f"{training_job} has no verdict: run the gate before promoting")
    if reigning and reigning.training_job == training_job:
        _remember(workspace, reigning)  # in case the last try died between the two writes
        return _report(workspace, reigning, training_job, promoted=True, reason="is the champion")
    if not verdict["promote"]:
        return _report(
            workspace, reigning, training_job, promoted=False, reason="; ".join(verdict["reasons"])
        )
    model = workspace.storage.read_json(storage.model_file(training_job, "model.json"))
    if model["parent"] != (reigning.training_job if reigning else None):
        # What the reigning model has learned since would be lost without a trace.
        reason = f"was trained from {model['parent']}, but {reigning and reigning.training_job} reigns now"
        return _report(workspace, reigning, training_job, promoted=False, reason=reason)
    champion = Champion(
        number=reigning.number + 1 if reigning else 1,
        training_job=training_job,
        model_data=model["model_data"],
        dataset_id=model["dataset_id"],
        base_network=model["base_network"],
        num_classes=model["num_classes"],
        image_shape=model["image_shape"],
        metrics=verdict["map50"],
        promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    workspace.storage.replace(storage.CHAMPION, storage.dump(asdict(champion)), etag)
    _remember(workspace, champion)
    return _report(workspace, champion, training_job, promoted=True, reason="; ".join(verdict["reasons"]))


def _remember(workspace: Workspace, champion: Champion) -> None:
    workspace.storage.write_once(storage.champion_history(champion.number), storage.dump(asdict(champion)))


def _report(
    workspace: Workspace, champion: Champion | None, training_job: str, promoted: bool, reason: str
) -> dict[str, Any]:
    return {
        "promoted": promoted,
        "training_job": training_job,
        "champion": champion.training_job if champion else None,
        "number": champion.number if champion else 0,
        "reason": reason,
        "champion_uri": workspace.storage.uri(storage.CHAMPION),
    }
