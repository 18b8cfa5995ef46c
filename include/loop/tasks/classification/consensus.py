"""The classes of an image from several workers' answers, or the word that they disagree.

Takes the usable answers of all images of a batch (A2I does not consolidate them), for how much a worker's
word counts is learned from all of them. What is the most probable is Ground Truth's rule
(include/consensus/classes.py); what becomes a label is decided here, as everything that becomes one is
learned as true:

- One label per image: the most probable class, if somebody chose it. Two classes that are equally probable,
  or one that nobody chose, make no label.
- Many: each class that somebody chose and that is more probably there than not. One that is as probable as
  not makes that the image has no label, for an image with a class left out teaches that it is not there.
  Ground Truth's own lines keep every class that anybody chose, with a low confidence; training jobs do not
  read confidences, and would learn one reviewer's slip as if all had said it. It is left out.

Where one worker only was asked, the answer is the label and the confidence 0, as Ground Truth writes it. So
is the answer of a worker who is alone on an image of a batch that others have answered: it stands, with the
confidence that its probability comes to. Pure functions.
"""

from __future__ import annotations

from collections.abc import Sequence

from include.consensus.classes import ClassConsensus, agree_on_class, agree_on_labels
from include.loop.tasks.classification.answers import ClassAnswer
from include.loop.tasks.values import ReviewersDisagree


def agree(
    answers: Sequence[Sequence[ClassAnswer]], classes: int, *, multi_label: bool
) -> list[dict[int, float] | ReviewersDisagree]:
    """For each image of a batch, in the order of their ids, its classes with Ground Truth's confidence in
    each. The order of an image's answers does not matter.
    """
    if multi_label:
        many = agree_on_labels([{item.worker: item.chosen for item in image} for image in answers])
        return [_many(found) for found in many]
    one = agree_on_class([{item.worker: item.chosen[0] for item in image} for image in answers], classes)
    return [_one(found, image) for found, image in zip(one, answers, strict=True)]


def _one(found: ClassConsensus, answers: Sequence[ClassAnswer]) -> dict[int, float] | ReviewersDisagree:
    if found.tied or not any(found.label in answer.chosen for answer in answers):
        return ReviewersDisagree()
    return {found.label: found.confidence}


def _many(found: dict[int, ClassConsensus]) -> dict[int, float] | ReviewersDisagree:
    if any(item.tied for item in found.values()):
        return ReviewersDisagree()
    return {label: item.confidence for label, item in found.items() if item.label == 1}
