"""Answering any task as a person would who knows nothing of it: a shape on every image, something everywhere.

``answer(page, frame)`` works with real input on what is seen, and gives the names of the fields that must
therefore be in the answer.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Error, Frame, Locator, Page

_QUICK = 3_000
_MOST = 40  # controls of one kind; a table of hundreds is not filled whole
# Fields that give an answer: elements by their names, and controls of plain HTML.
_NAME = """(inner) => {
  let element = inner;
  const root = inner.getRootNode();
  if (root instanceof ShadowRoot) element = root.host;
  const name = element.getAttribute("name") || element.constructor.ownName;
  const crowd = element.localName.startsWith("crowd-");
  if (!element.closest("crowd-form")) return null;
  const group = element.closest("crowd-radio-group")?.getAttribute("name");
  return name || group || (crowd ? `<${element.localName}> without a name` : null);
}"""
_GROUP = """(inner) => {
  const root = inner.getRootNode();
  const element = root instanceof ShadowRoot ? root.host : inner;
  const groups = [...document.querySelectorAll("crowd-radio-group")];
  const group = groups.indexOf(element.closest("crowd-radio-group"));
  if (group >= 0) return `group ${group}`;
  // A classifier's choices are all in its own shadow.
  const own = root instanceof ShadowRoot && inner.name;
  const host = own ? [...document.querySelectorAll("*")].indexOf(element) : "";
  return `${host} ${element.getAttribute("name") ?? ""}`;
}"""
_TYPED = {
    "number": "3", "email": "somebody@example.com", "url": "https://www.example.com/page", "tel": "5550100",
    "date": "2026-01-31", "time": "10:30", "month": "2026-01", "week": "2026-W05",
    "datetime-local": "2026-01-31T10:30", "color": "#336699",
}  # fmt: skip
_TEXT = "input:not([type]), input[type=text], input[type=search], textarea, " + ", ".join(
    f"input[type={kind}]" for kind in _TYPED
)


def answer(page: Page, frame: Frame) -> set[str]:
    """Do something in every field that is seen; their names."""
    names: set[str] = set()
    page.mouse.move(2, 2)
    for work in (_stages, _entities, _choose, _type, _select, _slide):
        try:
            names |= work(page, frame)
        except Error:
            continue  # what it could not do shows in the answer
    return names


def _stages(page: Page, frame: Frame) -> set[str]:
    """A shape on every image that is drawn on."""
    names = set()
    for stage in _seen(frame, ".stage"):
        host = stage.evaluate("(stage) => stage.getRootNode().host?.localName ?? ''")
        stage.scroll_into_view_if_needed(timeout=_QUICK)
        stage.evaluate(
            """(stage) => new Promise((resolve) => {
                const until = Date.now() + 8000;
                const look = () => {
                    const size = stage.getRootNode().host?.size;
                    if (size || Date.now() > until) resolve(null); else setTimeout(look, 50);
                };
                look();
            })"""
        )
        box = stage.bounding_box()
        if box is None:
            continue
        x, y = box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.35
        right, below = x + box["width"] * 0.25, y + box["height"] * 0.25
        if host in ("crowd-polygon", "crowd-polyline"):
            for at in ((x, y), (right, y), (right, below)):
                page.mouse.click(*at)
            # A polygon ends where it began, a path on its last point.
            page.mouse.click(*((x, y) if host == "crowd-polygon" else (right, below)))
        elif host == "crowd-keypoint":
            page.mouse.click(x, y)
        else:
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move((x + right) / 2, (y + below) / 2)
            page.mouse.move(right, below)
            page.mouse.up()
            page.keyboard.press("Escape")
        names |= _names([stage])
    return names


def _entities(page: Page, frame: Frame) -> set[str]:
    """A label on the first words of every text whose parts are labelled."""
    names = set()
    for text in _seen(frame, "crowd-entity-annotation .crowd-text"):
        text.scroll_into_view_if_needed(timeout=_QUICK)
        at: dict[str, float] = text.evaluate(
            """(text) => {
                const leaf = document.createTreeWalker(text, NodeFilter.SHOW_TEXT).nextNode();
                const range = document.createRange();
                range.setStart(leaf, 0);
                range.setEnd(leaf, Math.min(9, leaf.length));
                const box = range.getBoundingClientRect();
                return {left: box.left, right: box.right, middle: (box.top + box.bottom) / 2};
            }"""
        )
        outer = page.locator("#frame").bounding_box() or {"x": 0, "y": 0}
        page.mouse.move(at["left"] + outer["x"] + 1, at["middle"] + outer["y"])
        page.mouse.down()
        page.mouse.move(at["right"] + outer["x"], at["middle"] + outer["y"], steps=4)
        page.mouse.up()
        names |= _names([text.locator("xpath=ancestor::crowd-entity-annotation")])
    return names


def _choose(_page: Page, frame: Frame) -> set[str]:
    """One of each group of boxes or radio buttons."""
    names, groups = set(), set()
    for box in _seen(frame, "input[type=radio], input[type=checkbox]"):
        if box.evaluate("(box) => Boolean(box.closest('[role=toolbar], details:not([open])'))"):
            continue
        group = box.evaluate(_GROUP)
        if group in groups:
            continue
        groups.add(group)
        if not box.is_checked():
            box.check(timeout=_QUICK, force=True)
        names |= _names([box])
    return names


def _type(_page: Page, frame: Frame) -> set[str]:
    fields = []
    for field in _seen(frame, _TEXT):
        if not field.is_editable():
            continue
        kind = field.get_attribute("type") or "text"
        if not field.input_value():
            least = field.get_attribute("min")
            field.fill(least or _TYPED.get(kind, "some words"), timeout=_QUICK)
        fields.append(field)
    return _names(fields)


def _select(_page: Page, frame: Frame) -> set[str]:
    lists = []
    for chosen in _seen(frame, "select"):
        values: list[str] = chosen.evaluate(
            "(list) => [...list.options].filter((o) => !o.disabled && o.value).map((o) => o.value)"
        )
        if values:
            chosen.select_option(values[-1], timeout=_QUICK)
            lists.append(chosen)
    return _names(lists)


def _slide(_page: Page, frame: Frame) -> set[str]:
    sliders = []
    for slider in _seen(frame, "input[type=range]"):
        if slider.evaluate("(slider) => Boolean(slider.closest('[role=toolbar]'))"):
            continue
        slider.press("ArrowRight", timeout=_QUICK)
        sliders.append(slider)
    return _names(sliders)


def _seen(frame: Frame, selector: str) -> list[Locator]:
    return [
        place for place in frame.locator(selector).all()[:_MOST] if place.is_visible() and place.is_enabled()
    ]


def _names(fields: list[Any]) -> set[str]:
    return {name for name in (field.evaluate(_NAME) for field in fields) if name}
