"""What the champion knows already and is shown again, so that it does not forget it over the new.

Takes the labels the lineage has learned from, gives those to replay: half of them what the champion finds
hard, the rest so that all classes are seen equally often. How hard an image is says the champion itself, by
batch transform over a bounded pool; the scores are written once, as ``replay/<hash>.jsonl``. Every choice is
a hash of the images and the new labels: the same labels replay the same images. Knows corpus, transform and
matching.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.aws.jobs import Pending
from include.loop.aws.transform import Transform, Transformed, advance
from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import content_hash, job_stem, share
from include.loop.core.storage import dump, in_parallel, split_uri
from include.loop.dataset.label_pool import Corpus, gather
from include.loop.dataset.split_register import Entry
from include.loop.models.champion import Champion
from include.loop.tasks.detection.difficulty import difficulty
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.predictions import read_output
from include.loop.workspace import Workspace

NOTHING = -1  # the class of an image without any object: those are known too


@dataclass(frozen=True)
class Replay:
    """The labels to show again, and what dataset.json says about the choice."""

    entries: list[Entry]
    record: dict[str, Any]


@dataclass(frozen=True)
class Pool:
    """The images that the champion is asked about; ``digest`` names them and the champion."""

    champion: Champion
    entries: list[Entry]
    digest: str


def score(
    workspace: Workspace,
    waited_for: Pending | None = None,
    min_new_labels: int | None = None,
) -> Pending | dict[str, Any]:
    """Let the champion say how hard the pool of the next replay is (see jobs.py for the calling pattern).

    Done at once without a champion, without enough new labels, and when there is nothing to choose.
    """
    corpus = gather(workspace, min_new_labels=min_new_labels)
    pool = _pool(corpus) if len(corpus.new) >= corpus.needed(min_new_labels) else None
    if pool is None:
        return {"scored": 0, "missing": 0, "scores_uri": None}
    location = layout.replay_file(pool.digest)
    if not workspace.storage.exists(location):
        step = advance(workspace, _transform(workspace, pool), waited_for)
        if isinstance(step, Pending):
            return step
        lines = _scores(corpus, pool, step)
        workspace.storage.write_once(location, b"".join(dump(line) + b"\n" for line in lines))
    scores = read_scores(workspace, location)
    missing = sum(value is None for value in scores.values())
    return {
        "scored": len(scores) - missing,
        "missing": missing,
        "scores_uri": workspace.storage.uri(location),
    }


def choose_replay(corpus: Corpus) -> Replay:
    """What to show again beside the corpus's new labels."""
    workspace, settings = corpus.workspace, corpus.workspace.pipeline.training.replay
    new, known = _learnable(corpus)
    count = _count(corpus, new)
    pool = _pool(corpus)
    location = pool and layout.replay_file(pool.digest)
    scores = read_scores(workspace, location) if location and workspace.storage.exists(location) else {}
    # What the champion's job could not read, training could not read either.
    usable = {entry.label: entry for entry in known if scores.get(entry.label, 0) is not None}
    if settings.choose == "random":
        chosen = _shuffled(usable, _salt(corpus))[:count]
    else:
        chosen = choose(
            {label: entry.classes for label, entry in usable.items()},
            [entry.classes for entry in new],
            {label: value for label, value in scores.items() if value is not None},
            count,
            _salt(corpus),
        )
    return Replay(
        [usable[label] for label in chosen],
        {
            # Without scores there was nothing to choose, or score_replay has not run.
            "choose": settings.choose if scores or settings.choose == "random" else "balanced",
            "per_new": settings.per_new,
            "scored": len(scores),
            "scores_uri": workspace.storage.uri(location) if location and scores else None,
        },
    )


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
    order = _shuffled(known, salt)
    hard = [key for key in order if difficulty.get(key, 0) > 0]
    chosen = sorted(hard, key=lambda key: -difficulty[key])[: count // 2]
    seen = Counter(name for classes in new for name in classes or (NOTHING,))
    queues: defaultdict[int, deque[str]] = defaultdict(deque)
    taken = set(chosen)
    for key in order:
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


def read_scores(workspace: Workspace, location: str) -> dict[str, float | None]:
    """Difficulty by label; None for an image without prediction."""
    return {item["label"]: item["difficulty"] for item in workspace.storage.read_lines(location)}


def _learnable(corpus: Corpus) -> tuple[list[Entry], list[Entry]]:
    """New and known labels that may be learned from."""
    return corpus.ledger.learnable(corpus.new), corpus.ledger.learnable(corpus.known)


def _count(corpus: Corpus, new: Collection[Entry]) -> int:
    return round(len(new) * corpus.workspace.pipeline.training.replay.per_new)


def _salt(corpus: Corpus) -> str:
    """Every training replays another sample: the order of the known images depends on what is new."""
    return content_hash(sorted(entry.sha256 for entry in corpus.new))


def _shuffled(keys: Iterable[str], salt: str) -> list[str]:
    return sorted(keys, key=lambda key: (share(salt, key), key))


def _pool(corpus: Corpus) -> Pool | None:
    """A sample of what is known, some times larger than the replay; None when nothing is to be asked."""
    settings, champion = corpus.workspace.pipeline.training.replay, corpus.lineage.champion
    new, known = _learnable(corpus)
    count = _count(corpus, new)
    if champion is None or settings.choose == "random" or not 0 < count < len(known):
        return None
    # The images of one transform job lie in one bucket.
    buckets = Counter(split_uri(entry.source)[0] for entry in known)
    largest = min(buckets, key=lambda name: (-buckets[name], name))
    by_label = {entry.label: entry for entry in known if split_uri(entry.source)[0] == largest}
    chosen = _shuffled(by_label, _salt(corpus))[: round(count * settings.pool)]
    return Pool(champion, [by_label[label] for label in chosen], content_hash(champion.training_job, chosen))


def _transform(workspace: Workspace, pool: Pool) -> Transform:
    return Transform(
        stem=job_stem(workspace.pipeline.name, "replay", pool.champion.training_job, pool.digest),
        training_job=pool.champion.training_job,
        model_data=pool.champion.model_data,
        images=tuple(sorted({entry.source for entry in pool.entries})),
        folder=layout.replay_folder(pool.digest),
    )


def _scores(corpus: Corpus, pool: Pool, done: Transformed) -> list[dict[str, Any]]:
    pipeline = corpus.workspace.pipeline
    labels = {entry.source: entry.label for entry in pool.entries}

    def rate(line: LabelledImage) -> dict[str, Any]:
        value = None
        if line.source in done.outputs:
            try:
                found = read_output(
                    corpus.workspace.storage, done.outputs[line.source], len(pipeline.classes)
                )
                value = round(difficulty(line, found, pipeline.evaluation.score_threshold), 6)
            except (BadRecord, FileNotFoundError):
                pass
        return {"image": line.source, "label": labels[line.source], "difficulty": value}

    lines = corpus.lines(pool.entries).values()
    return list(in_parallel(rate, sorted(lines, key=lambda line: line.source)))
