"""One bad night among good ones: does it cost more than itself?

    python -m benchmarks.bad_nights --train [--seeds 1 2 … 10]   # 5 CPU minutes a seed; goes on after a stop
    python -m benchmarks.bad_nights                              # tells what is kept: 1 CPU minute a seed

Per seed: a first model that knows day scenes, two good nights that it learns from, then a bad one and a good
one. Bad are reviewers who give 40 % of the boxes a random wrong class, who always take three pairs of classes
for each other, or whose boxes are half as wide and half as high again; in what is learned, held out and
audited alike. The nights come one a day, or the bad and the good one together, either of them first. Each
sequence is gone through twice: with the loop's own policy (standing.py, next_trial.py), and as it was before
there was one: whatever is not learned comes again with every later night. Challengers are measured and judged
by the loop's own functions (scores.compare, gate.decide, trials.weigh). No person helps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from benchmarks.models import PIPELINE, NotKept
from benchmarks.nights import Night, Study, relabelled
from benchmarks.rounds import Judged, Lineage, challenge, first, judge, wilson
from include.loop.manifest import LabelledImage, ManifestBox
from include.loop.next_trial import Choice, choices
from include.loop.standing import Past, State, stand
from include.loop.trials import Kind, Trial, weigh
from include.samples.reviewing import Noise

SEEDS = range(1, 11)
BEFORE = 2  # good nights that have come before the bad one
GOOD = "good"
BAD = {
    "random": "random wrong classes",
    "swapped": "swapped pairs of classes",
    "larger": "boxes 1.5 × as large",
}
REVIEWERS = {"random": Noise(mislabelled=0.4)}  # all others err as the sample's do
ORDERS = IN_TURN, BAD_FIRST, GOOD_FIRST = "one a day", "together, bad first", "together, good first"
WITH, WITHOUT = "what is open", "all that is new"
_SWAPPED = {0: 1, 1: 0, 2: 3, 3: 2, 4: 5, 5: 4}  # class ids
_START = datetime(2026, 11, 1, 6, tzinfo=UTC)
Arrival = tuple[int, str]  # a night of the sample, and how its answers are
_DAY, _TRAINING = timedelta(days=1), timedelta(minutes=30)


@dataclass(frozen=True)
class Labelled:
    """A night of the sample (from 0) and its answers; ``kind`` is how they are."""

    number: int
    kind: str
    answers: Night

    @property
    def code(self) -> str:
        return f"{self.number + 1}{self.kind}"

    @property
    def bad(self) -> bool:
        return self.kind != GOOD


class World:
    """What a loop can do in one seed: have nights answered, and try them. Loops that do the same share it."""

    def __init__(self, study: Study) -> None:
        self.seed, self._study = study.seed, study
        self._tried: dict[str, tuple[Lineage, Judged]] = {}

    def first(self) -> Lineage:
        return first(self._study)

    def night(self, lineage: Lineage, number: int, kind: str) -> Labelled:
        """The questions that this champion has about the night, and the answers."""
        noise = REVIEWERS.get(kind, Noise())
        asked = self._study.asked(lineage.champion, number, noise)
        spoil = _SPOIL.get(kind, lambda line: line)
        parts = ([spoil(line) for line in part] for part in (asked.learned, asked.held_out, asked.audits))
        return Labelled(number, kind, Night(*parts))

    def trial(self, lineage: Lineage, nights: Iterable[Labelled]) -> tuple[Lineage, Judged]:
        """The lineage that these nights would begin, and the verdict on it."""
        answers = {night.code: night.answers for night in sorted(nights, key=lambda night: night.number)}
        part = f"{lineage.champion.name.removeprefix('bad-')}.{'-'.join(answers)}"
        if part not in self._tried:
            item = challenge(self._study, lineage, answers, f"bad-{part}", part)
            judged = judge(self._study, item)
            self._tried[part] = item.promoted(judged), judged
        return self._tried[part]


@dataclass
class Loop:
    """The nights of one loop, one after the other. Shards are named by their place in time."""

    world: World
    policy: bool
    lineage: Lineage
    nights: dict[str, Labelled] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)  # not learned yet
    learned: list[str] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    aside: set[str] = field(default_factory=set)  # suspended or set aside at the end of some day
    now: datetime = _START

    def day(self, *arrived: Arrival) -> None:
        """These nights (number and kind) have their answers: train until there is nothing to try."""
        answered = [self.world.night(self.lineage, number, kind) for number, kind in arrived]
        for night in answered:
            name = f"{len(self.nights) + 1:02}"
            self.nights[name] = night
            self.waiting.append(name)
        end = self.now + _DAY
        while choice := self._choose():
            self._train(choice)
        if self.policy:
            standing = stand(self._past())
            self.aside |= {
                name for name, item in standing.items() if item.state in {State.SUSPENDED, State.SET_ASIDE}
            }
        self.now = end

    def _choose(self) -> Choice | None:
        if self.policy:
            return next(choices(self._past(), self.now, PIPELINE.training.trials), None)
        tried = {frozenset(trial.shards) for trial in self.trials}
        new = self.waiting and frozenset(self.waiting) not in tried
        return Choice(tuple(self.waiting), Kind.ROUND) if new else None

    def _train(self, choice: Choice) -> None:
        after, judged = self.world.trial(self.lineage, [self.nights[name] for name in choice.nights])
        self.now += _TRAINING
        names = {self.nights[name].code: name for name in choice.nights}
        verdict = judged.verdict
        outcome, blamed = weigh(verdict.promote, [rule.to_dict() for rule in verdict.rules])
        self.trials.append(
            Trial(
                training_job=after.champion.name,
                champion=self.lineage.champion.name,
                shards=choice.nights,
                outcome=outcome,
                at=self.now,
                kind=choice.kind,
                blamed=tuple(names[code] for code in blamed),
                reasons=verdict.reasons,
            )
        )
        if verdict.promote:
            self.lineage = after
            self.learned += choice.nights
            self.waiting = [name for name in self.waiting if name not in choice.nights]

    def _past(self) -> Past:
        return Past(self.lineage.champion.name, self.waiting, self.trials)


@dataclass(frozen=True)
class Story:
    """What became of one sequence of nights, ``good`` of which were good and came with the bad one or after
    it: how many of those were learned, after how many trainings; how many good nights, of ``all_good``, were
    suspended or set aside when a day was over; whether the bad one was learned; the last champion by night.
    """

    good: int
    promoted: int
    trainings: int
    all_good: int
    held_back: int
    bad_learned: bool
    map50: float


def tell(loop: Loop, kind: str, order: str, after: int) -> Story:
    """Let the nights come in: ``BEFORE`` good ones, the bad one, and ``after`` good ones."""
    for number in range(BEFORE):
        loop.day((number, GOOD))
    before, tried = {*loop.nights}, len(loop.trials)
    bad, well = (BEFORE, kind), (BEFORE + 1, GOOD)
    days: dict[str, list[tuple[Arrival, ...]]] = {
        IN_TURN: [(bad,), (well,)],
        BAD_FIRST: [(bad, well)],
        GOOD_FIRST: [(well, bad)],
    }
    for arrived in days[order]:
        loop.day(*arrived)
    for more in range(2, 1 + after):
        loop.day((BEFORE + more, GOOD))
    good = {name for name, night in loop.nights.items() if not night.bad}
    judged = loop.lineage.judged
    return Story(
        good=len(good - before),
        promoted=len((good - before) & {*loop.learned}),
        trainings=len(loop.trials) - tried,
        all_good=len(good),
        held_back=len(good & loop.aside),
        bad_learned=bool({*loop.learned} - good),
        map50=judged.map50("challenger") if judged else 0.0,
    )


def stories(world: World, after: int) -> Iterator[tuple[tuple[str, str, bool], Story]]:
    """Every sequence of a seed, by kind, order and whether there is a policy."""
    start = world.first()
    for kind in BAD:
        for order in ORDERS:
            for policy in (True, False):
                if policy or order != GOOD_FIRST:  # what comes again altogether has no order
                    loop = Loop(world, policy, start)
                    yield (kind, order, policy), tell(loop, kind, order, after)
                    _log(world.seed, kind, order, loop)


def table(results: dict[tuple[str, str, bool], list[Story]]) -> str:
    """Markdown: a row for each kind of bad night, order and policy."""
    lines = [
        "| bad night | comes | next training learns from | good nights after it promoted | 95 % interval "
        "| trainings for them | good nights held back | bad night learned | mAP@0.5 by night at last |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (kind, order, policy), told in results.items():
        good, promoted = sum(story.good for story in told), sum(story.promoted for story in told)
        low, high = wilson(promoted, good)
        trainings = sum(story.trainings for story in told)
        held_back, of = sum(story.held_back for story in told), sum(story.all_good for story in told)
        maps = [story.map50 for story in told]
        lines.append(
            f"| {BAD[kind]} | {order} | {WITH if policy else WITHOUT} | {promoted} of {good} "
            f"| {low:.2f} to {high:.2f} | {trainings} | {f'{held_back} of {of}' if policy else '–'} "
            f"| {sum(story.bad_learned for story in told)} of {len(told)} "
            f"| {statistics.median(maps):.3f} ({min(maps):.3f} to {max(maps):.3f}) |"
        )
    return "\n".join(lines)


def _log(seed: int, kind: str, order: str, loop: Loop) -> None:
    made = (
        f"{'+'.join(loop.nights[name].code for name in trial.shards)} ({trial.kind}) {trial.outcome}"
        for trial in loop.trials
    )
    policy = WITH if loop.policy else WITHOUT
    print(f"seed {seed}, {kind}, {order}, {policy}: {'; '.join(made)}", file=sys.stderr, flush=True)


def _swap(line: LabelledImage) -> LabelledImage:
    """Three pairs of classes taken for each other, always."""
    return relabelled(
        line, [replace(box, class_id=_SWAPPED.get(box.class_id, box.class_id)) for box in line.boxes]
    )


def _enlarge(line: LabelledImage) -> LabelledImage:
    """Boxes half as wide and half as high again around the same middle, as far as the image goes."""
    return relabelled(line, [_larger(box, line.width, line.height) for box in line.boxes])


def _larger(box: ManifestBox, width: int, height: int) -> ManifestBox:
    left, top = max(0, round(box.left - box.width / 4)), max(0, round(box.top - box.height / 4))
    right = min(width, round(box.left + box.width * 5 / 4))
    bottom = min(height, round(box.top + box.height * 5 / 4))
    return ManifestBox(box.class_id, left, top, right - left, bottom - top)


_SPOIL = {"swapped": _swap, "larger": _enlarge}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--train", action="store_true", help="train what is not kept yet, then tell")
    parser.add_argument("--after", type=int, choices=(1, 2), default=1, help="good nights after the bad one")
    options = parser.parse_args(arguments)
    results: dict[tuple[str, str, bool], list[Story]] = {}
    left_out = []
    for seed in options.seeds:
        with Study(seed, may_train=options.train) as study:
            try:
                told = list(stories(World(study), options.after))
            except NotKept:
                left_out.append(seed)
                continue
        for key, story in told:
            results.setdefault(key, []).append(story)
        print(f"{table(results)}\n", file=sys.stderr, flush=True)
    if left_out:
        print(
            f"not trained, or with other settings (--train does it): seeds {' '.join(map(str, left_out))}",
            file=sys.stderr,
        )
    if results:
        print(table(results))
    return 0 if results else 1


if __name__ == "__main__":
    sys.exit(main())
