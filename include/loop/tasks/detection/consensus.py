"""One list of boxes from several workers' answers, or the word that they disagree.

Takes the usable answers of images (A2I does not consolidate them), and decides box by box, for everything
that becomes a label is learned as true. Where enough is known of all who answered an image, their words count
as include/consensus/reliability.py found them reliable, and the confidence is the probability of the box.
Else more than half decide, as include/consensus/doubt.py says: a worker who is alone is a majority, the sides
are averaged, and the confidence is the share of the workers that drew the box. Sides are whole pixels. The
order of the answers does not matter. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.consensus import boxes as consensus
from include.consensus import doubt, reliability
from include.consensus.votes import JUDGES
from include.loop.tasks.detection.answers import Box, BoxAnswer
from include.loop.tasks.values import ReviewersDisagree

# So many things that others found too must tell of a worker, before the worker's word is weighed.
ENOUGH = 50


@dataclass(frozen=True)
class AgreedBox:
    """A box, and the share of the workers that drew it or its probability, in (0, 1]."""

    box: Box
    confidence: float


class BoxesInDoubt(ReviewersDisagree):
    """There is no majority either way about ``boxes``."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        super().__init__()
        self.boxes = tuple(boxes)


def agree_on_all(images: Sequence[Sequence[BoxAnswer]], classes: int) -> list[list[AgreedBox] | BoxesInDoubt]:
    """What the answers of each image come to, in the order of ``Box``, or BoxesInDoubt. The images are all
    that are settled together; of so many ``classes``. The order of images says nothing but for the rounding
    of sums.
    """
    found = _weighed(images, classes) if any(len(answers) >= JUDGES for answers in images) else {}
    return [found[place] if place in found else _counted(answers) for place, answers in enumerate(images)]


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


def _counted(answers: Sequence[BoxAnswer]) -> list[AgreedBox] | BoxesInDoubt:
    try:
        return agree(answers)
    except BoxesInDoubt as error:
        return error


def _weighed(
    images: Sequence[Sequence[BoxAnswer]], classes: int
) -> dict[int, list[AgreedBox] | BoxesInDoubt]:
    """What those images come to, by their place, whose workers are all known well enough."""
    told = reliability.estimate(
        [{answer.worker: answer.boxes for answer in answers} for answers in images], classes
    )
    known = {name for name, rates in told.workers.items() if rates.judged >= ENOUGH}
    return {
        place: _believed(told.images[place], sorted(answer.worker for answer in answers))
        for place, answers in enumerate(images)
        # Who is alone is right, as ever: against whom else is the word to be weighed?
        if len(answers) > 1 and all(answer.worker in known for answer in answers)
    }


def _believed(
    candidates: Sequence[reliability.Candidate[Box]], workers: list[str]
) -> list[AgreedBox] | BoxesInDoubt:
    left_out = [
        [(workers.index(name), box) for name, box in item.drawn.items()]
        for item in candidates
        if not (item.is_open or item.is_sure)
    ]
    in_doubt = [box for item in candidates if item.is_open for box in item.drawn.values()]
    if in_doubt := in_doubt + doubt.contested(left_out, len(workers)):
        return BoxesInDoubt(sorted(in_doubt))
    found = [AgreedBox(_whole(item), round(item.probability, 4)) for item in candidates if item.is_sure]
    return sorted(found, key=lambda item: (item.box, item.confidence))


def _whole(item: reliability.Candidate[Box]) -> Box:
    left, top = round(item.left), round(item.top)
    right, bottom = round(item.left + item.width), round(item.top + item.height)
    return Box(item.label, left, top, max(1, right - left), max(1, bottom - top))


def _average(agreed: consensus.AgreedBox[Box]) -> Box:
    """The mean of each side, so that the result lies within the hull of the boxes."""
    left, top = round(agreed.mean(lambda box: box.left)), round(agreed.mean(lambda box: box.top))
    right = round(agreed.mean(lambda box: box.left + box.width))
    bottom = round(agreed.mean(lambda box: box.top + box.height))
    return Box(agreed.label, left, top, max(1, right - left), max(1, bottom - top))
