"""The annotator by keyboard: layouts, own keys, boxes and points by letters, many classes, light."""

from __future__ import annotations

from typing import Any

import pytest

from tests.review_server.components.conftest import Task, as_attribute
from tests.review_server.keyboards import LAYOUTS, Keyboard

BOXES = [
    {"height": 40, "label": "cat", "left": 20, "top": 30, "width": 60},
    {"height": 90, "label": "dog", "left": 150, "top": 60, "width": 100},
    {"height": 30, "label": "cat", "left": 30, "top": 150, "width": 40},
]
ELEMENT = "document.querySelector('crowd-bounding-box')"
MANY = [f"class {number}" for number in range(60)]


def _template(
    initial: Any = None, labels: list[str] | None = None, element: str = "crowd-bounding-box"
) -> str:
    preset = f'initial-value="{as_attribute(initial)}"' if initial is not None else ""
    return f"""
      <crowd-form>
        <{element} name="result" labels="{as_attribute(labels or ["cat", "dog", "bird"])}" {preset}
          categories="['cat', 'dog']"
          src="{{{{ 's3://photos/plain.jpg' | grant_read_access }}}}"></{element}>
      </crowd-form>"""


def _boxes(task: Task) -> list[dict[str, Any]]:
    boxes: list[dict[str, Any]] = task.value()["boundingBoxes"]
    return boxes


def _selected(task: Task) -> int | None:
    """The place of the selected box in the answer."""
    at: int = task.page.evaluate(f"{ELEMENT}.shapes.items.indexOf({ELEMENT}.shapes.selected)")
    return None if at < 0 else at


def _settings(task: Task, settings: dict[str, Any]) -> None:
    """What the page around the frame has kept of this person, sent as it does."""
    task.page.evaluate("(settings) => window.postMessage({nightloop: 'settings', settings}, '*')", settings)
    task.messages("settings")  # All that was sent before has arrived.


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keys_mean_the_same_on_every_layout(task: Task, layout: str):
    task.open(_template(BOXES))
    keyboard = Keyboard(task.page, layout)
    task.page.locator(".stage").focus()
    task.keys("Tab")
    keyboard.press("Digit3")
    assert _boxes(task)[0]["label"] == "bird"
    keyboard.press("BracketLeft")
    assert _boxes(task)[0]["label"] == "dog"
    keyboard.press("BracketRight")
    assert _boxes(task)[0]["label"] == "bird"
    # Z is undone where it is printed; where no Latin letter is, its place counts.
    undo = {"French": "Ctrl+KeyW"}.get(layout, "Ctrl+KeyZ")
    for _ in range(3):
        keyboard.press(undo)
    assert _boxes(task) == BOXES
    keyboard.press({"French": "Ctrl+Shift+KeyW"}.get(layout, "Ctrl+Shift+KeyZ"))
    assert _boxes(task)[0]["label"] == "bird"
    keyboard.press("KeyN")
    assert len(_boxes(task)) == 4
    # Shift and a digit: the next box alone, however the layout writes that.
    keyboard.press("Shift+Digit2")
    keyboard.press("KeyN")
    assert [box["label"] for box in _boxes(task)[3:]] == ["bird", "dog"]
    scale = task.page.evaluate(f"{ELEMENT}.view.scale")
    keyboard.press("Equal")
    assert task.page.evaluate(f"{ELEMENT}.view.scale") > scale
    keyboard.press("Minus")
    assert task.page.evaluate(f"{ELEMENT}.view.scale") == pytest.approx(scale)
    keyboard.press({"French": "Shift+KeyM", "Russian": "Shift+Digit7"}.get(layout, "Shift+Slash"))
    assert task.page.get_by_role("dialog", name="Keys").is_visible()


@pytest.mark.parametrize("layout", ["French", "Russian"])
def test_classifiers_and_texts_take_the_digits_of_other_layouts(task: Task, layout: str):
    task.open("""<crowd-form><crowd-classifier name="result" categories="['a', 'b']"></crowd-classifier>
      </crowd-form>""")
    Keyboard(task.page, layout).press("Digit2")
    assert task.value() == {"label": "b"}
    task.open("""<crowd-form><crowd-entity-annotation name="result" text="Ada met Alan"
      labels="['who', 'where']"></crowd-entity-annotation></crowd-form>""")
    task.page.locator(".crowd-text").click()
    task.keys("Home", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    keyboard = Keyboard(task.page, layout)
    keyboard.press("Digit2")
    assert task.value()["entities"] == [{"endOffset": 3, "label": "where", "startOffset": 0}]
    keyboard.press("Ctrl+KeyW" if layout == "French" else "Ctrl+KeyZ")
    assert task.value()["entities"] == []


def test_a_person_gives_an_act_another_key(task: Task):
    page = task.open(_template(BOXES))
    page.get_by_role("button", name="Show all keys").click()
    listed = page.locator("dialog[open] th").all_inner_texts()
    assert {"Ctrl or Alt + drag", "[", "]"} <= set(listed)
    change = page.get_by_role("button", name="Change the key for: new box in the middle")
    change.click()
    # What has a meaning is refused by name, a digit too.
    task.keys("g")
    assert "select a box by the letter" in page.locator(".said").inner_text()
    task.keys("7")
    assert "fixed meaning" in page.locator(".said").inner_text()
    task.keys("k")
    row = page.get_by_role("row", name="new box in the middle")
    assert row.locator("kbd").inner_text() == "K"
    page.get_by_role("button", name="Close").click()
    task.keys("n")
    assert _boxes(task) == BOXES
    task.keys("k")
    assert len(_boxes(task)) == 4
    page.wait_for_function("messages.some((m) => m.nightloop === 'settings' && m.settings.keys)")
    assert task.messages("settings")[-1]["settings"]["keys"] == {"new": "k"}
    # The page around the frame gives them back for the next image.
    task.open(_template())
    _settings(task, {"keys": {"new": "k"}})
    task.keys("n", "k")
    assert len(_boxes(task)) == 1
    page.get_by_role("button", name="Show all keys").click()
    page.get_by_role("button", name="Reset all keys").click()
    page.get_by_role("button", name="Close").click()
    task.keys("n", "k")
    assert len(_boxes(task)) == 2


def test_boxes_are_selected_by_letter_and_by_direction(task: Task):
    task.open(_template(BOXES))
    task.page.locator(".stage").focus()
    task.keys("g")
    assert task.page.locator(".guides .hint").count() == 3
    task.keys("b")
    assert _selected(task) == 1
    assert task.page.locator(".guides .hint").count() == 0
    task.keys("Control+ArrowLeft")
    assert _selected(task) in (0, 2)
    task.keys("g", "a", "Control+ArrowDown")
    assert _selected(task) == 2
    task.keys("Tab")
    assert _selected(task) is None
    # A letter that no box shows ends it, and means nothing else.
    task.keys("g", "n")
    assert _boxes(task) == BOXES
    # The list of boxes: arrows go through it, and Escape comes back.
    task.keys("o", "ArrowDown")
    assert _selected(task) == 1
    assert task.page.evaluate(f"{ELEMENT}.shadowRoot.activeElement.closest('li.selected') !== null")
    task.keys("Escape", "ArrowRight")
    assert _boxes(task)[1]["left"] == 151


def test_a_box_is_drawn_moved_and_drawn_again_by_letters(task: Task):
    task.open(_template(BOXES))
    task.page.locator(".stage").focus()
    task.keys("b")
    letters = task.page.evaluate(f"{ELEMENT}.letters.mode.lettersFor({{x: 205, y: 10}})")
    opposite = task.page.evaluate(f"{ELEMENT}.letters.mode.lettersFor({{x: 300, y: 50}})")
    task.keys(*letters, "q", "Backspace", *opposite, "3")
    box = _boxes(task)[3]
    # Half a step of 320 and 200 pixels in 25 steps.
    assert box["label"] == "bird"
    assert box["left"] == pytest.approx(205, abs=7)
    assert box["top"] == pytest.approx(10, abs=5)
    assert box["left"] + box["width"] == pytest.approx(300, abs=7)
    task.keys("m", "a", "z")
    moved = _boxes(task)[3]
    assert (moved["left"], moved["width"], moved["height"]) == (0, box["width"], box["height"])
    assert moved["top"] + moved["height"] == 200
    task.keys("r", "a", "a", "z", "z")
    assert _boxes(task)[3] == {"height": 200, "label": "bird", "left": 0, "top": 0, "width": 320}
    task.keys("b", "c", "Escape", "Escape", "Delete")
    assert len(_boxes(task)) == 4


def test_what_is_zoomed_to_makes_the_grid_finer(task: Task):
    task.open(_template(BOXES))
    task.page.locator(".stage").focus()
    task.keys("g", "c", "z", "r")
    area = task.page.evaluate(f"{ELEMENT}.letters.mode.area")
    assert area["right"] - area["left"] < 200
    assert area["left"] < 30
    task.keys("Escape", "z")
    assert task.page.evaluate(f"{ELEMENT}.view.fitted")


def test_an_arrow_that_is_held_goes_faster(task: Task):
    task.open(_template(BOXES))
    task.page.locator(".stage").focus()
    task.keys("g", "a")
    for _ in range(3):
        task.keys("ArrowDown")
    assert _boxes(task)[0]["top"] == 33
    client = task.page.context.new_cdp_session(task.page)
    for repeat in range(9):
        client.send(
            "Input.dispatchKeyEvent",
            {"type": "rawKeyDown", "code": "ArrowRight", "key": "ArrowRight", "autoRepeat": repeat > 0},
        )
    assert _boxes(task)[0]["left"] == 20 + 4 * 1 + 4 * 2 + 4
    task.keys("ArrowRight")
    assert _boxes(task)[0]["left"] == 37
    task.keys("Control+z")
    assert _boxes(task)[0]["left"] in (20, 36)


def test_a_class_is_found_by_its_name(task: Task):
    page = task.open(_template([BOXES[0] | {"label": "class 41"}], MANY))
    # What this image has stands first; the keys stay where the template has them.
    assert page.locator(".palette .text").first.inner_text() == "class 41"
    page.locator(".stage").focus()
    task.keys("g", "a", "/")
    page.keyboard.type("5")
    assert page.locator(".class-row:visible .text").all_inner_texts() == [
        name for name in ["class 41", *MANY] if "5" in name
    ]
    task.keys("ArrowDown", "Enter")
    assert _boxes(task)[0]["label"] == "class 15"
    assert page.locator(".class-row:visible").count() == 60
    page.wait_for_function(
        "messages.some((m) => m.nightloop === 'settings' && m.settings.class === 'class 15')"
    )
    # The focus is on the stage again, and the order is as it was.
    assert page.evaluate(f"{ELEMENT}.shadowRoot.activeElement === {ELEMENT}.stage")
    assert page.locator(".palette .text").first.inner_text() == "class 41"
    pressed = page.locator(".class[aria-pressed=true]")
    assert pressed.inner_text().startswith("class 15")
    frame, row = page.locator(".palette").bounding_box(), pressed.bounding_box()
    assert frame is not None
    assert row is not None
    assert frame["y"] <= row["y"] <= frame["y"] + frame["height"] - row["height"]
    task.keys("/", "Escape", "Escape", "Delete")
    assert len(_boxes(task)) == 1
    # On the next image, what was used most comes first.
    page.locator(".stage").focus()
    for name in ("class 33", "class 8", "class 33"):
        task.keys("/")
        page.keyboard.type(name)
        task.keys("Enter", "n")
    page.wait_for_function(
        "messages.some((m) => m.nightloop === 'settings' && m.settings.used?.['class 33'] === 3)"
    )
    kept = task.messages("settings")[-1]["settings"]
    page = task.open(_template(None, MANY))
    _settings(task, kept)
    assert page.locator(".palette .text").all_inner_texts()[:4] == [
        "class 33",
        "class 8",
        "class 15",
        "class 0",
    ]


def test_a_hidden_class_is_neither_seen_nor_touched(task: Task):
    page = task.open(_template(BOXES))
    assert page.locator(".palette .count").all_inner_texts() == ["2", "1", ""]
    page.get_by_role("checkbox", name="Show cat").uncheck()
    assert page.locator(".stage svg g.shape:visible").count() == 1
    task.click(50, 50)
    assert _selected(task) is None
    page.locator(".stage").focus()
    task.keys("g", "a")
    assert _selected(task) == 1
    task.keys("Shift+H")
    assert _selected(task) is None
    assert page.get_by_role("checkbox", name="Show dog").is_checked() is False
    # A box that is drawn shows its class again.
    task.keys("n")
    assert _boxes(task)[3]["label"] == "dog"
    assert page.locator(".palette .count").all_inner_texts() == ["2", "2", ""]
    assert page.get_by_role("checkbox", name="Show dog").is_checked()
    assert _boxes(task)[:3] == BOXES


def test_shift_and_click_choose_the_class_of_the_next_box_alone(task: Task):
    page = task.open(_template(BOXES))
    task.click(200, 100)
    page.get_by_role("button", name="bird").click(modifiers=["Shift"])
    assert page.get_by_text("The next box will be bird").count() >= 1
    assert _boxes(task) == BOXES
    task.drag((260, 160), (310, 190))
    task.keys("Escape")
    task.drag((100, 160), (140, 190))
    assert [box["label"] for box in _boxes(task)[3:]] == ["bird", "dog"]


@pytest.mark.parametrize(
    "element", ["crowd-bounding-box", "crowd-semantic-segmentation", "crowd-image-classifier-multi-select"]
)
def test_light_changes_what_is_seen_and_goes_along(task: Task, element: str):
    page = task.open(_template(element=element))
    before, answer = _brightness(task), task.value()
    task.keys("i", "i", "i", "i")
    brighter = _brightness(task)
    assert brighter > 1.5 * before
    page.get_by_role("button", name="Light").click()
    page.get_by_role("slider", name="Gamma").fill("1")
    assert _brightness(task) > brighter
    assert task.value() == answer
    page.wait_for_function("messages.some((m) => m.nightloop === 'settings' && m.settings.light?.gamma)")
    assert task.messages("settings")[-1]["settings"]["light"] == {"brightness": 1, "contrast": 0, "gamma": 1}
    # The slider has been let go.
    page.get_by_role("slider", name="Gamma").dispatch_event("change")
    task.keys("Shift+L")
    assert _brightness(task) == pytest.approx(before, abs=1)
    task.open(_template(element=element))
    _settings(task, {"light": {"brightness": 1, "contrast": "much", "gamma": 1e9}})
    assert _brightness(task) > brighter
    sliders = [page.locator(f"input[aria-label^='{name}']") for name in ("Contrast", "Gamma")]
    for key, contrast, gamma in [
        ("c", "0.25", "3"),
        ("Shift+C", "0", "3"),
        ("Shift+Y", "0", "2.75"),
        ("Shift+Y", "0", "2.5"),
        ("y", "0", "2.75"),
    ]:
        task.keys(key)
        assert [slider.input_value() for slider in sliders] == [contrast, gamma]


def test_class_and_view_go_along_to_images_of_the_same_size(task: Task):
    page = task.open(_template())
    page.locator(".stage").focus()
    task.keys("2", "+", "+", "+")
    page.wait_for_function("messages.some((m) => m.nightloop === 'settings' && m.settings.view?.scale)")
    kept = task.messages("settings")[-1]["settings"]
    scale = page.evaluate(f"{ELEMENT}.view.scale")
    page = task.open(_template())
    assert page.evaluate(f"{ELEMENT}.view.fitted")
    _settings(task, kept)
    assert page.evaluate(f"{ELEMENT}.view.scale") == pytest.approx(scale)
    task.keys("n")
    assert _boxes(task)[0]["label"] == "dog"
    page = task.open(_template())
    _settings(task, kept | {"view": kept["view"] | {"width": 321}})
    assert page.evaluate(f"{ELEMENT}.view.fitted")


def _brightness(task: Task) -> float:
    """Of the middle of the image, as it is seen."""
    import io

    from PIL import Image

    x, y = task.page.evaluate(
        "(() => { const r = document.querySelector('[name=result]').image.getBoundingClientRect(); "
        "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
    )
    shot = task.page.screenshot(clip={"x": x - 20, "y": y - 20, "width": 40, "height": 40})
    with Image.open(io.BytesIO(shot)) as image:
        data = image.convert("L").tobytes()
    return sum(data) / len(data)
