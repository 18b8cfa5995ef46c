"""Good and poisoned nights before the real gate: how often is each promoted, and which rules speak?

    python -m benchmarks.gate --train [--seeds 1 2 … 10]    # three CPU minutes a seed; goes on after a stop
    python -m benchmarks.gate                               # judges what is kept: 20 CPU seconds a seed

Per seed: a first model that knows day scenes, and twice from there, with other nights each time: a first
night, reviewed well, and reviewed by people who give 40 % of the boxes a wrong class; and from the good
night's model a second night, again both ways. Each challenger is measured and judged by the loop's own
functions (scores.compare, gate.decide). Poisoned reviewers answer all that is asked: labels held out and
audits are as wrong as those that are learned. Only the test sets and the memory set are clean.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.models import PIPELINE, Detections, Model, NotKept
from benchmarks.nights import Lines, Night, Study
from include.loop.gate import Verdict, decide
from include.loop.scores import compare
from include.loop.slices import REPLAYED, Slices
from include.samples.reviewing import Noise

SEEDS = range(1, 11)
PAIRS = ((0, 1), (2, 3))  # of nights; each pair starts from the first model
REVIEWERS = {"good": Noise(), "poisoned": Noise(mislabelled=0.4)}
NEW = "new"
# Seconds per image, and of how many: not what is measured here.
_LATENCY = {"challenger": 0.1, "champion": 0.1, "images": {"challenger": 100, "champion": 100}}


@dataclass(frozen=True)
class Round:
    """A challenger and its champion, and the lines that they are measured on, by slice. ``part`` is its name
    among the rounds of its seed.
    """

    part: str
    night: int  # 1 or 2, of its pair
    reviewers: str
    champion: Model
    challenger: Model
    slices: dict[str, Lines]
    learned: dict[str, Lines]  # NEW and REPLAYED


@dataclass(frozen=True)
class Judged:
    """What the gate said of one round, and the numbers that it went by."""

    verdict: Verdict
    metrics: dict[str, Any]

    def map50(self, who: str) -> float:
        return float(self.metrics["slices"]["night"][who]["map50"])

    @property
    def learned(self) -> float:
        """How well the new labels were learned, next to the replayed ones."""
        return float(self.metrics["learned"][NEW]["recall"] / self.metrics["learned"][REPLAYED]["recall"])


def rounds(study: Study, pair: Sequence[int]) -> Iterator[Round]:
    """The four rounds of a pair of nights; trains what is not there yet."""
    validation, memory = study.halves()
    tests = {light: study.labels(f"test/{light}") for light in ("day", "night")}
    known = study.labels("initial/train")
    audits: Lines = []
    champion = study.models.train("first", "initial", known, validation)
    for night, number in enumerate(pair, start=1):
        answers = {name: study.asked(champion, number, noise) for name, noise in REVIEWERS.items()}
        challengers = {}
        for name, answered in answers.items():
            part = f"{number + 1}-{name}"
            again = study.replayed(champion, known, answered.learned, part, PIPELINE.training.replay.choose)
            learn, validate = answered.learned + again, validation + answered.held_out
            challengers[name] = study.models.train(f"gate-{part}", "incremental", learn, validate, champion)
            held_out = {"memory": memory, "newest": answered.held_out, "audit": audits + answered.audits}
            slices = tests | {name: lines for name, lines in held_out.items() if lines}
            learned = {NEW: answered.learned, REPLAYED: again}
            yield Round(part, night, name, champion, challengers[name], slices, learned)
        good: Night = answers["good"]
        champion = challengers["good"]
        known, validation = known + good.learned, validation + good.held_out
        audits = audits + good.audits


def judge(study: Study, item: Round, earlier: Judged | None) -> Judged:
    """Measure and decide as the loop does. ``earlier``: the round from which the champion came."""
    found: dict[str, Detections] = {"challenger": {}, "champion": {}}
    for who, model in (("challenger", item.challenger), ("champion", item.champion)):
        for name, lines in (item.slices | (item.learned if who == "challenger" else {})).items():
            own = name in (NEW, REPLAYED, "newest", "audit")
            found[who] |= study.models.detect(
                model, f"{name}-{item.part}" if own else name, [line.source for line in lines]
            )
    before = earlier.metrics["slices"] if earlier else None
    measured, _ = compare(PIPELINE, _slices(item.slices), _slices(item.learned), found, before)
    names = {"training_job": item.challenger.name, "champion": item.champion.name}
    metrics = measured | names | {"latency": _LATENCY}
    return Judged(decide(metrics, PIPELINE.gate), metrics)


def table(results: dict[tuple[int, str], list[Judged]]) -> str:
    """Markdown: a row for each night and kind of reviewers."""
    lines = [
        "| night | reviewers | promoted | 95 % interval | mAP@0.5 by night, before → after "
        "| new labels found again (of replayed) | rules that said no |",
        "|---:|---|---:|---:|---:|---:|---|",
    ]
    for (night, reviewers), judged in sorted(results.items()):
        promoted = sum(item.verdict.promote for item in judged)
        low, high = wilson(promoted, len(judged))
        before, after = (
            statistics.median(item.map50(who) for item in judged) for who in ("champion", "challenger")
        )
        learned = [item.learned for item in judged]
        spoke = Counter(name for item in judged for name in _failed(item.verdict))
        rules = ", ".join(f"{name} {count}" for name, count in spoke.most_common()) or "none"
        lines.append(
            f"| {night} | {reviewers} | {promoted} of {len(judged)} | {low:.2f} to {high:.2f} "
            f"| {before:.2f} → {after:.2f} "
            f"| {statistics.median(learned):.2f} ({min(learned):.2f} to {max(learned):.2f}) | {rules} |"
        )
    return "\n".join(lines)


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's score interval)."""
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)


def _slices(lines: dict[str, Lines]) -> Slices:
    # The image's name stands for its ETag: nothing here is ever replaced.
    etags = {line.source: line.source for own in lines.values() for line in own}
    return Slices(lines, etags, dict.fromkeys(lines, 0))


def _failed(verdict: Verdict) -> set[str]:
    return {
        rule.rule if rule.slice in (None, NEW) else f"{rule.rule} ({rule.slice})"
        for rule in verdict.rules
        if rule.judged and not rule.passed
    }


def _tell(seed: int, item: Round, verdict: Verdict) -> None:
    said = "promoted" if verdict.promote else f"no: {', '.join(sorted(_failed(verdict)))}"
    print(f"seed {seed}, {item.part}: {said}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--train", action="store_true", help="train what is not kept yet, then judge")
    options = parser.parse_args(arguments)
    results: dict[tuple[int, str], list[Judged]] = {}
    left_out = []
    for seed in options.seeds:
        with Study(seed, may_train=options.train) as study:
            judgements: dict[str, Judged] = {}
            try:
                for item in (item for pair in PAIRS for item in rounds(study, pair)):
                    judged = judge(study, item, judgements.get(item.champion.name))
                    judgements[item.challenger.name] = judged
                    results.setdefault((item.night, item.reviewers), []).append(judged)
                    _tell(seed, item, judged.verdict)
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
