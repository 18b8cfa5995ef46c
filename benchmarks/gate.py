"""Good and poisoned batches before the real gate: how often is each promoted, and which rules speak?

    python -m benchmarks.gate --train [--seeds 1 2 … 10]    # three CPU minutes a seed; goes on after a stop
    python -m benchmarks.gate                               # judges what is kept: 20 CPU seconds a seed

Per seed: a first model that knows day scenes, and twice from there, with other batches each time: a first
batch, reviewed well, and reviewed by people who give 40 % of the boxes a wrong class; and from the good
batch's model a second batch, again both ways. Each challenger is measured and judged by the loop's own
functions (scores.compare, gate.decide). Poisoned reviewers answer all that is asked: labels held out and
audits are as wrong as those that are learned. Only the test sets and the memory set are clean.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.batches import Study
from benchmarks.models import NotKept
from benchmarks.rounds import Judged, challenge, first, judge, wilson
from include.samples.reviewing import Noise

SEEDS = range(1, 11)
PAIRS = ((0, 1), (2, 3))  # of batches; each pair starts from the first model
REVIEWERS = {"good": Noise(), "poisoned": Noise(mislabelled=0.4)}
NEW = "new"


@dataclass(frozen=True)
class Review:
    """One batch of a pair, as good or as poisoned reviewers answered it, and what the gate said."""

    batch: int  # 1 or 2, of its pair
    reviewers: str
    judged: Judged


def reviews(study: Study, pair: Sequence[int]) -> Iterator[Review]:
    """The four rounds of a pair of batches; trains what is not there yet."""
    lineage = first(study)
    for batch, number in enumerate(pair, start=1):
        good = lineage
        for name, noise in REVIEWERS.items():
            part = f"{number + 1}-{name}"
            answers = {NEW: study.asked(lineage.champion, number, noise)}
            item = challenge(study, lineage, answers, f"gate-{part}", part)
            judged = judge(study, item)
            good = item.promoted(judged) if name == "good" else good
            _tell(study.seed, part, judged)
            yield Review(batch, name, judged)
        lineage = good


def table(results: dict[tuple[int, str], list[Judged]]) -> str:
    """Markdown: a row for each batch and kind of reviewers."""
    lines = [
        "| batch | reviewers | promoted | 95 % interval | mAP@0.5 by night, before → after "
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
    print(f"seed {seed}, {part}: {said}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--train", action="store_true", help="train what is not kept yet, then judge")
    options = parser.parse_args(arguments)
    results: dict[tuple[int, str], list[Judged]] = {}
    left_out = []
    for seed in options.seeds:
        with Study(seed, may_train=options.train) as study:
            try:
                for item in (item for pair in PAIRS for item in reviews(study, pair)):
                    results.setdefault((item.batch, item.reviewers), []).append(item.judged)
            except NotKept:
                left_out.append(seed)
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
