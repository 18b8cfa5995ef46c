"""Labeling jobs by hand in a real browser: boxes by keyboard alone, a segmentation by mouse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.review_server.portal.conftest import HEIGHT, WIDTH, Visitor, label, labeled
from tests.review_server.rig import Rig

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


def test_the_bench_shows_what_a_labeling_job_asks_about(rig: Rig, visit: Visit):
    flow = rig.flow()
    label(rig, flow, 1, MASK, "SemanticSegmentation", "seg-ref")
    page = visit(flow, owner=True).page
    page.get_by_role("link", name="Template bench").click()
    page.get_by_label("Template (HTML").fill('<img src="{{ task.input.image | grant_read_access }}">')
    for key, shown in (("in/1.jpg", True), ("elsewhere/1.jpg", False)):
        page.get_by_label("Input (").fill(json.dumps({"image": f"s3://{flow.bucket}/{key}"}))
        page.get_by_role("button", name="Try it").click()
        preview = page.frame_locator("#preview")
        expect(preview.locator("img") if shown else preview.get_by_text("may not be shown")).to_be_attached()


def test_boxes_by_keyboard_alone(rig: Rig, visit: Visit):
    flow = rig.flow()
    job = label(rig, flow, 2, BOXES.read_text(), "BoundingBox", "box")
    reviewer = visit(flow)
    page = reviewer.page
    expect(page.get_by_text(f"labeling-job/{job}")).to_be_visible()
    expect(page.get_by_text("2 waiting")).to_be_visible()
    page.keyboard.press("Alt+n")
    for digit in ("2", None):
        page.wait_for_url("**/work/*")
        address = page.url
        expect(page.locator("#frame[data-ready=yes]")).to_be_visible()
        reviewer.inner.wait_for_function("() => document.querySelector('crowd-bounding-box').size")
        for key in [digit, "n", "Alt+ArrowLeft", "Shift+Alt+ArrowRight"] if digit else []:
            page.keyboard.press(key)
        page.keyboard.press("Control+Enter")
        expect(page).not_to_have_url(address)
    page.wait_for_url(f"{rig.url}/")
    drawn, empty = sorted((line["box"] for line in labeled(rig, flow, job)), key=_boxes, reverse=True)
    size = [{"width": WIDTH, "height": HEIGHT, "depth": 3}]
    box = {"class_id": 1, "top": 160, "left": 270, "height": 80, "width": 90}
    assert drawn == {"image_size": size, "annotations": [box]}
    assert empty == {"image_size": size, "annotations": []}


def _boxes(label: dict[str, Any]) -> int:
    return len(label["annotations"])


def test_a_segmentation_by_mouse(rig: Rig, visit: Visit):
    flow = rig.flow()
    job = label(rig, flow, 1, MASK, "SemanticSegmentation", "seg-ref")
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
    inner = reviewer.inner
    inner.wait_for_function("() => document.querySelector('crowd-semantic-segmentation').mask?.counts[3]")
    reviewer.submit()
    reviewer.page.wait_for_url(f"{rig.url}/")
    (line,) = labeled(rig, flow, job)
    colours = line["seg-ref-metadata"]["internal-color-map"].values()
    by_name = {colour["class-name"]: colour["hex-color"] for colour in colours}
    key = line["seg-ref"].removeprefix(f"s3://{flow.bucket}/")
    mask = np.asarray(Image.open(rig.s3.get_object(Bucket=flow.bucket, Key=key)["Body"]).convert("RGB"))
    found = ["#" + mask[row, column].tobytes().hex() for row, column in [(90, 90), (190, 360), (10, 10)]]
    assert found == [by_name["cat"], by_name["bird"], by_name["BACKGROUND"]]
