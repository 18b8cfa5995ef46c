"""Boxes of crowd-bounding-box under mouse, finger and trackpad: taken hold of, moved, shown and hidden."""

from __future__ import annotations

from typing import Any

import pytest

from tests.review_server.components.boxes import BOXES, boxes, template
from tests.review_server.components.conftest import Task


def _box(left: int, top: int, width: int, height: int, label: str = "cat") -> dict[str, Any]:
    return {"height": height, "label": label, "left": left, "top": top, "width": width}


def _chosen(task: Task) -> str | None:
    label: str | None = task.page.evaluate(
        "document.querySelector('crowd-bounding-box').shapes.selected?.label ?? null"
    )
    return label


class Fingers:
    """Touches at stored pixels of the image."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.client = task.page.context.new_cdp_session(task.page)

    def __call__(self, kind: str, *points: tuple[float, float]) -> None:
        at = [self.task.at(*point) for point in points]
        self.client.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(at)]},
        )


@pytest.mark.parametrize("side", [2, 4, 6])
@pytest.mark.parametrize("by", ["mouse", "touch"])
def test_the_middle_of_a_small_box_moves_it(task: Task, side: int, by: str):
    task.open(template([_box(100, 80, side, side)]))
    middle = (100 + side / 2, 80 + side / 2)
    end = (middle[0] + 40, middle[1] + 20)
    touch = Fingers(task)
    if by == "mouse":
        task.click(*middle)
        task.drag(middle, end)
    else:
        for _ in range(2):
            touch("touchStart", middle)
            touch("touchEnd")
        touch("touchStart", middle)
        touch("touchMove", (middle[0] + 10, middle[1] + 5))
        touch("touchMove", end)
        touch("touchEnd")
    assert boxes(task) == [_box(140, 100, side, side)]
    # It is drawn once, and its handles lie outside it, where they can be seen.
    assert task.page.locator("crowd-bounding-box .label:visible").count() == 1
    task.page.mouse.move(*task.at(200, 180))
    handle = task.page.locator("crowd-bounding-box rect.handle").first.bounding_box()
    assert handle
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    left, top = task.at(140, 100)
    assert x < left - 4
    assert y < top - 4
    scale = (task.at(100, 0)[0] - task.at(0, 0)[0]) / 100
    task.page.mouse.move(x, y)
    task.page.mouse.down()
    task.page.mouse.move(x - 10 * scale, y - 20 * scale)
    task.page.mouse.up()
    assert boxes(task) == [_box(130, 80, side + 10, side + 20)]


def test_only_the_selected_box_is_taken_hold_of(task: Task):
    task.open(template(BOXES))
    task.drag((20, 30), (8, 10))
    assert boxes(task) == [*BOXES, _box(8, 10, 12, 20)]
    task.keys("Control+z")
    # Its outline, a little outside of it, neither at a corner nor at the middle of a side.
    outline = (38, 30 - 2 / task.page.evaluate("document.querySelector('crowd-bounding-box').view.scale"))
    task.drag(outline, (45, 10))
    assert boxes(task)[:2] == BOXES
    assert len(boxes(task)) == 3
    task.keys("Control+z")
    task.click(50, 50)
    task.drag(outline, (outline[0] + 3, outline[1] + 5))
    assert boxes(task) == [_box(23, 35, 60, 40), BOXES[1]]
    task.keys("Control+z")
    # Beside the selected one, and in it with a key held down.
    task.drag((86, 50), (120, 60))
    assert boxes(task)[2:] == [_box(86, 50, 34, 10)]
    for count, key in enumerate(("Control", "Alt"), start=3):
        task.keys("Escape")
        task.click(50, 50)
        task.page.keyboard.down(key)
        task.drag((30, 40), (60, 60))
        task.page.keyboard.up(key)
        assert boxes(task)[:2] == BOXES
        assert boxes(task)[count:] == [_box(30, 40, 30, 20)]
        task.keys("Shift+ArrowRight", *["ArrowRight"] * count)


def test_another_click_takes_the_next_box_below(task: Task):
    nested = [_box(20, 20, 200, 150, "cat"), _box(40, 40, 120, 100, "dog"), _box(60, 60, 40, 40, "bird")]
    task.open(template(nested))
    seen = []
    for _ in range(4):
        task.click(80, 80)
        seen.append(_chosen(task))
    assert seen == ["bird", "dog", "cat", "bird"]
    task.click(30, 100)
    assert _chosen(task) == "cat"
    task.click(80, 80)
    assert _chosen(task) == "bird"
    assert boxes(task) == nested


def test_a_hover_and_a_drag_touch_nothing_but_what_changes(task: Task):
    """With a thousand boxes: what is not touched costs nothing."""
    many = [_box(2 + (i % 40) * 7, 2 + (i // 40) * 7, 5, 5) for i in range(999)]
    page = task.open(template([*many, _box(20, 20, 200, 150, "dog")]))
    page.locator("crowd-bounding-box li").nth(999).locator(".shape").click()
    page.evaluate(
        """() => {
            touched = new Set();
            const boxes = document.querySelector("crowd-bounding-box");
            const note = (records) => records.forEach(({target}) => {
                const node = target instanceof Element ? target : target.parentElement;
                const row = node?.closest("li, .shapes > g, .palette, .stage");
                if (row?.matches("li, g, .palette")) touched.add(row);
            });
            observer = new MutationObserver(note);
            observer.observe(boxes.shadowRoot, {
                subtree: true, childList: true, attributes: true, characterData: true,
            });
        }"""
    )
    settled = "new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(touched.size))))"
    for x in range(50, 90, 5):
        page.mouse.move(*task.at(x, 190))
    assert page.evaluate(settled) == 0
    page.mouse.move(*task.at(110, 165))
    page.mouse.down()
    for x in range(100, 110):
        page.mouse.move(*task.at(x, 170))
    assert page.evaluate(settled) == 1
    page.mouse.up()
    assert boxes(task)[:999] == many


def _view(task: Task) -> dict[str, float]:
    view: dict[str, float] = task.page.evaluate(
        "(({x, y, scale}) => ({x, y, scale}))(document.querySelector('crowd-bounding-box').view)"
    )
    return view


def test_a_wheel_zooms_a_swipe_moves_and_a_pinch_zooms_where_it_is(task: Task):
    task.open(template(BOXES))
    wheel = """([x, y, ctrlKey, ...turns]) => {
        const stage = document.querySelector("crowd-bounding-box").stage;
        for (const [deltaX, deltaY] of turns) stage.dispatchEvent(new WheelEvent("wheel",
            {clientX: x, clientY: y, deltaX, deltaY, ctrlKey, cancelable: true, bubbles: true}));
    }"""
    x, y = (round(value) for value in task.at(100, 80))
    under = """([x, y]) => {
        const boxes = document.querySelector("crowd-bounding-box");
        const frame = boxes.stage.getBoundingClientRect();
        const at = boxes.view.toImage(x - frame.left - 1, y - frame.top - 1);
        return [at.x, at.y];
    }"""
    place = task.page.evaluate(under, [x, y])
    before = _view(task)
    task.page.evaluate(wheel, [x, y, False, [0, -300]])
    zoomed = _view(task)
    assert zoomed["scale"] > before["scale"] * 2
    assert task.page.evaluate(under, [x, y]) == pytest.approx(place)
    # The second turn is still the same swipe, though it is not straight.
    task.page.evaluate(wheel, [x, y, False, [30, 4], [2, 10]])
    swiped = _view(task)
    assert swiped["scale"] == zoomed["scale"]
    assert (swiped["x"], swiped["y"]) == pytest.approx((zoomed["x"] - 32, zoomed["y"] - 14))
    place = task.page.evaluate(under, [x, y])
    task.page.evaluate(wheel, [x, y, True, [0, -5]])
    assert _view(task)["scale"] == pytest.approx(swiped["scale"] * 1.0513, rel=1e-3)
    assert task.page.evaluate(under, [x, y]) == pytest.approx(place)


def test_after_a_pinch_the_finger_that_is_left_moves_the_image(task: Task):
    task.open(template(BOXES))
    x, y = task.at(150, 100)
    touch = """([type, pointerId, clientX, clientY]) => {
        const stage = document.querySelector("crowd-bounding-box").stage;
        stage.dispatchEvent(new PointerEvent(type,
            {pointerId, clientX, clientY, pointerType: "touch", bubbles: true}));
    }"""
    for event in (
        ["pointerdown", 71, x, y],
        ["pointerdown", 72, x + 50, y],
        ["pointermove", 72, x + 90, y],
        ["pointerup", 72, x + 90, y],
    ):
        task.page.evaluate(touch, event)
    before = _view(task)
    task.page.evaluate(touch, ["pointermove", 71, x + 20, y + 10])
    task.page.evaluate(touch, ["pointerup", 71, x + 20, y + 10])
    after = _view(task)
    assert after["scale"] == before["scale"]
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((20, 10))
    assert boxes(task) == BOXES


@pytest.mark.parametrize("by", ["Space", "middle button"])
def test_the_image_is_moved_wherever_the_focus_is(task: Task, by: str):
    page = task.open(template(BOXES))
    page.locator("crowd-bounding-box li .shape").first.focus()
    page.mouse.move(*task.at(200, 100))
    before = _view(task)
    if by == "Space":
        page.keyboard.down(" ")
    page.mouse.down(button="left" if by == "Space" else "middle")
    x, y = task.at(200, 100)
    page.mouse.move(x + 30, y + 20)
    page.mouse.up(button="left" if by == "Space" else "middle")
    if by == "Space":
        page.keyboard.up(" ")
    after = _view(task)
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((30, 20))
    assert (boxes(task), _chosen(task)) == (BOXES, None)
    # A button that has the focus is still pressed by Space.
    page.locator("crowd-bounding-box li .shape").first.focus()
    task.keys(" ")
    assert _chosen(task) == "cat"


@pytest.mark.parametrize("what", ["all", "a class"])
def test_what_is_hidden_cannot_be_edited(task: Task, what: str):
    page = task.open(template([BOXES[1]]))
    task.click(200, 100)
    if what == "all":
        task.keys("h")
    else:
        page.evaluate(
            "(() => { const e = document.querySelector('crowd-bounding-box');"
            " e.hiding.labels.add('dog'); e.hiding.changed(); })()"
        )
    assert _chosen(task) is None
    page.locator(".stage").focus()
    task.keys("Delete", "ArrowRight", "1")
    task.click(200, 100)
    assert _chosen(task) is None
    task.keys("Tab", "Delete")
    page.locator("crowd-bounding-box li .shape").click(force=True)
    page.get_by_role("button", name="Delete box 1 of 1").click(force=True)
    assert (boxes(task), _chosen(task)) == ([BOXES[1]], None)
    # A new one shows them again: nobody draws what cannot be seen.
    task.keys("2")
    task.drag((10, 10), (40, 40))
    assert _chosen(task) == "dog"
    assert page.locator("crowd-bounding-box .shapes > g:visible").count() == 1


@pytest.mark.parametrize("end", ["pause", "blur", "Escape", "lost pointer", "button let go of elsewhere"])
@pytest.mark.parametrize("drag", ["move", "resize", "draw"])
def test_a_drag_that_is_cut_off_has_not_happened(task: Task, end: str, drag: str):
    page = task.open(template(BOXES))
    task.click(200, 100)
    start = {"move": (200, 100), "resize": (250, 150), "draw": (30, 120)}[drag]
    page.mouse.move(*task.at(*start))
    page.mouse.down()
    for step in (10, 20):
        page.mouse.move(*task.at(start[0] + step, start[1] + step))
    assert boxes(task) == BOXES, "what a draft of the answer has meanwhile"
    stage = "document.querySelector('crowd-bounding-box').stage"
    if end == "pause":
        page.evaluate(
            "new Promise((done) => { window.addEventListener('message', () => setTimeout(done));"
            " window.postMessage({nightloop: 'pause', paused: true}, '*'); })"
        )
        page.evaluate(
            "new Promise((done) => { window.addEventListener('message', () => setTimeout(done));"
            " window.postMessage({nightloop: 'pause', paused: false}, '*'); })"
        )
    elif end == "blur":
        page.evaluate("window.dispatchEvent(new Event('blur'))")
    elif end == "Escape":
        task.keys("Escape")
    elif end == "lost pointer":
        page.evaluate(f"{stage}.releasePointerCapture(1)")
    else:
        page.evaluate(
            f"{stage}.dispatchEvent(new PointerEvent('pointermove', {{pointerId: 1, pointerType: 'mouse'}}))"
        )
    page.mouse.move(*task.at(start[0] + 30, start[1] + 30))
    page.mouse.move(*task.at(start[0] + 40, start[1] + 20))
    page.mouse.up()
    assert boxes(task) == BOXES
    assert task.submit()["result"]["initialValueModified"] is False
    task.click(200, 100)
    task.drag((200, 100), (210, 100))
    assert boxes(task)[1]["left"] == 160
