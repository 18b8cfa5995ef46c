"""Inputs made from templates have what belongs where each name stands."""

from __future__ import annotations

import json

import pytest

from benchmarks.template_inputs import LABELS, SENTENCE, input_for, shows_an_image
from benchmarks.templates import Outcome, is_content, judge, report
from include.review_server.templates.marked import render_for_check

FOLDER = "s3://bucket/pics"


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ('<img src="{{ task.input.photo | grant_read_access }}">', {"photo": f"{FOLDER}/scene.jpg"}),
        (
            '<video><source src="{{ task.input.taskObject | grant_read_access }}"></video>',
            {"taskObject": f"{FOLDER}/clip.webm"},
        ),
        (
            "<audio src='{{ task.input.taskObject | grant_read_access }}'></audio>",
            {"taskObject": f"{FOLDER}/speech.wav"},
        ),
        ('<crowd-polygon labels="{{ task.input.labels | to_json | escape }}">', {"labels": LABELS}),
        ("<p>{{ task.input.text }}</p>", {"text": SENTENCE}),
        ('<a href="{{ task.input.surveyLink }}">go</a>', {"surveyLink": "https://www.example.com/page"}),
        ("<!-- {{ task.input.unused }} -->", {}),
        (
            "{% capture at %}s3://{{ task.input.s3.bucket }}/{{ task.input.s3.name }}{% endcapture %}"
            '<img src="{{ at | grant_read_access }}">',
            {"s3": {"bucket": "bucket", "name": "pics/scene.jpg"}},
        ),
    ],
)
def test_a_name_gets_what_belongs_in_its_place(template: str, made: dict[str, object]) -> None:
    assert input_for(template, FOLDER) == made


def test_a_loop_gets_a_list_whose_entries_have_the_parts_that_are_written() -> None:
    template = "{% for pair in task.input.pairs %}<p>{{ pair.text }}: {{ pair.score }}</p>{% endfor %}"
    pairs = input_for(template, FOLDER)["pairs"]
    assert [sorted(pair) for pair in pairs] == [["score", "text"]] * 3
    assert len({pair["text"] for pair in pairs}) == 3


def test_nothing_is_missing_when_a_template_is_rendered_with_its_input() -> None:
    template = """<crowd-form><crowd-bounding-box name="a" src="{{ task.input.image | grant_read_access }}"
        labels="{{ task.input.labels | to_json | escape }}" header="{{ task.input.texts.header }}"
        initial-value="{{ task.input.boxes | to_json | escape }}"></crowd-bounding-box>
        {% if task.input.hint %}{{ task.input.hint }}{% endif %}
        {% assign rows = task.input.rows %}{% for row in rows %}{{ row }}{% endfor %}</crowd-form>"""
    missing: set[int] = set()
    made = input_for(template, FOLDER)
    assert not render_for_check(template, json.loads(json.dumps(made)), missing).errors
    assert not missing
    assert shows_an_image(template)
    assert not shows_an_image("<p>{{ task.input.text }}</p>")


@pytest.mark.parametrize(
    ("content", "is_one"),
    [
        ({"a": {"boundingBoxes": [], "inputImageProperties": {"width": 3, "height": 4}}}, False),
        ({"a": {"boundingBoxes": [{"label": "cat"}]}}, True),
        ({"a": {"on": False}, "b": ""}, False),
        ({"a": {"on": True}}, True),
        ({}, False),
    ],
)
def test_content_is_what_somebody_answered(content: dict[str, object], is_one: bool) -> None:
    assert is_content(content) is is_one


def test_an_answer_that_lost_a_field_is_silent_unless_somebody_was_told() -> None:
    good, lost, told = (Outcome(name, image=True) for name in ("good", "lost", "told"))
    told.complaints = ["<crowd-input> has no name"]
    judge(good, {"a"}, {"a": "x"}, True)
    judge(lost, {"a", "b"}, {"a": "x"}, True)
    judge(told, {"a", "b"}, {"a": "x"}, True)
    assert [each.kind for each in (good, lost, told)] == ["answered", "silent", "told"]
    assert "| image tasks | 3 | 1 (33 %) | 1 | 1 |" in report([good, lost, told])
