"""Models trained and asked in this process, each once.

Takes labelled lines, runs the algorithm's `train` command on them under the container contract, and keeps
weights, costs and detections below one folder. Everything is written in one step, so that a run that was
stopped goes on where it was. Knows the algorithm and the pipeline's settings; where images come from it is
told.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from include import recordio
from include.algorithms.container import Container
from include.algorithms.images import decode
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.predict import Predictor
from include.algorithms.object_detection.train import train
from include.loop.config import Pipeline, Stage, load_pipeline
from include.loop.core.identity import content_hash
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.predictions import Detection

CACHE = Path(__file__).parent.parent / ".nightloop/benchmarks"
PIPELINE = load_pipeline("digits")
_BATCH = 8  # images predicted at once

Detections = dict[str, tuple[Detection, ...]]  # by image URI


class NotKept(LookupError):
    """This model was not trained yet, or from other labels or with other settings."""


@dataclass(frozen=True)
class Model:
    """A trained model's place in the cache; its name is the caller's, and one model has it at a time."""

    name: str
    folder: Path

    @property
    def cost(self) -> dict[str, Any]:
        """How many ``images`` it learned from, in how many wall ``seconds`` and ``cpu`` seconds; and
        ``made_of``, a hash of labels, settings and parent.
        """
        return dict(json.loads((self.folder / "cost.json").read_text()))

    def is_made_of(self, digest: str) -> bool:
        """Whether it is there, whole, and made of just this."""
        return (self.folder / "cost.json").exists() and self.cost["made_of"] == digest


@dataclass(frozen=True)
class Models:
    """The models of one folder. ``read`` gives an image's bytes by its URI."""

    folder: Path
    read: Callable[[str], bytes]
    may_train: bool = True
    pipeline: Pipeline = PIPELINE

    def train(
        self,
        name: str,
        stage: Stage,
        learn: Sequence[LabelledImage],
        validate: Sequence[LabelledImage],
        parent: Model | None = None,
        hyperparameters: Mapping[str, Any] | None = None,
    ) -> Model:
        """The model of these lines and the pipeline's hyperparameters, or those that take their place.
        NotKept when it is not there, and none may be trained.
        """
        training = self.pipeline.training
        model = Model(name, self.folder / name)
        settings = {
            "num_classes": len(self.pipeline.classes),
            "num_training_samples": len(learn),
            "base_network": training.base_network,
            "image_shape": training.image_shape,
            **getattr(training, stage).hyperparameters,
            **(hyperparameters or {}),
        }
        sides = [sorted([line.source, self._label(line)] for line in lines) for lines in (learn, validate)]
        made_of = content_hash(settings, sides, parent and parent.cost["made_of"])
        if model.is_made_of(made_of):
            return model
        if not self.may_train:
            raise NotKept(name)
        _set_up()
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            self._lay_out(root, settings, learn, validate, parent)
            started, before = time.monotonic(), time.process_time()
            with contextlib.redirect_stdout(io.StringIO()) as log:
                train(Container(root), threading.Event())
            cost = {
                "made_of": made_of,
                "images": len(learn),
                "seconds": round(time.monotonic() - started, 2),
                "cpu": round(time.process_time() - before, 2),
            }
            shutil.rmtree(model.folder, ignore_errors=True)  # what an older model of this name has seen
            shutil.copytree(root / "model", model.folder)
        replace(model.folder / "log.txt", log.getvalue().encode())
        replace(model.folder / "cost.json", json.dumps(cost).encode())  # last: now the model is whole
        return model

    def detect(self, model: Model, part: str, images: Sequence[str]) -> Detections:
        """The model's detections on these images, kept under the name of the part."""
        kept = model.folder / f"{part.replace('/', '-')}.npz"
        digest = hashlib.sha256("\n".join(images).encode()).hexdigest()
        if kept.exists():
            with np.load(kept) as file:
                if str(file["images"]) == digest:
                    return _by_image(images, file["rows"])
        rows = self._predict(model, images)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=digest, rows=rows)
        replace(kept, buffer.getvalue())
        return _by_image(images, rows)

    def _lay_out(
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
                    recordio.write(stream, self.read(line.source))
                    recordio.write(stream, self._label(line).encode())
        if parent is not None:
            channels["model"] = {"TrainingInputMode": "File"}
            (data / "model").symlink_to(parent.folder, target_is_directory=True)
        texts = {key: str(value) for key, value in settings.items()}
        (root / "input/config/inputdataconfig.json").write_text(json.dumps(channels))
        (root / "input/config/hyperparameters.json").write_text(json.dumps(texts))

    def _predict(self, model: Model, images: Sequence[str]) -> np.ndarray:
        """(n, 7): the image's index, then class, score and corners."""
        _set_up()
        trained = artifact.read(model.folder)
        settings = trained.settings
        side = settings.image_shape
        predictor = Predictor(settings, trained.variables)
        found: list[np.ndarray] = []
        for start in range(0, len(images), _BATCH):
            pixels = np.stack(
                [decode(self.read(s), side, side).pixels for s in images[start : start + _BATCH]]
            )
            for offset, rows in enumerate(predictor.detect(pixels, batch=_BATCH)):
                found.append(np.column_stack([np.full(len(rows), start + offset), rows]))
        return np.concatenate(found or [np.empty((0, 7))]).astype(np.float32)

    def _label(self, line: LabelledImage) -> str:
        return json.dumps(line.value[self.pipeline.label_attribute])


def replace(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _by_image(images: Sequence[str], rows: np.ndarray) -> Detections:
    found: dict[str, list[Detection]] = {image: [] for image in images}
    for index, kind, *numbers in rows.tolist():
        found[images[int(index)]].append(Detection(int(kind), *numbers))
    return {image: tuple(items) for image, items in found.items()}


@functools.cache
def _set_up() -> None:
    """Compiled functions are kept between runs; the algorithm's messages go nowhere."""
    jax.config.update("jax_compilation_cache_dir", str(CACHE / "compiled"))
    logging.getLogger("algorithm").addHandler(logging.NullHandler())
    logging.getLogger("algorithm").propagate = False
