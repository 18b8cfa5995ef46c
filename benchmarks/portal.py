"""What the portal costs its workers: script per pointer step, waiting for the next image, actions an image.

    python -m benchmarks.portal [--parts steps,next,actions] [--boxes 1000] [--pictures 30] [--seed 7]

A real server, S3 and Chromium, real input events, and the product's own template with drawn scenes.

*steps*: the pointer is moved over an image of ``--boxes`` boxes, then a box is dragged and one is drawn, then
the view is zoomed and moved: milliseconds of script in the task's frame for each step. *next*: from
Ctrl+Enter until the next task's image is painted and its frame takes clicks and keys, when people look at
each for a second; the image is seen before that, while the server keeps the answer. *actions*:
``--pictures`` pictures with planted errors (``planted``) are reviewed by mouse and by keyboard
(``annotating``), and every answer in S3 must be right; exit status 1 otherwise. On a busy machine only the
medians tell something.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import CDPSession, Error, Frame

from benchmarks import annotating
from benchmarks.annotating import Hands
from benchmarks.planted import CLASSES, Planted, faults, plant
from benchmarks.portal_rig import Desk, Seat, desk
from include.samples.scenes import draw
from tests.review_server.rig import Flow
from tests.support.cloud import eventually

TEMPLATE = Path(__file__).parents[1] / "include/pipelines/templates/bounding-box.liquid.html"
PARTS = ("steps", "next", "actions")
_STEPS = 60
_AFTER = "() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))"
# In every page: which frame lies on top, when a frame has painted its image, when a submit was pressed.
_WATCH = """(() => {
  const now = () => performance.timeOrigin + performance.now();
  const tell = (message) => window.heard(JSON.stringify(message));
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) tell({nightloop: "pressed", at: now()});
  }, true);
  let shown = null, peeked = null;
  // After the frame that shows it has been painted.
  const painted = (message) => setTimeout(() => tell({...message, at: now()}));
  const look = () => {
    if (window === window.top) {
      const below = document.querySelector("iframe.peeked")?.src;
      if (below && below !== peeked) painted({nightloop: "seen", frame: peeked = below});
      const top = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
      const frame = top?.closest?.("iframe")?.src;
      if (frame && frame !== shown) painted({nightloop: "on top", frame: shown = frame});
    } else if (!shown && document.querySelector("crowd-bounding-box")?.size) {
      shown = location.href;
      const told = {nightloop: "drawn", frame: shown};
      requestAnimationFrame(() => setTimeout(() => tell({...told, at: now()})));
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help="any of %(default)s")
    parser.add_argument("--boxes", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=25)
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    wrong = 0
    # As it is served: a moment in which answers can be taken back, and no output is written meanwhile.
    with desk(undo_seconds=10) as it:
        bucket = it.rig.bucket()
        flow = it.rig.flow(bucket, content=TEMPLATE.read_text())
        for part in options.parts.split(","):
            if part == "steps":
                _print_steps(it, flow, options.boxes)
            elif part == "next":
                _print_next(it, flow, options.tasks)
            elif part == "actions":
                pictures = plant(options.seed, options.pictures)
                for name, review in (("mouse", annotating.by_mouse), ("keyboard", annotating.by_keyboard)):
                    wrong += _print_actions(it, bucket, pictures, name, review)
    return 1 if wrong else 0


def _print_steps(it: Desk, flow: Flow, boxes: int) -> None:
    tiles = [[draw("night", "test", 1, row, column).pixels for column in range(12)] for row in range(9)]
    pixels = np.vstack([np.hstack(row) for row in tiles])
    _put(it, flow.bucket, "steps.jpg", pixels)
    height, width = pixels.shape[:2]
    rows = round((boxes * height / width) ** 0.5)
    columns = -(-boxes // rows)
    across, down = width // columns, height // rows
    initial = [
        {
            "label": CLASSES[number % 10],
            "left": number % columns * across + 4,
            "top": number // columns * down + 4,
            "width": across - 8,
            "height": down - 8,
        }
        for number in range(boxes)
    ]
    _start(flow, "steps.jpg", initial)
    seat = it.sit(flow.team)
    _open(seat, flow)
    hands = Hands(seat.page)
    script = _script_seconds(seat, hands.frame)
    quiet = statistics.median(_milliseconds(hands, script, lambda: None) for _ in range(20))
    rng = np.random.default_rng(3)
    places = [(float(x), float(y)) for x, y in rng.uniform((20, 20), (width - 20, height - 20), (_STEPS, 2))]
    hover = [_milliseconds(hands, script, lambda at=at: hands.point(*at)) - quiet for at in places]  # type: ignore[misc]
    middle = initial[boxes // 2]
    x, y = middle["left"] + middle["width"] / 2, middle["top"] + middle["height"] / 2
    hands.click(x, y)
    drags = []
    for start in ((x, y), (middle["left"] + middle["width"] + 4.0, middle["top"] + middle["height"] + 4.0)):
        hands.point(*start)
        seat.page.mouse.down()
        for step in range(1, _STEPS // 2 + 1):
            to = (start[0] + 2 * step, start[1] + step)
            drags.append(_milliseconds(hands, script, lambda to=to: hands.point(*to)) - quiet)  # type: ignore[misc]
        seat.page.mouse.up()
        seat.page.keyboard.press("Escape")
    # To and fro, with all boxes in sight.
    hands.point(width / 2, height / 2)
    zooms: list[float] = []
    moves: list[float] = []
    for taken, wheel in ((zooms, (0, 120)), (moves, (30, 0))):
        for step in range(_STEPS // 2):
            across, down = (-side if step % 2 else side for side in wheel)
            act = partial(seat.page.mouse.wheel, across, down)
            taken.append(_milliseconds(hands, script, act) - quiet)
        hands.frame.wait_for_timeout(500)  # the fingers rest
    seat.context.close()
    for name, taken in (("hover", hover), ("drag", drags), ("zoom", zooms), ("move", moves)):
        print(
            f"{name} over {boxes:,} boxes: script a step, median {statistics.median(taken):.1f} ms, "
            f"worst {max(taken):.1f} ms of {len(taken)}",
            flush=True,
        )


def _milliseconds(hands: Hands, script: Callable[[], float], act: Callable[[], None]) -> float:
    """Of script that the act and the frame drawn after it cost."""
    before = script()
    act()
    hands.frame.evaluate(_AFTER)
    return (script() - before) * 1000


def _script_seconds(seat: Seat, frame: Frame) -> Callable[[], float]:
    """Seconds of script so far in the process that has the task's frame."""
    session: CDPSession
    try:
        session = seat.context.new_cdp_session(frame)
    except Error:  # the frame has no process of its own
        session = seat.context.new_cdp_session(seat.page)
    session.send("Performance.enable")

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in metrics if each["name"] == "ScriptDuration")

    return seconds


def _print_next(it: Desk, flow: Flow, tasks: int) -> None:
    for number in range(tasks + 1):
        scene = draw("night", "test", 2, number)
        name = f"next-{number}.jpg"
        _put(it, flow.bucket, name, np.kron(scene.pixels, np.ones((8, 8, 1), np.uint8)))
        _start(flow, name, [])
    seat = it.sit(flow.team)
    seat.page.add_init_script(_WATCH)
    _open(seat, flow)
    seen, taken = [], []
    drawn: dict[str, float] = {}  # when each frame had painted its image
    for _ in range(tasks):
        Hands(seat.page)
        # A person looks at each picture for a while, in which the next may be fetched.
        seat.page.wait_for_timeout(1000)
        seat.page.keyboard.press("Control+Enter")
        first, ready = _waited(seat, drawn)
        seen.append(first)
        taken.append(ready)
    seat.context.close()
    for name, times in (("seen", seen), ("ready for work", taken)):
        cut = statistics.quantiles(times, n=10)
        print(
            f"submit to next image {name}: median {statistics.median(times):.0f} ms, p90 {cut[8]:.0f} ms, "
            f"worst {max(times):.0f} ms of {len(times)}",
            flush=True,
        )


def _waited(seat: Seat, drawn: dict[str, float]) -> tuple[float, float]:
    """Milliseconds from the key until another image is seen, and until its frame is on top as well."""
    until = time.monotonic() + 120
    pressed, first, on_top = 0.0, None, None
    while time.monotonic() < until:
        for message in seat.events():
            if message["nightloop"] == "pressed":
                pressed = message["at"]
            elif message["nightloop"] == "drawn":
                drawn[message["frame"]] = message["at"]
            elif message["nightloop"] == "seen":
                first = float(message["at"])
            elif message["nightloop"] == "on top" and pressed:
                on_top = message
        if on_top and on_top["frame"] in drawn:
            ready = max(float(on_top["at"]), drawn[on_top["frame"]])
            return (ready if first is None else min(first, ready)) - pressed, ready - pressed
        seat.page.wait_for_timeout(20)
    raise TimeoutError("the next task did not come")


def _print_actions(
    it: Desk, bucket: str, pictures: list[Planted], name: str, review: Callable[[Hands, Planted], None]
) -> int:
    """The number of pictures whose answer is not right."""
    flow = it.rig.flow(bucket, content=TEMPLATE.read_text())
    loops = []
    for number, picture in enumerate(pictures):
        key = f"{name}-{number:02}.png"
        _put(it, bucket, key, picture.scene.pixels)
        loops.append(_start(flow, key, [vars(box) for box in picture.shown]))
    seat = it.sit(flow.team)
    _open(seat, flow)
    actions: list[int] = []
    for _ in pictures:
        hands = Hands(seat.page)
        source = hands.tell("() => ELEMENT.src")
        number = int(urlsplit(source).path.rpartition("-")[2].removesuffix(".png"))
        review(hands, pictures[number])
        actions.append(hands.actions)
        eventually(lambda source=source: _source(seat) != source)  # type: ignore[misc]
    # Closed while it goes to the list, a page of Chromium may hang.
    seat.page.wait_for_url(f"{it.rig.url}/")
    seat.context.close()
    wrong = 0
    for number, (loop, picture) in enumerate(zip(loops, pictures, strict=True)):
        answer = flow.output(loop)["humanAnswers"][0]["answerContent"]["annotatedResult"]["boundingBoxes"]
        if found := faults(answer, picture.truth):
            wrong += 1
            print(f"by {name}, picture {number}: {'; '.join(found)}")
    print(
        f"by {name}: {statistics.mean(actions):.1f} actions an image, worst {max(actions)}; "
        f"{len(pictures) - wrong} of {len(pictures)} right",
        flush=True,
    )
    return wrong


def _source(seat: Seat) -> str | None:
    """The image of the task that is shown; None between two tasks, "" when there is none any more."""
    try:
        if urlsplit(seat.page.url).path == "/":
            return ""
        middle = seat.page.evaluate_handle(
            "() => document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('iframe')"
        ).as_element()
        frame = middle.content_frame() if middle else None
        return frame.evaluate("() => document.querySelector('crowd-bounding-box')?.src") if frame else None
    except Error:  # the page is changing
        return None


def _put(it: Desk, bucket: str, key: str, pixels: Any) -> None:
    stream = io.BytesIO()
    image = Image.fromarray(pixels)
    if key.endswith(".png"):
        image.save(stream, "PNG")
    else:
        image.save(stream, "JPEG", quality=90)
    it.rig.s3.put_object(Bucket=bucket, Key=key, Body=stream.getvalue())


def _start(flow: Flow, key: str, boxes: list[dict[str, Any]]) -> str:
    return flow.start(
        content={
            "taskObject": f"s3://{flow.bucket}/{key}",
            "labels": CLASSES,
            "initialValue": boxes,
            "instructions": "A tight box around every digit.",
        }
    )


def _open(seat: Seat, flow: Flow) -> None:
    task = eventually(lambda: seat.person.take(flow))
    seat.page.goto(f"{flow.rig.url}/work/{task['task_id']}")
    seat.page.wait_for_selector("#frame[data-ready=yes]")


if __name__ == "__main__":
    sys.exit(main())
