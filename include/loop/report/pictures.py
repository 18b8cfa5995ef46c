"""Before and after, in pictures: the images on which the two models differ most.

Takes a round's examples, reads their images and predictions from S3, gives pairs of small pictures as data
URIs. How labels and predictions are drawn is the task's to say. Pixels are shown as they are stored: EXIF
orientation is never applied. What is gone or cannot be read is left out.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.loop.core import storage
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.images import read_image
from include.loop.core.records.batch_facts import Example
from include.loop.core.records.metrics import CHAMPION
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from PIL import Image

# The longer side of a picture in pixels: sharp on a phone, and a page of twelve stays below a megabyte.
LONGEST = 400


@dataclass(frozen=True)
class Seen:
    """What one model saw: in a few words, and the picture as a data URI with its alternative text."""

    told: str
    source: str
    alt: str


@dataclass(frozen=True)
class Pair:
    """One image before (None without a champion) and after."""

    example: Example
    views: tuple[Seen, ...]


def draw(workspace: Workspace, examples: Iterable[Example], threshold: float) -> list[Pair]:
    """A pair of pictures for every example that can still be shown, with the predictions that count."""

    def pair(example: Example) -> Pair | None:
        return _pair(workspace, example, threshold)

    return [pair for pair in storage.in_parallel(pair, examples) if pair is not None]


def _pair(workspace: Workspace, example: Example, threshold: float) -> Pair | None:
    task, target = workspace.task, workspace.storage
    try:
        scene = _fit(read_image(target.read(example.image, most=storage.MOST_BYTES), "RGB", LONGEST).image)
        label = task.read_value(example.label)
        found = {
            model: task.read_output(target, output) if output else ()
            for model, output in sorted(example.out.items(), reverse=True)  # the champion first
        }
    except (BadRecord, ConfigurationError, FileNotFoundError, OSError, ValueError):
        return None
    name = example.image.rsplit("/", 1)[-1]
    views = []
    for model, prediction in found.items():
        drawn = task.draw(scene, label, prediction, threshold)
        when = "before" if model == CHAMPION else "after"
        told = f"{when}: {drawn.told}"
        views.append(Seen(told, _data_uri(drawn.picture), f"{name} {told}"))
    return Pair(example, tuple(views))


def _fit(scene: Image.Image) -> Image.Image:
    """Larger ones made smaller; small ones enlarged by a whole number, so that their pixels stay pixels."""
    from PIL import Image

    longest = max(scene.size)
    if longest >= LONGEST:
        scene.thumbnail((LONGEST, LONGEST))
        return scene
    times = LONGEST // longest
    return scene.resize((scene.width * times, scene.height * times), Image.Resampling.NEAREST)


def _data_uri(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
