"""How often the interval of the live quality holds, what all answers together would say, and false alarms.

Simulates months of nightly batches whose quality differs from night to night and from image to image. People
answer the audits, and the images that the model doubts most. ``include.loop.live.estimate`` judges every week
and every month from the audits; the truth is what the model does on all images of that time. ``drift``: how
often ``include.loop.live.drift`` tells of a night where nothing happens, and of one where something does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from include.loop.config import TriageSettings
from include.loop.core.records.live import Appearance, AuditedBatch, Tally
from include.loop.live.drift import judge
from include.loop.live.estimate import Share, estimate, tally
from include.loop.tasks.measuring import Bools, Outcomes

WEEK, MONTH = 7, 28  # nights
NUMBERS = ("recall", "precision", "accuracy")
SURE = 0.85  # the share of a batch that the model does not doubt enough for people to be asked
FIRST = date(2026, 1, 5)


@dataclass(frozen=True)
class World:
    """``images`` a night, give or take two fifths; ``objects`` on an image on average (0: it has one label);
    ``ease``: the log odds that an object is found on an image like most; ``cap``: the most audits a night.
    """

    images: int
    share: float
    ease: float
    objects: float = 0.0
    cap: int | None = None
    nights_differ: float = 0.5
    images_differ: float = 1.0


WORLDS = {
    "few images": World(100, 0.05, 2.0, 3),
    "few images, one label": World(100, 0.1, 2.0),
    "smallest share": World(300, 0.02, 2.0, 3),
    "a good model": World(300, 0.05, 3.5, 3),
    "a good model, one label": World(300, 0.05, 3.5),
    "hardly a mistake": World(100, 0.05, 5.0, 3),
    "a poor model": World(300, 0.05, 0.5, 3),
    "nights differ much": World(300, 0.05, 2.0, 3, nights_differ=1.5),
    "images differ much": World(300, 0.05, 2.0, 6, images_differ=2.5),
    "many images under a cap": World(1000, 0.1, 2.0, 3, cap=30),
}


@dataclass(frozen=True)
class Night:
    """Sums over all images, what the audits say, and sums over the images with any answer."""

    all: Tally
    audited: AuditedBatch
    answered: Tally


def night(world: World, number: int, random: np.random.Generator) -> Night:
    count = int(world.images * random.uniform(0.6, 1.4))
    ease = (
        world.ease + world.nights_differ * random.normal() + world.images_differ * random.normal(size=count)
    )
    likely = 1 / (1 + np.exp(-ease))
    true = random.poisson(world.objects, count) if world.objects else np.ones(count, dtype=np.int64)
    found = random.binomial(true, likely)
    wrong = random.poisson(0.3 * true * (1 - likely) + 0.02) if world.objects else true - found
    outcomes = Outcomes(true, found, found + wrong, right=(found == true) & (wrong == 0))
    dice = random.uniform(size=count)
    drawn = dice < world.share
    audits = drawn & (dice < np.sort(dice)[world.cap]) if world.cap else drawn
    # The model has an idea of how hard an image is for it.
    doubt = 0.7 * random.normal(size=count) - ease
    audited = AuditedBatch(
        batch=(FIRST + timedelta(days=number)).isoformat(),
        model="model",
        images=count,
        drawn=int(drawn.sum()),
        asked=int(audits.sum()),
        share=world.share,
        tally=tally(_some(outcomes, audits)),
    )
    return Night(
        tally(outcomes), audited, tally(_some(outcomes, audits | (doubt > np.quantile(doubt, SURE))))
    )


def _some(of: Outcomes, which: Bools) -> Outcomes:
    return Outcomes(of.true[which], of.found[which], of.said[which], of.right[which])


def shares(some: Iterable[Tally]) -> dict[str, float]:
    """The three numbers, without more ado."""
    total = sum(some, Tally())
    return {
        "recall": total.found / max(total.true, 1),
        "precision": total.found / max(total.said, 1),
        "accuracy": total.right / max(total.images, 1),
    }


@dataclass
class Held:
    """Of one number over some time: how often there was an interval, how often it held, how wide it was, and
    how far the share among all answers was from the truth, on average.
    """

    told: int = 0
    held: int = 0
    width: float = 0.0
    naive: float = 0.0
    tried: int = 0

    def count(self, share: Share | None, truth: float, naive: float) -> None:
        self.tried += 1
        self.naive += naive - truth
        if share is not None:
            self.told += 1
            self.held += share.low <= truth <= share.high
            self.width += share.high - share.low

    @property
    def coverage(self) -> float:
        return self.held / self.told if self.told else float("nan")

    @property
    def bias(self) -> float:
        return self.naive / self.tried


def simulate(world: World, months: int, seed: int) -> dict[tuple[str, str], Held]:
    """By "week" or "month" and the name of the number."""
    random = np.random.default_rng(seed)
    found: dict[tuple[str, str], Held] = {}
    for _ in range(months):
        nights = [night(world, number, random) for number in range(MONTH)]
        spans = [("week", nights[start : start + WEEK]) for start in range(0, MONTH, WEEK)]
        for span, own in (*spans, ("month", nights)):
            truth, naive = shares(one.all for one in own), shares(one.answered for one in own)
            told = estimate(one.audited for one in own)
            for name in NUMBERS:
                held = found.setdefault((span, name), Held())
                held.count(getattr(told, name), truth[name], naive[name])
    return found


def look(world: World, number: int, shift: float, random: np.random.Generator) -> Appearance:
    """How a night looks to a model that sees three classes, the first of them most; ``shift`` takes from the
    log odds of its scores, and moves as much of the classes.
    """
    count = int(world.images * random.uniform(0.6, 1.4))
    differ = world.nights_differ
    ease = world.ease - shift + differ * random.normal() + world.images_differ * random.normal(size=count)
    score = 1 / (1 + np.exp(-ease - 0.7 * random.normal(size=count)))
    odds = np.exp(np.array([1.0 - shift, 0.5, 0.0]) + differ * random.normal(size=3))
    shown = random.poisson(
        max(world.objects, 0.1) * np.exp(0.3 * differ * random.normal() - 0.3 * shift), count
    )
    signals = {
        "scores": np.histogram(score, bins=10, range=(0, 1))[0],
        "classes": random.multinomial(count, odds / odds.sum()),
        "objects": np.bincount(np.minimum(shown, 9), minlength=10),
    }
    told = {name: tuple(int(one) for one in counts) for name, counts in signals.items()}
    batch = (FIRST + timedelta(days=number)).isoformat()
    return Appearance(batch=batch, model="model", images=count, signals=told)


@dataclass(frozen=True)
class Alarms:
    """Messages in a model's first quiet month at work and in the one after it, and the shares of these
    after which a night that is shifted by 1 and one by 2 are told of.
    """

    first: float
    later: float
    small: float
    large: float


def alarms(world: World, months: int, seed: int) -> Alarms:
    random, limit = np.random.default_rng(seed), TriageSettings().drift_limit
    messages, found = [0, 0], [0, 0]
    for _ in range(months):
        before: list[Appearance] = []
        for number in range(2 * MONTH):
            here = look(world, number, 0.0, random)
            here = here.model_copy(update={"moved": judge(here, before, limit)})
            messages[number // MONTH] += any(one.since == here.batch for one in here.moved)
            before.append(here)
        for place, shift in enumerate((1.0, 2.0)):
            found[place] += bool(judge(look(world, 2 * MONTH, shift, random), before, limit))
    return Alarms(*(count / months for count in (*messages, *found)))


def drift(months: int, seed: int) -> None:
    columns = ("nights differ by", "messages, first month", "messages, later", "a shift of 1 is told", "of 2")
    print(f"| images a night | {' | '.join(columns)} |")
    print("|---:|---:|---:|---:|---:|---:|")
    for images in (50, 300, 2000):
        for differ in (0.1, 0.3, 0.5, 1.0):
            told = alarms(World(images, 0.05, 2.0, 3, nights_differ=differ), months, seed)
            print(
                f"| {images} | {differ:g} | {told.first:.2f} | {told.later:.2f} | {told.small:.0%} | "
                f"{told.large:.0%} |",
                flush=True,
            )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("intervals", "drift"), default="intervals")
    parser.add_argument("--months", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    options = parser.parse_args(arguments)
    if options.what == "drift":
        drift(options.months, options.seed)
        return 0
    columns = ("simulated", "number", "weeks told", "a week's interval holds", "its width", "a month's holds")
    print(f"| {' | '.join(columns)} | all answers are off by |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, world in WORLDS.items():
        found = simulate(world, options.months, options.seed)
        for number in NUMBERS if world.objects else ("accuracy",):
            week, month = found["week", number], found["month", number]
            print(
                f"| {name} | {number} | {week.told / week.tried:.0%} | {week.coverage:.1%} | "
                f"{week.width / max(week.told, 1):.3f} | {month.coverage:.1%} | {week.bias:+.3f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
