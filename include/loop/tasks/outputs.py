"""Predictions as S3 has them, many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import Storage, in_parallel
from include.loop.tasks.protocol import AnyTask


def read_outputs(task: AnyTask, storage: Storage, outputs: Mapping[str, str | None]) -> dict[str, Any]:
    """The prediction on each image (URI to that of its output) that has a readable output."""

    def read(item: tuple[str, str | None]) -> tuple[str, Any]:
        image, location = item
        try:
            found = None if location is None else task.read_output(storage, location, image)
        except (BadRecord, FileNotFoundError):
            found = None
        return image, found

    return {image: found for image, found in in_parallel(read, outputs.items()) if found is not None}
