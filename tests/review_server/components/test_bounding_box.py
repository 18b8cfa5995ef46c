"""crowd-bounding-box in a browser: by mouse, by keyboard, by touch; stored pixels whatever EXIF says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.review_server.components.conftest import HEIGHT, WIDTH, Task, as_attribute

BOXES = [
    {"height": 40, "label": "cat", "left": 20, "top": 30, "width": 60},
    {"height": 90, "label": "dog", "left": 150, "top": 60, "width": 100},
]
LABELS = "['cat', 'dog', 'bird']"


def _template(initial: Any = None, labels: str = LABELS, image: str = "plain") -> str:
    preset = f'initial-value="{as_attribute(initial)}"' if initial is not None else ""
    return f"""
      <script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
      <crowd-form>
        <crowd-bounding-box name="result" header="Draw" labels="{labels}" {preset}
          src="{{{{ 's3://photos/{image}.jpg' | grant_read_access }}}}">
          <full-instructions header="How">All of it</full-instructions>
          <short-instructions>Shortly</short-instructions>
        </crowd-bounding-box>
      </crowd-form>"""


def _boxes(task: Task) -> list[dict[str, Any]]:
    boxes: list[dict[str, Any]] = task.value()["boundingBoxes"]
    return boxes


def test_an_answer_without_a_box(task: Task):
    task.open(_template())
    assert task.submit() == {
        "result": {"boundingBoxes": [], "inputImageProperties": {"height": HEIGHT, "width": WIDTH}}
    }


def test_the_initial_value_comes_back_unmodified(task: Task):
    task.open(_template(BOXES))
    assert task.submit() == {
        "result": {
            "boundingBoxes": BOXES,
            "initialValueModified": False,
            "inputImageProperties": {"height": HEIGHT, "width": WIDTH},
        }
    }


def test_an_empty_initial_value_is_one_too(task: Task):
    task.open(_template([]))
    assert task.submit()["result"]["initialValueModified"] is False


def test_draw_by_mouse(task: Task):
    task.open(_template())
    task.drag((40, 50), (140, 120))
    task.keys("Escape", "2")
    task.drag((300, 190), (200, 150))
    assert task.submit()["result"]["boundingBoxes"] == [
        {"height": 70, "label": "cat", "left": 40, "top": 50, "width": 100},
        {"height": 40, "label": "dog", "left": 200, "top": 150, "width": 100},
    ]


def test_a_box_ends_at_the_image(task: Task):
    task.open(_template())
    task.drag((300, 180), (330, 206))
    assert _boxes(task) == [{"height": 20, "label": "cat", "left": 300, "top": 180, "width": 20}]


def test_a_click_selects_and_does_not_draw(task: Task):
    task.open(_template(BOXES))
    task.click(200, 100)
    assert task.page.locator("crowd-bounding-box li.selected").inner_text().startswith("dog")
    task.click(100, 180)
    assert task.page.locator("crowd-bounding-box li.selected").count() == 0
    assert _boxes(task) == BOXES


def test_move_and_resize_by_mouse(task: Task):
    task.open(_template(BOXES))
    task.click(200, 100)
    task.drag((200, 100), (210, 95))
    assert _boxes(task)[1] == {"height": 90, "label": "dog", "left": 160, "top": 55, "width": 100}
    task.drag((260, 145), (270, 150))
    assert _boxes(task)[1] == {"height": 95, "label": "dog", "left": 160, "top": 55, "width": 110}
    task.drag((160, 102), (150, 102))
    assert _boxes(task)[1] == {"height": 95, "label": "dog", "left": 150, "top": 55, "width": 120}
    assert task.submit()["result"]["initialValueModified"] is True


def test_a_box_can_be_drawn_inside_another(task: Task):
    task.open(_template(BOXES))
    task.drag((170, 80), (200, 120))
    assert _boxes(task)[2] == {"height": 40, "label": "cat", "left": 170, "top": 80, "width": 30}


def test_correct_by_keyboard_alone(task: Task):
    task.open(_template(BOXES))
    task.page.locator(".stage").focus()
    task.keys("Tab")
    task.keys(
        "ArrowRight", "ArrowRight", "ArrowDown", "Alt+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "3"
    )
    assert _boxes(task)[0] == {"height": 39, "label": "bird", "left": 12, "top": 31, "width": 61}
    task.keys("Control+Shift+ArrowLeft", "Control+Shift+ArrowDown")
    assert _boxes(task)[0] == {"height": 38, "label": "bird", "left": 11, "top": 32, "width": 62}
    task.keys("Tab", "Delete")
    assert len(_boxes(task)) == 1
    task.keys("n", "2")
    assert [box["label"] for box in _boxes(task)] == ["bird", "dog"]
    task.keys("Control+Enter")
    assert len(task.messages("answer")) == 1


def test_tab_goes_through_the_boxes_and_on(task: Task):
    task.open(_template(BOXES))
    task.page.locator(".stage").focus()
    seen = []
    for _ in range(3):
        task.keys("Tab")
        seen.append(task.page.evaluate("document.querySelector('crowd-bounding-box').shapes.selected?.label"))
    assert seen == ["cat", "dog", None]
    assert task.page.evaluate(
        "document.querySelector('crowd-bounding-box').shadowRoot.activeElement.className"
    ) != ("stage")


def test_undo_and_redo(task: Task):
    task.open(_template(BOXES))
    task.drag((100, 150), (120, 180))
    task.keys("ArrowRight", "ArrowRight", "ArrowRight", "2", "Delete")
    states = [_boxes(task)]
    for _ in range(4):
        task.keys("Control+z")
        states.append(_boxes(task))
    assert [len(state) for state in states] == [2, 3, 3, 3, 2]
    assert [state[2]["label"] for state in states[1:4]] == ["dog", "cat", "cat"]
    assert [state[2]["left"] for state in states[1:4]] == [103, 103, 100]
    assert states[4] == BOXES
    task.keys("Control+Shift+z", "Control+y", "Control+y", "Control+y")
    assert _boxes(task) == BOXES
    assert task.submit()["result"]["initialValueModified"] is False


def test_a_reset_goes_back_to_the_initial_value(task: Task):
    task.open(_template(BOXES))
    task.click(200, 100)
    task.keys("Delete")
    task.page.evaluate("document.querySelector('crowd-form').reset()")
    assert _boxes(task) == BOXES


def test_number_keys_choose_the_class_and_digits_mean_themselves(task: Task):
    task.open(_template(labels="['0', '1', '2', '7']"))
    task.keys("7")
    task.drag((10, 10), (50, 50))
    task.keys("0")
    assert _boxes(task)[0]["label"] == "0"
    task.keys("Escape", "7")
    task.drag((60, 10), (90, 50))
    assert _boxes(task)[1]["label"] == "7"


def test_a_class_is_chosen_by_mouse(task: Task):
    task.open(_template(BOXES))
    task.click(50, 50)
    task.page.get_by_role("button", name="bird").click()
    assert _boxes(task)[0]["label"] == "bird"


def test_a_box_is_deleted_from_the_list(task: Task):
    task.open(_template(BOXES))
    task.page.get_by_role("button", name="Delete box 1 of 2, cat").click()
    assert _boxes(task) == BOXES[1:]


def test_what_happens_is_said(task: Task):
    task.open(_template(BOXES))
    status = task.page.locator("crowd-bounding-box .seen-by-readers")
    task.page.locator(".stage").focus()
    task.keys("Tab")
    assert status.inner_text() == "box 1 of 2, cat: left 20, top 30, 60 wide, 40 high"
    task.keys("Delete")
    assert status.inner_text().startswith("box 1 of 2, cat")
    assert "deleted" in status.inner_text()


def test_boxes_drawn_at_any_zoom_are_stored_pixels(task: Task):
    task.open(_template())
    task.page.mouse.move(*task.at(100, 100))
    task.page.mouse.wheel(0, -600)
    task.keys("+")
    task.drag((90, 95), (112, 107))
    assert _boxes(task) == [{"height": 12, "label": "cat", "left": 90, "top": 95, "width": 22}]
    task.keys("Escape")
    before = task.at(90, 95)
    task.page.locator(".stage").focus()
    task.page.keyboard.down(" ")
    task.page.mouse.move(400, 300)
    task.page.mouse.down()
    task.page.mouse.move(460, 340)
    task.page.mouse.up()
    task.page.keyboard.up(" ")
    after = task.at(90, 95)
    assert (round(after[0] - before[0]), round(after[1] - before[1])) == (60, 40)
    assert len(_boxes(task)) == 1
    task.keys("f")
    assert task.page.evaluate("document.querySelector('crowd-bounding-box').view.fitted")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_pixels_whatever_the_exif_orientation(task: Task, orientation: int):
    """The bright corner is at the upper left of the stored pixels, and is shown there."""
    task.open(_template(image=f"exif-{orientation}"))
    task.drag((0, 0), (WIDTH // 4, HEIGHT // 4))
    assert task.submit()["result"] == {
        "boundingBoxes": [{"height": HEIGHT // 4, "label": "cat", "left": 0, "top": 0, "width": WIDTH // 4}],
        "inputImageProperties": {"height": HEIGHT, "width": WIDTH},
    }
    task.keys("Escape", "h")
    corner, opposite = task.at(20, 20), task.at(WIDTH - 20, HEIGHT - 20)
    assert _brightness(task, *corner) > 200 > 130 > _brightness(task, *opposite)


def _brightness(task: Task, x: float, y: float) -> float:
    import io

    from PIL import Image

    shot = task.page.screenshot(clip={"x": x - 4, "y": y - 4, "width": 8, "height": 8})
    with Image.open(io.BytesIO(shot)) as image:
        data = image.convert("L").tobytes()
    return sum(data) / len(data)


def test_an_image_that_cannot_be_read_is_not_submitted(task: Task):
    for name in ("missing", "no-cors"):
        task.open(_template(image=name), ready=False)
        # The page has the image's own origin, unlike a real frame: only there can CORS refuse it.
        if name == "missing":
            task.page.get_by_text("could not be loaded").wait_for()
            assert "has not been loaded" in task.refuses()
            message = task.messages("error")[0]["message"]
            assert "may be no image, or its bucket does not allow reading by CORS" in message
            assert "choose Stop…, then Decline" in message
            assert task.page.get_by_label("Zoom", exact=True).inner_text() == ""


def test_labels_may_be_set_by_a_script(task: Task):
    template = (
        _template(labels="")
        + """
      <script>
        const boxes = document.querySelector("crowd-bounding-box");
        document.addEventListener("all-crowd-elements-ready", () => { boxes.labels = ["x", "y"]; });
      </script>"""
    )
    page = task.open(template)
    task.keys("2")
    task.drag((10, 10), (50, 50))
    assert _boxes(task)[0]["label"] == "y"
    page.evaluate("boxes.labels = [...boxes.labels, 'z']")
    task.keys("3")
    assert _boxes(task)[0]["label"] == "z"


def test_an_initial_label_that_is_no_class_is_kept_and_holds_the_answer(task: Task):
    """Its place is worth keeping, and choosing a class takes one key; an answer with it would be refused."""
    page = task.open(_template([BOXES[0] | {"label": "fish"}, BOXES[1]]))
    told = page.locator("nightloop-notice", has_text="initial-value").inner_text()
    assert 'of 2 boxes, 1 has a class that is not offered (number 1): "fish"' in told
    assert "1 box has a class that is not offered (fish)" in task.refuses()
    task.click(30, 40)
    assert page.get_by_text("is not one of the classes").count() == 1
    task.keys("3")
    assert task.submit()["result"]["boundingBoxes"] == [BOXES[0] | {"label": "bird"}, BOXES[1]]


def test_pre_labels_are_fitted_to_the_image_and_told(task: Task):
    box = BOXES[0]
    inside = [box, {"height": "20", "label": "cat", "left": "5", "top": 6.4, "width": 7}]
    over = [
        box | {"left": -10, "top": -20, "width": 30, "height": 40},
        box | {"left": 300, "width": 1e6},
    ]
    outside = [box | {"left": WIDTH}, box | {"top": -90, "height": 90}, box | {"left": -500}]
    empty = [box | {"width": 0}, box | {"height": -3}]
    unreadable = [
        box | {"left": "far"},
        box | {"left": None},
        box | {"width": 1e300},
        box | {"top": [3]},
        box | {"height": True},
        {"label": "cat"},
        None,
        7,
        "box",
        [],
    ]
    page = task.open(_template([*inside, *over, *outside, *empty, *unreadable]))
    result = task.submit()["result"]
    assert result["boundingBoxes"] == [
        box,
        {"height": 20, "label": "cat", "left": 5, "top": 6, "width": 7},
        box | {"left": 0, "top": 0, "width": 20, "height": 20},
        box | {"left": 300, "width": WIDTH - 300},
    ]
    assert result["initialValueModified"] is True
    left, clipped = page.locator("nightloop-notice", has_text="initial-value").all_inner_texts()
    assert left.startswith("initial-value of crowd-bounding-box: of 19 boxes, these were left out: ")
    assert "10 are not boxes (number 10, 11, 12, 13, 14 and 5 more)" in left
    assert "2 have no extent (number 8, 9)" in left
    assert "3 lie outside the image (number 5, 6, 7)" in left
    assert "2 reached over the image's edge and were clipped to it (number 3, 4)" in clipped
    told = [message["message"] for message in task.messages("error")]
    assert [message for message in told if message.startswith("initial-value")] == [left, clipped]


@pytest.mark.parametrize("value", ["words", 7, {"boundingBoxes": {"0": BOXES[0]}}, [[[]]]])
def test_an_initial_value_that_is_no_list_of_boxes_is_told(task: Task, value: Any):
    page = task.open(_template(value))
    assert page.locator("nightloop-notice", has_text="initial-value").count() == 1
    result = task.submit()["result"]
    assert (result["boundingBoxes"], result["initialValueModified"]) == ([], True)


def test_thousands_of_bad_pre_labels_are_one_short_message(task: Task):
    bad = [{"left": "x" * 50, "label": index} for index in range(5000)]
    page = task.open(_template([*bad, BOXES[0]]))
    assert len(page.locator("nightloop-notice", has_text="initial-value").inner_text()) < 300
    assert task.submit()["result"]["boundingBoxes"] == [BOXES[0]]


def test_labels_are_text_and_never_run(task: Task):
    evil = "<img src=x onerror=alert(1)>"
    page = task.open(
        _template([BOXES[0] | {"label": evil}], labels=as_attribute([evil, "<script>1</script>"]))
    )
    assert page.locator("crowd-bounding-box .palette img, crowd-bounding-box svg img").count() == 0
    assert page.get_by_role("button", name=evil).count() >= 1
    assert task.submit()["result"]["boundingBoxes"][0]["label"] == evil


def test_a_broken_attribute_is_shown(task: Task):
    page = task.open(_template(labels="['cat', "))
    assert "labels of crowd-bounding-box" in page.locator("nightloop-notice").first.inner_text()
    assert task.messages("error")


def test_touch_draws_and_two_fingers_do_not(task: Task):
    task.open(_template())
    client = task.page.context.new_cdp_session(task.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [task.at(*point) for point in points]
        client.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(at)]},
        )

    touch("touchStart", (20, 20))
    touch("touchMove", (60, 60))
    touch("touchMove", (100, 90))
    touch("touchEnd")
    assert _boxes(task) == [{"height": 70, "label": "cat", "left": 20, "top": 20, "width": 80}]
    task.keys("Escape")
    scale = task.page.evaluate("document.querySelector('crowd-bounding-box').view.scale")
    touch("touchStart", (150, 100))
    touch("touchStart", (150, 100), (200, 100))
    touch("touchMove", (130, 100), (230, 100))
    touch("touchEnd")
    assert task.page.evaluate("document.querySelector('crowd-bounding-box').view.scale") > scale * 1.3
    assert len(_boxes(task)) == 1


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
    task.open(_template([_box(100, 80, side, side)]))
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
    assert _boxes(task) == [_box(140, 100, side, side)]
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
    assert _boxes(task) == [_box(130, 80, side + 10, side + 20)]


def test_only_the_selected_box_is_taken_hold_of(task: Task):
    task.open(_template(BOXES))
    task.drag((20, 30), (8, 10))
    assert _boxes(task) == [*BOXES, _box(8, 10, 12, 20)]
    task.keys("Control+z")
    # Its outline, a little outside of it, neither at a corner nor at the middle of a side.
    outline = (38, 30 - 2 / task.page.evaluate("document.querySelector('crowd-bounding-box').view.scale"))
    task.drag(outline, (45, 10))
    assert _boxes(task)[:2] == BOXES
    assert len(_boxes(task)) == 3
    task.keys("Control+z")
    task.click(50, 50)
    task.drag(outline, (outline[0] + 3, outline[1] + 5))
    assert _boxes(task) == [_box(23, 35, 60, 40), BOXES[1]]
    task.keys("Control+z")
    # Beside the selected one, and in it with a key held down.
    task.drag((86, 50), (120, 60))
    assert _boxes(task)[2:] == [_box(86, 50, 34, 10)]
    for count, key in enumerate(("Control", "Alt"), start=3):
        task.keys("Escape")
        task.click(50, 50)
        task.page.keyboard.down(key)
        task.drag((30, 40), (60, 60))
        task.page.keyboard.up(key)
        assert _boxes(task)[:2] == BOXES
        assert _boxes(task)[count:] == [_box(30, 40, 30, 20)]
        task.keys("Shift+ArrowRight", *["ArrowRight"] * count)


def test_another_click_takes_the_next_box_below(task: Task):
    nested = [_box(20, 20, 200, 150, "cat"), _box(40, 40, 120, 100, "dog"), _box(60, 60, 40, 40, "bird")]
    task.open(_template(nested))
    seen = []
    for _ in range(4):
        task.click(80, 80)
        seen.append(_chosen(task))
    assert seen == ["bird", "dog", "cat", "bird"]
    task.click(30, 100)
    assert _chosen(task) == "cat"
    task.click(80, 80)
    assert _chosen(task) == "bird"
    assert _boxes(task) == nested


def test_a_hover_and_a_drag_touch_nothing_but_what_changes(task: Task):
    """With a thousand boxes: what is not touched costs nothing."""
    many = [_box(2 + (i % 40) * 7, 2 + (i // 40) * 7, 5, 5) for i in range(999)]
    page = task.open(_template([*many, _box(20, 20, 200, 150, "dog")]))
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
    assert _boxes(task)[:999] == many


def _view(task: Task) -> dict[str, float]:
    view: dict[str, float] = task.page.evaluate(
        "(({x, y, scale}) => ({x, y, scale}))(document.querySelector('crowd-bounding-box').view)"
    )
    return view


def test_a_wheel_zooms_a_swipe_moves_and_a_pinch_zooms_where_it_is(task: Task):
    task.open(_template(BOXES))
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
    task.open(_template(BOXES))
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
    assert _boxes(task) == BOXES


@pytest.mark.parametrize("by", ["Space", "middle button"])
def test_the_image_is_moved_wherever_the_focus_is(task: Task, by: str):
    page = task.open(_template(BOXES))
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
    assert (_boxes(task), _chosen(task)) == (BOXES, None)
    # A button that has the focus is still pressed by Space.
    page.locator("crowd-bounding-box li .shape").first.focus()
    task.keys(" ")
    assert _chosen(task) == "cat"


@pytest.mark.parametrize("what", ["all", "a class"])
def test_what_is_hidden_cannot_be_edited(task: Task, what: str):
    page = task.open(_template([BOXES[1]]))
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
    assert (_boxes(task), _chosen(task)) == ([BOXES[1]], None)
    # A new one shows them again: nobody draws what cannot be seen.
    task.keys("2")
    task.drag((10, 10), (40, 40))
    assert _chosen(task) == "dog"
    assert page.locator("crowd-bounding-box .shapes > g:visible").count() == 1


@pytest.mark.parametrize("end", ["pause", "blur", "Escape", "lost pointer", "button let go of elsewhere"])
@pytest.mark.parametrize("drag", ["move", "resize", "draw"])
def test_a_drag_that_is_cut_off_has_not_happened(task: Task, end: str, drag: str):
    page = task.open(_template(BOXES))
    task.click(200, 100)
    start = {"move": (200, 100), "resize": (250, 150), "draw": (30, 120)}[drag]
    page.mouse.move(*task.at(*start))
    page.mouse.down()
    for step in (10, 20):
        page.mouse.move(*task.at(start[0] + step, start[1] + step))
    assert _boxes(task) == BOXES, "what a draft of the answer has meanwhile"
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
    assert _boxes(task) == BOXES
    assert task.submit()["result"]["initialValueModified"] is False
    task.click(200, 100)
    task.drag((200, 100), (210, 100))
    assert _boxes(task)[1]["left"] == 160
