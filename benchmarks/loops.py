"""A loop that learns from night after night, without cloud and people, with the loop's own policy or without.

A ``World`` is one seed: nights answered well or badly, and the trials that can be made of them, each once. A
``Loop`` goes through nights day by day; which of them the next training learns from say the loop's own
standing.py and next_trial.py, what a verdict means trials.weigh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from benchmarks.batches import Reviewed, Study, relabelled
from benchmarks.models import PIPELINE
from benchmarks.rounds import Judged, Lineage, challenge, first, judge
from include.loop.core.records.trials import FailedRule, Kind, Trial
from include.loop.tasks.detection.manifest import LabelledImage, ManifestBox
from include.loop.trials.next_trial import Choice, choices
from include.loop.trials.standing import Past, State, stand
from include.loop.trials.weigh import weigh
from include.samples.reviewing import Noise

GOOD = "good"
BAD = {
    "random": "random wrong classes",
    "swapped": "swapped pairs of classes",
    "larger": "boxes 1.5 × as large",
}
REVIEWERS = {"random": Noise(mislabelled=0.4)}  # all others err as the sample's do
Arrival = tuple[int, str]  # a night of the sample, and how its answers are
_SWAPPED = {0: 1, 1: 0, 2: 3, 3: 2, 4: 5, 5: 4}  # class ids
_START = datetime(2026, 11, 1, 6, tzinfo=UTC)
_DAY, _TRAINING = timedelta(days=1), timedelta(minutes=30)


@dataclass(frozen=True)
class Labelled:
    """A night of the sample (from 0), about which this champion asked, and the answers; ``kind`` is how they
    are.
    """

    number: int
    kind: str
    champion: str
    answers: Reviewed

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
        self._tried: dict[tuple[str, ...], tuple[Lineage, Judged]] = {}

    def first(self) -> Lineage:
        return first(self._study)

    def night(self, lineage: Lineage, number: int, kind: str) -> Labelled:
        """The questions that this champion has about the night, and the answers."""
        noise = REVIEWERS.get(kind, Noise())
        asked = self._study.asked(lineage.champion, number, noise)
        spoil = _SPOIL.get(kind, lambda line: line)
        learned, held_out, audits = (
            [spoil(line) for line in part] for part in (asked.learned, asked.held_out, asked.audits)
        )
        answers = Reviewed(learned, held_out, audits, asked.seconds)
        return Labelled(number, kind, lineage.champion.name, answers)

    def trial(self, lineage: Lineage, nights: Iterable[Labelled]) -> tuple[Lineage, Judged]:
        """The lineage that these nights would begin, and the verdict on it."""
        order = sorted(nights, key=lambda night: night.number)
        answers = {night.code: night.answers for night in order}
        part = f"{lineage.champion.name.removeprefix('bad-')}.{'-'.join(answers)}"
        key = (part, *(night.champion for night in order))
        if key not in self._tried:
            item = challenge(self._study, lineage, answers, f"bad-{part}", part)
            judged = judge(self._study, item)
            self._tried[key] = item.promoted(judged), judged
        return self._tried[key]


@dataclass
class Loop:
    """The nights of one loop, one after the other. Shards are named by their place in time."""

    world: World
    policy: bool
    lineage: Lineage
    nights: dict[str, Labelled] = field(default_factory=dict)
    came: dict[str, int] = field(default_factory=dict)  # after so many trainings
    waiting: list[str] = field(default_factory=list)  # not learned yet
    learned: list[str] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    aside: set[str] = field(default_factory=set)  # suspended or set aside at the end of some day
    took: dict[str, int] = field(default_factory=dict)  # trainings from its day on until it was learned
    now: datetime = _START

    def day(self, *arrived: Arrival) -> None:
        """These nights (number and kind) have their answers: train until there is nothing to try."""
        answered = [self.world.night(self.lineage, number, kind) for number, kind in arrived]
        for night in answered:
            name = f"{len(self.nights) + 1:02}"
            self.nights[name] = night
            self.came[name] = len(self.trials)
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
        after, judged = self.world.trial(self.lineage, [self.nights[name] for name in choice.batches])
        self.now += _TRAINING
        names = {self.nights[name].code: name for name in choice.batches}
        verdict = judged.verdict
        outcome, blamed = weigh(verdict)
        self.trials.append(
            Trial(
                training_job=after.champion.name,
                champion=self.lineage.champion.name,
                shards=choice.batches,
                outcome=outcome,
                at=self.now,
                kind=choice.kind,
                blamed=tuple(names[code] for code in blamed),
                failed=tuple(FailedRule(rule="", text=reason) for reason in verdict.reasons),
            )
        )
        if verdict.promote:
            self.lineage = after
            self.learned += choice.batches
            self.took |= {name: len(self.trials) - self.came[name] for name in choice.batches}
            self.waiting = [name for name in self.waiting if name not in choice.batches]

    def _past(self) -> Past:
        return Past(self.lineage.champion.name, self.waiting, self.trials)


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
