"""Rounds of the loop without cloud: a challenger from a champion and batches, measured and judged.

A ``Lineage`` is what a champion knows; ``challenge`` trains on batches' answers as the loop does, ``judge``
measures and decides by the loop's own functions (``compare``, ``decide``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from benchmarks.batches import Lines, Reviewed, Study
from benchmarks.models import Detections, Model
from include.loop.core.records.metrics import LatencyMetrics, Metrics, TimedImages
from include.loop.core.records.verdict import Verdict
from include.loop.evaluation.comparison import compare
from include.loop.evaluation.gate import decide
from include.loop.evaluation.slices import REPLAYED, Slices
from include.loop.tasks import task_of
from include.samples.reviewing import Noise

NEW = "new"  # the only batch of a round, where there is one

# Seconds per image, and of how many: not what is measured here.
_LATENCY = LatencyMetrics(challenger=0.1, champion=0.1, images=TimedImages(challenger=100, champion=100))


@dataclass(frozen=True)
class Judged:
    """What the gate said of one round, and the numbers that it went by. ``new`` is the test set on which the
    model is to get better.
    """

    verdict: Verdict
    metrics: Metrics
    new: str

    def score(self, who: str) -> float:
        """On the new test set: of the challenger or the champion."""
        item = self.metrics.slices[self.new]
        scores = item.challenger if who == "challenger" else item.champion
        return (scores.score if scores else None) or 0.0

    def train_recall(self, batch: str) -> float:
        """How well a batch's labels were learned, next to the replayed ones."""
        recall = {name: item.recall or 0.0 for name, item in self.metrics.train_recall.items()}
        return recall[batch] / recall[REPLAYED]

    @property
    def failed(self) -> list[str]:
        """The rules that said no, with the slice where it tells something, each once."""
        batches = self.metrics.train_recall
        names = (
            rule.rule if rule.slice is None or rule.slice in batches else f"{rule.rule} ({rule.slice})"
            for rule in self.verdict.failed
        )
        return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Lineage:
    """A champion, the labels that it and its ancestors have learned from and were held out from them, and
    the round that made it champion (None: the first model).
    """

    champion: Model
    known: Lines
    validation: Lines
    audits: Lines = field(default_factory=list)
    judged: Judged | None = None


@dataclass(frozen=True)
class Round:
    """A challenger and its champion, and the lines that they are measured on, by slice. ``part`` is its name
    among the rounds of its seed; ``after`` is the lineage that it begins when it is promoted.
    """

    part: str
    before: Lineage
    after: Lineage
    slices: dict[str, Lines]
    learned: dict[str, Lines]  # by night, and REPLAYED

    def promoted(self, judged: Judged) -> Lineage:
        """The lineage that this challenger begins."""
        return replace(self.after, judged=judged)


def first(study: Study) -> Lineage:
    """The first model, which knows the old test set's world; it is trained when it is not there yet."""
    validation, _ = study.halves()
    known = study.first_labels()
    return Lineage(study.models.train("first", "initial", known, validation), known, validation)


def challenge(study: Study, before: Lineage, batches: Mapping[str, Reviewed], name: str, part: str) -> Round:
    """Train the champion further on the answers of these batches, and on what is replayed beside them; it is
    trained when no model of this ``name`` and of these labels is there yet.
    """
    learn = _together(batch.learned for batch in batches.values())
    held_out = _together(batch.held_out for batch in batches.values())
    again = study.replayed(before.champion, before.known, learn, part, study.pipeline.training.replay.choose)
    validation = before.validation + held_out
    challenger = study.models.train(name, "incremental", learn + again, validation, before.champion)
    audits = before.audits + _together(batch.audits for batch in batches.values())
    tests = {name: study.labels(f"test/{name}") for name in study.pipeline.test_sets}
    _, retention = study.halves()
    own = {"retention": retention, "recent": held_out, "audit": audits}
    return Round(
        part,
        before,
        Lineage(challenger, before.known + learn, validation, audits),
        tests | {slice: lines for slice, lines in own.items() if lines},
        {batch: answers.learned for batch, answers in batches.items()} | {REPLAYED: again},
    )


def reviewed(study: Study, before: Lineage, number: int, reviewers: str, noise: Noise) -> Round:
    """Train the champion further on what triage asks of one batch of the sample, answered with this noise."""
    part = f"{number + 1}-{reviewers}"
    answers = {NEW: study.asked(before.champion, number, noise)}
    return challenge(study, before, answers, f"{before.champion.name}.{part}", part)


def judge(study: Study, item: Round) -> Judged:
    """Measure and decide as the loop does."""
    found: dict[str, Detections] = {"challenger": {}, "champion": {}}
    shared = {*study.pipeline.test_sets, "retention"}  # the same lines in every round of the seed
    for who, model in (("challenger", item.after.champion), ("champion", item.before.champion)):
        for name, lines in (item.slices | (item.learned if who == "challenger" else {})).items():
            part = name if name in shared else f"{name}-{item.part}"
            found[who] |= study.models.detect(model, part, [line.source for line in lines])
    earlier = item.before.judged.metrics.slices if item.before.judged else None
    task = task_of(study.pipeline)
    measured = compare(task, study.pipeline, _slices(item.slices), _slices(item.learned), found, earlier)
    metrics = Metrics(
        training_job=item.after.champion.name,
        champion=item.before.champion.name,
        metric=task.metric.key,
        slices=measured.slices,
        train_recall=measured.train_recall,
        latency=_LATENCY,
    )
    return Judged(decide(task, metrics, study.pipeline.gate), metrics, study.new)


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's score interval)."""
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)


def _together(parts: Iterable[Lines]) -> Lines:
    return [line for lines in parts for line in lines]


def _slices(lines: dict[str, Lines]) -> Slices:
    # The image's name stands for its ETag: nothing here is ever replaced.
    etags = {line.source: line.source for own in lines.values() for line in own}
    return Slices({name: [*own] for name, own in lines.items()}, etags, dict.fromkeys(lines, 0))
