"""Labels that are wrong, and how many of them a model points at: precision among the worst k.

    python -m benchmarks.label_errors [--sample digits|trees] [--seeds 1 2 3 4 5]

A champion that has learned one batch of the new world meets the next, all of whose images are labelled by
people who err: each kind of error alone, then all together. Labels are put in order by what the champion says
of them, which has learned none of them: by how hard they are for it (what replay goes by), and by how
probable it is that they are wrong (suspicion.py), with its scores as they are and calibrated on what was held
out. Told are the share of wrong labels among the first ten, and among as many as are wrong, medians over the
seeds; by chance it is the share of all. Models are kept (models.py): a second run tells the same in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.batches import DIGITS, TREES, Lines, Study, World
from benchmarks.models import Detections
from benchmarks.rounds import first, reviewed
from include.loop.core.identity import share
from include.loop.tasks.calibrating import Wish
from include.loop.tasks.detection.calibration import apply, calibrate
from include.loop.tasks.detection.difficulty import difficulty
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.suspicion import suspicion, suspicions
from include.samples.reviewing import Noise

SAMPLES: Mapping[str, tuple[World, tuple[str, ...]]] = {
    "digits": (DIGITS, ("missed", "extra", "mislabelled", "shifted")),
    "trees": (TREES, ("missed", "extra", "shifted")),  # one class: nothing to take it for
}
SEEDS = (1, 2, 3, 4, 5)
NONE = Noise(0, 0, 0, 0)
RATE = 0.05  # of boxes; of invented ones an image
FIRST = 10
WAYS = ("difficulty", "suspicion, scores as they are", "suspicion, calibrated")

Order = Callable[[LabelledImage], float]


@dataclass(frozen=True)
class Found:
    """The share of wrong labels among all, the first ten, and as many as are wrong."""

    all: float
    first: float
    as_many: float


def run(study: Study, kinds: Sequence[str]) -> Iterator[tuple[str, str, Found]]:
    """Kind of error, way, and what was found."""
    start = first(study)
    known = reviewed(study, start, 0, "good", NONE)
    champion = known.after.champion
    images = list(study.objects(1))
    seen = study.models.detect(champion, "errors-batch-2", images)
    held_out = {"retention": study.halves()[1], "recent": known.slices.get("recent", [])}
    said = {
        name: study.models.detect(champion, f"errors-{name}", [line.source for line in lines])
        for name, lines in held_out.items()
        if lines
    }
    by = calibrate(
        {name: held_out[name] for name in said},
        {},
        {source: items for some in said.values() for source, items in some.items()},
        study.pipeline.classes,
        Wish(),
    )
    read = {source: apply(items, by, study.pipeline.classes) for source, items in seen.items()}
    threshold = study.pipeline.evaluation.score_threshold
    orders: dict[str, Order] = {
        WAYS[0]: lambda line: difficulty(line, seen[line.source], threshold),
        WAYS[1]: lambda line: suspicion(suspicions(line, seen[line.source])),
        WAYS[2]: lambda line: suspicion(suspicions(line, read[line.source])),
    }
    right = boxes_of(answered(study, images, NONE, seen))
    for kind in (*kinds, "all of them"):
        noise = Noise(**{name: RATE if kind in (name, "all of them") else 0.0 for name in vars(NONE)})
        lines = answered(study, images, noise, seen)
        wrong = {source for source, own in boxes_of(lines).items() if own != right[source]}
        for way, order in orders.items():
            ordered = sorted(lines, key=lambda line: (-order(line), share("error", line.source)))
            hits = [line.source in wrong for line in ordered]
            among = [statistics.mean(hits[:count] or [False]) for count in (len(hits), FIRST, len(wrong))]
            yield kind, way, Found(*among)


def answered(study: Study, images: Sequence[str], noise: Noise, seen: Detections) -> Lines:
    """What people say who begin with the champion's boxes."""
    batch = study.answers(images, noise, seen=seen)
    return [*batch.learned, *batch.held_out]


def boxes_of(lines: Lines) -> dict[str, list[tuple[float, ...]]]:
    return {
        line.source: sorted((b.class_id, b.left, b.top, b.width, b.height) for b in line.boxes)
        for line in lines
    }


def table(results: Mapping[tuple[str, str], Sequence[Found]]) -> str:
    """Markdown: a row for each kind of error, and a column for each way."""
    kinds = dict.fromkeys(kind for kind, _ in results)
    lines = [f"| errors | wrong of all | {' | '.join(WAYS)} |", f"|---|---:|{'---:|' * len(WAYS)}"]
    for kind in kinds:
        cells = []
        for way in WAYS:
            own = results[kind, way]
            among = [statistics.median(getattr(one, name) for one in own) for name in ("first", "as_many")]
            cells.append(" / ".join(f"{value:.2f}" for value in among))
        by_chance = statistics.median(one.all for one in results[kind, WAYS[0]])
        lines.append(f"| {kind} | {by_chance:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", choices=SAMPLES, default="digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options = parser.parse_args(arguments)
    world, kinds = SAMPLES[options.sample]
    results: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for seed in options.seeds:
        with Study(seed, world=world) as study:
            for kind, way, found in run(study, kinds):
                results[kind, way].append(found)
                print(
                    f"seed {seed}, {kind}, {way}: {found.first:.2f} / {found.as_many:.2f}",
                    file=sys.stderr,
                    flush=True,
                )
    print(table(results))


if __name__ == "__main__":
    main()
