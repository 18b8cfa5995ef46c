"""What a detector forgets batch by batch, and what replay does about it: the tables of docs/benchmarks.md.

    python -m benchmarks.forgetting [--seeds 1 2 3 4 5] [--ways naive "from scratch"]
    python -m benchmarks.forgetting --sample trees --seeds 1 2 3    # half an hour of CPU a seed

A model that knows day scenes meets five batches of 40 reviewed scenes. The batches differ: each shows two of
the ten digits above all. Of the trees, a model that knows site A meets three batches of 40 tiles of site B.
Four ways to go on are compared: naive (the new labels only), replay of so many known images per new one as
the sample's pipeline says, chosen at random or balanced_hard, and a new model from all labels so far. After
each batch the model is measured on test images of the new kind (by night, site B) and of the old one (by day,
site A); forgotten is what the first model had of the old and the last has not. Images and CPU seconds are
those of one training. Models and detections are kept (models.py): a run that was stopped goes on, and a
second tells the same in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.batches import DIGITS, TREES, Reviewed, Study
from benchmarks.models import Model
from include.loop.tasks.detection.metrics import average_precision
from include.samples.reviewing import Noise

REVIEWED = 40
SEEDS = (1, 2, 3, 4, 5)
NAIVE, SCRATCH = "naive", "from scratch"
SAMPLES = {"digits": DIGITS, "trees": TREES}
ARMS = (NAIVE, "replay random", "replay balanced_hard", SCRATCH)


@dataclass(frozen=True)
class Score:
    """One model: mAP@0.5 of the new and of the old, and the CPU seconds and images of its training."""

    new: float
    old: float
    cpu: float
    images: int


def run(study: Study, arm: str) -> list[Score]:
    """The first model, then one after each batch."""
    known, validation = study.first_labels(), study.halves()[0]
    champion = study.models.train("first", "initial", known, validation)
    scores = [measure(study, champion)]
    for number in range(study.batches):
        batch = skewed(study, number)
        validation = validation + batch.held_out
        part = f"forget-{arm.replace(' ', '-')}-{number + 1}"
        if arm == SCRATCH:
            champion = study.models.train(part, "initial", known + batch.learned, validation)
        elif arm == NAIVE:
            # Who has nothing but new labels has nothing else to choose the best epoch by; where none of
            # them is held out, there has to be something.
            choose_by = batch.held_out or validation
            champion = study.models.train(part, "incremental", batch.learned, choose_by, champion)
        else:
            again = study.replayed(champion, known, batch.learned, part, arm.split()[1])
            champion = study.models.train(part, "incremental", batch.learned + again, validation, champion)
        known = known + batch.learned
        scores.append(measure(study, champion))
    return scores


def skewed(study: Study, number: int) -> Reviewed:
    """The scenes of a batch in which its two digits make up most of what is there, reviewed; where there are
    not so many classes, the first scenes.
    """
    shown = study.pipeline.classes[2 * number : 2 * number + 2]
    scenes = study.objects(number)
    order = list(scenes)
    if len(study.pipeline.classes) >= 2 * study.batches:
        order.sort(key=lambda image: -sum(d in shown for d in scenes[image]) / len(scenes[image]))
    return study.answers(order[:REVIEWED], Noise())


def measure(study: Study, model: Model) -> Score:
    scores = {}
    for name in (study.new, study.old):
        lines = study.labels(f"test/{name}")
        found = study.models.detect(model, name, [line.source for line in lines])
        scores[name] = average_precision(lines, found, study.pipeline.classes).score or 0.0
    return Score(scores[study.new], scores[study.old], model.cost["cpu"], model.cost["images"])


def table(results: dict[str, list[list[Score]]]) -> str:
    """Markdown, a row per way: medians over the seeds after each batch, least and most after the last."""
    count = min(len(scores) for runs in results.values() for scores in runs) - 1
    batches = " | ".join(f"batch {number}" for number in range(1, count + 1))
    lines = [
        f"| new / old | {batches} | new at last | old at last | forgotten | images | CPU s |",
        f"|---|{'---:|' * (count + 5)}",
    ]
    for arm, runs in results.items():
        each = []
        for number in range(1, count + 1):
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
    parser.add_argument("--sample", choices=SAMPLES, default="digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--ways", choices=ARMS, nargs="+", default=ARMS)
    options = parser.parse_args(arguments)
    results: dict[str, list[list[Score]]] = defaultdict(list)
    for seed in options.seeds:
        with Study(seed, world=SAMPLES[options.sample]) as study:
            for arm in options.ways:
                results[arm].append(run(study, arm))
                told = ", then ".join(f"{score.new:.3f} / {score.old:.3f}" for score in results[arm][-1])
                print(f"seed {seed}, {arm}: {told}", file=sys.stderr, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
