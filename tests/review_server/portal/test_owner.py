"""What owners see: how a flow definition's work goes, and the template bench."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, expect
from sqlalchemy import select

from include.review_server.db.models import LabelingJob
from tests.review_server.labeling.jobs import labeling_request, put_files
from tests.review_server.portal.conftest import WIDTH, Visitor, ask, label
from tests.review_server.rig import Flow, Person, Rig
from tests.support.cloud import eventually

Visit = Callable[..., Visitor]


def test_how_the_work_of_a_flow_goes(rig: Rig, visit: Visit):
    flow = rig.flow()
    names = [flow.start() for _ in range(4)]
    reviewer = rig.worker(flow.team)
    for modified in (True, False, False):
        task = reviewer.take(flow)
        body = {
            "answer_content": {"annotatedResult": {"boundingBoxes": [], "initialValueModified": modified}},
            "active_seconds": 0.0,
        }
        assert reviewer.http.post(f"/worker/tasks/{task['task_id']}/answer", json=body).status_code == 200
    for name in names[:3]:
        flow.until(name, "Completed")
    page = visit(flow, owner=True).page
    page.get_by_role("link", name="How it goes").click()
    page.get_by_role("link", name=flow.name).click()
    page.wait_for_url(f"{rig.url}/owner/flows/{flow.name}")
    tiles = page.locator(".tiles div")
    expect(tiles.filter(has_text="InProgress")).to_contain_text("1")
    expect(tiles.filter(has_text="Completed")).to_contain_text("3")
    row = page.get_by_role("region", name="Workers").get_by_role("row", name=reviewer.name)
    expect(row).to_contain_text("33 %")
    expect(row.get_by_role("cell").nth(0)).to_have_text("3")
    answers = page.get_by_role("region", name="Answers per hour").locator("td.number").all_inner_texts()
    assert sum(int(text) for text in answers) == 3


def test_the_page_keeps_itself_up_to_date_and_leaves_what_one_is_at(rig: Rig, visit: Visit):
    flow = rig.flow()
    flow.start()
    ada, bo = rig.worker(flow.team), rig.worker(flow.team)
    task = ada.take(flow)
    page = visit(flow, owner=True).page
    page.goto(f"{rig.url}/owner/flows/{flow.name}")
    page.evaluate("window.sameDocument = true")

    def row(person: Person) -> Locator:
        return page.locator("tr", has=page.get_by_role("rowheader", name=person.name))

    held = row(ada)
    held.get_by_text("Release or reassign").click()
    choice = held.get_by_label("or keep it for")
    choice.select_option(bo.name)
    choice.focus()
    flow.start()
    flow.start()
    bo.take(flow)
    expect(row(bo)).to_be_visible()
    expect(page.locator(".tiles div").filter(has_text="Waiting")).to_contain_text("1")
    expect(choice).to_be_visible()
    expect(choice).to_be_focused()
    expect(choice).to_have_value(bo.id)
    assert page.evaluate("window.sameDocument"), "it was not loaded again"
    # What has gone goes away, and a press of the button does what it says.
    held.get_by_role("button", name="Reassign it").click()
    expect(page.locator("#done")).to_contain_text("Given away")
    expect(row(ada)).to_have_count(0)
    assert ada.do("answer", task, {"text": "late"}).status_code == 409
    expect(page.get_by_text(f"waits for {bo.name} alone")).to_be_visible()


def test_an_owner_looks_at_an_item_and_hides_the_models_boxes(rig: Rig, visit: Visit, boxes: Flow):
    ask(boxes)
    reviewer = rig.worker(boxes.team)
    box = {"label": "cat", "left": 300, "top": 120, "width": 120, "height": 140}
    reviewer.answer({"annotatedResult": {"boundingBoxes": [box]}}, boxes)
    page = visit(boxes, owner=True).page
    page.goto(f"{rig.url}/owner/flows/{boxes.name}/answers")
    page.get_by_role("row", name=reviewer.name).get_by_role("link").click()
    picture = page.get_by_role("img", name="The image that people were asked about")
    page.wait_for_function("() => document.querySelector('.drawn img').naturalWidth")
    texts = page.locator(".drawn text")
    expect(texts).to_have_text(["dog", "cat"])
    shown, drawn = picture.bounding_box(), page.locator(".drawn rect").last.bounding_box()
    assert shown is not None
    assert drawn is not None
    scale = shown["width"] / WIDTH
    assert abs((drawn["x"] - shown["x"]) / scale - 300) < 3
    assert abs(drawn["height"] / scale - 140) < 6
    page.get_by_label("the model").uncheck()
    expect(texts.filter(has_text="dog")).to_be_hidden()
    expect(texts.filter(has_text="cat")).to_be_visible()


def test_how_a_labeling_job_goes(rig: Rig, visit: Visit):
    flow = rig.flow()
    job = label(rig, flow, 3, "<crowd-form></crowd-form>", "ImageMultiClass", "kind")
    reviewer = rig.worker(flow.team)
    task = reviewer.take()
    assert task["queue"] == f"labeling-job/{job}"
    reviewer.do("answer", task, {"crowd-image-classifier": {"label": "cat"}})
    with rig.review.database.write() as session:
        made = session.scalars(select(LabelingJob).where(LabelingJob.name == job)).one()
        made.created_at -= timedelta(hours=1)

    def counts() -> dict[str, int]:
        described = rig.sagemaker.describe_labeling_job(LabelingJobName=job)
        return dict(described["LabelCounters"])

    eventually(lambda: counts()["HumanLabeled"] == 1)
    page = visit(flow, owner=True).page
    page.get_by_role("link", name="How it goes").click()
    page.get_by_role("link", name=job).click()
    page.wait_for_url(f"{rig.url}/owner/labeling-jobs/{job}")
    heading = page.get_by_role("heading", level=2).first
    expect(heading).to_have_text("InProgress, batch 1: 1 of 3 objects labelled")
    tiles = page.locator(".tiles div")
    for name, number in [("By people", 1), ("By machine", 0), ("Remaining", 2), ("Out with people", 2)]:
        expect(tiles.filter(has_text=name).locator("dd")).to_have_text(str(number))
    # One answer in its first hour, from one person per object: two hours for the two that are left.
    until = page.get_by_text("an hour; if they").locator("time").get_attribute("datetime")
    assert until is not None
    assert 1.9 < (datetime.fromisoformat(until) - rig.clock()) / timedelta(hours=1) < 2.1
    workers = page.get_by_role("region", name="Workers")
    expect(workers.get_by_role("row", name=reviewer.name).get_by_role("cell").nth(0)).to_have_text("1")


def test_a_stopping_job_says_what_it_waits_for_what_failed_and_what_it_keeps(rig: Rig):
    flow, job = rig.flow(), rig.name("job")
    image = {"source-ref": f"s3://{flow.bucket}/in/1.jpg"}
    kept = {"class-name": "cat", "type": "groundtruth/image-classification", "human-annotated": "yes"}
    put_files(
        rig.s3,
        flow.bucket,
        [json.dumps(image), "no object", json.dumps(image | {"kind": 0, "kind-metadata": kept})],
        ("cat", "dog"),
    )
    rig.s3.put_object(Bucket=flow.bucket, Key="template.liquid.html", Body=b"<crowd-form></crowd-form>")
    request = labeling_request(job, flow.bucket, "ImageMultiClass", "kind", flow.team)
    rig.sagemaker.create_labeling_job(**request)
    worker = rig.worker(flow.team)
    task = eventually(worker.take)
    rig.sagemaker.stop_labeling_job(LabelingJobName=job)
    owner = rig.name("owner")
    password = rig.review.accounts.add(owner, flow.team, True)[1]
    assert password is not None
    page = Person(rig.url, owner, password).http.get(f"/owner/labeling-jobs/{job}").text
    text = " ".join(page.split())
    assert "It waits for 1 task in hand, until" in text
    assert "Line 2 of the manifest: " in text
    assert f"{request['OutputConfig']['S3OutputPath']}{job}/" in text
    assert "1 more had the label" in text
    worker.do("answer", task, {"crowd-image-classifier": {"label": "cat"}})
    eventually(
        lambda: rig.sagemaker.describe_labeling_job(LabelingJobName=job)["LabelingJobStatus"] == "Stopped"
    )
    http = Person(rig.url, owner, password).http
    page = http.get(f"/owner/labeling-jobs/{job}").text
    assert "It waits for" not in page
    assert worker.name in page
    assert "Pre-labels changed" not in page
    assert re.search(r'<tr data-key="cat">.*?</meter> 1</td>', page, re.DOTALL), "how often people said cat"
    table = http.get("/owner").text
    row = table[table.index(f"/owner/labeling-jobs/{job}") :].split("</tr>")[0]
    # Objects, kept, by people, by machine, failed, remaining: they add up.
    numbers = [int(number) for number in re.findall(r'class="number">(\d+)<', row)]
    assert numbers[:6] == [3, 1, 1, 0, 1, 0]


@pytest.mark.parametrize("what", ["flows", "labeling-jobs"])
def test_what_is_not_there(rig: Rig, visit: Visit, what: str):
    owner = visit(rig.flow(), owner=True)
    reply = owner.page.goto(f"{rig.url}/owner/{what}/no-such-one")
    assert reply is not None
    assert reply.status == 404


def test_the_bench_says_what_is_wrong_and_what_submit_gives(rig: Rig, visit: Visit):
    page = visit(rig.flow(), owner=True).page
    page.get_by_role("link", name="Template bench").click()
    # Its last words come when the next one is tried already.
    page.get_by_label("Template (HTML").fill(
        "<crowd-form><crowd-inputt></crowd-inputt></crowd-form><script>addEventListener('pagehide', () =>"
        " parent.postMessage({nightloop: 'error', message: 'last words'}, '*'))</script>"
    )
    page.get_by_label("Input (").fill("{}")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#findings li").first).to_contain_text("crowd-inputt")
    expect(page.frame_locator("#preview").locator("crowd-inputt")).to_be_attached()

    page.get_by_label("Template (HTML").fill(
        '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script><crowd-form>'
        '<crowd-input name="plate" label="Plate of {{ task.input.who }}"></crowd-input>'
        '<crowd-button form-action="submit">Send</crowd-button></crowd-form>'
    )
    page.get_by_label("Input (").fill('{"who": "Ada"}')
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#findings li")).to_have_text(["Nothing is wrong with it."])
    preview = page.frame_locator("#preview")
    preview.get_by_label("Plate of Ada").fill("B-42")
    preview.get_by_role("button", name="Send").click()
    expect(page.locator("#answer")).to_contain_text("B-42")
    assert json.loads(page.locator("#answer").inner_text()) == {"plate": "B-42"}
    expect(page.locator("#findings li")).to_have_text(["Nothing is wrong with it."])

    # Hosts may be tried before they are allowed.
    form: dict[str, str | float | bool] = {
        "csrf_token": page.locator("#bench [name=csrf_token]").input_value(),
        "template": '<script src="https://cdn.example.org/a.js"></script>'
        '<crowd-form><input name="a"></crowd-form>',
        "hosts": "cdn.example.org",
    }
    post = page.context.request.post
    shown = post(f"{rig.url}/owner/templates/preview", form=form)
    assert "https://cdn.example.org" in shown.headers["content-security-policy"]
    assert post(f"{rig.url}/owner/templates/check", form=form).json() == {"findings": []}
    form["hosts"] = "cdn.localhost"
    assert "leads to the machine" in post(f"{rig.url}/owner/templates/preview", form=form).text()


@pytest.mark.parametrize("token", ["", "wrong"])
def test_the_bench_takes_only_its_own_form(rig: Rig, visit: Visit, token: str):
    owner = visit(rig.flow(), owner=True)
    form: dict[str, str | float | bool] = {"template": "<p>hello</p>", "input": "{}", "csrf_token": token}
    assert owner.context.request.post(f"{rig.url}/owner/templates/preview", form=form).status == 403
