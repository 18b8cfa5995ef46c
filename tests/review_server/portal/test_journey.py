"""A reviewer's way through the portal in a real browser, down to the line of the manifest."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import expect

from include.loop.core.storage import dump
from include.loop.tasks.detection.answers import read_output
from include.loop.tasks.detection.consensus import agree
from include.loop.tasks.detection.manifest import manifest_value
from include.loop.tasks.detection.task import ObjectDetection
from include.loop.tasks.values import Origin
from tests.review_server.portal.conftest import HEIGHT, LABELS, WIDTH, Visitor, ask
from tests.review_server.rig import Flow, Rig
from tests.support.cloud import eventually

Visit = Callable[..., Visitor]

CLASSIFIER = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-image-classifier name="kind" src="{{ task.input.taskObject | grant_read_access }}"
    categories="{{ task.input.labels | to_json | escape }}" header="What is it?">
    <full-instructions header="How">Choose one.</full-instructions>
    <short-instructions>Choose one.</short-instructions>
  </crowd-image-classifier>
</crowd-form>"""
TEXT = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-input name="plate" label="Plate" required></crowd-input></crowd-form>"""


def test_corrected_boxes_become_a_line_of_the_manifest(rig: Rig, boxes: Flow, visit: Visit):
    name = ask(boxes)
    reviewer = visit(boxes)
    expect(reviewer.page.get_by_text("1 waiting")).to_be_visible()
    reviewer.take()
    # Select and move the model's box, draw another, draw a third and delete it.
    reviewer.drag((90, 90), (90, 90))
    reviewer.drag((90, 90), (95, 95))
    reviewer.page.keyboard.press("Escape")
    reviewer.page.keyboard.press("1")
    reviewer.drag((300, 120), (420, 260))
    reviewer.page.keyboard.press("Escape")
    reviewer.drag((470, 60), (560, 120))
    reviewer.page.keyboard.press("Delete")
    reviewer.submit()
    reviewer.page.wait_for_url(f"{rig.url}/")
    expect(reviewer.page.get_by_role("status")).to_contain_text("Saved. That was the last one")

    loop = boxes.until(name, "Completed")
    key = urlsplit(loop["HumanLoopOutput"]["OutputS3Uri"]).path.lstrip("/")
    body = rig.s3.get_object(Bucket=boxes.bucket, Key=key)["Body"].read()
    answers, rejected = read_output(body, name, LABELS, (WIDTH, HEIGHT))
    assert not rejected
    image = f"s3://{boxes.bucket}/night/a b.jpg"
    origin = Origin(image, "etag", (WIDTH, HEIGHT), name, "2026-11-01", "least_confident")
    workers = [answer.worker for answer in answers]
    line = manifest_value("review", LABELS, origin, agree(answers), answers[0].submitted, workers)
    read = ObjectDetection(LABELS, "review").read_line(dump(line))
    assert [(b.class_id, b.left, b.top, b.width, b.height) for b in read.boxes] == [
        (0, 300, 120, 120, 140),
        (1, 45, 55, 100, 80),
    ]


def test_by_keyboard_alone(rig: Rig, boxes: Flow, visit: Visit):
    first, second = ask(boxes), ask(boxes)
    reviewer = visit(boxes, sign_in=False)
    page = reviewer.page
    page.goto(rig.url)
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(reviewer.name)
    page.keyboard.press("Tab")
    page.keyboard.type(reviewer.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{rig.url}/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("take the first task")
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+n")
    reviewer.frame()
    address = page.url
    reviewer.inner.wait_for_function("() => document.querySelector('crowd-bounding-box').size")
    reviewer.inner.locator(".stage").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: "/work/" in url and url != address)
    expect(page.get_by_role("status")).to_contain_text("Saved. Here is the next one.")
    reviewer.frame()
    top = page.locator("#frame").bounding_box()
    header = page.locator("header.top").bounding_box()
    assert top is not None
    assert header is not None
    assert top["y"] - header["y"] - header["height"] < 2  # the message takes no room
    reviewer.inner.wait_for_function("() => document.querySelector('crowd-bounding-box').size")
    reviewer.inner.locator(".stage").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("1")
    expect(page.locator("#status")).to_be_hidden()
    page.keyboard.press("Alt+s")
    stopping = page.get_by_role("dialog", name="Stop working on this task")
    expect(stopping.get_by_role("button", name="Come back later")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{rig.url}/")
    page.keyboard.press("Alt+n")
    reviewer.frame()
    expect(page.get_by_role("status")).to_contain_text("Here is what you had done.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"{rig.url}/")

    changed = boxes.output(first)["humanAnswers"][0]["answerContent"]["annotatedResult"]
    assert changed["boundingBoxes"] == [{"height": 80, "label": "bird", "left": 41, "top": 50, "width": 100}]
    assert changed["initialValueModified"] is True
    resumed = boxes.output(second)["humanAnswers"][0]["answerContent"]["annotatedResult"]
    assert resumed["boundingBoxes"] == [{"height": 80, "label": "cat", "left": 40, "top": 50, "width": 100}]
    assert resumed["initialValueModified"] is True


def test_classifying(rig: Rig, visit: Visit):
    flow = rig.flow(content=CLASSIFIER)
    name = ask(flow)
    reviewer = visit(flow)
    frame = reviewer.take()
    frame.get_by_text("dog", exact=True).first.click()
    reviewer.submit()
    reviewer.page.wait_for_url(f"{rig.url}/")
    assert flow.output(name)["humanAnswers"][0]["answerContent"] == {"kind": {"label": "dog"}}


def test_declining_asks_somebody_else(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT)
    flow.start()
    one, other = visit(flow), visit(flow)
    one.take()
    one.page.get_by_role("button", name="Stop…").click()
    one.page.get_by_role("button", name="Decline it").click()
    one.page.get_by_label("The image is bad").check()
    one.page.get_by_role("button", name="Decline", exact=True).click()
    one.page.wait_for_url(f"{rig.url}/")
    expect(one.page.get_by_role("status")).to_contain_text("You declined the task")
    expect(one.page.get_by_role("heading", name="Nothing is waiting")).to_be_visible()
    other.page.reload()
    other.take()


def test_the_list_says_what_others_hold_and_what_waits_behind_what_is_in_hand(rig: Rig, visit: Visit):
    flow, second = rig.flow(content=TEXT), rig.flow(content=TEXT)
    flow.start()
    other = rig.worker(flow.team)
    task = other.take(flow)
    visitor = visit(flow, second)
    page = visitor.page
    expect(page.get_by_role("heading", name="Nothing for you to take now")).to_be_visible()
    expect(page.get_by_text("1 is in other people's hands")).to_be_visible()
    assert other.do("return", task).status_code == 200
    page.reload()
    expect(page.get_by_text("1 waiting")).to_be_visible()
    for one in (flow, second):
        one.start()
    visitor.take()
    page.goto(rig.url)
    expect(page.get_by_text("1 more waits behind what is in your hands")).to_be_visible()
    expect(page.get_by_text("1 waiting")).to_be_visible()


def test_giving_back_leaves_it_in_the_list(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT)
    flow.start()
    reviewer = visit(flow)
    reviewer.take()
    address = reviewer.page.url
    reviewer.page.get_by_role("button", name="Stop…").click()
    reviewer.page.get_by_role("button", name="Give it back").click()
    reviewer.page.wait_for_url(f"{rig.url}/")
    expect(reviewer.page.get_by_text("1 waiting")).to_be_visible()
    reviewer.page.goto(address)
    expect(reviewer.page.get_by_role("heading", name="You gave this task back")).to_be_visible()


def test_time_that_ran_out_loses_no_work(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT, TaskTimeLimitInSeconds=300)
    name = flow.start()
    reviewer = visit(flow)
    frame = reviewer.take()
    frame.get_by_label("Plate").fill("B-42")
    rig.clock.advance(400)
    # Submitted too late: the same task is taken again, and what was typed is sent.
    reviewer.submit()
    reviewer.page.wait_for_url(f"{rig.url}/")
    answer = flow.output(name)["humanAnswers"]
    assert [item["answerContent"] for item in answer] == [{"plate": "B-42"}]


def test_work_on_a_task_that_somebody_else_has_now_is_told(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT, TaskTimeLimitInSeconds=300)
    name = flow.start()
    slow = visit(flow)
    slow.take().get_by_label("Plate").fill("late")
    rig.clock.advance(400)
    quick = rig.worker(flow.team)
    # The server notices the end of a lease within a tick of its background.
    task = eventually(lambda: quick.take(flow))
    assert quick.do("answer", task, {"plate": "quick"}).status_code == 200
    slow.submit()
    expect(slow.page.get_by_role("heading", name="The time ran out")).to_be_visible()
    slow.page.get_by_role("button", name="To the list").click()
    slow.page.wait_for_url(f"{rig.url}/")
    assert [item["answerContent"] for item in flow.output(name)["humanAnswers"]] == [{"plate": "quick"}]


def test_two_tabs_count_once(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT)
    name = flow.start()
    reviewer = visit(flow)
    first = reviewer.take()
    second_tab = reviewer.context.new_page()
    second_tab.goto(reviewer.page.url)
    second = reviewer.frame(second_tab)
    expect(second_tab.get_by_role("status")).to_contain_text("open in another tab")
    first.get_by_label("Plate").fill("first")
    second.get_by_label("Plate").fill("second")
    reviewer.submit()
    reviewer.page.wait_for_url(f"{rig.url}/")
    expect(second_tab.get_by_role("heading", name="This task is done")).to_be_visible()
    assert [item["answerContent"] for item in flow.output(name)["humanAnswers"]] == [{"plate": "first"}]


def test_a_frame_that_was_ready_before_the_page_listened_is_asked_again(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT)
    flow.start()
    reviewer = visit(flow)
    scripts = []
    reviewer.page.route("**/work.js*", lambda route: scripts.append(route))
    reviewer.page.locator("[data-first]").click()
    reviewer.page.wait_for_url("**/work/*", wait_until="commit")
    expect(reviewer.page.frame_locator("#frame").get_by_role("button", name="Submit")).to_be_visible()
    # The page's own script comes last, as it does when the frame came from the browser's cache.
    assert scripts
    scripts.pop().continue_()
    reviewer.frame().get_by_label("Plate").fill("seen")


def test_an_answer_survives_a_session_that_ended(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT)
    name = flow.start()
    reviewer = visit(flow)
    reviewer.take().get_by_label("Plate").fill("kept")
    other_tab = reviewer.context.new_page()
    reviewer.context.clear_cookies()
    reviewer.submit()
    expect(reviewer.page.get_by_role("heading", name="You are signed out")).to_be_visible()
    other_tab.goto(rig.url)
    other_tab.get_by_label("Name").fill(reviewer.name)
    other_tab.get_by_label("Password").fill(reviewer.password)
    other_tab.get_by_role("button", name="Sign in").click()
    other_tab.wait_for_url(f"{rig.url}/")
    reviewer.page.get_by_role("button", name="Send", exact=True).click()
    reviewer.page.wait_for_url(f"{rig.url}/")
    assert [item["answerContent"] for item in flow.output(name)["humanAnswers"]] == [{"plate": "kept"}]


def test_pauses_are_not_time_spent(rig: Rig, visit: Visit):
    flow = rig.flow(content=TEXT, TaskTimeLimitInSeconds=3600)
    name = flow.start()
    reviewer = visit(flow)
    frame = reviewer.take()
    frame.get_by_label("Plate").fill("B-42")
    # The server's clock goes on for ten minutes in which the page sees nobody.
    rig.clock.advance(600)
    reviewer.submit()
    reviewer.page.wait_for_url(f"{rig.url}/")
    assert flow.output(name)["humanAnswers"][0]["timeSpentInSeconds"] < 300


def test_an_invited_person_sets_a_password_and_signs_in(rig: Rig, boxes: Flow, visit: Visit):
    _, token = rig.review.accounts.invite("Invited", boxes.team)
    visitor = visit(boxes, sign_in=False)
    page = visitor.page
    page.goto(f"{rig.url}/welcome#{token}")
    page.get_by_label("New password").fill("four quiet words here")
    page.get_by_label("The same again").fill("four quiet words here")
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url(f"{rig.url}/sign-in")
    expect(page.get_by_role("status")).to_contain_text("Sign in as Invited")
    visitor.name, visitor.password = "Invited", "four quiet words here"
    visitor.sign_in()
    expect(page.get_by_role("heading", name="Tasks")).to_be_visible()
