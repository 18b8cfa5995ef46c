"""What was tried and said about nights, as S3 has it.

Takes a verdict, gives ``trials/<job>.json``, written once; takes a person's word, gives
``released/<night>.json``; gives the ``Past`` from which standing.py and next_trial.py tell what is next. A
record that cannot be read is told in the log and counts for nothing. Knows shards and standing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, Fatal, Incompatible
from include.loop.core.records.verdict import Verdict
from include.loop.core.storage import in_parallel
from include.loop.trials.shards import committed_shards, read_dataset, read_discarded, read_lineage
from include.loop.trials.standing import Past, Standing, State, stand
from include.loop.trials.weigh import Kind, Trial, read_time, weigh
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

Value = TypeVar("Value")


def keep_trial(workspace: Workspace, training_job: str, verdict: Verdict) -> Trial | None:
    """Put on record what a verdict says about the nights that were new; what is on record afterwards.

    None for a first model, whose labels nothing was better than, and for an evaluation that has not ended.
    """
    model = workspace.storage.find_json(layout.model_file(training_job))
    if model is None or model["parent"] is None or verdict.metrics_sha256 is None:
        return None
    dataset = read_dataset(workspace, model["dataset_id"])
    trial = dataset.get("trial") or {"kind": Kind.ROUND, "nights": sorted(dataset["shards"])}
    if not trial["nights"]:
        return None
    outcome, blamed = weigh(verdict)
    record = {
        "training_job": training_job,
        "dataset_id": model["dataset_id"],
        "champion": model["parent"],
        "shards": trial["nights"],
        "kind": trial["kind"],
        "outcome": outcome,
        "failed": [
            rule.model_dump(include={"rule", "slice", "class_name", "text"}, exclude_none=True)
            for rule in verdict.failed
        ],
        "blamed": [night for night in blamed if night in trial["nights"]],
        "at": now(),
    }
    return Trial.from_dict(workspace.storage.write_json_once(layout.trial_file(training_job), record))


def read_past(workspace: Workspace, champion: str | None, nights: Iterable[str]) -> Past:
    """What was tried and said that matters for these nights, none of which the champion has learned from."""
    mine = sorted(nights)
    discarded = frozenset(read_discarded(workspace))
    if champion is None:
        return Past(None, mine, discarded=discarded)
    trials = [trial for _, trial in _read(workspace, layout.TRIALS, Trial.from_dict)]
    released = _read(workspace, layout.RELEASED, lambda value: read_time(value["at"]))
    return Past(champion, mine, trials, discarded, dict(released))


def read_standings(workspace: Workspace) -> tuple[Past, dict[str, Standing]]:
    """Every night with labels that the champion has not learned from, discarded ones included."""
    lineage = read_lineage(workspace)
    shards = committed_shards(workspace.storage, known=lineage.learned)
    labelled = (shard for shard, summary in shards if summary["labels"])
    past = read_past(workspace, lineage.reigning, labelled)
    return past, stand(past)


def warnings(workspace: Workspace, trial: Trial) -> list[str]:
    """What the owner is told after a trial: which of its nights are held back from then on, why, what happens
    next, and what a person may do. The same whenever it is asked: what came later changes nothing.
    """
    if trial.promotes:
        return []
    model = workspace.storage.read_json(layout.model_file(trial.training_job))
    dataset = read_dataset(workspace, model["dataset_id"])
    known = dataset["learned"].keys() - trial.shards
    past = read_past(workspace, trial.champion, trial.shards)
    then = [other for other in past.trials if other.at <= trial.at]
    nights = {night for other in then for night in other.shards} - known
    released = {night: at for night, at in past.released.items() if at <= trial.at}
    discarded = past.discarded - {*trial.shards}
    found = stand(Past(trial.champion, sorted(nights), then, discarded, released))
    most = workspace.pipeline.training.trials
    bound = f"at most {most} trainings within 24 hours" if most else "no training: it is 0"
    told = []
    for night in trial.shards:
        standing = found.get(night)
        if standing and standing.state is State.SUSPENDED:
            told.append(
                f"{night} is suspended: it {standing.reason}. The next rounds learn from other nights, and "
                f"try the suspended ones in parts (training.trials: {bound}). "
                f"If you know better: {commands(night)}."
            )
        elif standing and standing.state is State.SET_ASIDE:
            told.append(
                f"{night} is set aside: it {standing.reason}. Apart from that it is not learned from until a "
                f"person decides; its labels stay where they are. Look at its answers in the report, then: "
                f"{commands(night)}."
            )
    return told


def commands(night: str) -> str:
    """What a person may do about a night that is held back."""
    return (
        f"python -m include.loop release-labels {night} --why … if its labels are right, "
        f"python -m include.loop discard-labels {night} --why … if they are wrong"
    )


def set_aside(workspace: Workspace) -> set[str]:
    """The nights that did harm by themselves, and that no person has released or discarded."""
    if next(iter(workspace.storage.list(layout.TRIALS)), None) is None:
        return set()
    try:
        _, found = read_standings(workspace)
    except Incompatible as error:  # the next training ends with it; asking people goes on
        log.warning("no night counts as set aside: %s", error)
        return set()
    return {night for night, standing in found.items() if standing.state is State.SET_ASIDE}


def release(workspace: Workspace, night: str, by: str, why: str) -> dict[str, Any]:
    """Let a suspended or set aside night be learned from again: a person has found that it is good.

    ``was`` is its standing before. ConfigurationError for a night that is neither.
    """
    _, found = read_standings(workspace)
    standing = found.get(night)
    if standing is None:
        if night in read_lineage(workspace).learned:
            raise ConfigurationError(f"the champion has learned from {night} already: nothing holds it back")
        raise ConfigurationError(
            f"there are no labels of {night!r} to learn; there are those of {list(found)}"
        )
    if standing.state is State.DISCARDED:
        where = workspace.storage.uri(layout.discarded_file(night))
        raise ConfigurationError(f"{night} was discarded; to take that back, delete {where}")
    if standing.state is State.OPEN:
        raise ConfigurationError(f"{night} is open ({standing.reason}): nothing holds it back")
    record = {"shard": night, "by": by, "why": why, "at": now()}
    workspace.storage.write_json(layout.released_file(night), record)
    return record | {"was": standing}


def now() -> str:
    """To the microsecond: a release counts for what was tried before it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _read(workspace: Workspace, folder: str, parse: Callable[[Any], Value]) -> list[tuple[str, Value]]:
    """The records of a folder by the name of their file."""

    def read(location: str) -> list[tuple[str, Value]]:
        try:
            value = workspace.storage.find_json(location)
            return [] if value is None else [(layout.named_after(location), parse(value))]
        except (Fatal, KeyError, TypeError, ValueError) as error:
            log.warning("%s counts for nothing, it cannot be read: %s", location, error)
            return []

    locations = [item.uri for item in workspace.storage.list(folder)]
    return [found for some in in_parallel(read, locations) for found in some]
