"""Labeling jobs by hand in a real browser: boxes by keyboard alone, a segmentation by mouse."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import expect
from sqlalchemy import select

from include.review_server.db.models import Answer, LabelingJob, Task
from tests.review_server.portal.conftest import HEIGHT, LABELS, WIDTH, Visitor, insert_job, picture
from tests.review_server.rig import Flow, Rig

Visit = Callable[..., Visitor]

BOXES = Path("include/pipelines/templates/labeling/bounding-box.liquid.html")
MASK = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation name="crowd-semantic-segmentation" header="Paint every animal"
    src="{{ task.input.taskObject | grant_read_access }}" labels="{{ task.input.labels | to_json }}">
    <full-instructions header="How">Paint all of it.</full-instructions>
    <short-instructions>Paint every animal in its class.</short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>"""


def _job(rig: Rig, template: str, ask: int) -> tuple[Flow, str]:
    flow = rig.flow(content=template)
    rig.s3.put_object(Bucket=flow.bucket, Key="in/1.jpg", Body=picture())
    image = f"s3://{flow.bucket}/in/1.jpg"
    shown = {"taskObject": image, "labels": LABELS, "manifestLine": {"source-ref": image}}
    return flow, insert_job(rig, flow, ask, shown)


def _answers(rig: Rig, job: str) -> list[dict[str, Any]]:
    query = (
        select(Answer.content)
        .join(Task, Task.id == Answer.task_id)
        .join(LabelingJob, LabelingJob.id == Task.queue_id)
        .where(LabelingJob.name == job)
        .order_by(Task.ended_at)
    )
    with rig.review.database.read() as session:
        return [json.loads(content) for content in session.scalars(query)]


def test_boxes_by_keyboard_alone(rig: Rig, visit: Visit):
    flow, job = _job(rig, BOXES.read_text(), ask=2)
    page = visit(flow).page
    expect(page.get_by_text(f"labeling-job/{job}")).to_be_visible()
    expect(page.get_by_text("2 waiting")).to_be_visible()
    page.keyboard.press("Alt+n")
    for label in ("2", None):
        page.wait_for_url("**/work/*")
        address = page.url
        expect(page.locator("#frame[data-ready=yes]")).to_be_visible()
        page.frames[-1].wait_for_function("() => document.querySelector('crowd-bounding-box').size")
        for key in [label, "n", "Alt+ArrowLeft", "Shift+Alt+ArrowRight"] if label else []:
            page.keyboard.press(key)
        page.keyboard.press("Control+Enter")
        expect(page).not_to_have_url(address)
    page.wait_for_url(f"{rig.url}/")
    drawn, empty = _answers(rig, job)
    box = {"height": 80, "label": "dog", "left": 270, "top": 160, "width": 90}
    properties = {"height": HEIGHT, "width": WIDTH}
    assert drawn == {"boundingBox": {"boundingBoxes": [box], "inputImageProperties": properties}}
    assert empty == {"boundingBox": {"boundingBoxes": [], "inputImageProperties": properties}}


def test_a_segmentation_by_mouse(rig: Rig, visit: Visit):
    flow, job = _job(rig, MASK, ask=1)
    reviewer = visit(flow)
    frame = reviewer.take()
    reviewer.drag((60, 90), (120, 90))
    frame.get_by_role("button", name="bird").click()
    reviewer.drag((360, 150), (360, 230))
    # Left for a while, and resumed where it was.
    reviewer.page.get_by_role("button", name="Stop").click()
    reviewer.page.get_by_role("button", name="Come back later").click()
    reviewer.page.wait_for_url(f"{rig.url}/")
    reviewer.take()
    expect(reviewer.page.get_by_role("status")).to_contain_text("Here is what you had done.")
    inner = reviewer.page.frames[-1]
    inner.wait_for_function("() => document.querySelector('crowd-semantic-segmentation').mask?.counts[3]")
    reviewer.submit()
    reviewer.page.wait_for_url(f"{rig.url}/")
    (answer,) = _answers(rig, job)
    mask = answer["crowd-semantic-segmentation"]
    assert list(mask["labelMappings"]) == LABELS
    file = io.BytesIO(base64.b64decode(mask["labeledImage"]["pngImageData"]))
    values = np.asarray(Image.open(file))
    assert values[90, 90] == 1
    assert values[190, 360] == 3
    assert values[10, 10] == 0
