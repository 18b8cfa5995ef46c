"""crowd-polygon, -polyline, -line and -keypoint: drawn by mouse and by keyboard, answered as documented."""

from __future__ import annotations

from typing import Any

import pytest

from tests.review_server.components.conftest import HEIGHT, WIDTH, Task, as_attribute

PROPERTIES = {"height": HEIGHT, "width": WIDTH}


def _template(element: str, initial: Any = None, extra: str = "") -> str:
    preset = f'initial-value="{as_attribute(initial)}"' if initial is not None else ""
    return f"""
      <crowd-form>
        <crowd-{element} name="result" header="Draw" labels="['a', 'b']" {preset} {extra}
          src="{{{{ task.input.image | grant_read_access }}}}">
          <full-instructions header="How">All of it</full-instructions>
          <short-instructions>Shortly</short-instructions>
        </crowd-{element}>
      </crowd-form>"""


def _points(*points: tuple[int, int]) -> list[dict[str, int]]:
    return [{"x": x, "y": y} for x, y in points]


TRIANGLE = {"label": "a", "vertices": _points((20, 20), (120, 30), (60, 110))}
BEND = {"label": "b", "vertices": _points((10, 10), (90, 40), (200, 20))}
EDGE = {"label": "a", "vertices": _points((0, 5), (300, 7))}
TIP = {"label": "b", "x": 33, "y": 91}


@pytest.mark.parametrize(
    ("element", "key", "shape", "initial"),
    [
        ("polygon", "polygons", TRIANGLE, [TRIANGLE]),
        ("polyline", "polylines", BEND, {"polylines": [BEND]}),
        ("line", "lines", EDGE, {"lines": [EDGE]}),
        ("keypoint", "keypoints", TIP, [TIP]),
    ],
)
def test_the_initial_value_comes_back(task: Task, element: str, key: str, shape: Any, initial: Any):
    task.open(_template(element, initial))
    assert task.submit() == {
        "result": {"inputImageProperties": PROPERTIES, key: [shape], "initialValueModified": False}
    }
    task.page.locator(".stage").focus()
    task.keys("Tab", "ArrowRight")
    assert task.submit()["result"]["initialValueModified"] is True
    task.keys("Control+z")
    assert task.submit()["result"]["initialValueModified"] is False


@pytest.mark.parametrize("ending", ["first point", "double click", "Enter", "button"])
def test_a_polygon_by_mouse(task: Task, ending: str):
    task.open(_template("polygon"))
    for x, y in [(20, 20), (120, 30), (60, 110)]:
        task.click(x, y)
    if ending == "first point":
        task.click(20, 20)
    elif ending == "double click":
        task.click(60, 110)
    elif ending == "Enter":
        task.keys("Enter")
    else:
        task.page.get_by_role("button", name="Finish the polygon").click()
    assert task.submit() == {"result": {"inputImageProperties": PROPERTIES, "polygons": [TRIANGLE]}}


def test_a_polyline_by_mouse(task: Task):
    task.open(_template("polyline"))
    task.keys("2")
    for x, y in [(10, 10), (90, 40), (100, 190)]:
        task.click(x, y)
    task.keys("Backspace")
    task.click(200, 20)
    task.click(200, 20)
    assert task.submit() == {"result": {"inputImageProperties": PROPERTIES, "polylines": [BEND]}}


@pytest.mark.parametrize("manner", ["drag", "clicks"])
def test_a_line_by_mouse(task: Task, manner: str):
    task.open(_template("line"))
    if manner == "drag":
        task.drag((0, 5), (300, 7))
    else:
        task.click(0, 5)
        task.click(300, 7)
    assert task.submit() == {"result": {"inputImageProperties": PROPERTIES, "lines": [EDGE]}}


def test_keypoints_by_mouse(task: Task):
    task.open(_template("keypoint"))
    task.keys("2")
    task.click(33, 91)
    task.keys("1")
    task.click(200, 100)
    task.drag((200, 100), (319, 199))
    answer = task.submit()["result"]
    assert answer["keypoints"][0] == TIP
    assert {"x": answer["keypoints"][1]["x"], "y": answer["keypoints"][1]["y"]} == {"x": 319, "y": 199}
    assert answer["inputImageProperties"] == PROPERTIES


def test_points_and_shapes_are_moved_by_mouse(task: Task):
    task.open(_template("polygon", [TRIANGLE]))
    task.click(60, 50)
    task.drag((120, 30), (140, 40))
    assert task.value()["polygons"][0]["vertices"] == _points((20, 20), (140, 40), (60, 110))
    task.drag((70, 60), (80, 50))
    assert task.value()["polygons"][0]["vertices"] == _points((30, 10), (150, 30), (70, 100))
    task.drag((80, 50), (-90, -80))
    assert task.value()["polygons"][0]["vertices"] == _points((0, 0), (120, 20), (40, 90))


@pytest.mark.parametrize(
    ("element", "key", "presses", "count"),
    [
        ("polygon", "polygons", 3, 3),
        ("polyline", "polylines", 2, 2),
        ("line", "lines", 2, 2),
    ],
)
def test_paths_by_keyboard_alone(task: Task, element: str, key: str, presses: int, count: int):
    task.open(_template(element))
    task.page.locator(".stage").focus()
    task.keys("n")
    for turn in range(presses):
        if turn:
            task.keys(*["Alt+ArrowRight" if turn == 1 else "Alt+ArrowDown"] * 3)
        task.keys("Enter")
    if element != "line":
        task.keys("Control+Enter")
        assert "Finish" in task.page.locator("crowd-form > nightloop-notice").inner_text()
        task.keys("Enter")
    vertices = task.submit()["result"][key][0]["vertices"]
    assert vertices == _points((160, 100), (190, 100), (190, 130))[:count]


def test_a_keypoint_by_keyboard_alone(task: Task):
    task.open(_template("keypoint"))
    task.page.locator(".stage").focus()
    task.keys("2", "n", "ArrowRight", "ArrowUp", "Enter")
    assert task.value()["keypoints"] == [{"label": "b", "x": 161, "y": 99}]


def test_single_points_are_moved_and_deleted_by_keyboard(task: Task):
    square = {"label": "a", "vertices": _points((20, 20), (100, 20), (100, 100), (20, 100))}
    task.open(_template("polygon", [square]))
    task.page.locator(".stage").focus()
    task.keys("Tab", "v", "v", "ArrowUp", "Alt+ArrowRight")
    assert task.value()["polygons"][0]["vertices"][1] == {"x": 110, "y": 19}
    task.keys("Delete")
    assert task.value()["polygons"][0]["vertices"] == _points((20, 20), (100, 100), (20, 100))
    task.keys("v", "Delete")
    assert task.value()["polygons"] == []
    task.keys("Control+z", "Control+z", "Control+z")
    assert task.value()["polygons"] == [square]


def test_escape_drops_what_is_being_drawn(task: Task):
    task.open(_template("polygon"))
    task.click(20, 20)
    task.click(120, 30)
    task.keys("Escape")
    assert task.submit()["result"]["polygons"] == []


def test_label_colors(task: Task):
    page = task.open(_template("polyline", [BEND], extra="label-colors=\"['#123456', '#ABCDEF']\""))
    assert page.locator("crowd-polyline svg [data-label=b] path").nth(1).get_attribute("stroke") == "#abcdef"


def test_an_initial_value_that_is_none_is_told(task: Task):
    page = task.open(_template("polygon", [{"label": "a", "vertices": [{"x": 1}]}, {"label": "a"}]))
    told = page.locator("nightloop-notice", has_text="initial-value").inner_text()
    assert "of 2 polygons, these were left out: 2 are not polygons (number 1, 2)" in told
    assert task.submit()["result"]["polygons"] == []
    assert task.value()["initialValueModified"] is True


def test_pre_labels_are_clipped_to_the_image(task: Task):
    wide = {"label": "a", "vertices": _points((-100, 50), (100, -150), (300, 50))}
    outside = {"label": "a", "vertices": _points((400, 10), (500, 10), (450, 90))}
    flat = {"label": "a", "vertices": _points((10, 10), (50, 50), (90, 90))}
    page = task.open(_template("polygon", [TRIANGLE, wide, outside, flat]))
    result = task.submit()["result"]
    assert result["polygons"][0] == TRIANGLE
    (clipped,) = result["polygons"][1:]
    corners = [(point["x"], point["y"]) for point in clipped["vertices"]]
    assert sorted(corners) == [(0, 0), (0, 50), (250, 0), (300, 50)]
    assert result["initialValueModified"] is True
    left, over = page.locator("nightloop-notice", has_text="initial-value").all_inner_texts()
    assert "1 has no extent (number 4), 1 lies outside the image (number 3)" in left
    assert "1 reached over the image's edge and was clipped to it (number 2)" in over


def test_a_line_is_clipped_and_a_keypoint_outside_is_left_out(task: Task):
    task.open(_template("line", [{"label": "a", "vertices": _points((-50, 50), (50, 150))}]))
    assert task.submit()["result"]["lines"] == [{"label": "a", "vertices": _points((0, 100), (50, 150))}]
    points = [{"label": "a", "x": WIDTH, "y": 20}, {"label": "b", "x": WIDTH + 9, "y": 20}, TIP]
    task.open(_template("keypoint", points))
    assert task.submit()["result"]["keypoints"] == [{"label": "a", "x": WIDTH - 1, "y": 20}, TIP]


@pytest.mark.parametrize(
    ("element", "key", "shape", "middle"),
    [
        ("polygon", "polygons", {"label": "a", "vertices": _points((50, 50), (56, 50), (53, 56))}, (53, 52)),
        ("polyline", "polylines", {"label": "a", "vertices": _points((50, 50), (58, 50))}, (54, 50)),
        ("line", "lines", {"label": "a", "vertices": _points((50, 50), (58, 50))}, (54, 50)),
    ],
)
def test_the_middle_of_a_small_shape_moves_it(
    task: Task, element: str, key: str, shape: Any, middle: tuple[int, int]
):
    task.open(_template(element, [shape]))
    task.click(*middle)
    task.drag(middle, (middle[0] + 40, middle[1] + 30))
    moved = [{"x": point["x"] + 40, "y": point["y"] + 30} for point in shape["vertices"]]
    assert task.value()[key][0]["vertices"] == moved
    start, end = moved[0], moved[1]
    past = (start["x"] - 2, start["y"] - 1)
    task.drag(past, (past[0] - 20, past[1]))
    assert task.value()[key][0]["vertices"][:2] == [{"x": start["x"] - 20, "y": start["y"]}, end]


def test_an_unselected_polyline_is_not_moved_and_a_second_click_takes_the_next(task: Task):
    crossing = {"label": "a", "vertices": _points((10, 100), (200, 100))}
    across = {"label": "b", "vertices": _points((100, 20), (100, 180))}
    task.open(_template("polyline", [crossing, across]))
    chosen = task.page.locator("crowd-polyline li.selected .text")
    task.drag((100, 100), (140, 60))
    assert task.value()["polylines"] == [crossing, across]
    task.keys("Escape", "Escape")
    seen = []
    for _ in range(3):
        task.click(100, 100)
        seen.append(chosen.inner_text())
    assert seen in (["a", "b", "a"], ["b", "a", "b"])


def test_a_keypoint_is_set_on_another_with_control(task: Task):
    task.open(_template("keypoint", [TIP]))
    task.click(33, 91)
    assert len(task.value()["keypoints"]) == 1
    task.page.keyboard.down("Control")
    task.click(34, 91)
    task.page.keyboard.up("Control")
    assert [(point["x"], point["y"]) for point in task.value()["keypoints"]] == [(33, 91), (34, 91)]
