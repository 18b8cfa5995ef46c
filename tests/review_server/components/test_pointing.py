"""The box under the mouse: keys act on it without a click, and its label takes hold of it."""

from __future__ import annotations

import pytest

from tests.review_server.components.conftest import Task, as_attribute

BOXES = [
    {"label": "cat", "left": 40, "top": 60, "width": 60, "height": 60},
    {"label": "cat", "left": 160, "top": 60, "width": 60, "height": 60},
]
TEMPLATE = f"""
<crowd-form>
  <crowd-bounding-box name="result" src="{{{{ task.input.image | grant_read_access }}}}"
    labels="['cat', 'dog', 'bird']" initial-value="{as_attribute(BOXES)}"></crowd-bounding-box>
</crowd-form>"""
_ELEMENT = "document.querySelector('crowd-bounding-box')"
_LABEL = f"""() => {{
    const label = {_ELEMENT}.shadowRoot.querySelector('.shapes .label rect').getBoundingClientRect();
    return [label.left + label.width / 2, label.top + label.height / 2];
}}"""


def _point(task: Task, x: float, y: float) -> None:
    task.page.mouse.move(*task.at(x, y))
    task.page.wait_for_function(f"() => {_ELEMENT}.selection.pointedId !== null")


def _labels(task: Task) -> list[str]:
    return [box["label"] for box in task.value()["boundingBoxes"]]


def test_a_digit_is_the_class_of_the_box_under_the_mouse(task: Task) -> None:
    task.open(TEMPLATE)
    _point(task, 190, 90)
    task.keys("2")
    assert _labels(task) == ["cat", "dog"]


def test_delete_deletes_the_box_under_the_mouse(task: Task) -> None:
    task.open(TEMPLATE)
    _point(task, 70, 90)
    task.keys("Delete")
    assert [box["left"] for box in task.value()["boundingBoxes"]] == [160]


@pytest.mark.parametrize("way", ["off the boxes", "off the stage"])
def test_nothing_is_under_a_mouse_that_has_gone(task: Task, way: str) -> None:
    task.open(TEMPLATE)
    _point(task, 70, 90)
    task.page.mouse.move(*(task.at(300, 190) if way == "off the boxes" else (5, 5)))
    task.page.wait_for_function(f"() => {_ELEMENT}.selection.pointedId === null")
    task.keys("2", "Delete")
    assert _labels(task) == ["cat", "cat"]


def test_what_a_key_has_selected_is_meant_while_the_mouse_rests(task: Task) -> None:
    page = task.open(TEMPLATE)
    _point(task, 70, 90)
    page.locator(".stage").focus()
    task.keys("Shift+Tab")
    x, y = task.at(70, 90)
    page.mouse.move(x + 2, y + 1)  # somebody knocked at the table
    task.keys("3")
    assert _labels(task) == ["cat", "bird"]
    _point(task, 80, 100)
    task.keys("b", "a", "a", "c", "c", "2")
    assert _labels(task) == ["cat", "bird", "dog"]
    _point(task, 70, 90)
    task.keys("ArrowRight", "Delete")
    assert _labels(task) == ["cat", "bird"]


def test_what_has_gone_out_of_sight_is_neither_deleted_nor_taken_hold_of(task: Task) -> None:
    page = task.open(TEMPLATE)
    _point(task, 70, 90)
    task.keys("+", "+", "+", "Delete", "+", "+")
    assert _labels(task) == ["cat", "cat"]
    # Here its label was before the last step.
    frame = page.locator(".stage").bounding_box()
    assert frame is not None
    x, y = frame["x"] + 9, frame["y"] + 10
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 30)
    page.mouse.move(x + 60, y + 90)
    page.mouse.up()
    boxes = task.value()["boundingBoxes"]
    assert [(box["left"], box["top"]) for box in boxes[:2]] == [(40, 60), (160, 60)]
    assert len(boxes) == 3


def test_the_box_that_was_just_drawn_is_meant_where_another_lies_below(task: Task) -> None:
    task.open(TEMPLATE)
    task.drag((50, 70), (80, 100))
    task.page.mouse.move(*task.at(78, 98))
    task.keys("3")
    assert _labels(task) == ["cat", "cat", "bird"]


def test_a_label_takes_hold_of_its_box_in_one_drag(task: Task) -> None:
    page = task.open(TEMPLATE)
    x, y = page.evaluate(_LABEL)
    scale = page.evaluate(f"() => {_ELEMENT}.view.scale")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5 * scale, y + 5 * scale)
    page.mouse.move(x + 10 * scale, y + 20 * scale)
    page.mouse.up()
    boxes = task.value()["boundingBoxes"]
    assert [(box["left"], box["top"], box["width"]) for box in boxes] == [(50, 80, 60), (160, 60, 60)]


def test_a_click_on_a_label_selects_its_box(task: Task) -> None:
    page = task.open(TEMPLATE)
    page.mouse.click(*page.evaluate(_LABEL))
    task.keys("ArrowRight")
    assert [box["left"] for box in task.value()["boundingBoxes"]] == [41, 160]
