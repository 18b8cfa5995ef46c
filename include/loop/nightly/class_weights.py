"""What an error of each class counts, for strategies that ask for more of what the champion is bad at.

Takes the champion's metrics, gives a weight for each class of the pipeline: the share of its score that is
missing to 1, more for a class of which few labels are known. Pure but for ``read_weights``; the champion of a
batch is pinned, and so are its weights.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

from include.loop.core.records.metrics import MetricsParts, SliceMetrics
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

# A class that scores 1 on some dozens of objects is not flawless: doubts about it still count something.
LEAST_MISSING = 0.1
# A score is taken for one of so many objects more, which have the mean of all classes: a class with two of
# them says little.
PRIOR_OBJECTS = 10


def read_weights(workspace: Workspace, training_job: str) -> tuple[float, ...]:
    """By class; 1 each where the model was never evaluated, or nothing of it can be read."""
    pipeline, found = workspace.pipeline, MetricsParts.find(workspace.storage, training_job)
    for problem in found.problems:
        log.warning("of the metrics of %s something cannot be read: %s", training_job, problem)
    return weights(found.slices, pipeline.classes, pipeline.gate.improve_on)


def weights(
    slices: Mapping[str, SliceMetrics], classes: Sequence[str], improve_on: Sequence[str] = ()
) -> tuple[float, ...]:
    """1 in the mean over the objects, so that a class of which there are none changes nothing for the others.
    Scores are of the slices where a model has to get better (all, when none is named, or none of those was
    measured); how many labels there are is told by the objects in all of them.

    A class that has a share f of all objects, less than an equal one t, weighs sqrt(t / f) more: the repeat
    factor of LVIS (Gupta, Dollár, Girshick 2019), by which rare classes are shown more often.
    """
    judged = [slices[name] for name in improve_on if name in slices] or [*slices.values()]
    scores = {name: _score(judged, name) for name in classes}
    known = [value for value, objects in scores.values() for _ in range(bool(objects))]
    if not known:
        return (1.0,) * len(classes)
    mean = sum(known) / len(known)
    objects = {name: sum(_objects(one, name) for one in slices.values()) for name in classes}
    equal = sum(objects.values()) / len(classes)
    raw: dict[str, float] = {}
    for name in classes:
        score, count = scores[name]
        missing = 1.0 - (score * count + mean * PRIOR_OBJECTS) / (count + PRIOR_OBJECTS)
        rare = math.sqrt(max(1.0, equal / max(objects[name], 1)))
        raw[name] = max(missing, LEAST_MISSING) * rare
    usual = sum(raw[name] * objects[name] for name in classes) / sum(objects.values())
    return tuple(raw[name] / usual for name in classes)


def _score(slices: Sequence[SliceMetrics], name: str) -> tuple[float, int]:
    """The mean score of a class over its objects in these slices, and how many they are."""
    found = [one.challenger.classes[name] for one in slices if name in one.challenger.classes]
    told = [(one.score, one.objects) for one in found if one.score is not None and one.objects]
    count = sum(objects for _, objects in told)
    return sum(score * objects for score, objects in told) / count if count else 0.0, count


def _objects(one: SliceMetrics, name: str) -> int:
    found = one.challenger.classes.get(name)
    return found.objects if found else 0
