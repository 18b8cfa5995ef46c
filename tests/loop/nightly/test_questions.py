"""Every chosen image is asked about once, whatever is retried, killed or full."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core import layout
from include.loop.nightly import questions
from include.loop.tasks.detection.predictions import Detection
from include.loop.tasks.detection.question import prelabels
from tests.loop.place import NIGHT, Place, correct

FRACTIONS = st.floats(0, 1)


@pytest.fixture
def ready(place: Place) -> Place:
    place.set_up_review()
    place.add_images({f"{n}.jpg": 100 + n for n in range(6)})
    return place


def loops_of(place: Place) -> list[str]:
    arn = place.set_up_review().flow_definition_arn
    pages = place.runtime.get_paginator("list_human_loops").paginate(FlowDefinitionArn=arn)
    return [item["HumanLoopName"] for page in pages for item in page["HumanLoopSummaries"]]


def test_a_question_carries_all_that_the_reviewer_needs(ready: Place):
    ready.ask()
    question = ready.questions()["0.jpg"]
    described = ready.person().take()
    assert described is not None
    asked = next(
        item for item in ready.questions().values() if item.image == described["input"]["taskObject"]
    )
    assert described["input"] == asked.input
    assert question.input == {
        "taskObject": question.image,
        "labels": ["cat", "dog"],
        "initialValue": [],
        "instructions": ready.pipeline.review.instructions,
        "etag": question.etag,
        "batch": NIGHT,
    }
    assert (question.width, question.height) == (32, 24)


def test_starting_again_starts_nothing(ready: Place):
    first = ready.ask()
    assert (first.started, first.existing) == (6, 0)
    again = questions.start(ready.workspace, NIGHT)
    assert (again.started, again.existing, again.remaining) == (0, 6, 0)
    assert again.deadline == first.deadline
    assert len(loops_of(ready)) == 6


def test_what_a_crash_left_out_is_started_and_nothing_else(ready: Place):
    ready.prepare()
    some = sorted(ready.questions().values(), key=lambda item: item.loop)[:2]
    arn = ready.storage.read_json(layout.questions_header(NIGHT))["flow_definition_arn"]
    for question in some:
        ready.runtime.start_human_loop(
            HumanLoopName=question.loop,
            FlowDefinitionArn=arn,
            HumanLoopInput={"InputContent": json.dumps(question.input)},
        )
    report = questions.start(ready.workspace, NIGHT)
    assert (report.started, report.existing) == (4, 2)


def test_questions_stay_as_written_when_the_settings_change_afterwards(ready: Place):
    ready.ask()
    before = ready.storage.read(layout.questions_file(NIGHT))
    changed = ready.but(review=ready.pipeline.review.model_copy(update={"instructions": "Look twice."}))
    questions.prepare(changed, NIGHT)
    assert questions.start(changed, NIGHT).started == 0
    assert ready.storage.read(layout.questions_file(NIGHT)) == before


def test_when_the_flow_definition_is_full_the_rest_waits_for_room(ready: Place, monkeypatch):
    monkeypatch.setattr("include.review_server.api.human_loops.LOOPS_IN_FLIGHT", 4)
    first = ready.ask()
    assert (first.started, first.remaining, first.refused) == (4, 2, 0)
    assert questions.start(ready.workspace, NIGHT).remaining == 2
    ready.answer(correct, at_most=4)
    ready.settle(open_loops=0)
    last = questions.start(ready.workspace, NIGHT)
    assert (last.started, last.existing, last.remaining) == (2, 4, 0)


def test_forcing_a_night_anew_asks_again_under_other_names(ready: Place):
    from include.loop.nightly.batch import batch_id

    ready.night()
    again = batch_id(ready.workspace, NIGHT, run_id="manual__1", force_new=True)
    assert again == f"{NIGHT}.1"
    assert ready.ask(again).started == 6
    assert len(set(loops_of(ready))) == 12
    assert ready.assemble(again).open == 6


def test_starting_lists_by_pages_and_describes_nothing(ready: Place):
    ready.prepare()
    calls: list[str] = []
    ready.runtime.meta.events.register(
        "before-call.sagemaker-a2i-runtime", lambda model, **_: calls.append(model.name)
    )
    questions.start(ready.workspace, NIGHT)
    assert calls.count("ListHumanLoops") == 1
    assert calls.count("StartHumanLoop") == 6
    assert "DescribeHumanLoop" not in calls


@given(FRACTIONS, FRACTIONS, FRACTIONS, FRACTIONS, st.integers(1, 500), st.integers(1, 500))
def test_prelabels_are_whole_pixels_inside_the_image(xmin, ymin, xmax, ymax, width, height):
    (box,) = prelabels([Detection(1, 0.9, xmin, ymin, xmax, ymax)], ["cat", "dog"], width, height, 0.5)
    assert box["label"] == "dog"
    assert 0 <= box["left"] < box["left"] + box["width"] <= width
    assert 0 <= box["top"] < box["top"] + box["height"] <= height
    assert all(isinstance(box[side], int) for side in ("left", "top", "width", "height"))


def test_prelabels_leave_out_what_the_model_is_not_sure_of():
    detections = [Detection(0, score, 0.1, 0.1, 0.5, 0.5) for score in (0.6, 0.5, 0.4)]
    assert len(prelabels(detections, ["cat"], 100, 100, 0.5)) == 2
