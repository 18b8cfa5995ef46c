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

# Of the annotation element in the frame, by its name.
_SHAPES = "() => ELEMENT.shapes.items.map((shape) => ({...shape}))"
# As one reads: rows of the image, and in each from left to right.
_ORDER = "() => ELEMENT.selection.inOrder.map((shape) => shape.id)"
_PLACE = """([x, y]) => {
    const stage = ELEMENT.stage.getBoundingClientRect();
    const at = ELEMENT.view.toStage({x, y});
    return [at.x + stage.left + 1, at.y + stage.top + 1];
}"""
# The middle of a box's label, in pixels of the image; nothing when another label lies over it.
_LABEL = """(id) => {
    const label = ELEMENT.painting.nodes.get(id)?.label?.at;
    if (!label || ELEMENT.shapes.selectedId === id) return null;
    const place = {x: label.x + label.width / 2, y: label.y + 8};
    if (ELEMENT.painting.labelAt(place)?.id !== id) return null;
    const at = ELEMENT.view.toImage(place.x, place.y);
    return [at.x, at.y];
}"""
_DRAWS = "() => getComputedStyle(ELEMENT.stage).cursor === 'crosshair'"
_FAST = 10  # pixels of an arrow with Alt
_NEAR = 2  # pixels: a person leaves it at that


class Hands:
    """Real input on the task that is shown, counted."""

    def __init__(self, page: Page, element: str = "crowd-bounding-box") -> None:
        self.page = page
        self._element = element
        self.actions = 0
        self.frame = self._shown()

    def _shown(self) -> Frame:
        """The frame in the middle of the page, once nothing lies over it and its image is there."""
        for _ in range(100):
            middle = self.page.wait_for_function(
                "() => document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('iframe')"
            ).as_element()
            # None of a frame that has given its place to the next one meanwhile.
            if middle and (frame := middle.content_frame()):
                break
            self.page.wait_for_timeout(100)
        else:
            raise RuntimeError("no task is shown")
        frame.wait_for_function(f"() => document.querySelector('{self._element}')?.size")
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

    def draws_at(self, x: float, y: float) -> bool:
        """Whether a press there would draw, as the pointer's look says."""
        self.point(x, y)
        self.page.wait_for_timeout(20)
        return bool(self.tell(_DRAWS))

    def boxes(self) -> list[Seen]:
        """What is drawn, in the order of Tab."""
        return [_seen(shape) for shape in self.tell(_SHAPES)]

    def tell(self, script: str, *arguments: Any) -> Any:
        """What the element shows of itself, such as which box is selected."""
        element = f"document.querySelector('{self._element}')"
        return self.frame.evaluate(script.replace("ELEMENT", element), *arguments)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        left, top = self.tell(_PLACE, [x, y])
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
    """Point at a box and press what it should be, take it by its label, draw: one hand on the keys."""
    for todo in todos(hands, planted):
        if todo.at is None and todo.to:
            hands.drag(*_free_diagonal(hands, todo.to))
            if hands.boxes()[-1].label != todo.to.label:
                hands.press(todo.to.label)
            continue
        assert todo.at
        if todo.to is None:
            _aim(hands, todo.at)
            hands.press("Delete")
            continue
        if todo.at.label != todo.to.label:
            _aim(hands, todo.at)
            hands.press(todo.to.label)
        dx, dy = todo.to.left - todo.at.left, todo.to.top - todo.at.top
        if max(abs(dx), abs(dy)) > RIGHT:
            x, y = _grip(hands, todo.at)
            hands.drag((x, y), (x + dx, y + dy))
    hands.press("Control+Enter")


def _aim(hands: Hands, box: Seen) -> None:
    """Have the box be what keys act on: under the mouse, or selected where another one is in the way."""
    hands.point(*box.middle)
    hands.page.wait_for_timeout(20)
    for _ in range(3):
        if hands.tell("() => ELEMENT.selection.pointedId ?? ELEMENT.shapes.selectedId") == box.id:
            return
        hands.click(*box.middle)


def _grip(hands: Hands, box: Seen) -> tuple[float, float]:
    """Where the box can be taken hold of: its label, or its middle once it is selected."""
    at = hands.tell(_LABEL, box.id)
    if at and not hands.draws_at(at[0], at[1]):
        return float(at[0]), float(at[1])
    _aim(hands, box)
    hands.click(*box.middle)
    return box.middle


def _free_diagonal(hands: Hands, box: Box) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two corners of a box to be drawn, of which the first is not on anything that would be taken hold of."""
    right, bottom = _end(box)
    corners = [(box.left, box.top), (right, bottom), (right, box.top), (box.left, bottom)]
    opposite = {corner: (box.left + right - corner[0], box.top + bottom - corner[1]) for corner in corners}
    free = [corner for corner in corners if hands.draws_at(*corner)]
    if not free:
        hands.press("Escape")  # what is selected is in the way
        free = corners
    return free[0], opposite[free[0]]


def by_keyboard(hands: Hands, planted: Planted) -> None:
    """Boxes by Tab or by their letters, places by the letters of the grid or by arrows: what is shorter."""
    for todo in todos(hands, planted):
        if todo.at is None and todo.to:
            hands.press("b")
            _letters(hands, todo.to.left, todo.to.top)
            _letters(hands, *_end(todo.to))
            if hands.boxes()[-1].label != todo.to.label:
                hands.press(todo.to.label)
            continue
        assert todo.at
        _select(hands, todo.at.id)
        if todo.to is None:
            hands.press("Delete")
            continue
        if todo.at.label != todo.to.label:
            hands.press(todo.to.label)
        dx, dy = todo.to.left - todo.at.left, todo.to.top - todo.at.top
        if max(abs(dx), abs(dy)) > RIGHT:
            arrows = _arrows(dx, dy)
            if len(arrows) <= 3:
                hands.press(*arrows)
            else:
                hands.press("m")
                _letters(hands, todo.to.left, todo.to.top)
    hands.press("Control+Enter")


def _select(hands: Hands, wanted: int) -> None:
    """By Tab when one press is enough, else by the letter that the box shows."""
    ids = hands.tell(_ORDER)
    selected = hands.tell("() => ELEMENT.shapes.selectedId")
    if selected == wanted:
        return
    step = ids.index(wanted) - ids.index(selected) if selected in ids else 0
    if step in (1, -1) and hands.tell("() => ELEMENT.shadowRoot.activeElement === ELEMENT.stage"):
        hands.press("Tab" if step == 1 else "Shift+Tab")
        return
    hands.press("g")
    letters = {shape: typed for typed, shape in hands.tell("() => [...ELEMENT.letters.mode.keys]")}
    hands.press(*letters[wanted])


def _letters(hands: Hands, x: int, y: int) -> None:
    """A point by column and row of the grid."""
    hands.press(*hands.tell("([x, y]) => ELEMENT.letters.mode.lettersFor({x, y})", [x, y]))


def _arrows(dx: int, dy: int) -> list[str]:
    """Ten pixels with Alt, then one by one, until it is near enough."""
    keys = []
    for distance, less, more in ((dx, "ArrowLeft", "ArrowRight"), (dy, "ArrowUp", "ArrowDown")):
        tens = round(distance / _FAST)
        rest = distance - tens * _FAST
        keys += [f"Alt+{more if tens > 0 else less}"] * abs(tens)
        keys += [more if rest > 0 else less] * max(0, abs(rest) - _NEAR)
    return keys


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
