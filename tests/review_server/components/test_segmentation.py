"""Segmentation by class and by thing: painted by mouse and keys, answered and corrected as documented."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from tests.review_server.components.conftest import HEIGHT, WIDTH, Task, as_attribute

ROAD, TREE = "#1f77b4", "#ff7f0e"


def _template(initial: Any = None) -> str:
    preset = f'initial-value="{as_attribute(initial)}"' if initial is not None else ""
    return f"""<crowd-form><crowd-semantic-segmentation name="result" header="Paint" {preset}
      labels="['road', 'tree']" src="{{{{ task.input.image | grant_read_access }}}}">
      <full-instructions header="How">All of it</full-instructions>
      <short-instructions>Shortly</short-instructions></crowd-semantic-segmentation></crowd-form>"""


def _mask(answer: dict[str, Any]) -> Any:
    """The answer's picture as palette indices."""
    image = Image.open(io.BytesIO(base64.b64decode(answer["labeledImage"]["pngImageData"])))
    assert image.mode == "P"
    assert image.size == (WIDTH, HEIGHT)
    # What is nobody's is transparent; the other colours are the classes'.
    shown = np.asarray(image.convert("RGBA")).reshape(-1, 4)
    colours = {"#" + bytes(colour[:3]).hex() for colour in np.unique(shown, axis=0) if colour[3]}
    assert colours <= {mapping["color"] for mapping in answer["labelMappings"].values()}
    return np.asarray(image)


def _brush(task: Task, pixels: int) -> None:
    task.page.locator("[name=result]").evaluate("(element, size) => element.chooseBrush(size)", pixels)


def test_painted_by_mouse(task: Task):
    page = task.open(_template())
    page.get_by_role("button", name="Polygon (P)").click()
    for x, y in [(10, 20), (60, 20), (60, 80), (10, 80), (10, 20)]:
        task.click(x, y)
    page.get_by_role("button", name="tree").click()
    page.get_by_role("button", name="Brush (B)").click()
    _brush(task, 21)
    task.drag((100, 100), (200, 100))
    page.get_by_role("button", name="Eraser (E)").click()
    task.drag((20, 30), (20, 30))
    answer = task.submit()["result"]
    assert answer["labelMappings"] == {"road": {"color": ROAD}, "tree": {"color": TREE}}
    assert answer["inputImageProperties"] == {"height": HEIGHT, "width": WIDTH}
    assert "initialValueModified" not in answer
    mask = _mask(answer)
    assert mask[79, 59] == mask[50, 10] == 1
    assert mask[19, 10] == mask[80, 30] == mask[50, 60] == mask[30, 20] == 0
    assert (mask == 1).sum() + (mask[:80, :60] == 0)[20:, 10:].sum() == 50 * 60
    assert mask[100, 92] == mask[109, 150] == mask[91, 150] == mask[100, 208] == 2
    assert mask[112, 150] == mask[100, 88] == 0


def test_undo_and_redo_give_the_same_pixels(task: Task):
    page = task.open(_template())
    _brush(task, 40)
    task.drag((50, 50), (120, 90))
    first = _mask(task.value())
    task.keys("2")
    task.drag((60, 60), (300, 20))
    second = _mask(task.value())
    assert (second != first).any()
    task.keys("Control+z")
    assert (_mask(task.value()) == first).all()
    task.keys("Control+y")
    assert (_mask(task.value()) == second).all()
    task.keys("Control+z", "Control+z")
    assert not _mask(task.value()).any()
    assert page.get_by_role("button", name="Undo").get_attribute("aria-disabled") == "true"


def test_painted_by_keyboard(task: Task):
    page = task.open(_template())
    page.locator(".stage").focus()
    _brush(task, 3)
    task.keys(
        "2", "n", "Enter", *["Shift+Alt+ArrowRight"] * 3, "e", *[","] * 5, "Alt+ArrowLeft", "Enter", "p", "1"
    )
    task.keys("Enter", "ArrowUp", *["Alt+ArrowUp"] * 2, "Enter", *["Alt+ArrowRight"] * 3, "Enter", "Enter")
    mask = _mask(task.submit()["result"])
    row, column = HEIGHT // 2, WIDTH // 2
    assert mask[row, column] == mask[row, column + 9] == 2
    assert mask[row, column + 20] == 0
    assert mask[row - 15, column + 23] == 1


def _source(*areas: tuple[str, tuple[int, int, int, int]]) -> str:
    """A picture to correct: white, and rectangles of colours (left, top, right, bottom)."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    for colour, box in areas:
        picture.paste(colour, box)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _corrects(task: Task, initial: Any) -> list[str]:
    """Open a task with a mask to correct; what is said of it to the owner."""
    task.open(_template(initial))
    task.page.wait_for_function("document.querySelector('[name=result]').loading.initial")
    told = [message["message"] for message in task.messages("error")]
    assert task.page.locator("nightloop-notice", has_text="initial-value").all_inner_texts() == told
    return told


def test_a_mask_is_corrected(task: Task):
    source = _source(("#2ca02c", (0, 0, 100, 50)), ("#010203", (0, 60, 100, 70)))
    mappings = {"tree": {"color": "#2ca02c"}, "road": {"color": "#010203"}}
    # As Ground Truth's own label maps call what nobody painted.
    background = {"BACKGROUND": {"color": "#ffffff"}}
    assert _corrects(task, {"src": source, "labelMappings": background | mappings}) == []
    answer = task.submit()["result"]
    assert answer["initialValueModified"] is False
    assert answer["labelMappings"] == mappings
    mask = _mask(answer)
    assert (mask[:50, :100] == 1).all()
    assert (mask == 1).sum() == 5000
    assert (mask[60:70, :100] == 2).all()
    task.drag((200, 100), (220, 100))
    assert task.submit()["result"]["initialValueModified"] is True


def test_a_class_of_a_mask_that_is_not_offered_holds_the_answer(task: Task):
    source = _source(
        ("#2ca02c", (0, 0, 100, 50)), ("#010203", (0, 60, 100, 70)), ("#d62728", (0, 100, 100, 120))
    )
    mappings = {"tree": {"color": "#2ca02c"}, "kerb": {"color": "#010203"}}
    assert _corrects(task, {"src": source, "labelMappings": mappings}) == [
        "initial-value of crowd-semantic-segmentation: 1 colour of the mask is of no class that it names "
        "(#d62728): 3 % of the image, which was left out",
        "initial-value of crowd-semantic-segmentation: of 2 areas, 1 has a class that is not offered "
        '(number 2): "kerb". Choose a class for each, or delete it, before you submit',
    ]
    page = task.page
    assert "1 area has a class that is not offered (kerb)" in task.refuses()
    page.get_by_role("button", name="kerb ⚠").click()
    assert page.get_by_text('"kerb" is not one of the classes').count() == 1
    task.drag((200, 100), (220, 100))  # nobody paints more of it
    page.get_by_role("button", name="road").click()
    answer = task.submit()["result"]
    assert answer["labelMappings"] == {"tree": {"color": "#2ca02c"}, "road": {"color": ROAD}}
    assert answer["initialValueModified"] is True
    mask = _mask(answer)
    assert [(mask == value).sum() for value in np.unique(mask)] == [WIDTH * HEIGHT - 6000, 5000, 1000]
    assert len(np.unique(mask[60:70, :100])) == 1
    task.keys("Control+z")
    assert "not offered (kerb)" in task.refuses()
    page.get_by_role("button", name="Delete kerb").click()
    answer = task.submit()["result"]
    assert set(answer["labelMappings"]) == {"road", "tree"}
    assert _mask(answer).astype(bool).sum() == 5000
    # What was left out is a change as well.
    assert answer["initialValueModified"] is True


def test_nothing_is_submitted_without_the_mask_to_correct(task: Task):
    page = task.open(_template({"src": "data:image/png;base64,AAAA", "labelMappings": {}}))
    page.locator("nightloop-notice", has_text="could not be loaded").wait_for()
    page.locator("crowd-button[form-action=submit]").click()
    assert "could not be loaded" in page.get_by_role("alert").inner_text()
    assert task.messages("answer") == []


def _things(initial: Any = None) -> str:
    return _template(initial).replace("semantic", "instance").replace("'road', 'tree'", "'cell', 'dust'")


def test_each_thing_has_a_colour_of_its_own(task: Task):
    page = task.open(_things())
    _brush(task, 20)
    task.drag((20, 20), (60, 20))
    task.keys("a")  # another one of the same class
    task.drag((20, 80), (60, 80))
    page.get_by_role("button", name="dust").click()
    task.drag((200, 100), (240, 100))
    page.get_by_role("listitem").get_by_role("button", name="cell 1").first.click()
    task.drag((100, 20), (140, 20))  # more of the first
    page.get_by_role("button", name="Polygon (P)").click()
    task.keys("1")
    for x, y in [(250, 150), (300, 150), (300, 190), (250, 150)]:
        task.click(x, y)
    page.get_by_role("button", name="Delete cell 2").click()
    kept = task.value("crowd-form")
    answer = task.submit()["result"]
    assert answer["inputImageProperties"] == {"height": HEIGHT, "width": WIDTH}
    assert [instance["label"] for instance in answer["instances"]] == ["cell", "dust", "cell"]
    colours = [instance["color"] for instance in answer["instances"]]
    assert len(set(colours)) == 3
    image = Image.open(io.BytesIO(base64.b64decode(answer["labeledImage"]["pngImageData"])))
    shown = np.asarray(image.convert("RGBA"))
    seen = [shown[y, x] for x, y in [(40, 20), (120, 20), (220, 100), (290, 160)]]
    assert ["#" + bytes(pixel[:3]).hex() for pixel in seen] == [colours[0], *colours]
    assert shown[80, 40, 3] == 0
    task.keys("Control+z")
    assert len(task.value()["instances"]) == 4

    page = task.open(_things())
    page.evaluate("(content) => window.postMessage({nightloop: 'restore', content}, '*')", kept)
    page.get_by_text("Painted (3)").wait_for()
    assert task.value()["instances"] == kept["result"]["instances"]


def test_things_to_correct_keep_their_colours(task: Task):
    source = _source(("#2ca02c", (0, 0, 100, 50)), ("#d62728", (0, 100, 100, 150)))
    instances = [{"color": "#2ca02c", "label": "cell"}, {"color": "#d62728", "label": "cell"}]
    page = task.open(_things({"instances": instances, "src": source}))
    page.get_by_text("Painted (2)").wait_for()
    answer = task.submit()["result"]
    assert answer["instances"] == instances
    assert answer["initialValueModified"] is False
    _brush(task, 10)
    task.drag((200, 20), (210, 20))
    answer = task.submit()["result"]
    assert answer["initialValueModified"] is True
    assert answer["instances"][:2] == instances
    assert answer["instances"][2]["color"] not in ("#2ca02c", "#d62728")

    # One of a class that is not offered is told, and given another one or deleted.
    instances[1]["label"] = "rust"
    page = task.open(_things({"instances": instances, "src": source}))
    page.get_by_text("Painted (2)").wait_for()
    told = page.locator(
        "nightloop-notice", has_text="of 2 areas, 1 has a class that is not offered"
    ).inner_text()
    assert '(number 2): "rust"' in told
    assert "not offered (rust)" in task.refuses()
    page.get_by_role("button", name="rust 1 ⚠").click()
    task.keys("2")
    answer = task.submit()["result"]
    assert [instance["label"] for instance in answer["instances"]] == ["cell", "dust"]
    assert answer["initialValueModified"] is True
    task.keys("Control+z")
    assert "not offered (rust)" in task.refuses()
    page.get_by_role("button", name="Delete rust 1").click()
    assert task.submit()["result"]["instances"] == instances[:1]
