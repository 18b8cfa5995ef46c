"""What the loop takes for a label is what the training container learns from the same line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.algorithms.image_classification.hyperparameters import parse_hyperparameters
from include.algorithms.image_classification.labels import CLASS_ID, parse_label
from include.loop.config import TrainingSettings
from include.loop.core.errors import BadRecord
from include.loop.tasks.classification.task import ImageClassification
from tests.loop.tasks.classification.answering import MANY, ONE

NUMBERS = st.one_of(
    st.integers(-1, 4),
    st.sampled_from([0.0, 1.0, 1.5, -0.0, 1e9, True, None]),
    st.text('012.[]e-" ', max_size=4),
)


def container(task: ImageClassification) -> Any:
    """The container's settings, from what the loop sends."""
    sent = task.algorithm.computed(TrainingSettings(image_shape=32), len(task.classes), 40, 1)
    return parse_hyperparameters({name: str(value) for name, value in sent.items()})


SETTINGS = {task.multi_label: container(task) for task in (ONE, MANY)}


@given(NUMBERS)
@example('"1"')
def test_one_class(label):
    learned(ONE, label)


@given(st.one_of(st.lists(NUMBERS, max_size=4), NUMBERS), st.booleans())
@example("[0, 2]", False)
@example([0, 1, 1], False)
@example(["1", 1.0], True)
def test_many_classes(label, ground_truths):
    learned(MANY, label, {"class-map": {}} if ground_truths else {})


def learned(task: ImageClassification, label: Any, metadata: dict[str, Any] | None = None) -> None:
    name = task.label_attribute
    try:
        found = task.read_value(
            {"source-ref": "s3://b/1.jpg", name: label, f"{name}-metadata": metadata or {}}
        )
    except BadRecord:
        return
    text = json.dumps(found.value[name]).encode()
    row = parse_label(text, CLASS_ID, SETTINGS[task.multi_label])
    assert (tuple(np.flatnonzero(row)) if task.multi_label else (int(row),)) == found.classes


def test_the_channel_says_how_lists_are_written():
    kind, _, told = MANY.algorithm.manifest_content_type.partition("; label-format=")
    assert (kind, told) == ("application/x-recordio", CLASS_ID)
    with pytest.raises(Exception, match="multi-hot"):
        parse_label(b"[0, 2]", "multi-hot", SETTINGS[True])
