"""Templates at work: links and documents, presigned addresses, allowed hosts, and what cannot be shown."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

from PIL import Image
from playwright.sync_api import Route, expect
from sqlalchemy import select

from include.review_server.db.models import Complaint, FlowDefinition
from include.review_server.s3_location import S3Location
from tests.review_server.portal.conftest import Visitor, picture
from tests.review_server.rig import Flow, Rig

Visit = Callable[..., Visitor]
FORM = "<crowd-form>{}<crowd-input name='a' label='Text'></crowd-input></crowd-form>"


def _document(rig: Rig, flow: Flow) -> str:
    stream = io.BytesIO()
    Image.new("RGB", (80, 80), "#31425a").save(stream, "PDF")
    rig.s3.put_object(
        Bucket=flow.bucket, Key="docs/page one.pdf", Body=stream.getvalue(), ContentType="application/pdf"
    )
    return f"s3://{flow.bucket}/docs/page one.pdf"


def test_a_granted_document_and_a_link_open_in_tabs_of_their_own(rig: Rig, visit: Visit):
    flow = rig.flow(
        content=FORM.format(
            '<iframe src="{{ task.input.doc | grant_read_access }}"></iframe>'
            '<a href="{{ task.input.url }}/sign-in" target="_blank" id="survey">Open the survey</a>'
            '<a href="{{ task.input.url }}/sign-in?by-script" target="_blank" id="script">x</a>'
            "<script>document.getElementById('script').click(); window.open('/sign-in');</script>"
        )
    )
    flow.start(content={"doc": _document(rig, flow), "url": rig.url})
    reviewer = visit(flow)
    frame = reviewer.take()
    with reviewer.context.expect_page() as opened:
        frame.get_by_role("link", name="Open the document page one.pdf in a new tab").click()
    assert "page%20one.pdf" in opened.value.url
    with reviewer.context.expect_page() as opened:
        frame.get_by_role("link", name="Open the survey").click()
    opened.value.wait_for_url("**/sign-in")
    opened.value.wait_for_function("() => window.opener === null")
    # What the scripts tried has opened nothing, and the task is still there.
    assert len(reviewer.context.pages) == 3
    expect(frame.get_by_label("Text")).to_be_visible()


def test_a_presigned_address_of_the_own_bucket_is_shown(rig: Rig, visit: Visit):
    flow = rig.flow(content=FORM.format('<img src="{{ task.input.url }}" id="scene">'))
    rig.s3.put_object(Bucket=flow.bucket, Key="pics/scene.jpg", Body=picture(), ContentType="image/jpeg")
    url = rig.review.access._store.signed_url(S3Location(flow.bucket, "pics/scene.jpg"))
    flow.start(content={"url": url})
    reviewer = visit(flow)
    reviewer.take()
    reviewer.page.frames[-1].wait_for_function("() => document.getElementById('scene').naturalWidth === 640")


def test_an_owner_allows_a_host_and_the_worker_is_told(rig: Rig, visit: Visit):
    content = FORM.format(f"<img src='https://cdn.example.org/{rig.name('a')}.png'>")
    flow = rig.flow(content=content)
    with rig.review.database.read() as session:
        flow_row = session.scalars(select(FlowDefinition).where(FlowDefinition.name == flow.name)).one()
        ui = json.loads(flow_row.request)["HumanLoopConfig"]["HumanTaskUiArn"].rpartition("/")[2]
    flow.start()
    owner = visit(flow, owner=True)
    page = owner.page
    asked: list[str] = []

    def ask(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    owner.context.route("https://cdn.example.org/**", ask)
    owner.take()
    expect(page.locator("#hosts")).to_be_hidden()
    assert asked == []
    page.goto(f"{rig.url}/owner/templates/hosts")
    page.get_by_role("link", name=ui).click()
    page.get_by_label("Allow a host").fill("*.example.org")
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_text("write a full name such as cdn.example.org")).to_be_visible()
    expect(page.get_by_label("Allow a host")).to_have_value("*.example.org")
    page.get_by_label("Allow a host").fill("cdn.example.org")
    page.get_by_role("button", name="Allow", exact=True).click()
    expect(page.get_by_text(f"allowed by {owner.name}")).to_be_visible()
    page.goto(rig.url)
    owner.take()
    expect(page.locator("#hosts")).to_have_text("This task also loads from cdn.example.org")
    assert len(asked) == 1
    page.goto(f"{rig.url}/owner/templates/hosts?ui={ui}")
    page.get_by_role("button", name="Withdraw cdn.example.org").click()
    expect(page.get_by_text("No host is allowed.")).to_be_visible()
    worker = visit(flow)
    assert worker.page.goto(f"{rig.url}/owner/templates/hosts").status == 403  # type: ignore[union-attr]


def test_a_task_that_cannot_be_shown_says_so_and_its_owner_hears_why(rig: Rig, visit: Visit):
    flow = rig.flow(content=FORM.format("<pre>{{ task.input.d | grant_read_access }}</pre>"))
    flow.start(content={"d": "no location"})
    reviewer = visit(flow)
    reviewer.page.locator("[data-first]").click()
    reviewer.page.wait_for_url("**/work/*")
    shown = reviewer.page.frame_locator("#frame").locator("body")
    expect(shown).to_contain_text("This task cannot be shown: its template has a mistake")
    expect(shown).not_to_contain_text("grant_read_access")
    with rig.review.database.read() as session:
        said = select(Complaint.message).join(FlowDefinition, FlowDefinition.id == Complaint.queue_id)
        (message,) = session.scalars(said.where(FlowDefinition.name == flow.name))
    assert message.startswith("The template cannot be shown: line 1: grant_read_access:")
