"""What a task and the page around it tell each other: that it was seen, what is kept, keys, held submits."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.review_server.components.conftest import Site, Task, picture
from tests.support.cloud import eventually

BOXES = (
    """<crowd-form><crowd-bounding-box name="b" labels="['x', 'y']" header="h" """
    """src="{{ task.input.image | grant_read_access }}"></crowd-bounding-box></crowd-form>"""
)
TEXT = '<crowd-form><crowd-input name="a" label="A" value="x"></crowd-input></crowd-form>'


def _post(page: Page, **message: Any) -> None:
    """Say something to the task as the page around it does; wait until it has arrived."""
    page.evaluate(
        """(message) => new Promise((resolve) => {
            window.addEventListener("message", () => setTimeout(resolve), { once: true });
            window.postMessage(message, "*");
        })""",
        message,
    )


def _wait_for(page: Page, kind: str, count: int = 1) -> None:
    page.wait_for_function(
        "([kind, count]) => messages.filter((m) => m.nightloop === kind).length >= count", arg=[kind, count]
    )


@pytest.mark.usefixtures("own_page")
def test_nothing_is_submitted_before_the_image_was_drawn(task: Task, site: Site):
    held: list[Route] = []
    task.page.route("**/images/slow.jpg", lambda route: held.append(route))
    page = task.page
    page.goto(site.put(BOXES, {"image": "s3://photos/slow.jpg"}), wait_until="commit")
    _wait_for(page, "ready")
    task.keys("Control+Enter")
    _wait_for(page, "held")
    assert "image" in task.messages("held")[0]["reason"]
    assert task.messages("painted") == task.messages("answer") == []
    held[0].fulfill(body=picture(), content_type="image/jpeg", headers={"Access-Control-Allow-Origin": "*"})
    _wait_for(page, "painted")
    assert task.submit()["b"]["inputImageProperties"] == {"height": 200, "width": 320}


def test_a_task_without_an_image_and_one_that_fails_are_drawn_too(task: Task):
    for template in (TEXT, BOXES.replace("task.input.image", "task.input.gone"), f'<img src="/no">{TEXT}'):
        task.open(template, {"gone": "s3://photos/missing.jpg"}, ready=False)
        _wait_for(task.page, "painted")


def test_the_task_must_have_been_in_sight_for_the_least_time(task: Task):
    page = task.open(TEXT)
    _post(page, nightloop="least", seconds=3600)  # at most a minute
    task.keys("Control+Enter")
    page.locator("crowd-button").click()
    _post(page, nightloop="submit")
    _wait_for(page, "held", 3)
    assert all("look at it" in message["reason"] for message in task.messages("held"))
    assert task.messages("answer") == []
    _post(page, nightloop="least", seconds=0.05)
    page.wait_for_function("() => document.querySelector('crowd-form').submit()")
    assert len(task.messages("answer")) == 1


def test_the_time_in_sight_does_not_pass_while_the_task_is_covered(task: Task):
    page = task.open(TEXT)
    _post(page, nightloop="pause", paused=True)
    _post(page, nightloop="least", seconds=0.001)
    _post(page, nightloop="submit")
    _wait_for(page, "held")
    _post(page, nightloop="pause", paused=False)
    page.wait_for_function("() => document.querySelector('crowd-form').submit()")


def test_a_frame_that_was_loaded_out_of_sight_is_drawn_when_it_is_shown(page: Page, site: Site):
    address = site.put(BOXES, name="ahead")
    site.pages["around"] = (
        f'<iframe sandbox="allow-scripts" src="{address}" style="display: none" width=900></iframe>'
    )
    page.goto(f"{site.url}/pages/around")
    page.wait_for_function("messages.some((m) => m.nightloop === 'ready')")
    page.evaluate("document.querySelector('iframe').contentWindow.postMessage({nightloop: 'submit'}, '*')")
    page.wait_for_function("messages.some((m) => m.nightloop === 'held')")
    assert page.evaluate("messages.every((m) => m.nightloop !== 'painted')")
    page.evaluate("document.querySelector('iframe').style.display = ''")
    page.wait_for_function("messages.some((m) => m.nightloop === 'painted')")


def test_a_key_that_is_held_down_submits_once(task: Task):
    page = task.open(TEXT)
    page.keyboard.down("Control")
    for _ in range(5):  # Playwright repeats a key that is down
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    assert len(task.messages("answer")) == 1
    page.get_by_role("button", name="Submit").focus()
    for _ in range(5):
        page.keyboard.down("Enter")
    assert len(task.messages("answer")) == 2


def test_activity_says_whether_something_was_changed(task: Task):
    page = task.open(TEXT)
    page.mouse.move(50, 50)
    _wait_for(page, "activity")
    assert task.messages("activity")[-1]["changed"] is False
    page.get_by_label("A").fill("y")
    page.get_by_label("A").press("End")
    page.wait_for_function("messages.some((m) => m.nightloop === 'activity' && m.changed)")
    page.get_by_label("A").press("Backspace")
    page.get_by_label("A").press("x")
    page.wait_for_function("messages.findLast((m) => m.nightloop === 'activity').changed === false")


def test_what_is_kept_for_a_person_goes_to_the_page_and_comes_back(task: Task):
    page = task.open(TEXT)
    url = page.locator("script[type=module]").get_attribute("src")
    assert url
    settings = url.replace("crowd.js", "core/settings.js")
    _post(page, nightloop="settings", settings={"class": "cat"})
    kept = page.evaluate(
        """async (url) => {
            const {setting, keepSetting} = await import(url);
            const before = [setting("class", "dog"), setting("view", 1), setting("constructor", 2)];
            keepSetting("view", 7);
            keepSetting("large", "x".repeat(30_000));
            return [...before, setting("view"), setting("large", "no")];
        }""",
        settings,
    )
    assert kept == ["cat", 1, 2, 7, "no"]
    eventually(lambda: task.messages("settings")[-1]["settings"] == {"class": "cat", "view": 7})


def test_a_key_of_the_page_acts_as_if_pressed_in_the_task(task: Task):
    page = task.open(BOXES)
    _post(page, nightloop="key", code="Digit2", key="2", ctrl=False, alt=False, shift=False, meta=False)
    assert page.locator("crowd-bounding-box").evaluate("(e) => e.label") == "y"
    _post(page, nightloop="key", code="Enter", key="Enter", ctrl=True)
    _wait_for(page, "answer")
    _post(page, nightloop="key", code="KeyT", key="t", alt=True)
    assert len(task.messages("key")) == 3  # the three of above: none was handed back
