"""Damaged predictions, answers and lines: each is usable, or says why not."""

from __future__ import annotations

import json

from hypothesis import given

from include.loop.core.errors import BadRecord
from include.loop.core.storage import dump
from tests.loop.tasks.classification.answering import LOOP, MANY, ONE, ORIGIN, answers, output
from tests.support.mutants import mutants, thorough

LINES = [
    dump(line)
    for task, said in ((ONE, "dog"), (MANY, ["dog", "owl"]), (MANY, ["none of these"]))
    for line in task.write_labels([(answers(task, said), ORIGIN)])
]


@thorough(300)
@given(mutants([b"[0.1, 0.8, 0.1]", b'{"prediction": [0.1, 0.8, 0.1]}\n']))
def test_a_prediction(body):
    try:
        found = ONE.read_prediction(body)
    except BadRecord:
        return
    assert sorted(item.class_id for item in found) == [0, 1, 2]
    assert all(0 <= item.score <= 1 for item in found)


@thorough(300)
@given(mutants([output("dog", "1:dog"), output(["dog", "owl"], ["none of these"])]))
def test_an_answer(body):
    for task in (ONE, MANY):
        try:
            usable, rejected = task.read_answers(body, LOOP, None)
        except BadRecord:
            continue
        assert usable or rejected
        for answer in usable:
            assert answer.labels == [task.classes[index] for index in answer.chosen]
            assert task.multi_label or len(answer.chosen) == 1
        if usable:
            json.dumps(str(task.write_labels([(usable, ORIGIN)])))


@thorough(300)
@given(mutants(LINES))
def test_a_line(body):
    for task in (ONE, MANY):
        try:
            found = task.read_line(body)
        except BadRecord:
            continue
        assert set(found.classes) <= {0, 1, 2}
        assert task.multi_label or len(found.classes) == 1
        assert [item["label"] for item in task.describe(found.value)] == [
            task.classes[n] for n in found.classes
        ]
