"""Nights of the digits sample in one process: the loop's rules and the algorithm, without cloud and people.

A ``Study`` is one seed's sample and the models trained on it. Everything that takes time (weights,
detections) is kept below ``.nightloop/benchmarks/<seed>/`` and written in one step, so that a run that was
stopped goes on where it was, and a benchmark judges again in seconds. Knows the loop's pure functions, the
algorithm's `train` command and the sample; settings are those of ``include/pipelines/digits.yaml``.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import jax
import numpy as np

from include.algorithms import recordio
from include.algorithms.container import Container
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.images import decode
from include.algorithms.object_detection.predict import Predictor
from include.algorithms.object_detection.train import train
from include.loop.config import Stage, load_pipeline
from include.loop.identity import share
from include.loop.manifest import LabelledImage, read_value
from include.loop.predictions import Prediction
from include.loop.transform import Detection
from include.loop.triage import AUDIT, Decision, choose
from include.samples.digit_scenes import TRUTH, Sample, generate
from include.samples.reviewing import Noise, Truths, review

CACHE = Path(__file__).parent.parent / ".nightloop/benchmarks"
PIPELINE = load_pipeline("digits")
_BATCH = 8  # images predicted at once

Detections = dict[str, tuple[Detection, ...]]  # by image URI


@dataclass(frozen=True)
class Night:
    """One reviewed night: the answers by what becomes of them, and why each image was asked about."""

    learned: list[LabelledImage]
    held_out: list[LabelledImage]
    audits: list[LabelledImage]

    @property
    def reviewed(self) -> int:
        return len(self.learned) + len(self.held_out) + len(self.audits)


@dataclass(frozen=True)
class Model:
    """A trained model's place in the cache."""

    name: str
    folder: Path

    @property
    def cost(self) -> dict[str, Any]:
        """``images`` learned from, wall ``seconds`` and ``cpu`` seconds."""
        return dict(json.loads((self.folder / "cost.json").read_text()))


class Study:
    """One seed: its images, made when they are needed, and its models, made once."""

    def __init__(self, seed: int, nights: int = 5, cache: Path = CACHE) -> None:
        self.seed = seed
        self._sample = Sample(seed, nights=nights)
        self._cache = cache / str(seed)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    # ---- images and labels

    @functools.cached_property
    def images(self) -> Path:
        self._temporary = tempfile.TemporaryDirectory()
        generate(self._sample, Path(self._temporary.name))
        return Path(self._temporary.name)

    def labels(self, name: str) -> list[LabelledImage]:
        """The true lines of ``initial/train``, ``initial/validation``, ``test/day`` or ``test/night``."""
        return [self.line(json.loads(text)) for text in self._text(f"{name}.manifest").splitlines()]

    @functools.cached_property
    def truth(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self._text(TRUTH).splitlines()]

    def batch(self, number: int) -> list[str]:
        """The images of the night (from 0)."""
        prefix = f"/images/dt={self._sample.dates()[number]}/"
        return [record["source-ref"] for record in self.truth if prefix in record["source-ref"]]

    @staticmethod
    def line(value: dict[str, Any]) -> LabelledImage:
        return read_value(value, PIPELINE.label_attribute, PIPELINE.classes)

    def halves(self) -> tuple[list[LabelledImage], list[LabelledImage]]:
        """The first held-out images: those that validate, and the memory set."""
        lines = sorted(self.labels("initial/validation"), key=lambda line: share("side", line.source))
        return lines[: len(lines) // 2], lines[len(lines) // 2 :]

    def _text(self, name: str) -> str:
        kept = self._cache / "labels" / str(self._sample.nights) / name
        if not kept.exists():
            _replace(kept, (self.images / name).read_bytes())
        return kept.read_text()

    def bytes(self, source: str) -> bytes:
        return (self.images / source.split("/", 4)[4]).read_bytes()

    # ---- a night

    def review(self, model: Model, number: int, noise: Noise, cap: int | None = None) -> Night:
        """What the model is unsure about in night `number`, answered by reviewers with this noise."""
        batch = self.batch(number)
        seen = self.detect(model, f"batch-{number}", batch)
        changes = {} if cap is None else {"cap": cap}
        settings = PIPELINE.triage.model_copy(update=changes)
        # An image's name stands for its ETag: all that triage and split want is that it never changes.
        identity = {source: f"{self.seed}/{source}" for source in batch}
        rows = choose([Prediction(s, identity[s], seen[s]) for s in batch], settings)
        night = Night([], [], [])
        truths = Truths(self.truth)
        for row in rows:
            if row.decision is not Decision.ASK:
                continue
            line = self._answer(row.image, seen[row.image], truths, noise)
            if row.reason == AUDIT:
                night.audits.append(line)
            elif share("side", identity[row.image]) < PIPELINE.training.validation_share:
                night.held_out.append(line)
            else:
                night.learned.append(line)
        return night

    def _answer(
        self, source: str, offered: Iterable[Detection], truths: Truths, noise: Noise
    ) -> LabelledImage:
        truth = truths.find(source)
        assert truth is not None, f"nobody knows {source}"
        prelabels = [
            _pixels(item, truth.width, truth.height)
            for item in offered
            if item.score >= PIPELINE.review.prelabel_threshold
        ]
        task = {"labels": PIPELINE.classes, "initialValue": prelabels}
        reviewed = review(task, truth, noise, Random(f"{self.seed}/{source}"), seconds_per_box=7.0)
        boxes = [
            {"class_id": PIPELINE.classes.index(box["label"])}
            | {side: box[side] for side in ("left", "top", "width", "height")}
            for box in reviewed.content["annotatedResult"]["boundingBoxes"]
        ]
        size = {"width": truth.width, "height": truth.height, "depth": 3}
        return self.line(
            {"source-ref": source, PIPELINE.label_attribute: {"annotations": boxes, "image_size": [size]}}
        )

    # ---- models

    def train(
        self,
        name: str,
        stage: Stage,
        learn: Sequence[LabelledImage],
        validate: Sequence[LabelledImage],
        parent: Model | None = None,
        changes: dict[str, Any] | None = None,
    ) -> Model:
        """Run the algorithm's `train` command on these lines, unless this model is there already."""
        model = Model(name, self._cache / name)
        if (model.folder / "cost.json").exists():
            return model
        settings = getattr(PIPELINE.training, stage).hyperparameters | (changes or {})
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            self._container(root, settings, learn, validate, parent)
            started, before = time.monotonic(), time.process_time()
            _quiet()
            with contextlib.redirect_stdout(io.StringIO()) as log:
                train(Container(root), threading.Event())
            cost = {
                "images": len(learn),
                "seconds": round(time.monotonic() - started, 2),
                "cpu": round(time.process_time() - before, 2),
            }
            shutil.copytree(root / "model", model.folder, dirs_exist_ok=True)
        _replace(model.folder / "log.txt", log.getvalue().encode())
        _replace(model.folder / "cost.json", json.dumps(cost).encode())  # last: now the model is whole
        return model

    def _container(
        self,
        root: Path,
        settings: dict[str, Any],
        learn: Sequence[LabelledImage],
        validate: Sequence[LabelledImage],
        parent: Model | None,
    ) -> None:
        """The files of the container contract; plain files stand for pipes."""
        data = root / "input/data"
        data.mkdir(parents=True)
        (root / "input/config").mkdir()
        channel = {
            "TrainingInputMode": "Pipe",
            "ContentType": "application/x-recordio",
            "RecordWrapperType": "RecordIO",
        }
        channels: dict[str, Any] = {"train": channel, "validation": channel}
        for name, lines in (("train", learn), ("validation", validate)):
            with (data / f"{name}_0").open("wb") as stream:
                for line in sorted(lines, key=lambda line: line.source):
                    recordio.write(stream, self.bytes(line.source))
                    recordio.write(stream, json.dumps(line.value[PIPELINE.label_attribute]).encode())
        if parent is not None:
            channels["model"] = {"TrainingInputMode": "File"}
            (data / "model").symlink_to(parent.folder, target_is_directory=True)
        given = {
            "num_classes": len(PIPELINE.classes),
            "num_training_samples": len(learn),
            "base_network": PIPELINE.training.base_network,
            "image_shape": PIPELINE.training.image_shape,
            **settings,
        }
        (root / "input/config/inputdataconfig.json").write_text(json.dumps(channels))
        (root / "input/config/hyperparameters.json").write_text(
            json.dumps({key: str(value) for key, value in given.items()})
        )

    def detect(self, model: Model, part: str, images: Sequence[str]) -> Detections:
        """The model's detections on these images; kept under the name of the part."""
        kept = model.folder / f"{part.replace('/', '-')}.npz"
        digest = hashlib.sha256("\n".join(images).encode()).hexdigest()
        if kept.exists():
            with np.load(kept) as file:
                if str(file["images"]) == digest:
                    return _detections(images, file["rows"])
        rows = self._predict(model, images)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=digest, rows=rows)
        _replace(kept, buffer.getvalue())
        return _detections(images, rows)

    def _predict(self, model: Model, images: Sequence[str]) -> np.ndarray:
        """(n, 7): the image's index, then class, score and corners."""
        _quiet()
        trained = artifact.read(model.folder)
        settings = trained.settings
        side = settings.image_shape
        predictor = Predictor(settings.num_classes, side, settings.nms_threshold, trained.variables)
        found: list[np.ndarray] = []
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([decode(self.bytes(s), side).pixels for s in images[start : start + _BATCH]])
            for offset, rows in enumerate(predictor.detect(pixels, batch=_BATCH)):
                found.append(np.column_stack([np.full(len(rows), start + offset), rows]))
        return np.concatenate(found or [np.empty((0, 7))]).astype(np.float32)


def _detections(images: Sequence[str], rows: np.ndarray) -> Detections:
    found: dict[str, list[Detection]] = {image: [] for image in images}
    for index, kind, *numbers in rows.tolist():
        found[images[int(index)]].append(Detection(int(kind), *numbers))
    return {image: tuple(items) for image, items in found.items()}


def _pixels(item: Detection, width: int, height: int) -> dict[str, Any]:
    left, top = round(item.xmin * width), round(item.ymin * height)
    return {
        "label": PIPELINE.classes[item.class_id],
        "left": left,
        "top": top,
        "width": max(1, round(item.xmax * width) - left),
        "height": max(1, round(item.ymax * height) - top),
    }


@functools.cache
def _quiet() -> None:
    """Compiled functions are kept between runs; the algorithm's log goes nowhere."""
    jax.config.update("jax_compilation_cache_dir", str(CACHE / "compiled"))
    logging.getLogger("algorithm").addHandler(logging.NullHandler())
    logging.getLogger("algorithm").propagate = False


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
