"""The pictures of the portal in the documentation, taken in Chromium from a real server with drawn scenes.

    python -m benchmarks.portal_pictures [--out docs/pictures] [--only work,owner,owner-item,…]

*work*: a night scene with a model's boxes, one of them selected. *owner*: a flow definition at which three
people have worked, with reasons for declining. *owner-item*: one of its items, with what they said.
*segmentation*: a scene that is being painted. *phone*: the same task on a phone. *dark*: in the dark theme.
Scenes, names, answers and the time that is left are the same at every run.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from benchmarks.annotating import Hands
from benchmarks.planted import CLASSES
from benchmarks.portal_rig import Desk, Seat, desk
from include.review_server.portal.worker_http import COOKIE
from include.samples.scenes import SIDE, draw
from tests.review_server.rig import MEMBERS, Flow, Person
from tests.support.cloud import eventually

ROOT = Path(__file__).parents[1]
TEMPLATE = (ROOT / "include/pipelines/templates/bounding-box.liquid.html").read_text()
PICTURES = ("work", "dark", "phone", "segmentation", "owner", "owner-item")
COLUMNS, ROWS, LARGER = 4, 3, 2
SEGMENTS = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-semantic-segmentation name="annotatedResult" header="Paint every digit in its class"
    src="{{ task.input.taskObject | grant_read_access }}" labels="{{ task.input.labels | to_json | escape }}">
    <full-instructions header="How">Paint the ink, not what is around it.</full-instructions>
    <short-instructions>Paint the ink of every digit.</short-instructions>
  </crowd-semantic-segmentation>
</crowd-form>"""
# As when the pointer leaves the image: no crosshair over it.
_LEAVE = """() => document.querySelectorAll("crowd-bounding-box").forEach((element) => element.hover(null))"""
_READY = "#frame[data-ready=yes]"
_PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
# Who is at work, picture by picture.
names = iter(("Ada", "Ben", "Carla", "Dora", "Emil", "Fatma", "Gus", "Hanna", "Ida", "Jan", "Kim", "Lena"))
_DECLINES = ("BadImage", "NotSure", "UnclearRule")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/pictures")
    parser.add_argument("--only", default=",".join(PICTURES), help="any of %(default)s")
    options = parser.parse_args()
    wanted = options.only.split(",")
    with desk(undo_seconds=0) as it, it.rig.clock.stopped():
        bucket = it.rig.bucket()
        team = "night-shift"
        it.rig.sagemaker.create_workteam(
            WorkteamName=team, Description="reviewers", MemberDefinitions=MEMBERS
        )
        for name in PICTURES:
            if name in wanted:
                page = _PAGES[name](it, team, bucket)
                for frame in page.frames:
                    frame.evaluate(_LEAVE)
                path = options.out / f"portal-{name}.jpg"
                page.screenshot(path=path, type="jpeg", quality=88, animations="disabled")
                page.context.close()
                print(path, flush=True)


def scene(number: int) -> tuple[bytes, list[dict[str, Any]]]:
    """A large night scene put together from small ones, and its boxes as a model drew them: two are wrong."""
    tiles = [
        [draw("night", "test", 5, number, row, column) for column in range(COLUMNS)] for row in range(ROWS)
    ]
    pixels = np.vstack([np.hstack([tile.pixels for tile in row]) for row in tiles])
    image = Image.fromarray(pixels).resize(
        (COLUMNS * SIDE * LARGER, ROWS * SIDE * LARGER), Image.Resampling.LANCZOS
    )
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=92)
    boxes: list[dict[str, Any]] = [
        {
            "label": box.label,
            "left": LARGER * (column * SIDE + box.left),
            "top": LARGER * (row * SIDE + box.top),
            "width": LARGER * box.width,
            "height": LARGER * box.height,
        }
        for row, line in enumerate(tiles)
        for column, tile in enumerate(line)
        for box in tile.boxes
    ]
    boxes[1]["left"] += 12
    return stream.getvalue(), boxes[: -len(boxes) // 5]


def _task(it: Desk, flow: Flow, number: int) -> str:
    body, boxes = scene(number)
    key = f"night/scene-{number:02}.jpg"
    it.rig.s3.put_object(Bucket=flow.bucket, Key=key, Body=body)
    return flow.start(
        name=f"{flow.name}-{number:02}",
        content={
            "taskObject": f"s3://{flow.bucket}/{key}",
            "labels": CLASSES,
            "initialValue": boxes,
            "instructions": "A tight box around every digit, also where it is cut off.",
        },
    )


def _at_work(it: Desk, team: str, bucket: str, template: str = TEMPLATE, **context: Any) -> Seat:
    flow = it.flow(team, bucket, template, TaskTitle="Digits by night", TaskDescription="Correct the boxes")
    for number in range(4):
        _task(it, flow, number)
    seat = it.sit(team, next(names), **context)
    task = eventually(lambda: seat.person.take(flow))
    seat.page.goto(f"{it.rig.url}/work/{task['task_id']}")
    seat.page.wait_for_selector(_READY)
    return seat


def _work(it: Desk, team: str, bucket: str, **context: Any) -> Page:
    seat = _at_work(it, team, bucket, **context)
    hands = Hands(seat.page)
    hands.click(*hands.boxes()[1].middle)
    return seat.page


def _dark(it: Desk, team: str, bucket: str) -> Page:
    return _work(it, team, bucket, color_scheme="dark")


def _phone(it: Desk, team: str, bucket: str) -> Page:
    return _work(it, team, bucket, **_PHONE)


def _segmentation(it: Desk, team: str, bucket: str) -> Page:
    seat = _at_work(it, team, bucket, SEGMENTS)
    element = "crowd-semantic-segmentation"
    hands = Hands(seat.page, element)
    _, boxes = scene(0)
    for box in boxes[:7]:
        hands.press(box["label"])
        x, y = box["left"] + box["width"] / 2, box["top"] + 6
        hands.drag((x, y), (x, box["top"] + box["height"] - 6))
    return seat.page


def _owner(it: Desk, team: str, bucket: str) -> Page:
    return _seen_by_owner(it, team, _worked_at(it, team, bucket, "night-digits-47"), "")


def _owner_item(it: Desk, team: str, bucket: str) -> Page:
    """The item on which people differ most."""
    flow = _worked_at(it, team, bucket, "night-digits-48")
    page = _seen_by_owner(it, team, flow, "/answers?order=apart")
    page.locator("tbody a").first.click()
    page.wait_for_function("() => document.querySelector('.drawn img')?.complete")
    return page


def _worked_at(it: Desk, team: str, bucket: str, name: str) -> Flow:
    """Three people have answered four items, each a little otherwise, declined some, and one is at work."""
    flow = it.flow(team, bucket, TEMPLATE, name, TaskTitle="Digits by night", TaskCount=len(_DECLINES))
    for number in range(8):
        _task(it, flow, number)
    people = [it.rig.worker(team, name=next(names)) for _ in _DECLINES]
    for number in range(4):
        for place, person in enumerate(people):
            task = person.take(flow)
            it.rig.clock.advance(40 + 25 * ((number + place) % 3))
            boxes = task["input"]["initialValue"]
            drawn = [box | {"left": box["left"] + 3 * place} for box in boxes[number % 3 * place :]]
            size = {"width": COLUMNS * SIDE * LARGER, "height": ROWS * SIDE * LARGER}
            person.do(
                "answer", task, {"annotatedResult": {"boundingBoxes": drawn, "inputImageProperties": size}}
            )
    for person, reason in zip(people, _DECLINES, strict=True):
        task = person.take(flow)
        person.http.post(f"/worker/tasks/{task['task_id']}/decline", json={"reason": reason})
    people[0].take(flow)
    return flow


def _seen_by_owner(it: Desk, team: str, flow: Flow, path: str) -> Page:
    name = next(names)
    password = it.rig.review.accounts.add(name, team, True)[1]
    owner = Person(it.rig.url, name, password or "")
    context = it.browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": COOKIE, "value": owner.http.cookies[COOKIE], "url": it.rig.url}])
    page = context.new_page()
    page.goto(f"{it.rig.url}/owner/flows/{flow.name}{path}")
    page.wait_for_load_state("networkidle")
    return page


_PAGES = {
    "work": _work,
    "dark": _dark,
    "phone": _phone,
    "segmentation": _segmentation,
    "owner": _owner,
    "owner-item": _owner_item,
}

if __name__ == "__main__":
    main()
