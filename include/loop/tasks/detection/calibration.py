"""How a detector's scores are to be read: the share of detections with such a score that is right.

Takes labelled images that a model has not learned and its detections on them (as they come, after its NMS),
gives a ``Calibration``: maps by class, the working point that the pipeline asks for, and what both are worth
on images that nothing was fitted on; and applies one to detections. A detection is right when it finds a box
of its class by half (IoU), each box once. Maps rise, and there is one a class: the order of the detections of
a class, and with it average precision, stays what it was. Maps by size as well would change it, so there are
none. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from include.loop.core.identity import share
from include.loop.core.records.calibration import CalibratedSlice, Calibration, ScoreMap
from include.loop.tasks import calibrating, shares
from include.loop.tasks.calibrating import ENOUGH, FOLDS, Answers, Maps, Wish
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.matching import Floats, Matches, match
from include.loop.tasks.detection.metrics import LOWEST_SCORE, recall_and_precision
from include.loop.tasks.detection.predictions import Detection

# Fitted on detections of this score or more: those below are thousands, nearly all wrong, and would bend the
# map to what nobody asks about.
LOWEST_FITTED = 0.05

Detections = Mapping[str, Sequence[Detection]]


def apply(detections: Iterable[Detection], by: Calibration, classes: Sequence[str]) -> list[Detection]:
    """The same detections with calibrated scores, best first."""
    maps = [by.map_of(name) for name in classes]
    found = [replace(item, score=maps[item.class_id].calibrated(item.score)) for item in detections]
    return sorted(found, key=lambda item: -item.score)


def calibrate(
    held_out: Mapping[str, Sequence[LabelledImage]],
    judging: Mapping[str, Sequence[LabelledImage]],
    detections: Detections,
    classes: Sequence[str],
    wish: Wish,
) -> Calibration:
    """Fitted on ``held_out`` images by slice, each once, and measured on those of ``judging``."""
    images = [*{line.source: line for lines in held_out.values() for line in lines}.values()]
    matches = match(images, detections, len(classes))
    answers = _answers(matches, images)
    maps, before, after, why_not = _fit(answers)
    found = Calibration(
        pooled=maps.pooled,
        classes={classes[index]: one for index, one in maps.classes},
        slices=tuple(held_out),
        images=len(images),
        answers=len(answers.score),
        before=before,
        after=after,
        why_not=why_not,
        asked=wish.told,
    )
    read = _read(matches, found, classes)
    point = calibrating.working_point(read.score, read.hit >= 0, len(read.true_class), wish)
    if point is not None:
        raw = {name: round(found.map_of(name).raw(point.score), 5) for name in classes}
        found = found.model_copy(update={"working_point": point.model_copy(update={"raw": raw})})
    measured = {name: _measure(lines, detections, found, classes) for name, lines in judging.items()}
    return found.model_copy(update={"measured": measured})


def _answers(matches: Matches, images: Sequence[LabelledImage]) -> Answers:
    fold = np.array([int(share("calibration", line.source) * FOLDS) for line in images], dtype=np.int64)
    answers = Answers(matches.score, matches.hit >= 0, matches.class_id, fold[matches.image])
    return answers.of(matches.score >= LOWEST_FITTED)


def _fit(answers: Answers) -> tuple[Maps, float | None, float | None, str]:
    """The maps, the calibration error before and after them, and why there are none."""
    counted = answers.score >= LOWEST_SCORE
    before = _error(answers.score[counted], answers.right[counted])
    if not answers.enough():
        right = int(answers.right.sum())
        told = f"{right} right and {len(answers.right) - right} wrong ones, {ENOUGH} of each are needed"
        return Maps(), before, before, f"there are too few detections to tell: {told}"
    unseen = calibrating.across_folds(answers)
    after = _error(unseen[counted], answers.right[counted])
    losses = (calibrating.log_loss(score, answers.right) for score in (unseen, answers.score))
    if next(losses) >= next(losses):
        why = "on images that they have not seen, the maps say no more than the scores themselves"
        return Maps(), before, before, why
    return calibrating.fit(answers), before, after, ""


def _read(matches: Matches, by: Calibration, classes: Sequence[str]) -> Matches:
    """The same matches with calibrated scores: who found what stays as it was."""
    score = matches.score.copy()
    for index, name in enumerate(classes):
        own = matches.class_id == index
        if (one := by.map_of(name)) != ScoreMap():
            score[own] = calibrating.calibrated(matches.score[own], one)
    return replace(matches, score=score)


def _measure(
    lines: Sequence[LabelledImage], detections: Detections, by: Calibration, classes: Sequence[str]
) -> CalibratedSlice:
    matches = match(lines, detections, len(classes))
    read = _read(matches, by, classes)
    counted = matches.score >= LOWEST_SCORE  # the same detections as before
    recall = precision = None
    if by.working_point is not None:
        recall, precision = recall_and_precision(read, by.working_point.score)
    error = _error(read.score[counted], read.hit[counted] >= 0)
    return CalibratedSlice(error=error, recall=recall, precision=precision)


def _error(score: Floats, right: calibrating.Bools) -> float | None:
    return shares.calibration(score, right, 0.0)[0]
