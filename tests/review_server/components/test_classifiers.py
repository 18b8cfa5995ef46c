"""The four classifiers: one or several categories, exclusion, comment, overlay, number keys."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from tests.review_server.components.conftest import HEIGHT, WIDTH, Task, as_attribute


def _image(element: str, inside: str = "", extra: str = "") -> str:
    return f"""<crowd-form><crowd-{element} name="result" header="What is it?"
      categories="['indoor', 'outdoor', 'neither',]" {extra}
      src="{{{{ task.input.image | grant_read_access }}}}">
      <full-instructions header="H">F</full-instructions>
      <short-instructions>S</short-instructions>{inside}
      </crowd-{element}></crowd-form>"""


EXCLUSION = "exclusion-category=\"{ text: 'None of them' }\""
COMMENT = '<worker-comment header="Why?" link-text="Say more" placeholder="…">Help us</worker-comment>'


def test_one_category_by_mouse_and_by_key(task: Task):
    page = task.open(_image("image-classifier"))
    assert "choose one" in task.refuses()
    page.get_by_text("outdoor").click()
    assert task.submit() == {"result": {"label": "outdoor"}}
    task.keys("1")
    assert task.submit() == {"result": {"label": "indoor"}}


def test_a_comment(task: Task):
    page = task.open(_image("image-classifier", COMMENT))
    task.keys("3")
    assert task.submit() == {"result": {"label": "neither"}}
    page.get_by_text("Say more").click()
    page.get_by_label("Why?").fill("too dark 2")
    assert task.submit() == {"result": {"label": "neither", "workerComment": "too dark 2"}}


def test_several_categories_and_the_one_that_excludes_them(task: Task):
    page = task.open(_image("image-classifier-multi-select", extra=EXCLUSION))
    assert "at least one" in task.refuses()
    page.get_by_label("outdoor").check()
    page.get_by_label("indoor").check()
    assert task.submit() == {"result": {"labels": ["indoor", "outdoor"]}}
    task.keys("4")
    assert task.submit() == {"result": {"labels": ["None of them"]}}
    task.keys("3")
    assert task.submit() == {"result": {"labels": ["neither"]}}


def test_boxes_over_the_image(task: Task):
    overlay = (
        "{boundingBox: {labels: ['car'], value: [{label: 'car', left: 10, top: 60, width: 80, height: 50}]}}"
    )
    page = task.open(_image("image-classifier", extra=f'overlay="{overlay}"'))
    page.locator("crowd-image-classifier svg text", has_text="car").wait_for()
    assert page.locator("crowd-image-classifier figure svg").get_attribute("viewBox") == "0 0 320 200"


@pytest.mark.parametrize(
    "named",
    [
        {"semanticSegmentation": {"labels": ["tree"], "labelMappings": {"tree": {"color": "#2ca02c"}}}},
        {"instanceSegmentation": {"labels": ["tree"], "instances": [{"color": "#2ca02c", "label": "tree"}]}},
    ],
)
def test_a_mask_over_the_image(task: Task, named: dict[str, dict[str, Any]]):
    mask = Image.new("RGB", (WIDTH, HEIGHT), "white")
    mask.paste("#2ca02c", (0, 0, 100, 50))
    stream = io.BytesIO()
    mask.save(stream, "PNG")
    source = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    overlay = {kind: value | {"src": source} for kind, value in named.items()}
    page = task.open(_image("image-classifier", extra=f'overlay="{as_attribute(overlay)}"'))
    page.locator("crowd-image-classifier li", has_text="tree").wait_for()
    shown = page.locator("crowd-image-classifier canvas").evaluate(
        "(c) => [[5, 5], [200, 5]].map(([x, y]) => [...c.getContext('2d').getImageData(x, y, 1, 1).data])"
    )
    assert shown == [[0x2C, 0xA0, 0x2C, 255], [0, 0, 0, 0]]


@pytest.mark.parametrize("element", ["classifier", "classifier-multi-select"])
def test_classification_of_anything(task: Task, element: str):
    page = task.open(
        f"""<crowd-form><crowd-{element} name="result" header="Mood"
          categories="{{{{ task.input.moods | to_json | escape }}}}">
          <classification-target><p>A sentence & "quotes"</p></classification-target>
        </crowd-{element}></crowd-form>""",
        {"moods": ["good", 'so "so"', "bad"]},
    )
    assert page.get_by_text("A sentence").is_visible()
    page.get_by_text('so "so"').click()
    label = {"label": 'so "so"'} if element == "classifier" else {"labels": ['so "so"']}
    assert task.submit() == {"result": label}


def test_categories_set_by_a_script(task: Task):
    page = task.open(_image("image-classifier"))
    page.evaluate("document.querySelector('crowd-image-classifier').categories = ['x', 'y']")
    task.keys("2")
    assert task.submit() == {"result": {"label": "y"}}


def test_two_elements_side_by_side(task: Task):
    page = task.open(
        """<crowd-form>
        <crowd-classifier name="a" categories="['x', 'y']">
          <classification-target>A</classification-target></crowd-classifier>
        <crowd-classifier name="b" categories="['x', 'y']">
          <classification-target>B</classification-target></crowd-classifier>
        <crowd-input name="notes" value="n"></crowd-input></crowd-form>"""
    )
    task.keys("1")
    page.locator("[name=a] input").first.focus()
    task.keys("2")
    page.locator("[name=b] input").first.check()
    assert task.submit() == {"a": {"label": "y"}, "b": {"label": "x"}, "notes": "n"}


@pytest.mark.parametrize(
    ("element", "initial", "answer"),
    [
        ("classifier", "sad", {"label": "sad"}),
        ("classifier", '"sad"', {"label": "sad"}),
        ("classifier", "{label: 'sad'}", {"label": "sad"}),
        ("classifier-multi-select", "['happy', 'sad']", {"labels": ["happy", "sad"]}),
        ("classifier-multi-select", "{labels: ['none']}", {"labels": ["none"]}),
    ],
)
def test_the_initial_value_is_chosen(task: Task, element: str, initial: str, answer: dict[str, Any]):
    page = task.open(
        f"""<crowd-form><crowd-{element} name="result" categories="['happy', 'sad']" header="Mood"
        exclusion-category="{{text: 'none'}}" initial-value="{initial.replace('"', "&quot;")}">
        <classification-target>x</classification-target></crowd-{element}></crowd-form>"""
    )
    assert task.submit() == {"result": answer}
    page.get_by_text("happy").click()
    page.locator("crowd-form").evaluate("(form) => form.reset()")
    assert task.submit() == {"result": answer}
    assert task.messages("error") == []


def test_an_initial_value_that_is_no_category_is_told(task: Task):
    task.open(
        """<crowd-form><crowd-classifier name="result" categories="['happy']" initial-value="angry"
        header="Mood"></crowd-classifier></crowd-form>"""
    )
    assert "angry" in task.messages("error")[0]["message"]
    assert "choose one" in task.refuses()


def test_moderation_labels_come_back_as_they_were_given(task: Task):
    element = "rekognition-detect-moderation-labels"
    labels = [
        {"name": "Violence", "confidence": 71.5, "parentName": ""},
        {"name": "Weapons", "confidence": 60},
    ]
    template = _image(element, extra=EXCLUSION).replace(
        "\"['indoor', 'outdoor', 'neither',]\"", f'"{as_attribute(labels)}"'
    )
    page = task.open(template)
    assert "at least one" in task.refuses()
    page.get_by_text("Violence").click()
    assert task.submit() == {"result": {"ModerationLabels": [labels[0]]}}
    page.get_by_text("None of them").click()
    assert task.submit() == {"result": {"ModerationLabels": []}}
    # As Amazon's own template has it: without a name.
    task.open(_image(element, extra=EXCLUSION).replace('name="result"', ""))
    task.page.get_by_text("indoor").click()
    own = "AWS/Rekognition/DetectModerationLabels/Image/V3"
    assert task.submit() == {own: {"ModerationLabels": ["indoor"]}}
