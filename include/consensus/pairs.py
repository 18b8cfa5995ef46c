"""Which boxes of two answers are of one thing: the closest first, each box in one pair.

What ``boxes.py`` does for the answers of many, for a page that compares two while somebody waits: only boxes
near each other are looked at, and heaps of them on one spot, which no person draws, are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from include.consensus.boxes import MIN_IOU, Floats, Ints, Labelled, TooManyPairs, of_union

# Pairs that are looked at. A thousand boxes on a photograph, each a thirtieth of it wide, have that many.
MOST_NEAR = 50_000

# So far before and behind a box's start (in its lengths) others start that overlap it by half.
_BEFORE, _BEHIND = (1 - MIN_IOU) / MIN_IOU, 1 - MIN_IOU


def closest_pairs(
    ones: Sequence[Labelled], others: Sequence[Labelled], any_label: bool = False
) -> list[tuple[int, int]]:
    """Indices of boxes of the one and the other side with the same label, or any, that overlap by half.
    TooManyPairs where it would take long to tell.
    """
    if not ones or not others:
        return []
    one, other = _rows(ones), _rows(others)
    i, j = _near(one, other)
    if not any_label:
        codes = {label: code for code, label in enumerate({box.label for box in (*ones, *others)})}
        mine, theirs = (np.array([codes[box.label] for box in boxes]) for boxes in (ones, others))
        i, j = i[mine[i] == theirs[j]], j[mine[i] == theirs[j]]
    overlap = _overlap(one[:, i], other[:, j])
    i, j, overlap = i[overlap >= MIN_IOU], j[overlap >= MIN_IOU], overlap[overlap >= MIN_IOU]
    closest = np.lexsort((j, i, -overlap))
    pairs, used = [], (set[int](), set[int]())
    for row, column in zip(i[closest].tolist(), j[closest].tolist(), strict=True):
        if row not in used[0] and column not in used[1]:
            used[0].add(row)
            used[1].add(column)
            pairs.append((row, column))
    return pairs


def _rows(boxes: Sequence[Labelled]) -> Floats:
    """Left, top, width and height, each of all boxes."""
    return np.array([(box.left, box.top, box.width, box.height) for box in boxes], dtype=np.float64).T


def _near(one: Floats, other: Floats) -> tuple[Ints, Ints]:
    """The pairs that may overlap by half, told along that side of the image where they are fewer."""
    order, first, counts = min(
        (_along(one[side], one[side + 2], other[side]) for side in (0, 1)), key=lambda found: found[2].sum()
    )
    total = int(counts.sum())
    if total > MOST_NEAR:
        raise TooManyPairs(MOST_NEAR)
    # Of each box its run in the order of the others: first, first + 1, …
    step = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(np.arange(len(counts)), counts), order[np.repeat(first, counts) + step]


def _along(start: Floats, size: Floats, others: Floats) -> tuple[Ints, Ints, Ints]:
    """The order of the others along one side, and for each box where those near it begin and how many."""
    order = np.argsort(others, kind="stable")
    first = np.searchsorted(others[order], start - _BEFORE * size, side="left")
    past = np.searchsorted(others[order], start + _BEHIND * size, side="right")
    return order, first, past - first


def _overlap(one: Floats, other: Floats) -> Floats:
    ends = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    across, down = np.clip(ends - np.maximum(one[:2], other[:2]), 0, None)
    # Boxes of strangers may be so small that their area is none.
    with np.errstate(invalid="ignore", divide="ignore"):
        return of_union(across * down, one[2] * one[3], other[2] * other[3])
