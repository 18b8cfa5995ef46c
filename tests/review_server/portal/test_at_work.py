"""The page of a worker: nothing sent that nobody meant, nothing lost that was done, the next task at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect
from sqlalchemy import select

from include.review_server.db.models import Complaint, Draft, Task
from tests.review_server.keyboards import LAYOUTS, Keyboard
from tests.review_server.portal.conftest import Visitor, ask, boxes_in
from tests.review_server.rig import Flow, Rig
from tests.support.cloud import LocalCloud, eventually

Visit = Callable[..., Visitor]

TEXT = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><p>{{ task.input.taskObject }}</p>
<crowd-input name="plate" label="Plate" required></crowd-input></crowd-form>"""

# A template that shows what its page is told, and has something kept.
LISTENER = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><p id="got"></p><p id="keys"></p></crowd-form>
<script>
  addEventListener("message", ({ data }) => {
    if (data.nightloop === "settings") got.textContent = JSON.stringify(data.settings);
    if (data.nightloop === "key") keys.textContent += data.code;
  });
  document.addEventListener("all-crowd-elements-ready", () =>
    setTimeout(() => parent.postMessage({ nightloop: "settings", settings: { light: 2 } }, "*")));
</script>"""

# The keys of the page do the same wherever the focus is.
BAR, FRAME = "#stop", "#frame"
HIDE = """() => {
    Object.defineProperty(document, 'hidden', {value: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""
FADING = "document.getElementById('news').getAnimations().map((animation) => animation.animationName)"

# Longer than a test takes, also on a busy machine: what has to be over is over by the clock of the server.
_UNDO = 600


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(cloud, tmp_path_factory.mktemp("review"), undo_seconds=_UNDO) as running:
        yield running


@pytest.fixture
def texts(rig: Rig) -> Flow:
    return rig.flow(content=TEXT)


def test_a_key_that_is_held_down_submits_once(boxes: Flow, visit: Visit):
    for _ in range(3):
        ask(boxes)
    reviewer = visit(boxes)
    page = reviewer.page
    reviewer.take()
    reviewer.inner.wait_for_function("() => document.querySelector('crowd-bounding-box').size")
    reviewer.inner.locator(".stage").focus()
    address = page.url
    page.keyboard.down("Control")
    # The second press of a key without its release is what a browser gets from a key that is held down.
    for _ in range(5):
        page.keyboard.down("Enter")
    expect(page).not_to_have_url(address)
    reviewer.frame()
    second = page.url
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    # The same way as the keys went, and after them: they are through.
    page.keyboard.press("Alt+t")
    expect(page.locator("#spoken")).to_contain_text("left for this task")
    assert page.url == second
    assert _done(page) == 1


def test_nothing_is_sent_before_it_was_seen(cloud: LocalCloud, tmp_path: Path, visit: Visit):
    with Rig(cloud, tmp_path, least_seconds=60) as rig:
        flow = boxes_in(rig)
        ask(flow)
        reviewer = visit(flow)
        page = reviewer.page
        pictures: list[Any] = []
        page.route("**/a%20b.jpg*", lambda route: pictures.append(route))
        page.locator("[data-first]").click()
        page.wait_for_url("**/work/*", wait_until="commit")
        expect(page.locator("#frame[data-ready=yes]")).to_be_attached()
        page.get_by_role("button", name="Submit").click(force=True)
        expect(page.get_by_role("status")).to_contain_text("the image is not there yet")
        eventually(lambda: page.title() and pictures)
        pictures[0].continue_()
        reviewer.inner.wait_for_function("() => document.querySelector('crowd-bounding-box').size")
        # By its own key, which the frame holds back, and by the bar's button.
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("status")).to_contain_text("Not sent")
        page.get_by_role("button", name="Submit").click(force=True)
        expect(page.get_by_role("status")).to_contain_text("too early")
        assert _done(page) == 0


def test_the_next_task_is_there_at_once_and_the_last_can_be_taken_back(texts: Flow, visit: Visit):
    loops = [texts.start(content={"taskObject": f"car {number}"}) for number in (1, 2)]
    reviewer = visit(texts)
    page = reviewer.page
    frame = reviewer.take()
    expect(page.locator("#progress")).to_have_text("1 of 2")
    first = page.url
    expect(page.frame_locator("iframe.ahead").get_by_text("car 2")).to_be_attached()
    page.evaluate("window.stays = true")
    frame.get_by_label("Plate").fill("one")
    page.keyboard.press("Control+Enter")
    expect(page).not_to_have_url(first)
    frame = reviewer.frame()
    expect(frame.get_by_text("car 2")).to_be_visible()
    expect(page.locator("#progress")).to_have_text("2 of 2")
    # As long as an answer can be taken back, what says so stays.
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    assert page.evaluate(FADING) == []
    assert page.evaluate("window.stays"), "the page was loaded anew"
    # What is typed now belongs to the second.
    frame.get_by_label("Plate").fill("two")
    page.context.set_offline(True)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("alert")).to_contain_text("not kept yet")
    page.context.set_offline(False)
    page.get_by_role("button", name="Undo").dblclick()
    page.wait_for_url(first)
    frame = reviewer.frame()
    expect(page.get_by_role("status")).to_contain_text("Here is what you had done.")
    expect(frame.get_by_label("Plate")).to_have_value("one")
    frame.get_by_label("Plate").fill("one again")
    reviewer.submit()
    expect(page).not_to_have_url(first)
    frame = reviewer.frame()
    expect(frame.get_by_label("Plate")).to_have_value("two")
    # By its key, too, and from the list: the answer of the second.
    reviewer.submit()
    page.wait_for_url(f"{reviewer.rig.url}/")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.keyboard.press("Alt+z")
    expect(reviewer.frame().get_by_label("Plate")).to_have_value("two")
    reviewer.submit()
    page.wait_for_url(f"{reviewer.rig.url}/")
    page.get_by_role("button", name="Reopen").first.click()
    reviewer.frame().get_by_label("Plate").fill("two again")
    reviewer.submit()
    page.wait_for_url(f"{reviewer.rig.url}/")
    reviewer.rig.clock.advance(_UNDO)
    given = [texts.output(name)["humanAnswers"][0]["answerContent"] for name in loops]
    assert given == [{"plate": "one again"}, {"plate": "two again"}]


def test_the_next_task_is_seen_while_the_answer_is_on_its_way_and_not_touched(texts: Flow, visit: Visit):
    for number in (1, 2):
        texts.start(content={"taskObject": f"car {number}"})
    reviewer = visit(texts)
    page = reviewer.page
    sent: list[Any] = []
    page.route("**/answer", lambda route: sent.append(route))
    reviewer.take().get_by_label("Plate").fill("one")
    ahead = page.frame_locator("iframe.ahead")
    expect(page.locator("iframe.ahead[data-painted=yes]")).to_be_attached()
    first = page.url
    page.keyboard.press("Control+Enter")
    expect(page.locator("iframe.peeked")).to_be_visible()
    page.keyboard.type("x")
    box = ahead.get_by_label("Plate").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.keyboard.type("x")
    page.get_by_role("button", name="Stop…").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    eventually(lambda: page.title() and sent)
    # The server is not reached: what was sent is seen again, until it has it.
    sent[0].abort()
    expect(page.get_by_role("status")).to_contain_text("not sent yet")
    expect(page.locator("iframe.peeked")).to_have_count(0)
    expect(page.frame_locator("#frame").get_by_label("Plate")).to_have_value("one")
    eventually(lambda: page.title() and len(sent) == 2)
    sent[1].continue_()
    expect(page).not_to_have_url(first)
    expect(reviewer.frame().get_by_text("car 2")).to_be_visible()
    expect(page.frame_locator("#frame").get_by_label("Plate")).to_have_value("")
    assert _done(page) == 1


def test_the_back_button_keeps_what_was_begun(texts: Flow, visit: Visit):
    for _ in range(2):
        texts.start()
    reviewer = visit(texts)
    page = reviewer.page
    reviewer.take().get_by_label("Plate").fill("one")
    expect(page.locator("iframe.ahead")).to_be_attached()
    first = page.url
    reviewer.submit()
    expect(page).not_to_have_url(first)
    reviewer.frame().get_by_label("Plate").fill("begun")
    page.go_back()
    expect(page.get_by_role("heading", name="Your answer is in")).to_be_visible()
    page.get_by_role("link", name="To the list of tasks").click()
    expect(reviewer.take().get_by_label("Plate")).to_have_value("begun")
    page.goto(first)
    page.get_by_role("button", name="Reopen").click()
    expect(reviewer.frame().get_by_label("Plate")).to_have_value("one")


def test_who_signs_out_leaves_nothing_in_the_browser(texts: Flow, visit: Visit):
    texts.start()
    reviewer = visit(texts)
    page = reviewer.page
    reviewer.take().get_by_label("Plate").fill("kept")
    kept = "() => Object.values(localStorage).some((text) => text.includes('kept'))"
    page.wait_for_function(kept)
    page.set_viewport_size({"width": 1400, "height": 800})
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert not page.evaluate(kept)
    # The server has it.
    reviewer.sign_in()
    expect(reviewer.take().get_by_label("Plate")).to_have_value("kept")


def test_what_was_done_outlives_the_page_and_the_network(texts: Flow, visit: Visit):
    texts.start()
    reviewer = visit(texts)
    page = reviewer.page
    page.on("dialog", lambda dialog: dialog.accept())
    # The server never gets it: the browser has it all the same.
    page.route(
        "**/draft", lambda route: route.abort() if route.request.method == "PUT" else route.continue_()
    )
    reviewer.take().get_by_label("Plate").fill("kept")
    page.keyboard.press("Alt+c")
    page.get_by_label("What the owner of the task should know").fill("a word")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => Object.values(localStorage).some((text) => /kept.*a word/.test(text))")
    page.reload()
    frame = reviewer.frame()
    expect(frame.get_by_label("Plate")).to_have_value("kept")
    expect(page.get_by_role("button", name="Comment (written)")).to_be_visible()
    # What was said is gone after a while, and is seen again when something is said anew.
    assert page.evaluate(FADING) == ["fade"]
    page.evaluate("document.getElementById('news').getAnimations()[0].finish()")
    expect(page.locator("#news")).to_have_css("opacity", "0")
    reviewer.context.set_offline(True)
    reviewer.submit()
    expect(page.get_by_role("status")).to_contain_text("not sent yet")
    expect(page.locator("#news")).not_to_have_css("opacity", "0")
    expect(page.get_by_role("heading", name="Not sent yet")).to_be_visible()
    reviewer.context.set_offline(False)
    page.wait_for_url(f"{reviewer.rig.url}/")
    assert _done(page) == 1
    assert not page.evaluate("Object.values(localStorage).some((text) => text.includes('kept'))")


def test_the_server_keeps_what_was_done_now_and_then_and_at_last(texts: Flow, visit: Visit):
    texts.start()
    reviewer = visit(texts)
    page = reviewer.page
    page.on("dialog", lambda dialog: dialog.accept())
    page.clock.install()
    plate = reviewer.take().get_by_label("Plate")
    task = page.url.rpartition("/")[2]

    def kept(value: str) -> bool:
        page.title()  # Lets the page's messages through.
        with reviewer.rig.review.database.read() as session:
            draft = session.get(Draft, task)
            return draft is not None and json.loads(draft.content) == {"plate": value}

    plate.fill("now and then")
    page.clock.fast_forward(30_000)
    eventually(lambda: kept("now and then"))
    plate.fill("hidden")
    page.evaluate(HIDE)
    eventually(lambda: kept("hidden"))
    page.reload()
    reviewer.frame().get_by_label("Plate").fill("left")
    page.wait_for_function("() => Object.values(localStorage).some((text) => text.includes('left'))")
    # The page is gone at once, and its frame with it.
    page.goto("about:blank")
    eventually(lambda: kept("left"))


def test_leaving_asks_only_when_something_was_changed(texts: Flow, visit: Visit):
    texts.start()
    reviewer = visit(texts)
    page = reviewer.page
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    frame = reviewer.take()
    frame.get_by_label("Plate").click()
    page.reload()
    frame = reviewer.frame()
    assert not asked
    frame.get_by_label("Plate").click()
    frame.get_by_label("Plate").fill("x")
    page.wait_for_function("""() => Object.values(localStorage).some((text) => text.includes('"x"'))""")
    page.reload()
    reviewer.frame()
    assert asked == ["beforeunload"]


def test_nothing_is_sent_as_somebody_else(texts: Flow, visit: Visit):
    name = texts.start()
    ada = visit(texts)
    ada.take().get_by_label("Plate").fill("of the first")
    other_name = ada.rig.name("other")
    _, password = ada.rig.review.accounts.add(other_name, texts.team)
    tab = ada.context.new_page()
    ada.context.clear_cookies()
    _sign_in(ada, tab, other_name, password or "")
    expect(ada.page.get_by_role("heading", name=f"You are signed in as {other_name} now")).to_be_visible()
    ada.page.get_by_role("button", name="Go on").click()
    expect(ada.page.get_by_text(f"This work is {ada.name}'s")).to_be_visible()
    assert _done(tab) == 0
    tab.get_by_role("button", name="Sign out").click()
    tab.wait_for_url("**/sign-in")
    _sign_in(ada, tab, ada.name, ada.password)
    ada.page.get_by_role("button", name="Go on").click()
    ada.submit()
    ada.page.wait_for_url(f"{ada.rig.url}/")
    ada.rig.clock.advance(_UNDO)
    assert [answer["answerContent"] for answer in texts.output(name)["humanAnswers"]] == [
        {"plate": "of the first"}
    ]


def test_a_reason_a_comment_and_a_complaint_reach_the_server(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT + "<script>nothing.there()</script>")
    flow.start()
    reviewer = visit(flow)
    page = reviewer.page
    reviewer.take()
    expect(page.get_by_role("alert")).to_contain_text("The task's page reports")
    page.keyboard.press("Alt+c")
    page.get_by_label("What the owner of the task should know").fill("a word")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Stop…").click()
    page.get_by_role("button", name="Decline it").click()
    page.get_by_label("The rule is unclear").check()
    page.get_by_label("In your words").fill("cat or dog?")
    page.get_by_role("button", name="Decline", exact=True).click()
    page.wait_for_url(f"{rig.url}/")
    with rig.review.database.read() as session:
        task = session.scalars(select(Task).order_by(Task.accepted_at.desc())).first()
        assert task is not None
        assert (task.reason, task.comment) == ("UnclearRule", "cat or dog?")
        of_queue = select(Complaint.message).where(Complaint.queue_id == task.queue_id)
        assert any("nothing is not defined" in message for message in session.scalars(of_queue))


def test_the_frame_gets_its_settings_again_and_the_keys_of_the_bar(rig: Rig, visit: Visit):
    flow = rig.flow(content=LISTENER)
    flow.start()
    reviewer = visit(flow)
    page = reviewer.page
    reviewer.take()
    page.wait_for_function("() => Object.values(localStorage).some((text) => text.includes('light'))")
    page.reload()
    frame = reviewer.frame()
    expect(frame.locator("#got")).to_have_text('{"light":2}')
    page.locator("#stop").focus()
    page.keyboard.press("x")
    expect(frame.locator("#keys")).to_have_text("KeyX")
    # What presses the button stays with the button.
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Stop working on this task")).to_be_visible()
    expect(frame.locator("#keys")).to_have_text("KeyX")


def test_keys_are_where_they_are_printed_on_every_layout(rig: Rig, visit: Visit):
    flow = rig.flow(content=LISTENER)
    flow.start()
    reviewer = visit(flow)
    page = reviewer.page
    frame = reviewer.take()
    status = page.locator("#status")
    for layout, option in [*((name, False) for name in LAYOUTS), ("US", True)]:
        keyboard = Keyboard(page, layout, option)
        z, w = ("KeyW", "KeyZ") if layout == "French" else ("KeyZ", "KeyW")
        # Undo of the bar goes to the task; of what is printed there, nothing else does.
        page.locator(BAR).focus()
        frame.locator("#keys").evaluate("(keys) => keys.textContent = ''")
        keyboard.press(f"Ctrl+{z}")
        expect(frame.locator("#keys")).to_have_text(z)
        for place in (BAR, FRAME):
            page.locator(place).focus()
            status.evaluate("(status) => status.textContent = ''")
            keyboard.press(f"Alt+{z}")
            expect(status, f"{layout}, {place}").to_contain_text("no answer to take back")
        page.locator(BAR).focus()
        keyboard.press(f"Alt+{w}")
        expect(page.locator(FRAME)).to_be_focused()
        if option:
            continue
        for place in (BAR, FRAME):
            page.locator(place).focus()
            keyboard.press({"French": "Shift+KeyM", "Russian": "Shift+Digit7"}.get(layout, "Shift+Slash"))
            expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
            page.keyboard.press("Escape")


def test_on_phones_tablets_and_magnified_everything_is_within_reach(boxes: Flow, visit: Visit):
    ask(boxes)
    sizes = [(390, 844), (768, 1024)]
    reviewer = visit(boxes, viewport={"width": 390, "height": 844}, has_touch=True)
    reviewer.take()
    for width, height in sizes:
        reviewer.page.set_viewport_size({"width": width, "height": height})
        for place in ("h1", "#submit", "#stop", "#left", "#progress"):
            box = reviewer.page.locator(place).bounding_box()
            assert box is not None
            assert box["x"] >= 0 and box["x"] + box["width"] <= width, place  # noqa: PT018
            assert box["y"] + box["height"] <= height, place
    # Twice as large on a small screen: the page scrolls, the task keeps its height.
    reviewer.page.set_viewport_size({"width": 640, "height": 400})
    frame = reviewer.page.locator("#frame").bounding_box()
    assert frame is not None
    assert frame["height"] >= 500
    assert reviewer.page.evaluate("document.scrollingElement.scrollHeight > innerHeight")
    assert reviewer.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def _sign_in(visitor: Visitor, page: Page, name: str, password: str) -> None:
    page.goto(visitor.rig.url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{visitor.rig.url}/")


def _done(page: Page) -> int:
    """How many answers of the page's person the server has."""
    path = "/worker/done?since=2000-01-01T00:00:00Z"
    return int(page.evaluate("async (path) => (await (await fetch(path)).json()).answered", path))
