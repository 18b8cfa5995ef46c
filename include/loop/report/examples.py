"""The images that show best what changed: the biggest gains of the challenger, and its biggest losses.

Takes the comparison by image that the evaluation has kept and the labels of those images, gives a few
``Example`` values that carry all that is needed to draw them. Knows facts, manifest and storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.identity import share
from include.loop.tasks.detection.manifest import LabelledImage, read_line
from include.loop.workspace import Workspace

# So many pictures of gains, and as many of losses.
SHOWN = 4
# The candidates whose labels are read: F1 alone does not say how much there is to see.
CANDIDATES = 60


def choose(
    workspace: Workspace, rows: Iterable[Mapping[str, Any]], dataset_id: str | None
) -> list[dict[str, Any]]:
    """The rows of images.jsonl to show, gains first, each with its size and labelled boxes.

    Of two images with the same gain in F1, the one with more objects says more; images of equal weight come
    in the order of a hash, so that not one slice takes all places.
    """
    compared = [row for row in rows if isinstance(row.get("gain"), int | float)]
    chosen = []
    for sign in (1, -1):
        candidates = [row for row in compared if sign * row["gain"] > 0]
        candidates.sort(key=lambda row: (-sign * row["gain"], share("example", row["image"])))
        labels = _labels(workspace, candidates[:CANDIDATES], dataset_id)
        weighed = [
            (-sign * row["gain"] * len(label.boxes), number, row, label)
            for number, row in enumerate(candidates[:CANDIDATES])
            if (label := labels.get((row["slice"], row["image"])))
        ]
        for _, _, row, label in sorted(weighed, key=lambda item: item[:2])[:SHOWN]:
            boxes = [vars(box) for box in label.boxes]
            chosen.append({**row, "width": label.width, "height": label.height, "boxes": boxes})
    return chosen


def _labels(
    workspace: Workspace, rows: Sequence[Mapping[str, Any]], dataset_id: str | None
) -> dict[tuple[str, str], LabelledImage]:
    """Labels by slice and image, from the test sets' manifests and those of the dataset."""
    found: dict[tuple[str, str], LabelledImage] = {}
    for name in sorted({row["slice"] for row in rows}):
        wanted = {row["image"] for row in rows if row["slice"] == name}
        place = workspace.pipeline.test_sets.get(name)
        if place is None and dataset_id:
            place = layout.dataset_manifest(dataset_id, name)
        if place:
            found |= {(name, line.source): line for line in _lines(workspace, place) if line.source in wanted}
    return found


def _lines(workspace: Workspace, place: str) -> Iterator[LabelledImage]:
    pipeline = workspace.pipeline
    try:
        for raw in workspace.storage.read_raw_lines(place):
            try:
                yield read_line(raw, pipeline.label_attribute, pipeline.classes)
            except BadRecord:
                continue
    except FileNotFoundError:
        return
