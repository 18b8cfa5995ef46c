"""What the champion knows already and is shown again, so that it does not forget it over the new.

Takes the labels the lineage has learned from, gives those to replay: half of them what the champion finds
hard, the rest so that all classes are seen equally often. How hard an image is says the champion itself, by
batch transform over a bounded pool; the scores are written once, as ``replay/<hash>.jsonl``. Every choice is
a hash of the images and the new labels: the same labels replay the same images.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from include.loop.aws.jobs import Pending
from include.loop.aws.transform import Transform, Transformed, advance
from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import content_hash, job_stem, share
from include.loop.core.records.dataset import ReplayChoice, ReplayScore
from include.loop.core.records.models import Champion
from include.loop.core.records.splits import Entry
from include.loop.core.storage import dump, in_parallel, split_uri
from include.loop.dataset.label_pool import LabelPool, gather
from include.loop.tasks.values import Labelled
from include.loop.workspace import Workspace

NOTHING = -1  # the class of an image without any object: those are known too


@dataclass(frozen=True)
class Replay:
    """The labels to show again, and what the dataset's record says about the choice."""

    entries: list[Entry]
    record: ReplayChoice


@dataclass(frozen=True)
class ScoredReplay:
    """How many of the labels that may be shown again have a score, and how many could not get one; where the
    scores are, None when there was nothing to choose.
    """

    scored: int
    missing: int
    scores_uri: str | None


@dataclass(frozen=True)
class Sample:
    """The labels that the champion is asked about; ``digest`` names them and the champion."""

    champion: Champion
    entries: list[Entry]
    digest: str


def score(
    workspace: Workspace,
    waited_for: Pending | None = None,
    min_new_labels: int | None = None,
) -> Pending | ScoredReplay:
    """Let the champion say how hard the pool of the next replay is (see jobs.py for the calling pattern).

    Done at once without a champion, without enough new labels, and when there is nothing to choose.
    """
    pool = gather(workspace, min_new_labels=min_new_labels)
    sample = _sample(pool, *_ordered(pool)) if len(pool.new) >= pool.needed(min_new_labels) else None
    if sample is None:
        return ScoredReplay(0, 0, None)
    location = layout.replay_file(sample.digest)
    if not workspace.storage.exists(location):
        step = advance(workspace, _transform(workspace, sample), waited_for)
        if isinstance(step, Pending):
            return step
        lines = _scores(pool, sample, step)
        workspace.storage.write_once(location, b"".join(dump(line.to_value()) + b"\n" for line in lines))
    scores = read_scores(workspace, sample.digest)
    missing = sum(value is None for value in scores.values())
    return ScoredReplay(len(scores) - missing, missing, workspace.storage.uri(location))


def choose_replay(pool: LabelPool) -> Replay:
    """What to show again beside the pool's new labels."""
    workspace, settings = pool.workspace, pool.workspace.pipeline.training.replay
    new, known = _ordered(pool)
    count = _count(pool, new)
    sample = _sample(pool, new, known)
    scores, location = {}, None
    if sample is not None and workspace.storage.exists(layout.replay_file(sample.digest)):
        scores, location = read_scores(workspace, sample.digest), layout.replay_file(sample.digest)
    # What the champion's job could not read, training could not read either.
    usable = {entry.label: entry for entry in known if scores.get(entry.label, 0) is not None}
    if settings.choose == "random":
        chosen = [*usable][:count]
    else:
        chosen = _choose(
            {label: entry.classes for label, entry in usable.items()},
            [entry.classes for entry in new],
            {label: value for label, value in scores.items() if value is not None},
            count,
        )
    return Replay(
        [usable[label] for label in chosen],
        ReplayChoice(
            # Without scores there was nothing to choose, or score_replay has not run.
            choose=settings.choose if scores or settings.choose == "random" else "balanced",
            per_new=settings.per_new,
            scored=len(scores),
            scores_uri=workspace.storage.uri(location) if location and scores else None,
        ),
    )


def count_replay(pool: LabelPool) -> int:
    """How many labels ``choose_replay`` chooses: where plenty are known, that needs no choice."""
    new, known = _learnable(pool)
    count, settings = _count(pool, new), pool.workspace.pipeline.training.replay
    # Of those that are known only the champion's sample can turn out to be of no use.
    if len(known) >= count + round(count * settings.pool):
        return count
    return len(choose_replay(pool).entries)


def choose(
    known: Mapping[str, Sequence[int]],
    new: Iterable[Sequence[int]],
    difficulty: Mapping[str, float],
    count: int,
    salt: str,
) -> list[str]:
    """At most ``count`` keys of ``known`` (key to the class of each box): half of them the most difficult,
    the others so that, together with the ``new`` ones, every class is seen equally often.
    """
    return _choose({key: known[key] for key in _shuffled(known, salt)}, new, difficulty, count)


def _choose(
    known: Mapping[str, Sequence[int]],
    new: Iterable[Sequence[int]],
    difficulty: Mapping[str, float],
    count: int,
) -> list[str]:
    """The same of keys that are in the order of the dice."""
    hard = [key for key in known if difficulty.get(key, 0) > 0]
    chosen = sorted(hard, key=lambda key: -difficulty[key])[: count // 2]
    seen = Counter(name for classes in new for name in classes or (NOTHING,))
    queues: defaultdict[int, deque[str]] = defaultdict(deque)
    taken = set(chosen)
    for key in known:
        for name in {*known[key]} or {NOTHING}:
            if key not in taken:
                queues[name].append(key)
    for key in chosen:
        seen.update(known[key] or (NOTHING,))
    while queues and len(chosen) < count:
        rarest = min(queues, key=lambda name: (seen[name], name))
        key = queues[rarest].popleft()
        if not queues[rarest]:
            del queues[rarest]
        if key not in taken:
            taken.add(key)
            chosen.append(key)
            seen.update(known[key] or (NOTHING,))
    return chosen


def read_scores(workspace: Workspace, digest: str) -> dict[str, float | None]:
    """Difficulty by label; None for an image without prediction."""
    return {item.label: item.difficulty for item in ReplayScore.read_all(workspace.storage, digest)}


def _learnable(pool: LabelPool) -> tuple[list[Entry], list[Entry]]:
    """New and known labels that may be learned from."""
    return pool.register.learnable(pool.new), pool.register.learnable(pool.known)


def _count(pool: LabelPool, new: Collection[Entry]) -> int:
    return round(len(new) * pool.workspace.pipeline.training.replay.per_new)


def _salt(pool: LabelPool) -> str:
    """Every training replays another sample: the order of the known images depends on what is new."""
    return content_hash(sorted(entry.sha256 for entry in pool.new))


def _shuffled(keys: Iterable[str], salt: str) -> list[str]:
    return sorted(keys, key=lambda key: (share(salt, key), key))


def _ordered(pool: LabelPool) -> tuple[list[Entry], list[Entry]]:
    """New and known labels that may be learned from, the known ones in the order of the dice."""
    new, known = _learnable(pool)
    by_label = {entry.label: entry for entry in known}
    return new, [by_label[label] for label in _shuffled(by_label, _salt(pool))]


def _sample(pool: LabelPool, new: Sequence[Entry], known: Sequence[Entry]) -> Sample | None:
    """A sample of what is known (in the order of the dice), some times larger than the replay; None when
    nothing is to be asked.
    """
    settings, champion = pool.workspace.pipeline.training.replay, pool.lineage.champion
    count = _count(pool, new)
    if champion is None or settings.choose == "random" or not 0 < count < len(known):
        return None
    # The images of one transform job lie in one bucket.
    buckets = Counter(split_uri(entry.source)[0] for entry in known)
    largest = min(buckets, key=lambda name: (-buckets[name], name))
    place = f"s3://{largest}/"
    chosen = list(islice((e for e in known if e.source.startswith(place)), round(count * settings.pool)))
    labels = [entry.label for entry in chosen]
    return Sample(champion, chosen, content_hash(champion.training_job, labels))


def _transform(workspace: Workspace, sample: Sample) -> Transform:
    return Transform(
        stem=job_stem(workspace.pipeline.name, "replay", sample.champion.training_job, sample.digest),
        training_job=sample.champion.training_job,
        model_data=sample.champion.model_data,
        images=tuple(sorted({entry.source for entry in sample.entries})),
        folder=layout.replay_folder(sample.digest),
    )


def _scores(pool: LabelPool, sample: Sample, done: Transformed) -> list[ReplayScore]:
    workspace, threshold = pool.workspace, pool.workspace.pipeline.evaluation.score_threshold
    labels = {entry.source: entry.label for entry in sample.entries}

    def rate(line: Labelled) -> ReplayScore:
        value = None
        if line.source in done.outputs:
            try:
                output = done.outputs[line.source]
                said = workspace.task.read_output(workspace.storage, output, line.source)
                value = round(workspace.task.difficulty(line, said, threshold), 6)
            except (BadRecord, FileNotFoundError):
                pass
        return ReplayScore(image=line.source, label=labels[line.source], difficulty=value)

    lines = pool.lines(sample.entries).values()
    return list(in_parallel(rate, sorted(lines, key=lambda line: line.source)))
