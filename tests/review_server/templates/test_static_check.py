"""What is wrong with a template whatever its input reaches the owner when a flow definition is made."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from include.review_server.clock import utc_now
from include.review_server.db.models import Complaint, FlowDefinition
from include.review_server.templates.hosts import TemplateHosts
from include.review_server.templates.static_check import static_check
from tests.review_server.rig import Rig

FORM = "<crowd-form>\n{}\n</crowd-form>"


@pytest.mark.parametrize(
    ("inner", "code", "said"),
    [
        ("<crowd-nothing name='a'></crowd-nothing>", "unknown-element", "cannot be submitted"),
        (
            "<crowd-image-classifier src='{{ task.input.x }}'></crowd-image-classifier>",
            "missing-name",
            "lost",
        ),
        ("{% if task.input.a %}{{ task.input.d | tojson }}{% endif %}", "liquid", "'to_json' is one"),
        ("{% if %}", "liquid", ""),
        ('<script src="https://cdn.example.org/x.js"></script>', "foreign-address", "allow the host cdn.ex"),
        ("<script>x.shadowRoot.querySelector('div')</script>", "inner-dom", "not imitated"),
        (
            "<crowd-textract-analyze-document src='{{ task.input.x }}' no-geometry-edit "
            "block-types=\"['KEY_VALUE_SET', 'TABLE']\"></crowd-textract-analyze-document>",
            "not-done",
            "not TABLE",
        ),
        (
            "<crowd-textract-analyze-document src='{{ task.input.x }}' block-types='{{ task.input.t }}'>"
            "</crowd-textract-analyze-document>",
            "not-done",
            "no-geometry-edit",
        ),
        (
            "<crowd-image-classifier name='k' src='https://cdn.example.org/a.jpg'></crowd-image-classifier>",
            "image-not-granted",
            "unless an owner allows its host",
        ),
        ("<script>localStorage.a = 1</script>", "no-storage", "no storage"),
        *(
            (f"<script>const x = () => {asks}</script>", "blocked-request", "sends no requests")
            for asks in (
                "fetch('/x')",
                "new XMLHttpRequest()",
                "new WebSocket('wss://x.org')",
                "new EventSource('/x')",
                "navigator.sendBeacon('/x')",
                "$.ajax({})",
                "jQuery.getJSON('/x')",
            )
        ),
        *(
            (f"<script>if (x) {asks}('x')</script>", "no-dialogs", f"{asks}: a task's page opens no dialogs")
            for asks in ("alert", "window.confirm", "prompt")
        ),
        ("<script>window.open('https://example.org')</script>", "no-windows", 'target="_blank"'),
        *(
            (f"<script type='module'>{text}</script>", "foreign-address", "imports https://cdn.example.org/x")
            for text in (
                "import x, {y as z} from 'https://cdn.example.org/x.js'",
                'import "https://cdn.example.org/x.js"',
                "const x = await import('https://cdn.example.org/x.js')",
            )
        ),
        *(
            (text, "foreign-address", "the style loads https://cdn.example.org/x")
            for text in (
                "<style>p { background: url(https://cdn.example.org/x.png) }</style>",
                "<style>@import 'https://cdn.example.org/x.css';</style>",
                "<p style=\"background: url('https://cdn.example.org/x.png')\"></p>",
            )
        ),
    ],
)
def test_a_template_is_judged_without_an_input(inner: str, code: str, said: str):
    (found,) = static_check(FORM.format(inner))
    assert (found.code, found.line) == (code, 2)
    assert said in found.message
    assert static_check(FORM.format(inner), ["cdn.example.org"]) == (
        [] if code in ("foreign-address", "image-not-granted") else [found]
    )


@pytest.mark.parametrize(
    "inner",
    [
        "<img src='{{ task.input.x | grant_read_access }}'><crowd-input name='{{ task.input.n }}'>",
        "{% for x in task.input.list %}<crowd-input name='a{{ x }}'></crowd-input>{% endfor %}",
        "<crowd-radio-group name='a'><crowd-radio-button value='b'></crowd-radio-button></crowd-radio-group>",
        "<a href='https://example.org' target='_blank'>x</a>",
        "<crowd-image-classifier name='k' src='{{ task.input.x }}'></crowd-image-classifier>",
        "<script>prefetch(); form.alert('x'); reconfirm('x'); door.open(); o.import('x')</script>",
        "<style>p { fill: url(#a); mask: url(data:image/png;base64,AA), url({{ task.input.x }}) }</style>",
    ],
)
def test_what_the_input_decides_is_not_complained_of(inner: str):
    assert static_check(FORM.format(inner)) == []


def test_a_flow_definition_is_made_and_its_owner_hears_what_its_template_lacks(rig: Rig):
    flow = rig.flow(content=FORM.format("<crowd-nothing name='a'></crowd-nothing>{{ 1 | tojson }}"))
    # Of a text that an owner has allowed the host to, under another name.
    text = FORM.format(
        "<crowd-input name='a'></crowd-input><script src='https://cdn.example.org/x.js'></script>"
    )
    other = rig.name("ui")
    rig.sagemaker.create_human_task_ui(HumanTaskUiName=other, UiTemplate={"Content": text})
    TemplateHosts(rig.review.database, utc_now).allow(other, "cdn.example.org")
    sound = rig.flow(content=text)
    with rig.review.database.read() as session:
        said = select(Complaint.message).join(FlowDefinition, FlowDefinition.id == Complaint.queue_id)
        messages = list(session.scalars(said.where(FlowDefinition.name == flow.name)))
        assert len(messages) == 2
        assert any("line 2: error: <crowd-nothing>" in message for message in messages)
        assert any("unknown filter 'tojson'" in message for message in messages)
        assert not list(session.scalars(said.where(FlowDefinition.name == sound.name)))
