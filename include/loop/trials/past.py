"""What was tried and said about batches, as S3 has it.

Takes a verdict, gives ``trials/<job>.json``, written once; takes a person's word, gives
``released/<batch>.json``; gives the ``Past`` from which standing.py and next_trial.py tell what is next. A
record that cannot be read is told in the log and counts for nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from include.loop.core import copies, layout
from include.loop.core.errors import ConfigurationError, Fatal, Incompatible
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import TrainedModel
from include.loop.core.records.trials import FailedRule, Release, Trial
from include.loop.core.records.verdict import Verdict
from include.loop.trials.shards import committed_shards, read_discarded, read_lineage
from include.loop.trials.standing import Past, Standing, State, stand
from include.loop.trials.weigh import weigh
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

Stored = TypeVar("Stored", Trial, Release)


def keep_trial(workspace: Workspace, training_job: str, verdict: Verdict) -> Trial | None:
    """Put on record what a verdict says about the batches that were new; what is on record afterwards.

    None for a first model, whose labels nothing was better than, and for an evaluation that has not ended.
    """
    model = TrainedModel.find(workspace.storage, training_job)
    if model is None or model.parent is None or verdict.metrics_sha256 is None:
        return None
    tried = Dataset.read(workspace.storage, model.dataset_id).tried
    if not tried.batches:
        return None
    outcome, blamed = weigh(verdict)
    trial = Trial(
        training_job=training_job,
        dataset_id=model.dataset_id,
        champion=model.parent,
        shards=tried.batches,
        kind=tried.kind,
        outcome=outcome,
        failed=tuple(
            FailedRule(rule=rule.rule, slice=rule.slice, class_name=rule.class_name, text=rule.text)
            for rule in verdict.failed
        ),
        blamed=tuple(batch for batch in blamed if batch in tried.batches),
        at=datetime.now(UTC),  # to the microsecond: a release counts for what was tried before it
    )
    return trial.write_once(workspace.storage, training_job)


def read_past(workspace: Workspace, champion: str | None, batches: Iterable[str], keep: bool = False) -> Past:
    """What was tried and said that matters for these batches, none of which the champion has learned from.
    ``keep`` as ``copies.read_all`` takes it.
    """
    mine = sorted(batches)
    discarded = frozenset(read_discarded(workspace))
    if champion is None:
        return Past(None, mine, discarded=discarded)
    trials = [trial for _, trial in _read(workspace, layout.TRIALS, Trial, keep)]
    released = {batch: word.at for batch, word in _read(workspace, layout.RELEASED, Release, keep)}
    return Past(champion, mine, trials, discarded, released)


def read_standings(workspace: Workspace) -> tuple[Past, dict[str, Standing]]:
    """Every batch with labels that the champion has not learned from, discarded ones included."""
    lineage = read_lineage(workspace)
    shards = committed_shards(workspace.storage, known=lineage.learned)
    labelled = (shard for shard, summary in shards if summary.labels)
    past = read_past(workspace, lineage.current, labelled)
    return past, stand(past)


def warnings(workspace: Workspace, trial: Trial) -> list[str]:
    """What the owner is told after a trial: which of its batches are held back from then on, why, what
    happens next, and what a person may do. The same whenever it is asked: what came later changes nothing.
    """
    if trial.promotes:
        return []
    model = TrainedModel.read(workspace.storage, trial.training_job)
    dataset = Dataset.read(workspace.storage, model.dataset_id)
    known = dataset.learned.keys() - trial.shards
    past = read_past(workspace, trial.champion, trial.shards)
    then = [other for other in past.trials if other.at <= trial.at]
    batches = {batch for other in then for batch in other.shards} - known
    released = {batch: at for batch, at in past.released.items() if at <= trial.at}
    discarded = past.discarded - {*trial.shards}
    found = stand(Past(trial.champion, sorted(batches), then, discarded, released))
    most = workspace.pipeline.training.trials
    bound = f"at most {most} trainings within 24 hours" if most else "no training: it is 0"
    told = []
    for batch in trial.shards:
        standing = found.get(batch)
        if standing and standing.state is State.SUSPENDED:
            told.append(
                f"{batch} is suspended: it {standing.reason}. The next rounds learn from other batches, and "
                f"try the suspended ones in parts (training.trials: {bound}). "
                f"If you know better: {commands(batch)}."
            )
        elif standing and standing.state is State.SET_ASIDE:
            told.append(
                f"{batch} is set aside: it {standing.reason}. Apart from that it is not learned from until a "
                f"person decides; its labels stay where they are. Look at its answers in the report, then: "
                f"{commands(batch)}."
            )
    return told


def commands(batch: str) -> str:
    """What a person may do about a batch that is held back."""
    return (
        f"python -m include.loop release-labels {batch} --why … if its labels are right, "
        f"python -m include.loop discard-labels {batch} --why … if they are wrong"
    )


def set_aside(workspace: Workspace) -> set[str]:
    """The batches that did harm by themselves, and that no person has released or discarded."""
    if next(iter(workspace.storage.list(layout.TRIALS)), None) is None:
        return set()
    try:
        _, found = read_standings(workspace)
    except Incompatible as error:  # the next training ends with it; asking people goes on
        log.warning("no batch counts as set aside: %s", error)
        return set()
    return {batch for batch, standing in found.items() if standing.state is State.SET_ASIDE}


def release(workspace: Workspace, batch: str, by: str, why: str) -> tuple[Release, Standing]:
    """Let a suspended or set aside batch be learned from again: a person has found that it is good.

    The word comes with its standing before. ConfigurationError for a batch that is neither.
    """
    _, found = read_standings(workspace)
    standing = found.get(batch)
    if standing is None and batch in read_discarded(workspace):  # the champion knows it
        where = workspace.storage.uri(layout.discarded_file(batch))
        raise ConfigurationError(f"{batch} was discarded; to take that back, delete {where}")
    if standing is None:
        if batch in read_lineage(workspace).learned:
            raise ConfigurationError(f"the champion has learned from {batch} already: nothing holds it back")
        raise ConfigurationError(
            f"there are no labels of {batch!r} to learn; there are those of {list(found)}"
        )
    if standing.state is State.DISCARDED:
        where = workspace.storage.uri(layout.discarded_file(batch))
        raise ConfigurationError(f"{batch} was discarded; to take that back, delete {where}")
    if standing.state is State.OPEN:
        raise ConfigurationError(f"{batch} is open ({standing.reason}): nothing holds it back")
    word = Release(shard=batch, by=by, why=why, at=datetime.now(UTC))
    word.write(workspace.storage, batch)
    return word, standing


def _read(
    workspace: Workspace, folder: str, record: type[Stored], keep: bool
) -> Iterator[tuple[str, Stored]]:
    """The records of a folder by the name of their file."""
    storage = workspace.storage
    copy = layout.copy_file(folder.rstrip("/"))
    for item, body in copies.read_all(storage, storage.list(folder), copy, keep):
        try:
            yield layout.named_after(item.uri), record.of_bytes(storage, item.uri, body)
        except Fatal as error:
            log.warning("%s counts for nothing, it cannot be read: %s", item.uri, error)
