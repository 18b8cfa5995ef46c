"""Several workers' boxes on many images as arrays, for ``reliability.py`` to count with.

Boxes of different workers that overlap by half are one candidate, one box of each worker at most, whatever
their labels. A candidate has a row for each label that somebody gave it, and a row an entry for each worker
who answered its image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic

import numpy as np

from include.consensus.boxes import B, Floats, Group, Labelled, group_boxes

# So many answers tell who of them invented something.
JUDGES = 3


class Votes(Generic[B]):
    """Of the rows: ``row_group`` and ``row_label``. Of the entries: their ``row`` and its ``label``, the
    ``worker``, whether that one ``drew`` it and gave it the ``same`` label, and how many ``others`` drew it.
    Of the boxes: ``box_group`` and ``box_worker``.
    """

    def __init__(self, images: Sequence[Mapping[str, Sequence[B]]], classes: int) -> None:
        self.images, self.classes = images, classes
        self.names = sorted({name for answers in images for name in answers})
        labels = {box.label for answers in images for boxes in answers.values() for box in boxes}
        self.labels = sorted(labels)
        number = {name: place for place, name in enumerate(self.names)}
        label = {name: place for place, name in enumerate(self.labels)}
        self.groups: list[Group[B]] = []  # with the workers' numbers among all
        self.image: list[int] = []  # of each group
        rows: list[tuple[int, int]] = []
        entries: list[tuple[int, int, bool, bool, int]] = []
        for image, answers in enumerate(images):
            present = sorted(answers)
            for group in group_boxes([sorted(answers[name], key=_order) for name in present], any_label=True):
                drawn = {number[present[local]]: box for local, box in group}
                for name in sorted({label[box.label] for box in drawn.values()}):
                    for worker in map(number.__getitem__, present):
                        box = drawn.get(worker)
                        same = box is not None and label[box.label] == name
                        others = len(drawn) - (box is not None)
                        entries.append((len(rows), worker, box is not None, same, others))
                    rows.append((len(self.groups), name))
                self.groups.append(sorted(drawn.items()))
                self.image.append(image)
        self.row_group, self.row_label = np.array(rows, dtype=np.int64).reshape(-1, 2).T
        table = np.array(entries, dtype=np.int64).reshape(-1, 5).T
        self.row, self.worker, self.others = table[0], table[1], table[4]
        self.drew, self.same = table[2].astype(bool), table[3].astype(bool)
        self.label = self.row_label[self.row]
        # Where each candidate's rows start, and the workers' boxes as they stand in the groups.
        self.starts = np.searchsorted(self.row_group, np.arange(len(self.groups)))
        self.boxes = [box for group in self.groups for _, box in group]
        self.box_group = np.array([g for g, group in enumerate(self.groups) for _ in group], dtype=np.int64)
        self.box_worker = np.array([w for group in self.groups for w, _ in group], dtype=np.int64)
        self.judged = np.array([len(images[image]) >= JUDGES for image in self.image], dtype=bool)
        self.answered = [sum(name in answers for answers in images) for name in self.names]

    def counted(self, weight: Floats) -> Floats:
        """The sum of what each entry weighs, by worker and label (W x K)."""
        shape = len(self.names), len(self.labels)
        place = self.worker * shape[1] + self.label
        return np.asarray(np.bincount(place, weight, shape[0] * shape[1]).reshape(shape), np.float64)

    def is_there(self, belief: Floats) -> Floats:
        """The probability of each candidate, whatever its class."""
        return np.asarray(np.bincount(self.row_group, belief, len(self.groups)), np.float64)


def _order(box: Labelled) -> tuple[str, float, float, float, float]:
    return box.label, box.left, box.top, box.width, box.height
