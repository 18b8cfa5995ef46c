"""Before and after, in pictures: the images on which the two models differ most.

Takes a round's examples, reads their images and predictions from S3, gives pairs of small pictures as data
URIs. How labels and predictions are drawn is the task's to say. Pixels are shown as they are stored: EXIF
orientation is never applied. What is gone or cannot be read is left out.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.loop.core import storage
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.images import read_image
from include.loop.core.records.batch_facts import CellFacts, Example
from include.loop.core.records.metrics import CHALLENGER, CHAMPION
from include.loop.tasks.protocol import AnyTask
from include.loop.tasks.values import Labelled
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from PIL import Image

# The longer side of a picture in pixels: sharp on a phone, and a page of twelve stays below a megabyte.
LONGEST = 400
SMALL = 96  # of one among many


_WHEN = {CHAMPION: "before: ", CHALLENGER: "after: "}
_UNREADABLE = (BadRecord, ConfigurationError, FileNotFoundError, OSError, ValueError)


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


def draw(
    workspace: Workspace, examples: Iterable[Example], threshold: float, *, alone: bool = False
) -> list[Pair]:
    """A pair of pictures for every example that can still be shown, with the predictions that count. With
    ``alone`` the challenger's is the only one, and comes after nothing.
    """
    task, target = workspace.task, workspace.storage

    def read(image: str) -> bytes:
        return target.read(image, most=storage.MOST_BYTES)

    def look(example: Example) -> Pair | None:
        try:
            label = task.read_value(example.label)
            found = {
                "" if alone else model: task.read_output(target, output, example.image) if output else ()
                for model, output in sorted(example.out.items(), reverse=True)  # the champion first
            }
        except _UNREADABLE:
            return None
        return pair(task, example, read, label, found, threshold)

    return [found for found in storage.in_parallel(look, examples) if found is not None]


def pair(
    task: AnyTask,
    example: Example,
    read: Callable[[str], bytes],
    label: Labelled,
    predictions: Mapping[str, Any],
    threshold: float,
) -> Pair | None:
    """An example as each model sees it; None where its image cannot be read."""
    try:
        scene = scene_of(read(example.image), LONGEST)
    except _UNREADABLE:
        return None
    name = example.image.rsplit("/", 1)[-1]
    views = []
    for model, prediction in predictions.items():
        drawn = task.draw(scene, label, prediction, threshold)
        told = _WHEN.get(model, "") + drawn.told
        views.append(Seen(told, data_uri(drawn.picture), f"{name} {told}"))
    return Pair(example, tuple(views))


def thumbnails(read: Callable[[str], bytes], cell: CellFacts) -> list[Seen]:
    """The images of a cell of the confusion, small and as they are, each with how sure the model was."""

    def look(example: Example) -> Seen | None:
        try:
            scene = scene_of(read(example.image), SMALL)
        except _UNREADABLE:
            return None
        score = f"{example.mistake.score:.2f}" if example.mistake else ""
        name = example.image.rsplit("/", 1)[-1]
        return Seen(score, data_uri(scene), f"{name}: {cell.true} → {cell.said} {score}")

    return [seen for seen in storage.in_parallel(look, cell.examples) if seen is not None]


def scene_of(body: bytes, side: int) -> Image.Image:
    """A picture with this longer side or a little less: larger ones made smaller, small ones enlarged by a
    whole number, so that their pixels stay pixels.
    """
    from PIL import Image

    scene = read_image(body, "RGB", side).image
    longest = max(scene.size)
    if longest >= side:
        scene.thumbnail((side, side))
        return scene
    times = side // longest
    return scene.resize((scene.width * times, scene.height * times), Image.Resampling.NEAREST)


def data_uri(picture: Image.Image) -> str:
    """A picture as a page has it in itself."""
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=82)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
