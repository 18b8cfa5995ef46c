"""The images that show best what changed: the biggest gains of the challenger, and its biggest losses.

Takes the comparison by image that the evaluation has kept and the labels of those images, gives a few
``Example`` values that carry all that is needed to draw them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.identity import share
from include.loop.core.records.batch_facts import Example
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.metrics import ImageComparison
from include.loop.tasks.values import Labelled
from include.loop.workspace import Workspace

# So many pictures of gains, and as many of losses.
SHOWN = 4
# The candidates whose labels are read: F1 alone does not say how much there is to see.
CANDIDATES = 60


def choose(workspace: Workspace, rows: Iterable[ImageComparison], dataset: Dataset | None) -> list[Example]:
    """The images to show, gains first, each with its label.

    Of two images with the same gain in F1, the one with more objects says more; images of equal weight come
    in the order of a hash, so that not one slice takes all places.
    """
    compared = [(row.gain, row) for row in rows if row.gain]
    chosen = []
    for sign in (1, -1):
        candidates = [(sign * gain, row) for gain, row in compared if sign * gain > 0]
        candidates.sort(key=lambda item: (-item[0], share("example", item[1].image)))
        candidates = candidates[:CANDIDATES]
        labels = labels_of(workspace, [row for _, row in candidates], dataset)
        weighed = [
            (-size * len(label.classes), number, row, label)
            for number, (size, row) in enumerate(candidates)
            if (label := labels.get((row.slice, row.image)))
        ]
        for _, _, row, label in sorted(weighed, key=lambda item: item[:2])[:SHOWN]:
            chosen.append(
                Example(
                    slice=row.slice,
                    image=row.image,
                    champion_f1=row.champion_f1 or 0.0,
                    challenger_f1=row.challenger_f1 or 0.0,
                    gain=row.gain or 0.0,
                    label=shown_label(workspace, label),
                    out=row.out,
                )
            )
    return chosen


def shown_label(workspace: Workspace, label: Labelled) -> dict[str, Any]:
    """What a label's line says of the label itself, which is all that is drawn of it."""
    attribute = workspace.pipeline.label_attribute
    names = ("source-ref", attribute, f"{attribute}-metadata")
    return {name: label.value[name] for name in names if name in label.value}


def labels_of(
    workspace: Workspace, rows: Sequence[ImageComparison | Example], dataset: Dataset | None
) -> dict[tuple[str, str], Labelled]:
    """Labels by slice and image, from the test sets' manifests and those of the dataset."""
    found: dict[tuple[str, str], Labelled] = {}
    for name in sorted({row.slice for row in rows}):
        wanted = {row.image for row in rows if row.slice == name}
        place = workspace.pipeline.test_sets.get(name)
        if place is None and dataset:
            place = dataset.manifest(name)
        if place:
            lines = read_labels(workspace, place)
            found |= {(name, line.source): line for line in lines if line.source in wanted}
    return found


def read_labels(workspace: Workspace, place: str) -> Iterator[Labelled]:
    """The usable lines of a manifest; none where there is no manifest."""
    try:
        for raw in workspace.storage.read_raw_lines(place):
            try:
                yield workspace.task.read_line(raw)
            except BadRecord:
                continue
    except FileNotFoundError:
        return
