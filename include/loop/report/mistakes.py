"""The images that a challenger gets wrong: those on which it is surest, and those of each confusion.

Takes the comparison by image that the evaluation has kept, gives a few ``Example`` values and the largest
cells of the confusion beside the diagonal. A task that has no one mistake per image has none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from include.loop.core.identity import share
from include.loop.core.records.batch_facts import CellFacts, Example
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.metrics import ImageComparison, Mistake
from include.loop.report.examples import labels_of, shown_label
from include.loop.workspace import Workspace

SURE = 6  # mistakes that are drawn with all that both models say
CELLS, OF_A_CELL = 6, 8


def surest(rows: Iterable[ImageComparison]) -> list[Example]:
    """The wrong answers that the challenger is surest of."""
    return [_example(row) for row, _ in _wrong(rows)[:SURE]]


def with_labels(workspace: Workspace, examples: Sequence[Example], dataset: Dataset | None) -> list[Example]:
    """Those whose labels are still to be found, with them."""
    labels = labels_of(workspace, examples, dataset)
    return [
        example.model_copy(update={"label": shown_label(workspace, label)})
        for example in examples
        if (label := labels.get((example.slice, example.image)))
    ]


def cells(rows: Iterable[ImageComparison]) -> list[CellFacts]:
    """What is taken most often for what, on all judged slices together, each with its surest images."""
    found: dict[tuple[str, str], list[ImageComparison]] = {}
    for row, mistake in _wrong(rows):
        found.setdefault((mistake.true, mistake.said), []).append(row)
    largest = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))[:CELLS]
    return [
        CellFacts(true=true, said=said, count=len(own), examples=tuple(map(_example, own[:OF_A_CELL])))
        for (true, said), own in largest
    ]


def _wrong(rows: Iterable[ImageComparison]) -> list[tuple[ImageComparison, Mistake]]:
    """The surest first; each image once, for slices may share some."""
    found = {row.image: (row, row.mistake) for row in rows if row.mistake}
    return sorted(found.values(), key=lambda item: (-item[1].score, share("mistake", item[0].image)))


def _example(row: ImageComparison) -> Example:
    return Example(slice=row.slice, image=row.image, out=row.out, mistake=row.mistake)
