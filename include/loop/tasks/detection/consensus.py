"""One list of boxes from several workers' answers, or the word that they disagree.

Takes the usable answers of one image (A2I does not consolidate them), and decides box by box as
include/consensus/doubt.py says, for everything that becomes a label is learned as true. A worker who is alone
is a majority: one usable answer of several that were asked for is a label. The sides are averaged to whole
pixels, and the confidence is the share of the workers that drew the box. The order of the answers does not
matter. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.consensus import boxes as consensus
from include.consensus import doubt
from include.loop.tasks.detection.answers import Box, BoxAnswer
from include.loop.tasks.values import ReviewersDisagree


@dataclass(frozen=True)
class AgreedBox:
    """A box and the share of the workers that drew it, in (0, 1]."""

    box: Box
    confidence: float


class BoxesInDoubt(ReviewersDisagree):
    """There is no majority either way about ``boxes``."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        super().__init__()
        self.boxes = tuple(boxes)


def agree(answers: Sequence[BoxAnswer]) -> list[AgreedBox]:
    """The boxes that more than half of the workers drew, in the order of ``Box``. BoxesInDoubt when it is
    open whether, or as what, a box belongs to them.
    """
    if not answers:
        raise ValueError("a consensus needs at least one answer")
    ordered = sorted(answers, key=lambda answer: (answer.submitted, answer.worker, sorted(answer.boxes)))
    try:
        agreed = doubt.agree_or_doubt([sorted(answer.boxes) for answer in ordered])
    except doubt.BoxesInDoubt as error:
        raise BoxesInDoubt(sorted(error.boxes)) from None
    found = [AgreedBox(_average(item), round(item.share, 4)) for item in agreed]
    return sorted(found, key=lambda item: (item.box, item.confidence))


def _average(agreed: consensus.AgreedBox[Box]) -> Box:
    """The mean of each side, so that the result lies within the hull of the boxes."""
    left, top = round(agreed.mean(lambda box: box.left)), round(agreed.mean(lambda box: box.top))
    right = round(agreed.mean(lambda box: box.left + box.width))
    bottom = round(agreed.mean(lambda box: box.top + box.height))
    return Box(agreed.label, left, top, max(1, right - left), max(1, bottom - top))
