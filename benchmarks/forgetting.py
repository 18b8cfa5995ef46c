"""What a detector forgets over five batches, and what replay does about it: the table of the README.

    python -m benchmarks.forgetting [--seeds 1 2 3 4 5]

A model that knows day scenes meets five batches of 40 reviewed scenes. The batches differ: each shows two of
the ten digits above all. Four ways to go on are compared: naive (the new labels only), replay of three known
scenes per new one, chosen at random or balanced_hard, and a new model from all labels so far. After each
batch the model is measured on test scenes with all ten digits, by night (new) and by day (old); forgotten is
what the first model had by day and the last has not. Images and CPU seconds are those of one training. Models
and detections are kept (models.py): a run that was stopped goes on, and a second tells the same in seconds.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.batches import BATCHES, Reviewed, Study
from benchmarks.models import PIPELINE, Model
from include.loop.tasks.detection.metrics import average_precision
from include.samples.reviewing import Noise

REVIEWED = 40
SEEDS = (1, 2, 3, 4, 5)
NAIVE, SCRATCH = "naive", "from scratch"
ARMS = (NAIVE, "replay random", "replay balanced_hard", SCRATCH)


@dataclass(frozen=True)
class Score:
    """One model: mAP@0.5 by night and by day, and the CPU seconds and images of its training."""

    new: float
    old: float
    cpu: float
    images: int


def run(study: Study, arm: str) -> list[Score]:
    """The first model, then one after each batch."""
    known, validation = study.labels("initial/train"), study.halves()[0]
    champion = study.models.train("first", "initial", known, validation)
    scores = [measure(study, champion)]
    for number in range(BATCHES):
        batch = skewed(study, number)
        validation = validation + batch.held_out
        part = f"forget-{arm.replace(' ', '-')}-{number + 1}"
        if arm == SCRATCH:
            champion = study.models.train(part, "initial", known + batch.learned, validation)
        elif arm == NAIVE:
            # Who has nothing but new labels has nothing else to choose the best epoch by.
            champion = study.models.train(part, "incremental", batch.learned, batch.held_out, champion)
        else:
            again = study.replayed(champion, known, batch.learned, part, arm.split()[1])
            champion = study.models.train(part, "incremental", batch.learned + again, validation, champion)
        known = known + batch.learned
        scores.append(measure(study, champion))
    return scores


def skewed(study: Study, number: int) -> Reviewed:
    """The scenes of a batch in which its two digits make up most of what is there, reviewed."""
    shown = PIPELINE.classes[2 * number : 2 * number + 2]
    scenes = study.digits(number)
    order = sorted(scenes, key=lambda image: -sum(d in shown for d in scenes[image]) / len(scenes[image]))
    return study.answers(order[:REVIEWED], Noise())


def measure(study: Study, model: Model) -> Score:
    scores = {}
    for light in ("night", "day"):
        lines = study.labels(f"test/{light}")
        found = study.models.detect(model, light, [line.source for line in lines])
        scores[light] = average_precision(lines, found, PIPELINE.classes).score or 0.0
    return Score(scores["night"], scores["day"], model.cost["cpu"], model.cost["images"])


def table(results: dict[str, list[list[Score]]]) -> str:
    """Markdown, a row per way: medians over the seeds after each batch, least and most after the last."""
    batches = " | ".join(f"batch {number}" for number in range(1, BATCHES + 1))
    lines = [
        f"| new / old | {batches} | new at last | old at last | forgotten | images | CPU s |",
        f"|---|{'---:|' * (BATCHES + 5)}",
    ]
    for arm, runs in results.items():
        each = []
        for number in range(1, BATCHES + 1):
            new, old = (statistics.median(getattr(s[number], what) for s in runs) for what in ("new", "old"))
            each.append(f"{new:.2f} / {old:.2f}")
        cells = [
            *each,
            _spread([scores[-1].new for scores in runs]),
            _spread([scores[-1].old for scores in runs]),
            _spread([scores[0].old - scores[-1].old for scores in runs]),
            f"{statistics.median(score.images for scores in runs for score in scores[1:]):.0f}",
            f"{statistics.median(score.cpu for scores in runs for score in scores[1:]):.0f}",
        ]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options = parser.parse_args(arguments)
    results: dict[str, list[list[Score]]] = defaultdict(list)
    for arm in ARMS:
        for seed in options.seeds:
            with Study(seed) as study:
                results[arm].append(run(study, arm))
    print(table(results))


if __name__ == "__main__":
    main()
