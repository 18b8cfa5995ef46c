"""Whatever a browser posts: an object has a label or a reason, and those beside it do not notice."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from include.review_server.labeling.task_types import TASK_TYPES
from tests.review_server.labeling.consolidation.asking import outcome
from tests.review_server.labeling.consolidation.test_boxes_of_images import NUT, drawn
from tests.review_server.labeling.consolidation.test_many_labels_and_texts import marked
from tests.review_server.labeling.consolidation.test_masks_of_images import COLOURS, painted

CATEGORIES = ("nut", "bolt")
PAINTED = painted("r.", "rh") | {"labelMappings": dict(zip(CATEGORIES, COLOURS.values(), strict=True))}
USABLE: dict[str, dict[str, Any]] = {
    "ImageMultiClass": {"label": "nut"},
    "ImageMultiClassMultiLabel": {"labels": ["nut", "bolt"]},
    "BoundingBox": drawn(NUT, NUT | {"left": 3, "label": "bolt"}, initialValueModified=True),
    "SemanticSegmentation": PAINTED,
    "TextMultiClass": {"label": "bolt"},
    "TextMultiClassMultiLabel": {"labels": ["bolt"]},
    "NamedEntityRecognition": marked((0, 4, "nut"), (5, 9, "bolt")),
    "VerificationBoundingBox": {"label": "nut", "workerComment": "one missed"},
    "VerificationSemanticSegmentation": {"label": "nut"},
    "AdjustmentBoundingBox": drawn(NUT, initialValueModified=False),
    "AdjustmentSemanticSegmentation": PAINTED | {"initialValueModified": True},
}
NUMBERS = [0, -1, 0.5, 1e308, -1e-308, float("nan"), float("inf"), 10**400]
TEXTS = ["", "7", "\ud800\0", "nut"]
STRANGE: list[Any] = [None, True, *NUMBERS, *TEXTS, [], {}, [[]], {"a": []}, [None], ["nut"] * 3, {"": ""}]


@pytest.mark.parametrize("task", TASK_TYPES)
def test_a_changed_answer_comes_to_a_label_or_a_reason(task):
    chance = random.Random(task)
    good = USABLE[task]
    alone = outcome(task, CATEGORIES, [good, good], [])[0]
    assert alone.content is not None, alone.failure_reason
    failed = 0
    for _ in range(150):
        told = copy.deepcopy(good)
        for _ in range(chance.randint(1, 2)):
            told = _changed(told, chance)
        beside, item = outcome(task, CATEGORIES, [good, good], [told])
        assert beside.content is not None
        assert (item.content is None) == (item.failure_reason is not None)
        json.dumps(item.content, allow_nan=False).encode()
        (item.failure_reason or "").encode()
        failed += item.content is None
    assert failed > 50


def _changed(value: Any, chance: random.Random) -> Any:
    """One part of a value is another one, is gone, or is twice there."""
    if not value or not isinstance(value, dict | list) or chance.random() < 0.1:
        return copy.deepcopy(chance.choice(STRANGE))
    key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    kind = chance.random()
    if kind < 0.6:
        value[key] = _changed(value[key], chance)
    elif kind < 0.8:
        del value[key]
    elif isinstance(value, list):
        value.append(copy.deepcopy(value[key]))
    else:
        value[str(chance.choice(STRANGE))] = copy.deepcopy(value[key])
    return value
