"""crowd-entity-annotation: spans marked by mouse and by keyboard, answered as documented."""

from __future__ import annotations

from typing import Any

from tests.review_server.components.conftest import Task, as_attribute

TEXT = "😀 Nina flew to Oslo.\nKai <stayed>."
LABELS = [
    {"label": "person", "shortDisplayName": "P", "fullDisplayName": "A person"},
    {"label": "place"},
]


def _template(initial: Any = None) -> str:
    preset = f'initial-value="{as_attribute(initial)}"' if initial is not None else ""
    return f"""<crowd-entity-annotation name="result" header="Who and where" {preset}
      text="{{{{ task.input.text }}}}" labels="{{{{ task.input.labels | to_json }}}}">
      <full-instructions header="How">All</full-instructions>
      <short-instructions>Short</short-instructions></crowd-entity-annotation>"""


def _entity(label: str, text: str) -> dict[str, Any]:
    # As a browser counts: the face is two code units, one character in Python.
    start = TEXT.index(text) + 1
    return {"endOffset": start + len(text), "label": label, "startOffset": start}


NINA, OSLO, KAI = _entity("person", "Nina"), _entity("place", "Oslo"), _entity("person", "Kai")


def test_marked_by_mouse(task: Task):
    page = task.open(_template(), {"text": TEXT, "labels": LABELS})
    assert page.locator(".crowd-text").inner_text() == TEXT
    place: dict[str, float] = page.evaluate(
        """() => {
            const range = document.createRange();
            const node = document.querySelector('.crowd-text span').firstChild;
            range.setStart(node, 3);
            range.setEnd(node, 8);
            const {left, right, top, height} = range.getBoundingClientRect();
            return {left, right, y: top + height / 2};
        }"""
    )
    page.mouse.move(place["left"] + 1, place["y"])
    page.mouse.down()
    page.mouse.move(place["right"] - 1, place["y"])
    page.mouse.up()
    page.get_by_role("button", name="place").click()
    assert task.submit() == {"result": {"entities": [NINA | {"label": "place"}]}}
    page.get_by_role("button", name="A person").click()
    assert task.submit() == {"result": {"entities": [NINA]}}
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    assert task.submit() == {"result": {"entities": []}}


def test_marked_by_keyboard(task: Task):
    page = task.open(_template([OSLO]), {"text": TEXT, "labels": LABELS})
    page.locator(".crowd-text").focus()
    task.keys("Control+Home", "x", *["ArrowRight"] * 2, *["Shift+ArrowRight"] * 4, "1")
    task.keys("Control+End", "Home", "Shift+Control+ArrowRight", "1")
    assert page.locator(".crowd-text").inner_text() == TEXT
    assert task.submit() == {"result": {"entities": [NINA, OSLO, KAI]}}
    task.page.locator(".crowd-text mark", has_text="Oslo").click()
    task.keys("Delete")
    assert task.submit() == {"result": {"entities": [NINA, KAI]}}
    page.locator(".crowd-text").focus()
    task.keys("Control+z")
    assert len(task.submit()["result"]["entities"]) == 3


def test_an_initial_label_that_is_not_offered_is_told_and_holds_the_answer(task: Task):
    page = task.open(_template([NINA, OSLO | {"label": "city"}]), {"text": TEXT, "labels": LABELS})
    told = page.locator("nightloop-notice", has_text="initial-value").inner_text()
    assert told == (
        "initial-value of crowd-entity-annotation: of 2 entities, 1 has a class that is not offered "
        '(number 2): "city". Choose a class for each, or delete it, before you submit'
    )
    assert told in [message["message"] for message in task.messages("error")]
    assert "1 entity has a class that is not offered (city)" in task.refuses()
    page.locator(".crowd-text mark", has_text="Oslo").click()
    page.get_by_role("button", name="place").click()
    assert task.submit() == {"result": {"entities": [NINA, OSLO]}}


def test_what_was_clicked_is_meant_before_a_busy_browser_comes_to_its_timers(task: Task):
    page = task.open(_template([OSLO]), {"text": TEXT, "labels": LABELS})
    page.evaluate("() => { window.setTimeout = () => 1; }")  # so busy that no timer comes at all
    page.locator(".crowd-text").focus()
    task.keys("Control+End", "Home", "Shift+Control+ArrowRight", "1")
    page.locator(".crowd-text mark", has_text="Oslo").click()
    task.keys("Delete")
    assert task.submit() == {"result": {"entities": [KAI]}}
    page.locator(".crowd-text mark", has_text="Kai").click()
    page.get_by_role("button", name="place").click()
    assert task.submit() == {"result": {"entities": [KAI | {"label": "place"}]}}


def test_what_stands_beside_it_answers_with_it_without_a_form(task: Task):
    task.open(
        """<crowd-entity-annotation name="ents" header="Names" labels="['person']" text="Ann left."
          initial-value="[{label: 'person', startOffset: 0, endOffset: 3}]"></crowd-entity-annotation>
        <crowd-radio-group><crowd-radio-button name="news" value="yes" checked>News</crowd-radio-button>
        </crowd-radio-group>"""
    )
    assert task.submit() == {
        "ents": {"entities": [{"endOffset": 3, "label": "person", "startOffset": 0}]},
        "news": {"yes": True},
    }
