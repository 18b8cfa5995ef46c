"""crowd-bounding-box in a browser: by mouse, by keyboard, by touch; stored pixels whatever EXIF says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.review_server.components.boxes import BOXES, boxes, template
from tests.review_server.components.conftest import HEIGHT, WIDTH, Task, as_attribute


def test_an_answer_without_a_box(task: Task):
    task.open(template())
    assert task.submit() == {
        "result": {"boundingBoxes": [], "inputImageProperties": {"height": HEIGHT, "width": WIDTH}}
    }


def test_the_initial_value_comes_back_unmodified(task: Task):
    task.open(template(BOXES))
    assert task.submit() == {
        "result": {
            "boundingBoxes": BOXES,
            "initialValueModified": False,
            "inputImageProperties": {"height": HEIGHT, "width": WIDTH},
        }
    }


def test_an_empty_initial_value_is_one_too(task: Task):
    task.open(template([]))
    assert task.submit()["result"]["initialValueModified"] is False


def test_draw_by_mouse(task: Task):
    task.open(template())
    task.drag((40, 50), (140, 120))
    task.keys("Escape", "2")
    task.drag((300, 190), (200, 150))
    assert task.submit()["result"]["boundingBoxes"] == [
        {"height": 70, "label": "cat", "left": 40, "top": 50, "width": 100},
        {"height": 40, "label": "dog", "left": 200, "top": 150, "width": 100},
    ]


def test_a_box_ends_at_the_image(task: Task):
    task.open(template())
    task.drag((300, 180), (330, 206))
    assert boxes(task) == [{"height": 20, "label": "cat", "left": 300, "top": 180, "width": 20}]


def test_a_click_selects_and_does_not_draw(task: Task):
    task.open(template(BOXES))
    task.click(200, 100)
    assert task.page.locator("crowd-bounding-box li.selected").inner_text().startswith("dog")
    task.click(100, 180)
    assert task.page.locator("crowd-bounding-box li.selected").count() == 0
    assert boxes(task) == BOXES


def test_move_and_resize_by_mouse(task: Task):
    task.open(template(BOXES))
    task.click(200, 100)
    task.drag((200, 100), (210, 95))
    assert boxes(task)[1] == {"height": 90, "label": "dog", "left": 160, "top": 55, "width": 100}
    task.drag((260, 145), (270, 150))
    assert boxes(task)[1] == {"height": 95, "label": "dog", "left": 160, "top": 55, "width": 110}
    task.drag((160, 102), (150, 102))
    assert boxes(task)[1] == {"height": 95, "label": "dog", "left": 150, "top": 55, "width": 120}
    assert task.submit()["result"]["initialValueModified"] is True


def test_a_box_can_be_drawn_inside_another(task: Task):
    task.open(template(BOXES))
    task.drag((170, 80), (200, 120))
    assert boxes(task)[2] == {"height": 40, "label": "cat", "left": 170, "top": 80, "width": 30}


def test_correct_by_keyboard_alone(task: Task):
    task.open(template(BOXES))
    task.page.locator(".stage").focus()
    task.keys("Tab")
    task.keys(
        "ArrowRight", "ArrowRight", "ArrowDown", "Alt+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "3"
    )
    assert boxes(task)[0] == {"height": 39, "label": "bird", "left": 12, "top": 31, "width": 61}
    task.keys("Control+Shift+ArrowLeft", "Control+Shift+ArrowDown")
    assert boxes(task)[0] == {"height": 38, "label": "bird", "left": 11, "top": 32, "width": 62}
    task.keys("Tab", "Delete")
    assert len(boxes(task)) == 1
    task.keys("n", "2")
    assert [box["label"] for box in boxes(task)] == ["bird", "dog"]
    task.keys("Control+Enter")
    assert len(task.messages("answer")) == 1


def test_tab_goes_through_the_boxes_and_on(task: Task):
    task.open(template(BOXES))
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
    task.open(template(BOXES))
    task.drag((100, 150), (120, 180))
    task.keys("ArrowRight", "ArrowRight", "ArrowRight", "2", "Delete")
    states = [boxes(task)]
    for _ in range(4):
        task.keys("Control+z")
        states.append(boxes(task))
    assert [len(state) for state in states] == [2, 3, 3, 3, 2]
    assert [state[2]["label"] for state in states[1:4]] == ["dog", "cat", "cat"]
    assert [state[2]["left"] for state in states[1:4]] == [103, 103, 100]
    assert states[4] == BOXES
    task.keys("Control+Shift+z", "Control+y", "Control+y", "Control+y")
    assert boxes(task) == BOXES
    assert task.submit()["result"]["initialValueModified"] is False


def test_a_reset_goes_back_to_the_initial_value(task: Task):
    task.open(template(BOXES))
    task.click(200, 100)
    task.keys("Delete")
    task.page.evaluate("document.querySelector('crowd-form').reset()")
    assert boxes(task) == BOXES


def test_number_keys_choose_the_class_and_digits_mean_themselves(task: Task):
    task.open(template(labels="['0', '1', '2', '7']"))
    task.keys("7")
    task.drag((10, 10), (50, 50))
    task.keys("0")
    assert boxes(task)[0]["label"] == "0"
    task.keys("Escape", "7")
    task.drag((60, 10), (90, 50))
    assert boxes(task)[1]["label"] == "7"


def test_a_class_is_chosen_by_mouse(task: Task):
    task.open(template(BOXES))
    task.click(50, 50)
    task.page.get_by_role("button", name="bird").click()
    assert boxes(task)[0]["label"] == "bird"


def test_a_box_is_deleted_from_the_list(task: Task):
    task.open(template(BOXES))
    task.page.get_by_role("button", name="Delete box 1 of 2, cat").click()
    assert boxes(task) == BOXES[1:]


def test_what_happens_is_said(task: Task):
    task.open(template(BOXES))
    status = task.page.locator("crowd-bounding-box .seen-by-readers")
    task.page.locator(".stage").focus()
    task.keys("Tab")
    assert status.inner_text() == "box 1 of 2, cat: left 20, top 30, 60 wide, 40 high"
    task.keys("Delete")
    assert status.inner_text().startswith("box 1 of 2, cat")
    assert "deleted" in status.inner_text()


def test_boxes_drawn_at_any_zoom_are_stored_pixels(task: Task):
    task.open(template())
    task.page.mouse.move(*task.at(100, 100))
    task.page.mouse.wheel(0, -600)
    task.keys("+")
    task.drag((90, 95), (112, 107))
    assert boxes(task) == [{"height": 12, "label": "cat", "left": 90, "top": 95, "width": 22}]
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
    assert len(boxes(task)) == 1
    task.keys("f")
    assert task.page.evaluate("document.querySelector('crowd-bounding-box').view.fitted")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_pixels_whatever_the_exif_orientation(task: Task, orientation: int):
    """The bright corner is at the upper left of the stored pixels, and is shown there."""
    task.open(template(image=f"exif-{orientation}"))
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
        task.open(template(image=name), ready=False)
        # The page has the image's own origin, unlike a real frame: only there can CORS refuse it.
        if name == "missing":
            task.page.get_by_text("could not be loaded").wait_for()
            assert "has not been loaded" in task.refuses()
            message = task.messages("error")[0]["message"]
            assert "may be no image, or its bucket does not allow reading by CORS" in message
            assert "choose Stop…, then Decline" in message
            assert task.page.get_by_label("Zoom", exact=True).inner_text() == ""


def test_labels_may_be_set_by_a_script(task: Task):
    scripted = (
        template(labels="")
        + """
      <script>
        const boxes = document.querySelector("crowd-bounding-box");
        document.addEventListener("all-crowd-elements-ready", () => { boxes.labels = ["x", "y"]; });
      </script>"""
    )
    page = task.open(scripted)
    task.keys("2")
    task.drag((10, 10), (50, 50))
    assert boxes(task)[0]["label"] == "y"
    page.evaluate("boxes.labels = [...boxes.labels, 'z']")
    task.keys("3")
    assert boxes(task)[0]["label"] == "z"


def test_an_initial_label_that_is_no_class_is_kept_and_holds_the_answer(task: Task):
    """Its place is worth keeping, and choosing a class takes one key; an answer with it would be refused."""
    page = task.open(template([BOXES[0] | {"label": "fish"}, BOXES[1]]))
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
    page = task.open(template([*inside, *over, *outside, *empty, *unreadable]))
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
    page = task.open(template(value))
    assert page.locator("nightloop-notice", has_text="initial-value").count() == 1
    result = task.submit()["result"]
    assert (result["boundingBoxes"], result["initialValueModified"]) == ([], True)


def test_thousands_of_bad_pre_labels_are_one_short_message(task: Task):
    bad = [{"left": "x" * 50, "label": index} for index in range(5000)]
    page = task.open(template([*bad, BOXES[0]]))
    assert len(page.locator("nightloop-notice", has_text="initial-value").inner_text()) < 300
    assert task.submit()["result"]["boundingBoxes"] == [BOXES[0]]


def test_labels_are_text_and_never_run(task: Task):
    evil = "<img src=x onerror=alert(1)>"
    page = task.open(
        template([BOXES[0] | {"label": evil}], labels=as_attribute([evil, "<script>1</script>"]))
    )
    assert page.locator("crowd-bounding-box .palette img, crowd-bounding-box svg img").count() == 0
    assert page.get_by_role("button", name=evil).count() >= 1
    assert task.submit()["result"]["boundingBoxes"][0]["label"] == evil


def test_a_broken_attribute_is_shown(task: Task):
    page = task.open(template(labels="['cat', "))
    assert "labels of crowd-bounding-box" in page.locator("nightloop-notice").first.inner_text()
    assert task.messages("error")


def test_touch_draws_and_two_fingers_do_not(task: Task):
    task.open(template())
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
    assert boxes(task) == [{"height": 70, "label": "cat", "left": 20, "top": 20, "width": 80}]
    task.keys("Escape")
    scale = task.page.evaluate("document.querySelector('crowd-bounding-box').view.scale")
    touch("touchStart", (150, 100))
    touch("touchStart", (150, 100), (200, 100))
    touch("touchMove", (130, 100), (230, 100))
    touch("touchEnd")
    assert task.page.evaluate("document.querySelector('crowd-bounding-box').view.scale") > scale * 1.3
    assert len(boxes(task)) == 1
