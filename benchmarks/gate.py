"""Good and poisoned batches before the real gate: how often is each promoted, and which rules speak?

    python -m benchmarks.gate --train [--seeds 1 2 … 10]    # three CPU minutes a seed; goes on after a stop
    python -m benchmarks.gate                               # judges what is kept: 20 CPU seconds a seed
    python -m benchmarks.gate --sample trees --train --seeds 1 2 3 4 5      # ten CPU minutes a seed

Per seed: a first model that knows day scenes, and twice from there, with other batches each time: a first
batch, reviewed well, and reviewed by people who give 40 % of the boxes a wrong class; and from the good
batch's model a second batch, again both ways. Trees have three batches, so that there is one pair, and one
class: their poisoned reviewers leave out 40 % of the crowns and draw one in every image where none is. Each
challenger is measured and judged by the loop's own functions (scores.compare, gate.decide). Poisoned
reviewers answer all that is asked: labels held out and audits are as wrong as those that are learned. Only
the test sets and the memory set are clean.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.batches import DIGITS, TREES, Study, World
from benchmarks.models import NotKept
from benchmarks.rounds import NEW, Judged, first, judge, reviewed, wilson
from include.samples.reviewing import Noise

SEEDS = range(1, 11)
GOOD, POISONED = "good", "poisoned"


@dataclass(frozen=True)
class Plan:
    """A sample, its pairs of batches, each of which starts from the first model, and how the poisoned
    reviewers err.
    """

    world: World
    pairs: tuple[tuple[int, int], ...]
    poison: Noise


PLANS = {
    "digits": Plan(DIGITS, ((0, 1), (2, 3)), Noise(mislabelled=0.4)),
    "trees": Plan(TREES, ((0, 1),), Noise(missed=0.4, extra=1.0)),
}


@dataclass(frozen=True)
class Review:
    """One batch of a pair, as good or as poisoned reviewers answered it, and what the gate said."""

    batch: int  # 1 or 2, of its pair
    reviewers: str
    judged: Judged


def reviews(study: Study, plan: Plan) -> Iterator[Review]:
    """The four rounds of each pair of batches; trains what is not there yet."""
    for pair in plan.pairs:
        lineage = first(study)
        for batch, number in enumerate(pair, start=1):
            good = lineage
            for name, noise in ((GOOD, Noise()), (POISONED, plan.poison)):
                item = reviewed(study, lineage, number, name, noise)
                judged = judge(study, item)
                good = item.promoted(judged) if name == GOOD else good
                _tell(study.seed, item.part, judged)
                yield Review(batch, name, judged)
            lineage = good


def table(results: dict[tuple[int, str], list[Judged]], new: str) -> str:
    """Markdown: a row for each batch and kind of reviewers; ``new`` is the test set that is told of."""
    lines = [
        f"| batch | reviewers | promoted | 95 % interval | mAP@0.5 on {new}, before → after "
        "| new labels found again (of replayed) | rules that said no |",
        "|---:|---|---:|---:|---:|---:|---|",
    ]
    for (batch, reviewers), judged in sorted(results.items()):
        promoted = sum(item.verdict.promote for item in judged)
        low, high = wilson(promoted, len(judged))
        before, after = (
            statistics.median(item.score(who) for item in judged) for who in ("champion", "challenger")
        )
        learned = [item.train_recall(NEW) for item in judged]
        spoke = Counter(name for item in judged for name in item.failed)
        rules = ", ".join(f"{name} {count}" for name, count in spoke.most_common()) or "none"
        lines.append(
            f"| {batch} | {reviewers} | {promoted} of {len(judged)} | {low:.2f} to {high:.2f} "
            f"| {before:.2f} → {after:.2f} "
            f"| {statistics.median(learned):.2f} ({min(learned):.2f} to {max(learned):.2f}) | {rules} |"
        )
    return "\n".join(lines)


def _tell(seed: int, part: str, judged: Judged) -> None:
    said = "promoted" if judged.verdict.promote else f"no: {', '.join(sorted(judged.failed))}"
    print(f"seed {seed}, {part}: {said}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", choices=PLANS, default="digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--train", action="store_true", help="train what is not kept yet, then judge")
    options = parser.parse_args(arguments)
    plan = PLANS[options.sample]
    results: dict[tuple[int, str], list[Judged]] = {}
    new, left_out = "", []
    for seed in options.seeds:
        with Study(seed, may_train=options.train, world=plan.world) as study:
            new = study.new
            try:
                for item in reviews(study, plan):
                    results.setdefault((item.batch, item.reviewers), []).append(item.judged)
            except NotKept:
                left_out.append(seed)
    if left_out:
        print(
            f"not trained, or with other settings (--train does it): seeds {' '.join(map(str, left_out))}",
            file=sys.stderr,
        )
    if results:
        print(table(results, new))
    return 0 if results else 1


if __name__ == "__main__":
    sys.exit(main())
