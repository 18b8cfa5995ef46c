"""People at the portal: a browser context each, and tasks over a picture in the local cloud's S3."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Frame, FrameLocator, Page, expect
from sqlalchemy import func, select

from include.review_server.db.models import LabelingJob, ObjectItem
from tests.review_server.labeling.jobs import labeling_request, put_files
from tests.review_server.labeling.runs import Output
from tests.review_server.rig import Flow, Rig
from tests.support.cloud import eventually

BOXES = (Path(__file__).parents[3] / "include/pipelines/templates/bounding-box.liquid.html").read_text()
LABELS = ["cat", "dog", "bird"]
WIDTH, HEIGHT = 640, 400

# Two busy cores may take their time; what waits, waits for a condition.
_PATIENCE = 60_000
expect.set_options(timeout=_PATIENCE)

# The annotation element in the frame, and where a stored pixel of its image is on the screen.
_ELEMENT = "[...document.querySelectorAll('*')].find((element) => element.stage)"
_PLACE = f"""([x, y]) => {{
    const element = {_ELEMENT};
    const stage = element.stage.getBoundingClientRect();
    const at = element.view.toStage({{x, y}});
    return [at.x + stage.left + 1, at.y + stage.top + 1];
}}"""


class Visitor:
    """One person with one browser."""

    def __init__(self, rig: Rig, context: BrowserContext, name: str, password: str) -> None:
        self.rig, self.context, self.name, self.password = rig, context, name, password
        self.page = context.new_page()

    def sign_in(self) -> Page:
        self.page.goto(self.rig.url)
        self.page.get_by_label("Name").fill(self.name)
        self.page.get_by_label("Password").fill(self.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.rig.url}/")
        return self.page

    def take(self) -> FrameLocator:
        """Take the first task, or resume it; its frame, ready."""
        self.page.locator("[data-first]").click()
        return self.frame()

    def frame(self, page: Page | None = None) -> FrameLocator:
        """The task's frame, once the template in it has said that it is ready and has been drawn."""
        page = page or self.page
        page.wait_for_url("**/work/*")
        expect(page.locator("#frame[data-ready=yes][data-painted=yes]")).to_be_visible()
        return page.frame_locator("#frame")

    @property
    def inner(self) -> Frame:
        """The document of the task at work; another may have been loaded ahead below it."""
        handle = self.page.locator("#frame").element_handle()
        assert handle is not None
        inner = handle.content_frame()
        assert inner is not None
        return inner

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Drag the mouse from one stored pixel of the task's image to another."""
        inner = self.inner
        inner.wait_for_function(f"() => {_ELEMENT}.size")
        outer = self.page.locator("#frame").bounding_box()
        assert outer is not None
        places = [inner.evaluate(_PLACE, [*point]) for point in (start, end)]
        (from_x, from_y), (to_x, to_y) = [(x + outer["x"], y + outer["y"]) for x, y in places]
        self.page.mouse.move(from_x, from_y)
        self.page.mouse.down()
        self.page.mouse.move((from_x + to_x) / 2, (from_y + to_y) / 2)
        self.page.mouse.move(to_x, to_y)
        self.page.mouse.up()

    def submit(self) -> None:
        self.page.frame_locator("#frame").get_by_role("button", name="Submit").click()


@pytest.fixture
def visit(rig: Rig, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """``visit(flow, …)``: a new member of the flow definitions' teams, signed in."""
    contexts: list[BrowserContext] = []

    def visit(*flows: Flow, owner: bool = False, sign_in: bool = True, **options: Any) -> Visitor:
        # The rig of the module, unless the flows are another's.
        home = flows[0].rig if flows else rig
        name, password = home.name("reviewer"), None
        for flow in flows:
            _, given = home.review.accounts.add(name, flow.team, owner)
            password = password or given
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        context.set_default_timeout(_PATIENCE)
        contexts.append(context)
        visitor = Visitor(home, context, name, password or "")
        if sign_in:
            visitor.sign_in()
        return visitor

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def boxes(rig: Rig) -> Flow:
    """A flow definition with the product's own template, and a picture in its bucket."""
    return boxes_in(rig)


def boxes_in(rig: Rig) -> Flow:
    flow = rig.flow(content=BOXES)
    rig.s3.put_object(Bucket=flow.bucket, Key="night/a b.jpg", Body=picture())
    return flow


def ask(flow: Flow, **more: Any) -> str:
    """Start a loop over the picture, with one box of a model's on it."""
    box = {"label": "dog", "left": 40, "top": 50, "width": 100, "height": 80}
    return flow.start(
        content={
            "taskObject": f"s3://{flow.bucket}/night/a b.jpg",
            "labels": LABELS,
            "initialValue": [box],
            "instructions": "Draw a tight box around every animal.",
            **more,
        }
    )


def label(rig: Rig, flow: Flow, count: int, template: str, kind: str, attribute: str) -> str:
    """Start a labeling job for the flow definition's team over that many lines with the picture; its name.

    It is back when the objects are out with people.
    """
    name = rig.name("job")
    image = f"s3://{flow.bucket}/in/1.jpg"
    rig.s3.put_object(Bucket=flow.bucket, Key="in/1.jpg", Body=picture())
    put_files(rig.s3, flow.bucket, [json.dumps({"source-ref": image})] * count, tuple(LABELS))
    rig.s3.put_object(Bucket=flow.bucket, Key="template.liquid.html", Body=template.encode())
    rig.sagemaker.create_labeling_job(**labeling_request(name, flow.bucket, kind, attribute, flow.team))
    out = select(func.count()).select_from(ObjectItem).join(LabelingJob).where(LabelingJob.name == name)

    def asked() -> bool:
        with rig.review.database.read() as session:
            return session.scalar(out) == count

    eventually(asked)
    return name


def labeled(rig: Rig, flow: Flow, job: str) -> list[dict[str, Any]]:
    """The lines of the job's output manifest, once it is Completed."""
    eventually(lambda: _status(rig, job) == "Completed")
    return Output(rig.s3, flow.bucket, job).manifest()


def _status(rig: Rig, job: str) -> str:
    return str(rig.sagemaker.describe_labeling_job(LabelingJobName=job)["LabelingJobStatus"])


def picture() -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), "#31425a")
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom, colour in [
        (40, 50, 140, 130, "#c98b4a"),
        (300, 120, 420, 260, "#7fae6e"),
        (470, 60, 560, 120, "#b36b9e"),
    ]:
        draw.ellipse((left, top, right, bottom), colour)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()
