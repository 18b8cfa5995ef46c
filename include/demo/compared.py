"""What two models said of the same held-out images, from what lies in the bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from include.demo.batch import Batch


@dataclass(frozen=True)
class Compared:
    """One image's bytes, its line of the manifest, and each model's ``prediction`` as SageMaker wrote it."""

    image: bytes
    line: dict[str, Any]
    predictions: list[list[Any]]


def compared(
    batch: Batch, test_set: str, training_jobs: tuple[str, str], order: Callable[[dict[str, Any]], float]
) -> Iterator[Compared]:
    """The images of a test set that both models have predicted, by the order of their lines; of equal ones
    by that of the file.
    """
    outputs = [batch.outputs(training_job) for training_job in training_jobs]
    for line in sorted(lines_of(batch, test_set), key=order):
        files = [found.get(line["source-ref"]) for found in outputs]
        if not all(files):
            continue
        image = batch.read(batch.key(line["source-ref"]))
        if image is not None:
            yield Compared(image, line, [_prediction(batch.read(file)) for file in files if file])


def lines_of(batch: Batch, test_set: str) -> list[dict[str, Any]]:
    """The lines of a test set's manifest."""
    manifest = batch.read(f"test/{test_set}.manifest") or b""
    return [json.loads(line) for line in manifest.split(b"\n") if line.strip()]


def _prediction(body: bytes | None) -> list[Any]:
    """``{"prediction": […]}``, or of a classifier the bare list; nothing where the object is gone."""
    value = json.loads(body or b"[]")
    return value.get("prediction", []) if isinstance(value, dict) else value
