"""Tiny jobs for the classifier: pictures of one colour each, in every form of the channels."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from include import recordio
from tests.algorithms.object_detection.jobs import PIPE, Job, encode

COLOURS = ((200, 40, 40), (40, 170, 60), (50, 70, 210))
FILE = {"TrainingInputMode": "File", "ContentType": "application/x-recordio"}
LISTED = {"TrainingInputMode": "File", "ContentType": "application/x-image"}
MULTI = {"multi_label": "1", "num_classes": "3"}

Pairs = Sequence[tuple[bytes, Any]]


def picture(colour: int, index: int = 0, size: tuple[int, int] = (32, 32)) -> bytes:
    """A JPEG of about this colour."""
    noise = np.random.default_rng([colour, index]).normal(0, 8, (size[1], size[0], 3))
    return encode(Image.fromarray((np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8)))


def pictures(count: int, start: int = 0) -> list[tuple[bytes, Any]]:
    """Images and classes, in turn."""
    return [(picture(number % 3, start + number), number % 3) for number in range(count)]


class ColourJob(Job):
    """A training job of three colours."""

    def hyperparameters(self, **changes: str) -> ColourJob:
        small = {
            "num_classes": "3", "num_training_samples": "30", "image_shape": "3,32,32", "resize": "36",
            "num_layers": "18", "mini_batch_size": "10", "epochs": "1", "optimizer": "adam",
            "learning_rate": "0.01",
        }  # fmt: skip
        self.configure("hyperparameters", {**small, **changes})
        return self

    def manifest(self, name: str, pairs: Pairs, form: str = "") -> ColourJob:
        """An augmented manifest's pipe; a plain file reads as a FIFO does."""
        kind = PIPE["ContentType"] + (f"; label-format={form}" if form else "")
        body = framed([part for image, label in pairs for part in (image, json.dumps(label).encode())])
        self.channel(name, PIPE | {"ContentType": kind}, {f"{name}_0": body})
        return self

    def rec(self, name: str, pairs: Pairs, pipe: bool = False) -> ColourJob:
        """A .rec file, of one class or of a row each."""
        body = framed([packed(label, number, image) for number, (image, label) in enumerate(pairs)])
        place, kind = (f"{name}_0", PIPE) if pipe else (f"{name}/{name}.rec", FILE)
        self.channel(name, kind, {place: body})
        return self

    def listed(self, name: str, pairs: Pairs, text: str | None = None) -> ColourJob:
        """Images and a list; ``text`` replaces it."""
        files = {f"{name}/a/{number}.jpg": image for number, (image, _) in enumerate(pairs)}
        lines = [
            "\t".join(
                map(str, [7 * number, *(label if isinstance(label, list) else [label]), f"a/{number}.jpg"])
            )
            for number, (_, label) in enumerate(pairs)
        ]
        files[f"{name}_lst/{name}.lst"] = (text or "\n".join(lines) + "\n").encode()
        self.channel(name, LISTED, files)
        self.channel(f"{name}_lst", LISTED, {})
        return self


def packed(label: Any, number: int, image: bytes) -> bytes:
    """A .rec record, as im2rec writes it."""
    return recordio.pack(recordio.Record(number, tuple(label) if isinstance(label, list) else label, image))


def framed(parts: Sequence[bytes]) -> bytes:
    stream = io.BytesIO()
    for part in parts:
        recordio.write(stream, part)
    return stream.getvalue()


def model_channel(job: Job, archive: bytes) -> Job:
    return job.channel("model", {"TrainingInputMode": "File"}, {"model/model.tar.gz": archive})
