"""A scripted annotator who reviews one picture as a sensible person would, by mouse or by keyboard alone.

They see what is on the screen (the boxes as they stand, where they lie) and know what is right
(``Planted``). Every click, drag, key press and wheel burst counts one in ``Hands.actions``; moving the
pointer counts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Frame, Page

from benchmarks.planted import RIGHT, Planted, same
from include.samples.scenes import Box

_ELEMENT = "document.querySelector('crowd-bounding-box')"
_SHAPES = f"() => {_ELEMENT}.shapes.items.map((shape) => ({{...shape}}))"
_PLACE = f"""([x, y]) => {{
    const stage = {_ELEMENT}.stage.getBoundingClientRect();
    const at = {_ELEMENT}.view.toStage({{x, y}});
    return [at.x + stage.left + 1, at.y + stage.top + 1];
}}"""
_ON_STAGE = f"() => {_ELEMENT}.shadowRoot.activeElement === {_ELEMENT}.stage"
_FAST = 10  # pixels of an arrow with Alt
_NEAR = 2  # pixels: a person leaves it at that


class Hands:
    """Real input on the task that is shown, counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.actions = 0
        self.frame = self._shown()

    def _shown(self) -> Frame:
        """The frame in the middle of the page, once its image is there."""
        middle = self.page.evaluate_handle(
            "() => document.elementFromPoint(innerWidth / 2, innerHeight / 2).closest('iframe')"
        ).as_element()
        frame = middle.content_frame() if middle else None
        if middle is None or frame is None:
            raise RuntimeError("no task is shown")
        frame.wait_for_function(f"() => {_ELEMENT}?.size")
        corner = middle.bounding_box() or {"x": 0.0, "y": 0.0}
        self._corner = corner["x"], corner["y"]
        return frame

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.actions += 1

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self._at(x, y))
        self.actions += 1

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one pixel of the image to another."""
        (from_x, from_y), (to_x, to_y) = self._at(*start), self._at(*end)
        self.page.mouse.move(from_x, from_y)
        self.page.mouse.down()
        self.page.mouse.move((from_x + to_x) / 2, (from_y + to_y) / 2)
        self.page.mouse.move(to_x, to_y)
        self.page.mouse.up()
        self.actions += 1

    def point(self, x: float, y: float) -> None:
        self.page.mouse.move(*self._at(x, y))

    def boxes(self) -> list[Seen]:
        """What is drawn, in the order of Tab."""
        return [_seen(shape) for shape in self.frame.evaluate(_SHAPES)]

    def tell(self, script: str) -> Any:
        """What the element shows of itself, such as which box is selected."""
        return self.frame.evaluate(script.replace("ELEMENT", _ELEMENT))

    def on_stage(self) -> bool:
        return bool(self.frame.evaluate(_ON_STAGE))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        left, top = self.frame.evaluate(_PLACE, [x, y])
        return left + self._corner[0], top + self._corner[1]


@dataclass(frozen=True)
class Seen:
    """A box on the screen."""

    id: int
    label: str
    left: int
    top: int
    right: int
    bottom: int

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def is_box(self, box: Box) -> bool:
        size = {"width": self.right - self.left, "height": self.bottom - self.top}
        return same({"label": self.label, "left": self.left, "top": self.top, **size}, box)


@dataclass(frozen=True)
class Todo:
    """What a person sees to be done: ``at`` is a box on the screen, ``to`` the digit; one may be missing."""

    at: Seen | None
    to: Box | None


def todos(hands: Hands, planted: Planted) -> list[Todo]:
    """Compare the screen with the picture, from box to box, then what is missing."""
    boxes = hands.boxes()
    open_truth = list(planted.truth)
    todo = []
    for seen in boxes:
        right = next((box for box in open_truth if seen.is_box(box)), None)
        if right:
            open_truth.remove(right)
            boxes = [each for each in boxes if each != seen]
    for seen in boxes:
        meant = max(open_truth, key=lambda box: _overlap(seen, box), default=None)
        if meant and _overlap(seen, meant) > 0:
            open_truth.remove(meant)
            todo.append(Todo(seen, meant))
        else:
            todo.append(Todo(seen, None))
    return todo + [Todo(None, box) for box in open_truth]


def by_mouse(hands: Hands, planted: Planted) -> None:
    """Click to select, drag to move and draw; one hand on the keys for classes, Delete and submit."""
    for todo in todos(hands, planted):
        if todo.at is None and todo.to:
            hands.drag((todo.to.left, todo.to.top), _end(todo.to))
            hands.press(todo.to.label)
        elif todo.at and todo.to is None:
            hands.click(*todo.at.middle)
            hands.press("Delete")
        elif todo.at and todo.to:
            hands.click(*todo.at.middle)
            if todo.at.label != todo.to.label:
                hands.press(todo.to.label)
            dx, dy = todo.to.left - todo.at.left, todo.to.top - todo.at.top
            if max(abs(dx), abs(dy)) > RIGHT:
                x, y = todo.at.middle
                hands.drag((x, y), (x + dx, y + dy))
    hands.press("Control+Enter")


def by_keyboard(hands: Hands, planted: Planted) -> None:
    """Tab from box to box, arrows for where and how large."""
    todo = todos(hands, planted)
    while not hands.on_stage():
        hands.press("Tab")
    # Who has deleted a box begins again at the first: boxes too much come last, and from behind.
    for each in sorted(todo, key=lambda each: (each.to is None, each.at is None)):
        if each.at and each.to:
            _select(hands, each.at.id)
            if each.at.label != each.to.label:
                hands.press(each.to.label)
            _arrows(hands, each.to.left - each.at.left, each.to.top - each.at.top)
    for each in reversed([each for each in todo if each.to is None]):
        if each.at:
            _select(hands, each.at.id)
            hands.press("Delete")
    for each in todo:
        if each.at is None and each.to:
            hands.press("n")
            right, bottom = _end(each.to)
            for _ in range(2):  # a large box in the way of the edge is moved again when it is small
                new = hands.boxes()[-1]
                _arrows(hands, each.to.left - new.left, each.to.top - new.top)
                new = hands.boxes()[-1]
                _arrows(hands, right - new.right, bottom - new.bottom, "Shift+")
            if new.label != each.to.label:
                hands.press(each.to.label)
    hands.press("Control+Enter")


def _select(hands: Hands, wanted: int) -> None:
    """By Tab or Shift+Tab, whichever is the shorter way."""
    ids = [box.id for box in hands.boxes()]
    selected = hands.tell("() => ELEMENT.shapes.selectedId")
    at, to = (ids.index(selected) if selected in ids else None), ids.index(wanted)
    forward, back = (to + 1, len(ids) - to) if at is None else (to - at, at - to)
    use_back = forward < 0 or 0 < back < forward
    hands.press(*["Shift+Tab" if use_back else "Tab"] * (back if use_back else forward))


def _arrows(hands: Hands, dx: int, dy: int, held: str = "") -> None:
    """Ten pixels with Alt, then one by one, until it is near enough."""
    for distance, less, more in ((dx, "ArrowLeft", "ArrowRight"), (dy, "ArrowUp", "ArrowDown")):
        tens = round(distance / _FAST)
        rest = distance - tens * _FAST
        hands.press(*[f"{held}Alt+{more if tens > 0 else less}"] * abs(tens))
        hands.press(*[f"{held}{more if rest > 0 else less}"] * max(0, abs(rest) - _NEAR))


def _seen(shape: dict[str, Any]) -> Seen:
    (a, b) = shape["points"]
    return Seen(shape["id"], shape["label"], a["x"], a["y"], b["x"], b["y"])


def _overlap(seen: Seen, box: Box) -> int:
    right, bottom = _end(box)
    across = min(seen.right, right) - max(seen.left, box.left)
    down = min(seen.bottom, bottom) - max(seen.top, box.top)
    return max(0, across) * max(0, down)


def _end(box: Box) -> tuple[int, int]:
    return box.left + box.width, box.top + box.height
