"""What the detector learns from the digits sample, and how long it takes: one table, one row per seed.

    python -m benchmarks.detector_digits --seeds 1 2 3 4

Each row is the loop without its cloud: train on day scenes as a process under the container contract, score a
night's batch, let a noisy reviewer label the images scored lowest, train on from the artifact with replayed
day scenes, and measure both models on test scenes by other writers. Wall seconds depend on what else runs;
CPU seconds hardly do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from include.algorithms import recordio
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.evaluation import mean_average_precision
from include.algorithms.object_detection.images import decode
from include.algorithms.object_detection.predict import Detections, Predictor
from include.samples.digit_scenes import ATTRIBUTE, CLASSES, TRUTH, Sample, generate

COMMON = {"num_classes": "10", "base_network": "resnet-50", "use_pretrained_model": "0", "optimizer": "adam"}
INITIAL = {"learning_rate": "0.002", "mini_batch_size": "8", "epochs": "8"}
INCREMENTAL = {"learning_rate": "0.001", "mini_batch_size": "8", "epochs": "10"}
REVIEWED, AUDITED, REPLAYED = 100, 8, 300

Lines = list[dict]  # of an augmented manifest


@dataclass(frozen=True)
class Run:
    """One training: its model, and what it cost."""

    model: Path
    seconds: float
    cpu: float


def train(
    root: Path,
    images: Path,
    lines: Lines,
    validation: Lines,
    settings: dict[str, str],
    parent: Path | None = None,
) -> Run:
    """Run the train command below `root` on these manifest lines; plain files stand for pipes."""
    data = root / "input/data"
    data.mkdir(parents=True)
    channel = {
        "TrainingInputMode": "Pipe",
        "ContentType": "application/x-recordio",
        "RecordWrapperType": "RecordIO",
    }
    channels = {"train": channel, "validation": channel}
    for name, content in (("train", lines), ("validation", validation)):
        with (data / f"{name}_0").open("wb") as stream:
            for line in content:
                recordio.write(stream, (images / key(line)).read_bytes())
                recordio.write(stream, json.dumps(line[ATTRIBUTE]).encode())
    if parent is not None:
        channels["model"] = {"TrainingInputMode": "File"}
        (data / "model").symlink_to(parent, target_is_directory=True)
    (root / "input/config").mkdir()
    (root / "input/config/inputdataconfig.json").write_text(json.dumps(channels))
    given = {**COMMON, **settings, "num_training_samples": str(len(lines))}
    (root / "input/config/hyperparameters.json").write_text(json.dumps(given))
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with (root / "log").open("wb") as log:
        subprocess.run(
            [sys.executable, "-m", "include.algorithms.object_detection", "train"],
            env={**os.environ, "SM_ML_ROOT": str(root)}, stdout=log, check=True,
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(root / "model", time.monotonic() - started, cpu)


def detect(model: Path, images: Path, lines: Lines) -> list[Detections]:
    trained = artifact.read(model)
    settings = trained.settings
    predictor = Predictor(
        settings.num_classes, settings.image_shape, settings.nms_threshold, trained.variables
    )
    return [
        predictor.detect(decode((images / key(line)).read_bytes(), settings.image_shape).pixels[None])[0]
        for line in lines
    ]


def score(model: Path, images: Path, lines: Lines) -> float:
    """mAP@0.5 on these labelled scenes."""
    return mean_average_precision(detect(model, images, lines), [corners(line) for line in lines], 0.5)


def review(line: dict, rng: np.random.Generator) -> dict:
    """A reviewer's answer: the truth with 2% missed, 5% shifted, 2% mislabelled and 1% extra boxes."""
    annotations = []
    for box in line[ATTRIBUTE]["annotations"]:
        if rng.random() < 0.02:
            continue
        if rng.random() < 0.05:
            box = {**box, "left": max(0, box["left"] + rng.integers(-2, 3)), "top": max(0, box["top"] + 1)}
        if rng.random() < 0.02:
            box = {**box, "class_id": rng.integers(len(CLASSES))}
        annotations.append({name: int(value) for name, value in box.items()})
    if rng.random() < 0.01:
        left, top = (int(value) for value in rng.integers(0, 90, 2))
        annotations.append(
            {"class_id": int(rng.integers(10)), "left": left, "top": top, "width": 25, "height": 30}
        )
    return {**line, ATTRIBUTE: {**line[ATTRIBUTE], "annotations": annotations}}


def measure(seed: int, folder: Path, image_shape: int) -> str:
    images = folder / "sample"
    generate(Sample(seed), images)
    lines = {
        name: [json.loads(text) for text in (images / f"{name}.manifest").read_text().splitlines()]
        for name in ("initial/train", "initial/validation", "test/day", "test/night")
    }
    batch = [night(record) for record in map(json.loads, (images / TRUTH).read_text().splitlines())]
    batch = [line for line in batch if "/images/dt=" in line["source-ref"]]
    shape = {"image_shape": str(image_shape)}
    first = train(folder / "1", images, lines["initial/train"], lines["initial/validation"], INITIAL | shape)

    rng = np.random.default_rng(seed)
    best = np.array([rows[0, 1] if len(rows) else 0.0 for rows in detect(first.model, images, batch)])
    order = np.argsort(best, kind="stable")
    chosen = [*order[:REVIEWED], *rng.choice(order[REVIEWED:], AUDITED, replace=False)]
    answers = [review(batch[index], rng) for index in chosen]
    held = len(answers) // 10  # as the loop does: a share of the new labels validates
    replay = [
        lines["initial/train"][index] for index in rng.choice(len(lines["initial/train"]), REPLAYED, False)
    ]
    second = train(
        folder / "2", images, answers[held:] + replay, answers[:held] + lines["initial/validation"],
        INCREMENTAL | shape, first.model,
    )  # fmt: skip
    cells = [
        f"{score(model, images, lines[f'test/{light}']):6.3f}"
        for light in ("day", "night")
        for model in (first.model, second.model)
    ]
    times = [f"{run.seconds:6.0f} {run.cpu:6.0f}" for run in (first, second)]
    return " | ".join([f"{seed:6d}", *cells, *times])


def night(truth: dict) -> dict:
    """A truth record as the manifest line that a perfect reviewer would cause."""
    boxes = [
        {
            "class_id": CLASSES.index(box["label"]),
            **{name: box[name] for name in ("left", "top", "width", "height")},
        }
        for box in truth["boxes"]
    ]
    size = {"width": truth["width"], "height": truth["height"], "depth": 3}
    return {"source-ref": truth["source-ref"], ATTRIBUTE: {"annotations": boxes, "image_size": [size]}}


def corners(line: dict) -> np.ndarray:
    """A line's boxes as rows (class, xmin, ymin, xmax, ymax), fractions of the image."""
    size = line[ATTRIBUTE]["image_size"][0]
    rows = [
        [b["class_id"], b["left"], b["top"], b["left"] + b["width"], b["top"] + b["height"]]
        for b in line[ATTRIBUTE]["annotations"]
    ]
    scale = np.array([1, size["width"], size["height"], size["width"], size["height"]])
    return np.array(rows, float).reshape(-1, 5) / scale


def key(line: dict) -> str:
    """The file below the sample's directory."""
    return str(line["source-ref"].split("/", 4)[4])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--image-shape", type=int, default=128)
    options = parser.parse_args(arguments)
    print("mAP@0.5   day          | night           | initial       | incremental")
    print("  seed | before | after  | before | after  | wall s  cpu s | wall s  cpu s", flush=True)
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            print(measure(seed, Path(folder), options.image_shape), flush=True)


if __name__ == "__main__":
    main()
