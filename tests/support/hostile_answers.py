"""What reviewers say of an image, rightly or not, and the accidents that happen to their human loops.

An answer is a function of the image's size as the browser shows it; ``cat`` is the right one for every
picture of ``hostile_objects``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

from tests.support.cloud import eventually
from tests.support.hostile_objects import BOX

Answer = Callable[[tuple[int, int]], dict[str, Any]]


def boxes(*found: tuple[Any, ...]) -> Answer:
    """An answer with (label, left, top, width, height) each, as the component gives it."""

    def answer(size: tuple[int, int]) -> dict[str, Any]:
        drawn = [dict(zip(("label", "left", "top", "width", "height"), box, strict=True)) for box in found]
        properties = {"width": size[0], "height": size[1]}
        return {"annotatedResult": {"boundingBoxes": drawn, "inputImageProperties": properties}}

    return answer


cat = boxes(("cat", *BOX))
dog = boxes(("dog", *BOX))
nothing = boxes()
cat_twice = boxes(("cat", *BOX), ("cat", *BOX))
edge = boxes(("cat", 44.4, 38.2, 20.3, 10.4))  # by less than a pixel over two sides
outside = boxes(("cat", 50, 40, 40, 40))
no_area = boxes(("cat", 4, 5, 0, 10))
inside_out = boxes(("cat", 24, 15, -20, -10))
unicorn = boxes(("unicorn", *BOX))


def on_its_side(size: tuple[int, int]) -> dict[str, Any]:
    """Of a browser that turns the picture as its EXIF says."""
    return cat((size[1], size[0]))


def other_form(_: tuple[int, int]) -> dict[str, Any]:
    return {"verdict": {"label": "good"}}


# ---- accidents


class Loop:
    """One human loop, and its output in S3 once it is Completed."""

    def __init__(self, runtime: Any, s3: Any, name: str) -> None:
        self._runtime, self._s3, self._name = runtime, s3, name

    def stop(self) -> None:
        self._runtime.stop_human_loop(HumanLoopName=self._name)

    def output(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self._s3.get_object(**self._place)["Body"].read())
        return value

    def write(self, body: bytes) -> None:
        self._s3.put_object(**self._place, Body=body)

    def lose(self) -> None:
        self._s3.delete_object(**self._place)

    @cached_property
    def _place(self) -> dict[str, str]:
        def written() -> Any:
            return self._runtime.describe_human_loop(HumanLoopName=self._name).get("HumanLoopOutput")

        bucket, key = eventually(written)["OutputS3Uri"].removeprefix("s3://").split("/", 1)
        return {"Bucket": bucket, "Key": key}


def stopped(loop: Loop) -> None:
    loop.stop()


def without_output(loop: Loop) -> None:
    loop.lose()


def half(loop: Loop) -> None:
    body = json.dumps(loop.output()).encode()
    loop.write(body[: len(body) // 2])


def zones(loop: Loop) -> None:
    """The answer that is the later one has the earlier date, in its own zone."""
    changed(loop, "submissionTime", "2026-10-03T23:30:00-05:00", "2026-10-04T01:00:00")


def negative_seconds(loop: Loop) -> None:
    changed(loop, "timeSpentInSeconds", -17.5, 8.25)


def changed(loop: Loop, field: str, *values: Any) -> None:
    output = loop.output()
    for answer, value in zip(output["humanAnswers"], values, strict=True):
        answer[field] = value
    loop.write(json.dumps(output).encode())
