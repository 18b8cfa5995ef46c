"""One bad batch among good ones: does it cost more than itself?

    python -m benchmarks.bad_batches --train [--seeds 1 2 … 10]   # 5 CPU minutes a seed; goes on after a stop
    python -m benchmarks.bad_batches                              # tells what is kept: 1 CPU minute a seed

Per seed: a first model that knows day scenes, two good batches that it learns from, then a bad one and a good
one. Bad are reviewers who give 40 % of the boxes a random wrong class, who always take three pairs of classes
for each other, or whose boxes are half as wide and half as high again; in what is learned, held out and
audited alike. The batches come one a day, or the bad and the good one together, either of them first. Each
sequence is gone through twice: with the loop's own policy (standing.py, next_trial.py), and as it was before
there was one: whatever is not learned comes again with every later batch. Challengers are measured and judged
by the loop's own functions (scores.compare, gate.decide, trials.weigh). No person helps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.batches import Study
from benchmarks.loops import BAD, GOOD, Arrival, Loop, World
from benchmarks.models import NotKept
from benchmarks.rounds import wilson

SEEDS = range(1, 11)
BEFORE = 2  # good batches that have come before the bad one
ORDERS = IN_TURN, BAD_FIRST, GOOD_FIRST = "one a day", "together, bad first", "together, good first"


@dataclass(frozen=True)
class Story:
    """What became of one sequence of batches, ``good`` of which were good and came with the bad one or after
    it: how many of those were promoted, and ``took`` so many trainings each; all trainings since the bad
    one; how many good batches, of ``all_good``, were suspended or set aside when a day was over; whether the
    bad one was learned; the last champion by night.
    """

    good: int
    promoted: int
    took: list[int]
    trainings: int
    all_good: int
    held_back: int
    bad_learned: bool
    score: float


def tell(loop: Loop, kind: str, order: str, after: int) -> Story:
    """Let the batches come in: ``BEFORE`` good ones, the bad one, and ``after`` good ones."""
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
    good = {name for name, batch in loop.nights.items() if not batch.bad}
    judged = loop.lineage.judged
    return Story(
        good=len(good - before),
        promoted=len((good - before) & {*loop.learned}),
        took=[loop.took[name] for name in good - before if name in loop.took],
        trainings=len(loop.trials) - tried,
        all_good=len(good),
        held_back=len(good & loop.aside),
        bad_learned=bool({*loop.learned} - good),
        score=judged.score("challenger") if judged else 0.0,
    )


def stories(world: World, after: int) -> Iterator[tuple[tuple[str, str], tuple[Story, Story]]]:
    """Every sequence of a seed, by kind and order: with the policy, and without."""
    start = world.first()
    for kind in BAD:
        for order in ORDERS:
            loops = [Loop(world, policy, start) for policy in (True, False)]
            having, without = (tell(loop, kind, order, after) for loop in loops)
            for loop in loops:
                _log(world.seed, kind, order, loop)
            yield (kind, order), (having, without)


def table(results: dict[tuple[str, str], list[tuple[Story, Story]]]) -> str:
    """Markdown: a row for each kind of bad batch and order, what the policy does / what there was before."""
    lines = [
        "| bad batch | comes | good batches after it promoted | 95 % interval | after trainings (mean) "
        "| all trainings since | bad batch learned | mAP@0.5 by night at last | good batches held back |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (kind, order), told in results.items():
        sides = [[pair[side] for pair in told] for side in (0, 1)]
        of = sum(story.good for story in sides[0])
        promoted = [sum(story.promoted for story in side) for side in sides]
        intervals = (f"{low:.2f} to {high:.2f}" for low, high in (wilson(count, of) for count in promoted))
        took = [[count for story in side for count in story.took] for side in sides]
        until = (f"{statistics.mean(counts):.1f}" if counts else "–" for counts in took)
        trainings = (str(sum(story.trainings for story in side)) for side in sides)
        learned = (str(sum(story.bad_learned for story in side)) for side in sides)
        maps = (f"{statistics.median(story.score for story in side):.2f}" for side in sides)
        held_back, good = (sum(getattr(s, name) for s in sides[0]) for name in ("held_back", "all_good"))
        lines.append(
            f"| {BAD[kind]} | {order} | {' / '.join(map(str, promoted))} of {of} | {' / '.join(intervals)} "
            f"| {' / '.join(until)} | {' / '.join(trainings)} | {' / '.join(learned)} of {len(told)} "
            f"| {' / '.join(maps)} | {held_back} of {good} |"
        )
    return "\n".join(lines)


def _log(seed: int, kind: str, order: str, loop: Loop) -> None:
    made = (
        f"{'+'.join(loop.nights[name].code for name in trial.shards)} ({trial.kind}) {trial.outcome}"
        for trial in loop.trials
    )
    policy = "with" if loop.policy else "without"
    told = f"seed {seed}, {kind}, {order}, {policy} the policy: {'; '.join(made)}"
    print(told, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--train", action="store_true", help="train what is not kept yet, then tell")
    parser.add_argument("--after", type=int, choices=(1, 2), default=1, help="good batches after the bad one")
    options = parser.parse_args(arguments)
    results: dict[tuple[str, str], list[tuple[Story, Story]]] = {}
    left_out = []
    for seed in options.seeds:
        with Study(seed, may_train=options.train) as study:
            try:
                told = list(stories(World(study), options.after))
            except NotKept:
                left_out.append(seed)
                continue
        for key, pair in told:
            results.setdefault(key, []).append(pair)
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
