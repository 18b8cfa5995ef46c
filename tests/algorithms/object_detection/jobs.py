"""Tiny jobs for the detector: an ML root with scenes of the sample in it, as the cloud would lay it out."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from include import recordio
from include.algorithms.container import Container
from include.samples.scenes import SIDE, Scene, draw

PIPE = {"TrainingInputMode": "Pipe", "ContentType": "application/x-recordio", "RecordWrapperType": "RecordIO"}


def encode(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def label(scene: Scene) -> dict[str, Any]:
    return {
        "annotations": [
            {"class_id": int(b.label), "left": b.left, "top": b.top, "width": b.width, "height": b.height}
            for b in scene.boxes
        ],
        "image_size": [{"width": SIDE, "height": SIDE, "depth": 3}],
    }


def records(count: int, seed: int = 1) -> list[tuple[bytes, bytes]]:
    """Image and label bytes of a few day scenes."""
    scenes = [draw("day", "learning", seed, index) for index in range(count)]
    return [(encode(Image.fromarray(scene.pixels)), json.dumps(label(scene)).encode()) for scene in scenes]


def stream_of(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    stream = io.BytesIO()
    for image, text in pairs:
        recordio.write(stream, image)
        recordio.write(stream, text)
    return stream.getvalue()


@dataclass
class Job:
    """A training job's ML root, filled piece by piece."""

    root: Path
    channels: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def container(self) -> Container:
        return Container(self.root)

    def hyperparameters(self, **changes: str) -> Job:
        small = {
            "num_classes": "10", "num_training_samples": "8", "image_shape": "96", "mini_batch_size": "4",
            "epochs": "1", "optimizer": "adam", "base_network": "resnet-50", "use_pretrained_model": "0",
        }  # fmt: skip
        return self.configure("hyperparameters", {**small, **changes})

    def pipe(self, name: str, pairs: Sequence[tuple[bytes, bytes]]) -> Job:
        """A channel in Pipe mode; a plain file reads as a FIFO does."""
        return self.channel(name, PIPE, {f"{name}_0": stream_of(pairs)})

    def channel(self, name: str, description: dict[str, str], files: dict[str, bytes]) -> Job:
        for path, content in files.items():
            target = self.root / "input/data" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        self.channels[name] = description
        return self.configure("inputdataconfig", self.channels)

    def configure(self, name: str, content: dict[str, Any]) -> Job:
        folder = self.root / "input/config"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(content))
        return self
