"""crowd-form and the form elements: the documented answer, validation, veto, reset; what the page reports."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page

from include.review_server.templates.component_files import ROOT, components_url
from include.review_server.templates.elements import ELEMENTS
from tests.review_server.components.conftest import Site, Task


def _form(inner: str) -> str:
    return f"<crowd-form>{inner}</crowd-form>"


@pytest.mark.parametrize(
    ("inner", "answer"),
    [
        ('<crowd-input name="a" value="x"></crowd-input>', {"a": "x"}),
        ('<crowd-input name="a"></crowd-input>', {}),
        ('<crowd-input name="a" type="number" value="12"></crowd-input>', {"a": "12"}),
        ('<crowd-input name="a" value="x" disabled></crowd-input>', {}),
        ('<crowd-text-area name="a" value="x"></crowd-text-area>', {"a": "x"}),
        ('<crowd-checkbox name="a" checked>y</crowd-checkbox>', {"a": {"on": True}}),
        (
            '<crowd-checkbox name="a" value="blurry" checked></crowd-checkbox>'
            '<crowd-checkbox name="a" value="dark"></crowd-checkbox>',
            {"a": {"blurry": True, "dark": False}},
        ),
        (
            '<crowd-radio-group><crowd-radio-button name="ok" value="yes" checked></crowd-radio-button>'
            '<crowd-radio-button name="ok" value="no"></crowd-radio-button></crowd-radio-group>',
            {"ok": {"yes": True, "no": False}},
        ),
        (
            '<crowd-radio-group name="ok"><crowd-radio-button value="yes"></crowd-radio-button>'
            '<crowd-radio-button value="no" checked></crowd-radio-button></crowd-radio-group>',
            {"ok": {"yes": False, "no": True}},
        ),
        ('<crowd-toggle-button name="m"></crowd-toggle-button>', {"m": {"on": False}}),
        ('<crowd-toggle-button name="m" value="v" checked></crowd-toggle-button>', {"m": {"v": True}}),
        ('<crowd-slider name="s" min="1" max="9" value="4"></crowd-slider>', {"s": 4}),
        ('<crowd-slider name="s" min="1" max="9"></crowd-slider>', {"s": 1}),
        ('<input name="a" value="x"><input type="hidden" name="_b" value="y">', {"a": "x", "_b": "y"}),
        ('<select name="a"><option>x<option selected>y</select>', {"a": "y"}),
        ('<textarea name="a">x\ny</textarea>', {"a": "x\ny"}),
        (
            '<input type="radio" name="a" value="1" checked><input type="radio" name="a" value="2">'
            '<input type="checkbox" name="c">',
            {"a": {"1": True, "2": False}, "c": {"on": False}},
        ),
        ('<input value="no name"><input name="b" disabled value="x">', {}),
        ('<input name="__proto__" value="x">', {"__proto__": "x"}),
        ("<p>nothing</p>", {}),
    ],
)
def test_each_control_answers_as_documented(task: Task, inner: str, answer: dict[str, Any]):
    task.open(_form(inner))
    assert task.submit() == answer


def test_what_is_typed_ticked_and_slid(task: Task):
    page = task.open(
        _form(
            '<crowd-input name="t" label="Title"></crowd-input>'
            '<crowd-text-area name="d" label="Text"></crowd-text-area>'
            '<crowd-checkbox name="f" value="x">Tick</crowd-checkbox>'
            '<crowd-radio-group><crowd-radio-button name="q" value="1">One</crowd-radio-button>'
            '<crowd-radio-button name="q" value="2">Two</crowd-radio-button></crowd-radio-group>'
            '<crowd-toggle-button name="m">Toggle</crowd-toggle-button>'
            '<crowd-slider name="s" max="10" step="2"></crowd-slider>'
        )
    )
    page.get_by_label("Title").fill("über")
    page.get_by_label("Text").fill("a\nb")
    page.get_by_role("checkbox", name="Tick").check()
    page.get_by_role("radio", name="One").check()
    page.get_by_role("radio", name="Two").check()
    page.get_by_role("switch", name="Toggle").check()
    page.get_by_role("slider").focus()
    task.keys("ArrowRight", "ArrowRight")
    assert task.submit() == {
        "t": "über",
        "d": "a\nb",
        "f": {"x": True},
        "q": {"1": False, "2": True},
        "m": {"on": True},
        "s": 4,
    }


@pytest.mark.parametrize(
    ("inner", "fill", "said"),
    [
        ('<crowd-input name="a" label="A" required></crowd-input>', "", "A:"),
        ('<crowd-input name="a" label="A" min-length="3"></crowd-input>', "xy", "at least 3"),
        (
            '<crowd-input name="a" label="A" allowed-pattern="[0-9]" error-message="Digits!"></crowd-input>',
            "1x",
            "Digits!",
        ),
        ('<crowd-input name="a" label="A" type="email"></crowd-input>', "nobody", "A:"),
        ('<crowd-checkbox name="a" required>I agree</crowd-checkbox>', None, "I agree"),
        ('<crowd-slider name="a" required></crowd-slider>', None, '"a"'),
    ],
)
def test_what_is_not_valid_is_not_sent(task: Task, inner: str, fill: str | None, said: str):
    page = task.open(_form(inner))
    if fill is not None:
        page.get_by_label("A", exact=False).fill(fill)
    assert said in task.refuses()


def test_an_input_that_was_refused_can_be_mended(task: Task):
    page = task.open(_form('<crowd-input name="a" label="A" allowed-pattern="[0-9]"></crowd-input>'))
    page.get_by_label("A").fill("x")
    task.refuses()
    page.get_by_label("A").fill("42")
    assert task.submit() == {"a": "42"}
    assert page.locator("nightloop-notice:visible").count() == 0


@pytest.mark.parametrize(
    "script",
    [
        "form.onsubmit = () => false",
        "form.onsubmit = (event) => event.preventDefault()",
        "form.addEventListener('submit', (event) => event.preventDefault())",
        "form.setAttribute('onsubmit', 'return false')",
    ],
)
def test_a_template_may_veto(task: Task, script: str):
    page = task.open(
        _form('<input name="a" value="1">')
        + f"<script>const form=document.querySelector('crowd-form');{script}</script>"
    )
    page.locator("crowd-button").click()
    assert task.messages("answer") == []


def test_a_template_may_fill_hidden_inputs_when_submitted(task: Task):
    task.open(
        _form('<input type="hidden" name="a">')
        + "<script>document.querySelector('crowd-form').onsubmit = () => {"
        "document.querySelector('[name=a]').value = JSON.stringify({x: 1}) }</script>"
    )
    assert task.submit() == {"a": '{"x":1}'}


@pytest.mark.parametrize(
    "button",
    [
        '<crowd-button form-action="submit">Go</crowd-button>',
        '<crowd-button form-action="submit" variant="primary"><b>Go</b></crowd-button>',
        "<button>Go</button>",
        '<button type="submit">Go</button>',
        '<input type="submit" value="Go">',
        "<form><button>Go</button></form>",
    ],
)
def test_a_template_may_bring_its_own_button(task: Task, button: str):
    page = task.open(_form(f'<input name="a" value="1">{button}'))
    assert page.get_by_role("button").count() == 1
    page.get_by_role("button").click()
    page.wait_for_function("messages.some((m) => m.nightloop === 'answer')")
    assert task.messages("answer")[-1]["content"] == {"a": "1"}


def test_other_buttons_do_not_submit(task: Task):
    page = task.open(
        _form(
            '<input name="a" value="1"><crowd-button id="x">Other</crowd-button>'
            '<crowd-button id="y" form-action="submit" disabled>Off</crowd-button>'
            '<button type="button">No</button>'
        )
    )
    for locator in ("#x", "#y", "button"):
        page.locator(locator).first.click(force=True)
    assert task.messages("answer") == []


def test_reset(task: Task):
    page = task.open(
        _form(
            '<crowd-input name="a" label="A" value="x"></crowd-input><input name="b" value="1">'
            '<crowd-checkbox name="c" checked>C</crowd-checkbox>'
            '<crowd-button form-action="reset">Again</crowd-button>'
        )
    )
    page.get_by_label("A").fill("other")
    page.locator("input[name=b]").fill("2")
    page.get_by_role("checkbox", name="C").uncheck()
    page.get_by_role("button", name="Again").click()
    assert task.submit() == {"a": "x", "b": "1", "c": {"on": True}}


def test_nothing_of_the_page_is_lost_silently(task: Task):
    page = task.open(
        _form(
            '<crowd-point-cloud name="s"></crowd-point-cloud>'
            "<crowd-input></crowd-input><crowd-text-ranking></crowd-text-ranking>"
        )
    )
    ready = task.messages("ready")[0]
    assert ready["unsupported"] == ["crowd-point-cloud", "crowd-text-ranking"]
    assert "crowd-form" in ready["elements"]
    notices = page.locator("nightloop-notice").all_inner_texts()
    assert any("crowd-point-cloud" in text for text in notices)
    assert any("crowd-input" in text and "name" in text for text in notices)


def test_words_below_a_slider(task: Task):
    page = task.open(
        _form(
            '<crowd-slider name="q" min="1" max="3"><crowd-slider-label slot="3">high</crowd-slider-label>'
            '<crowd-slider-label slot="1">low</crowd-slider-label></crowd-slider>'
        )
    )
    low, high = (page.get_by_text(word).bounding_box() for word in ("low", "high"))
    assert low
    assert high
    assert low["x"] < high["x"]
    assert low["y"] == high["y"]


def test_instructions_of_the_form_itself(task: Task):
    page = task.open(
        _form(
            "<short-instructions>Be short</short-instructions>"
            '<full-instructions header="All">Be long</full-instructions>'
            '<crowd-input name="t" label="T" value="x"></crowd-input>'
        )
    )
    assert page.get_by_text("Be short").is_visible()
    assert page.get_by_text("Be long").is_hidden()
    page.get_by_role("button", name="Full instructions").click()
    assert page.get_by_text("Be long").is_visible()
    page.get_by_role("button", name="Close").click()
    assert task.submit() == {"t": "x"}


def test_comments_in_an_attribute_are_skipped(task: Task):
    lines = """{ lines: [ /* all */ { label: 'edge', // which line
      vertices: [ { x: 10, y: 10 }, { x: 90, y: 60 /* 'quoted' */ } ] } ] }"""
    task.open(
        _form(
            f"""<crowd-line name="l" labels="['http://edge'/**/, 'edge']" initial-value="{lines}"
            src="{{{{ task.input.image | grant_read_access }}}}"></crowd-line>"""
        )
    )
    answer = task.submit()["l"]
    assert answer["lines"] == [{"label": "edge", "vertices": [{"x": 10, "y": 10}, {"x": 90, "y": 60}]}]
    assert answer["initialValueModified"] is False
    assert task.messages("error") == []


def test_a_card_stays_in_its_column(task: Task):
    page = task.open(
        "<style>crowd-card { width: 100%; padding: 1rem; }</style>"
        + _form('<div style="width: 300px"><crowd-card>A card</crowd-card></div><input name="a">')
    )
    box = page.locator("crowd-card").bounding_box()
    assert box
    assert box["width"] == 300


def test_reaching_into_an_element_is_told(task: Task):
    page = task.open(_form('<crowd-classifier name="k" categories="[\'a\']"></crowd-classifier>'))
    assert task.messages("error") == []
    found = page.evaluate(
        "document.querySelector('crowd-classifier').shadowRoot.querySelector('.category-picker-wrapper')"
    )
    assert found is None
    message = task.messages("error")[0]["message"]
    assert ".category-picker-wrapper" in message
    assert "crowd-classifier" in message


def test_a_page_without_a_form_says_so(task: Task):
    page = task.open("<p>Only text</p>")
    assert "no <crowd-form>" in page.locator("nightloop-notice").inner_text()


def test_the_parts_without_an_answer(task: Task):
    page = task.open(
        _form(
            '<crowd-alert type="warning" dismissible>Careful</crowd-alert>'
            '<crowd-card heading="Title">Card</crowd-card>'
            '<crowd-tabs><crowd-tab header="One">first</crowd-tab>'
            '<crowd-tab header="Two">second</crowd-tab></crowd-tabs>'
            '<crowd-modal link-text="More">inside</crowd-modal><crowd-badge label="3"></crowd-badge>'
            '<crowd-icon-button icon="search"></crowd-icon-button>'
            '<crowd-fab icon="add" label="Add"></crowd-fab>'
            '<crowd-toast duration="50" text="Saved"></crowd-toast>'
            '<crowd-instructions link-text="Help" link-type="button"><short-summary>Short</short-summary>'
            "<detailed-instructions>Long</detailed-instructions></crowd-instructions>"
        )
    )
    assert task.submit() == {}
    page.get_by_role("button", name="Dismiss").click()
    assert page.get_by_text("Careful").count() == 0
    assert page.get_by_text("second").is_hidden()
    page.get_by_role("tab", name="Two").click()
    assert page.get_by_text("second").is_visible()
    page.get_by_role("button", name="More").click()
    assert page.get_by_text("inside").is_visible()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Help").click()
    assert page.get_by_text("Long").is_visible()
    page.wait_for_function("!document.querySelector('crowd-toast')")


def test_ready_comes_after_every_script_of_the_template(task: Task):
    page = task.open(
        _form('<crowd-input name="a" id="a"></crowd-input>')
        + """<script>
          const a = document.getElementById("a");
          a.value = "early";
          document.addEventListener("all-crowd-elements-ready", () => { a.value += ", then ready" });
        </script>"""
    )
    assert task.submit() == {"a": "early, then ready"}
    assert page.evaluate("a._submittableValue") == "early, then ready"


def test_the_page_is_asked_to_submit_to_pause_and_to_darken(task: Task):
    page = task.open(_form('<crowd-input name="a" value="x"></crowd-input>'))
    page.evaluate("window.postMessage({nightloop: 'pause', paused: true}, '*')")
    page.wait_for_function("document.body.inert")
    page.evaluate("window.postMessage({nightloop: 'theme', dark: true}, '*')")
    page.wait_for_function("getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)'")
    page.evaluate("window.postMessage({nightloop: 'submit'}, '*')")
    page.wait_for_function("messages.some((m) => m.nightloop === 'answer')")


def test_activity_is_told_at_most_once_a_second(task: Task):
    page = task.open(_form('<crowd-input name="a" label="A"></crowd-input>'))
    begun = time.monotonic()
    page.get_by_label("A").press_sequentially("twenty characters ok")
    told = len(task.messages("activity"))
    assert 1 <= told <= 1 + (time.monotonic() - begun)
    page.wait_for_function("messages.some((m) => m.nightloop === 'size')")  # once the page is laid out
    assert task.messages("size")[0]["height"] > 0


def test_keys_of_the_portal_are_handed_on(task: Task):
    page = task.open(_form('<crowd-input name="a" label="A"></crowd-input>'))
    task.keys("Alt+t", "?")
    page.get_by_label("A").press("?")
    assert [message["chord"] for message in task.messages("key")] == ["Alt+t", "?"]
    task.keys("Control+Enter")
    page.wait_for_function("messages.some((m) => m.nightloop === 'answer')")


@pytest.mark.usefixtures("own_page")
def test_it_runs_in_a_frame_without_an_origin(page: Page, site: Site):
    """As a task's page does: sandboxed, under a policy that allows the components and the image alone."""
    address = site.put(
        """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
        <crowd-form><crowd-bounding-box name="b" labels="['x']" header="h"
          src="{{ task.input.image | grant_read_access }}"></crowd-bounding-box></crowd-form>
        <script>try { document.cookie } catch (error) { window.refused = error.name }</script>""",
        name="framed",
    )
    image = f"{site.url}/images/plain.jpg"
    site.policies["framed"] = (
        "sandbox allow-scripts allow-forms; default-src 'none'; "
        f"script-src {site.url}/components/ 'unsafe-inline'; style-src 'unsafe-inline'; "
        f"img-src {image} data: blob:; "
        f"connect-src {image}; form-action 'none'; base-uri 'none'"
    )
    site.pages["around"] = (
        f'<iframe sandbox="allow-scripts allow-forms" src="{address}" width=1000 height=700></iframe>'
    )
    refused: list[str] = []
    page.on(
        "console",
        lambda message: refused.append(message.text) if "Content Security" in message.text else None,
    )
    page.goto(f"{site.url}/pages/around")
    page.wait_for_function("messages.some((m) => m.nightloop === 'ready')")
    frame = page.frames[1]
    frame.wait_for_function("() => document.querySelector('crowd-bounding-box').size")
    assert frame.evaluate("window.refused") == "SecurityError"
    page.evaluate("document.querySelector('iframe').contentWindow.postMessage({nightloop: 'submit'}, '*')")
    page.wait_for_function("messages.some((m) => m.nightloop === 'answer')")
    assert refused == []


def test_a_kept_answer_is_shown_again(task: Task):
    image = 'src="{{ task.input.image | grant_read_access }}"'
    template = _form(
        f"""<crowd-bounding-box name="boxes" labels="['a', 'b']" {image}></crowd-bounding-box>
        <crowd-semantic-segmentation name="mask" labels="['a', 'b']" {image}></crowd-semantic-segmentation>
        <crowd-image-classifier name="kind" categories="['x', 'y']" {image}><worker-comment></worker-comment>
        </crowd-image-classifier>
        <crowd-classifier-multi-select name="kinds" categories="['x', 'y']"></crowd-classifier-multi-select>
        <crowd-input name="text" value="before"></crowd-input><crowd-text-area name="more"></crowd-text-area>
        <crowd-checkbox name="c" value="p" checked></crowd-checkbox>
        <crowd-checkbox name="c" value="q"></crowd-checkbox>
        <crowd-slider name="much" min="1" max="5"></crowd-slider><select name="s"><option>1<option>2</select>
        <input name="plain"><input type="checkbox" name="native" value="n">"""
    )
    page = task.open(template)
    page.evaluate(
        """() => {
            const by = (name) => document.querySelector(`[name=${name}]`);
            by("boxes").addShape([{x: 3, y: 4}, {x: 30, y: 40}]);
            by("mask").stroke({x: 40, y: 50}, {x: 90, y: 60});
            by("kind").choose("y", true); by("kind").comment.value = "why";
            by("kinds").choose("x", true);
            by("text").value = ""; by("more").value = "é, z";
            by("c").checked = false; by("much").value = 4; by("s").value = "2";
            by("plain").value = "v"; by("native").checked = true;
        }"""
    )
    kept = task.value("crowd-form")
    assert "text" not in kept
    assert kept["much"] == 4
    page = task.open(template)
    assert task.value("crowd-form") != kept
    page.evaluate("(content) => window.postMessage({nightloop: 'restore', content}, '*')", kept)
    page.wait_for_function("document.querySelector('[name=mask]').mask.counts[1]")
    assert task.value("crowd-form") == kept


def test_the_components_are_ours_and_complete(task: Task, site: Site):
    page = task.open(_form(""))
    known = page.evaluate("(names) => names.filter((name) => customElements.get(name))", sorted(ELEMENTS))
    assert known == sorted(ELEMENTS)
    defined = set(re.findall(r'"(crowd-[a-z-]+)":', (ROOT / "crowd.js").read_text())) | {"crowd-form"}
    assert defined == set(ELEMENTS)
    answers = page.evaluate("(names) => names.filter((n) => customElements.get(n).answers)", sorted(ELEMENTS))
    assert answers == sorted(name for name, element in ELEMENTS.items() if element.answers)
    response = page.request.get(f"{components_url(site.url)}/crowd.js")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "immutable" in response.headers["cache-control"]
    for path in ("nothing.js", "..%2fapp.py", "%2e%2e/app.py"):
        assert page.request.get(f"{components_url(site.url)}/{path}").status == 404
    for file in ROOT.rglob("*.js"):
        text = file.read_text()
        assert not re.search(r"\beval\(|new Function|innerHTML|https?://(?!www\.w3\.org/2000/svg)", text), (
            file
        )
