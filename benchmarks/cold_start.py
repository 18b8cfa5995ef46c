"""What people are best asked about before there is a model: images at random, or the most diverse ones.

    python -m benchmarks.cold_start [--seeds 1 2 3 4 5]

A first night of digit scenes, of which 40 are asked about and answered without mistakes. Twice: *single*, 200
scenes, and *bursts*, 60 scenes that a camera has seen 1 to 30 times each, a little shaken, brighter or
darker, and noisier. For each choice how many boxes the answers have, how many of the rarest digit, and how
many different scenes; and the mAP@0.5, on 200 other scenes by night, of a first model that learned from the
answers for 60 epochs. Models are kept (models.py): a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from benchmarks.models import CACHE, PIPELINE, Models
from include.loop.core.identity import share
from include.loop.nightly.diversity import describe, farthest_first
from include.loop.tasks.detection.manifest import LabelledImage, read_value
from include.loop.tasks.detection.metrics import average_precision
from include.samples.scenes import SIDE, Scene, draw

SEEDS = (1, 2, 3, 4, 5)
ASKED = 40
EPOCHS = 60
SCENES, TEST_SCENES = 200, 200
BURSTS, BURST_FRAMES = 60, (1, 1, 1, 2, 5, 10, 30)
DAYS, CHOICES = ("single", "bursts"), ("random", "diverse")
# The seed words of the scenes: of no other part of the sample.
NIGHT, TEST, SHAKE = 90, 91, 92


@dataclass(frozen=True)
class Frame:
    """One image: its name, what is on it, and the number of its scene."""

    source: str
    pixels: np.ndarray
    scene: Scene
    number: int

    @property
    def line(self) -> LabelledImage:
        boxes = [
            {"class_id": PIPELINE.classes.index(box.label)}
            | {side: getattr(box, side) for side in ("left", "top", "width", "height")}
            for box in self.scene.boxes
        ]
        size = {"width": SIDE, "height": SIDE, "depth": 3}
        label = {"annotations": boxes, "image_size": [size]}
        value = {"source-ref": self.source, PIPELINE.label_attribute: label}
        return read_value(value, PIPELINE.label_attribute, PIPELINE.classes)


@dataclass(frozen=True)
class Outcome:
    """Of one choice: counts of its answers, and the mAP@0.5 of its model."""

    boxes: int
    rarest: int
    scenes: int
    score: float


def run(seed: int, day: str, choice: str) -> Outcome:
    batch = frames(seed, day)
    chosen = choose(batch, choice)
    digits = Counter(box.label for frame in chosen for box in frame.scene.boxes)
    tests = [frame.line for frame in test_frames()]
    models = Models(CACHE / "cold" / str(seed), lambda source: _jpeg(_find(seed, day, source)))
    order = sorted(chosen, key=lambda frame: share("side", frame.source))
    held_out = round(ASKED * PIPELINE.training.validation_share)
    learn, validate = order[held_out:], order[:held_out]
    model = models.train(
        f"{day}-{choice}",
        "initial",
        [frame.line for frame in learn],
        [frame.line for frame in validate],
        hyperparameters={"epochs": EPOCHS},
    )
    found = models.detect(model, "test", [line.source for line in tests])
    return Outcome(
        boxes=digits.total(),
        rarest=min(digits[label] for label in PIPELINE.classes),
        scenes=len({frame.number for frame in chosen}),
        score=average_precision(tests, found, PIPELINE.classes).score or 0.0,
    )


def choose(batch: Sequence[Frame], choice: str) -> list[Frame]:
    shuffled = sorted(batch, key=lambda frame: share("blind", frame.source))
    if choice == "random":
        return shuffled[:ASKED]
    described = np.stack([describe(Image.open(io.BytesIO(_jpeg(frame)))) for frame in shuffled])
    return [shuffled[index] for index in farthest_first(described, ASKED)]


@cache
def frames(seed: int, day: str) -> list[Frame]:
    if day == "single":
        drawn = [draw("night", "learning", seed, NIGHT, number) for number in range(SCENES)]
        return [_frame(f"{seed}/single", scene.pixels, scene, n, 0) for n, scene in enumerate(drawn)]
    rng = np.random.default_rng((seed, SHAKE))
    found = []
    for number in range(BURSTS):
        scene = draw("night", "learning", seed, NIGHT, number)
        for again in range(int(rng.choice(BURST_FRAMES))):
            pixels = scene.pixels * rng.uniform(0.9, 1.1) + rng.normal(0, 6, scene.pixels.shape)
            pixels = np.roll(pixels, rng.integers(-2, 3, 2), (0, 1)).clip(0, 255).astype(np.uint8)
            found.append(_frame(f"{seed}/bursts", pixels, scene, number, again))
    return found


@cache
def test_frames() -> list[Frame]:
    drawn = [draw("night", "test", TEST, number) for number in range(TEST_SCENES)]
    return [_frame("test", scene.pixels, scene, number, 0) for number, scene in enumerate(drawn)]


def _frame(part: str, pixels: np.ndarray, scene: Scene, number: int, again: int) -> Frame:
    return Frame(f"s3://cold/{part}/{number}-{again}.jpg", pixels, scene, number)


def _find(seed: int, day: str, source: str) -> Frame:
    return next(frame for frame in (*frames(seed, day), *test_frames()) if frame.source == source)


def _jpeg(frame: Frame) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(frame.pixels).save(sink, "JPEG", quality=92, subsampling=0)
    return sink.getvalue()


def table(results: dict[tuple[str, str], list[Outcome]]) -> str:
    """Markdown: medians over the seeds, and in brackets the least and the most."""
    lines = [
        "| images | chosen | boxes | of the rarest digit | different scenes | mAP@0.5 by night |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for (day, choice), runs in results.items():
        counts = (
            f"{statistics.median(getattr(one, name) for one in runs):g}"
            for name in ("boxes", "rarest", "scenes")
        )
        scores = [one.score for one in runs]
        spread = f"{statistics.median(scores):.2f} ({min(scores):.2f} to {max(scores):.2f})"
        lines.append(f"| {day} | {choice} | {' | '.join(counts)} | {spread} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options = parser.parse_args(arguments)
    results: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for day in DAYS:
        for choice in CHOICES:
            results[day, choice] = [run(seed, day, choice) for seed in options.seeds]
    print(table(results))


if __name__ == "__main__":
    main()
