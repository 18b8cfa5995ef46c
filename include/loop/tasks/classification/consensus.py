"""The classes of an image from several workers' answers, or the word that they disagree.

Takes the usable answers of all images of a batch (A2I does not consolidate them), for how much a worker's
word counts is learned from all of them. What is the most probable is Ground Truth's rule
(include/consensus/classes.py); what becomes a label is decided here, as everything that becomes one is
learned as true:

- One label per image: the most probable class, if somebody chose it. Where two classes have equally many
  answers, and no other has more, there is no label. Ground Truth takes the more probable one, which then is
  the one that is commoner in the batch: it is the batch that answers, not the image, and rare classes, about
  which the model asks, would lose every time.
- Many: each class that somebody chose and that is more probably there than not. One that exactly half of the
  workers chose makes that the image has no label, for an image with a class left out teaches that it is not
  there. Ground Truth's own lines keep every class that anybody chose, with a low confidence; training jobs do
  not read confidences, and would learn one reviewer's slip as if all had said it. It is left out.

Where one worker only was asked, the answer is the label and the confidence 0, as Ground Truth writes it. So
is the answer of a worker who is alone on an image of a batch that others have answered: it stands, with the
confidence that its probability comes to. Pure functions.
"""

from __future__ import annotations

from collections import Counter
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
    votes = [Counter(label for item in image for label in item.chosen) for image in answers]
    if multi_label:
        many = agree_on_labels([{item.worker: item.chosen for item in image} for image in answers])
        return [
            _many(found, counts, image) for found, counts, image in zip(many, votes, answers, strict=True)
        ]
    one = agree_on_class([{item.worker: item.chosen[0] for item in image} for image in answers], classes)
    return [_one(found, counts) for found, counts in zip(one, votes, strict=True)]


def _one(found: ClassConsensus, votes: Counter[int]) -> dict[int, float] | ReviewersDisagree:
    most = votes.most_common(2)
    tied = len(most) == 2 and most[0][1] == most[1][1]
    if tied or found.tied or found.label not in votes:
        return ReviewersDisagree()
    return {found.label: found.confidence}


def _many(
    found: dict[int, ClassConsensus], votes: Counter[int], image: Sequence[ClassAnswer]
) -> dict[int, float] | ReviewersDisagree:
    if any(item.tied or 2 * votes[label] == len(image) for label, item in found.items()):
        return ReviewersDisagree()
    kept = {label: item.confidence for label, item in found.items() if item.label == 1}
    if not kept and all(item.chosen for item in image):
        return ReviewersDisagree()
    return kept
