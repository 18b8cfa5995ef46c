"""What goes wrong in a template's own program reaches the page around, and no answer gets poorer by it."""

from __future__ import annotations

import re

import pytest

from include.review_server.templates.frame_policy import frame_headers
from tests.review_server.components.conftest import Site, Task

BOX = (
    """<crowd-bounding-box id="a" name="raw" labels="['cat']" header="h" """
    """src="{{ task.input.image | grant_read_access }}"></crowd-bounding-box>"""
)


def _policy(site: Site, name: str) -> None:
    """The headers that a real frame has, but for the sandbox: the page is its own parent here."""
    policy = frame_headers(f"{site.url}/components/", [f"{site.url}/images/plain.jpg"])
    text = policy["Content-Security-Policy"]
    site.policies[name] = text.split("; ", 1)[1].replace("frame-ancestors", "frame-ancestors *")


def _complaint(task: Task, words: str) -> str:
    """Wait for a complaint with these words; all of it."""
    task.page.wait_for_function(
        "(words) => messages.some((m) => m.nightloop === 'error' && m.message.includes(words))", arg=words
    )
    return next(m["message"] for m in task.messages("error") if words in m["message"])


def test_a_submit_listener_that_fails_holds_the_answer_back(task: Task, site: Site):
    """A library of a foreign host, blocked, would have given each box its number."""
    _policy(site, "page")
    page = task.open(
        f"""<script>addEventListener("error", (event) => event.preventDefault())</script>
        <script src="https://cdn.example.org/ids.js"></script>
        <crowd-form>{BOX}<input type="hidden" name="result" id="result" value="[]"></crowd-form>
        <script>document.querySelector('crowd-form').onsubmit = () => {{
          result.value = JSON.stringify(a.value.boundingBoxes.map((box) => ({{...box, id: makeId()}})));
        }};</script>"""
    )
    assert "cdn.example.org" in _complaint(task, "a script from")
    assert "The owner can allow that host under Template bench" in _complaint(task, "a script from")
    task.drag((10, 20), (60, 80))
    assert "makeId is not defined" in task.refuses()
    reason = task.messages("held")[-1]["reason"]
    assert "makeId is not defined" in reason
    assert "blocked here: ids.js from cdn.example.org. The owner can allow that host" in reason
    page.evaluate("window.makeId = () => 7")
    assert '"id":7' in task.submit()["result"]


def test_scripts_that_fail_are_told_once_each(task: Task):
    page = task.open(
        """<crowd-form><crowd-input name="t"></crowd-input></crowd-form><div id="x"></div>
        <script>addEventListener("error", (event) => event.preventDefault()); missing.call()</script>
        <script>addEventListener("unhandledrejection", (event) => event.preventDefault());
          for (let i = 0; i < 3; i++) Promise.reject(new RangeError("too far"))</script>"""
    )
    assert "No script of this page defines it: write it into" in _complaint(task, "missing is not defined")
    assert "RangeError: too far" in _complaint(task, "RangeError")
    page.evaluate(
        "for (let i = 0; i < 100; i += 1) dispatchEvent(new ErrorEvent('error', {message: `n${i}`}))"
    )
    page.evaluate("dispatchEvent(new ErrorEvent('error', {message: 'x'.repeat(10_000)}))")
    messages = [message["message"] for message in task.messages("error")]
    assert len(messages) == len(set(messages)) == 20
    assert all(len(message) <= 400 for message in messages)
    page.evaluate("window.postMessage({nightloop: 'hello'}, '*')")  # a parent that began to listen later
    page.wait_for_function("messages.filter((m) => m.nightloop === 'error').length === 40")


def test_an_exception_is_told_with_what_is_missing(task: Task, site: Site):
    """Each of the scripts fails for want of something that its exception does not name."""
    scripts = [
        "document.querySelector('#gone').style.width = '1px'",
        "document.querySelector('crowd-bounding-box').shadowRoot.querySelector('canvas')",
        "JSON.parse('some text')",
        """throw new DOMException("Failed to read the 'localStorage' property", "SecurityError")""",
        "makeChart()",
    ]
    task.open(
        """<script>addEventListener("error", (event) => event.preventDefault())</script>"""
        + f"""<script src="{site.url}/images/chart.js"></script>"""
        + f"<crowd-form>{BOX}</crowd-form>"
        + "".join(f"\n<script>{script}</script>" for script in scripts)
    )
    assert 'it looked for this and found nothing: "#gone" (line ' in _complaint(task, "reading 'style'")
    assert "<crowd-bounding-box>, which was not ready: wait for all-crowd-elements-ready" in _complaint(
        task, "reading 'querySelector'"
    )
    assert "give an object, a list or JSON in the task's input" in _complaint(task, "is not valid JSON")
    assert "has no storage and no cookies" in _complaint(task, "localStorage")
    assert "could not be loaded: chart.js from 127.0.0.1" in _complaint(task, "makeChart is not defined")


def test_what_the_policy_blocks_is_named_with_its_host(task: Task, site: Site):
    _policy(site, "page")
    task.open(
        f"""<link rel="stylesheet" href="https://styles.example.org/a.css"><img src="http://pics.example.org/a.png">
        <crowd-form>{BOX.replace("{{ task.input.image | grant_read_access }}", "https://own.example.org/x.jpg")}
        </crowd-form>""",
        ready=False,
    )
    for host, what in [("styles", "a style"), ("pics", "an image"), ("own", "an image")]:
        assert f"{what} from {host}.example.org" in _complaint(task, f"{host}.example.org")
    task.page.evaluate("window.postMessage({nightloop: 'hello'}, '*')")
    task.page.wait_for_function("messages.filter((m) => m.nightloop === 'ready').length === 2")
    hosts = ["own.example.org", "pics.example.org", "styles.example.org"]
    assert task.messages("ready")[-1]["blocked"] == hosts
    told = [message["message"] for message in task.messages("error")]
    assert not any("could not be loaded" in text for text in told)  # the policy's word says more
    assert not any("CORS" in text for text in told)
    task.page.locator("crowd-bounding-box").get_by_text("own.example.org").wait_for()


def test_a_picture_that_is_missing_is_told(task: Task, site: Site):
    task.open(f'<img src="{site.url}/images/missing.jpg?secret=1"><crowd-form>{BOX}</crowd-form>')
    assert re.search(r"<img> \S+/images/missing.jpg$", _complaint(task, "missing.jpg"))


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ('<crowd-point-cloud name="s"></crowd-point-cloud>', "crowd-point-cloud"),
        (
            '<crowd-point-cloud name="s"></crowd-point-cloud><crowd-input name="t" value="x"></crowd-input>',
            "crowd-point-cloud",
        ),
        ("<crowd-point-cloud></crowd-point-cloud>", "crowd-point-cloud"),
        ("<crowd-input value='x'></crowd-input>", "has no name"),
        (f'{BOX.replace("name=", "data-name=")}<input type="hidden" name="x" value="">', "has no name"),
    ],
)
def test_an_answer_that_would_be_lost_is_not_sent(task: Task, inner: str, said: str):
    task.open(f"<crowd-form>{inner}</crowd-form>")
    assert said in task.refuses()
    assert said in task.messages("held")[-1]["reason"]


def test_a_script_may_give_the_answer_of_an_element_without_a_name(task: Task):
    task.open(
        f"""<crowd-form>{BOX.replace("name=", "data-name=")}
        <input type="hidden" name="boxes" id="boxes"></crowd-form>
        <script>document.querySelector("crowd-form").onsubmit = () => {{
          boxes.value = JSON.stringify(a.value.boundingBoxes);
        }}</script>"""
    )
    assert task.submit() == {"boxes": "[]"}
