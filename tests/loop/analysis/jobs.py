"""What a labeling job has written: twelve pictures with two boxes each, and three workers who differ.

Worker ``a`` draws exactly what is true, ``b`` four pixels to the right, ``c`` misses the second box.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.loop.place import Place, picture

JOB = "Box-R1"
SIZE = {"width": 32, "height": 24}
TRUE = ((2, 2, 10, 10), (18, 10, 8, 12))
TYPE = "groundtruth/object-detection"

Box = Sequence[float]


def boxes(
    source: str,
    rows: Iterable[Box],
    confidences: Sequence[float] | None = None,
    *,
    name: str = "box",
    human: str = "yes",
    classes: Sequence[str] = ("nut",),
) -> dict[str, Any]:
    """A manifest line with boxes of the first class."""
    rows = list(rows)
    metadata: dict[str, Any] = {"class-map": {"0": classes[0]} if rows else {}, "type": TYPE}
    metadata |= {"human-annotated": human, "job-name": f"labeling-job/{JOB.lower()}"}
    if confidences is not None:
        metadata["objects"] = [{"confidence": value} for value in confidences]
    sides = ("left", "top", "width", "height")
    return {
        "source-ref": source,
        name: {
            "image_size": [SIZE | {"depth": 3}],
            "annotations": [{"class_id": 0} | dict(zip(sides, row, strict=True)) for row in rows],
        },
        f"{name}-metadata": metadata,
    }


def grade(source: str, said: str, confidence: float, *, name: str = "grade") -> dict[str, Any]:
    """A manifest line with one class."""
    return {
        "source-ref": source,
        name: int(said == "bad"),
        f"{name}-metadata": {
            "class-name": said,
            "confidence": confidence,
            "human-annotated": "yes",
            "type": "groundtruth/image-classification",
        },
    }


def response(answers: Mapping[str, Any], seconds: float = 20) -> bytes:
    """A worker-response file: what each worker's element gave."""
    times = {"acceptanceTime": "2026-02-11T09:01:00.000Z", "submissionTime": "2026-02-11T09:01:20.000Z"}
    items = [
        times | {"workerId": f"private.eu-west-1.{worker}", "answerContent": content}
        | ({} if worker == "a" else {"timeSpentInSeconds": seconds})
        for worker, content in answers.items()
    ]  # fmt: skip
    return json.dumps({"answers": items}).encode()


def drawn(*rows: Box) -> dict[str, Any]:
    sides = ("left", "top", "width", "height")
    found = [{"label": "nut"} | dict(zip(sides, row, strict=True)) for row in rows]
    return {"boundingBox": {"boundingBoxes": found or None, "inputImageProperties": SIZE}}


def shifted(rows: Iterable[Box], by: float = 4) -> list[Box]:
    return [(left + by, *rest) for left, *rest in rows]


def write_job(place: Place) -> tuple[str, str]:
    """Write twelve labelled objects with their answers; the folder, and the manifest of what is true.

    The first ten were asked for by people, the last two labelled by the machine (four pixels off).
    """
    sources = [place.put(f"in/{n}.jpg", picture(100 + n)) for n in range(12)]
    lines = [
        boxes(source, TRUE, (0.2 + 0.05 * n, 0.2 + 0.05 * n)) for n, source in enumerate(sources[:10])
    ] + [boxes(source, shifted(TRUE), (0.9, 0.8), human="no") for source in sources[10:]]
    folder = f"gt/{JOB}"
    place.storage.write_lines(f"{folder}/manifests/output/output.manifest", lines)
    for number in range(10):
        body = response({"a": drawn(*TRUE), "b": drawn(*shifted(TRUE)), "c": drawn(TRUE[0])})
        place.put(
            f"{folder}/annotations/worker-response/iteration-{1 + number // 5}/{number}/"
            "2026-02-11_09:13:00.json",
            body,
        )
    place.storage.write_lines("in/true.manifest", [boxes(source, TRUE, name="true") for source in sources])
    return place.storage.uri(folder), place.storage.uri("in/true.manifest")


def described(place: Place) -> dict[str, Any]:
    """As much of DescribeLabelingJob's reply as is read."""
    return {
        "LabelingJobName": JOB,
        "LabelingJobStatus": "InProgress",
        "LabelAttributeName": "box",
        "OutputConfig": {"S3OutputPath": place.storage.uri("gt") + "/"},
        "HumanTaskConfig": {"NumberOfHumanWorkersPerDataObject": 3},
    }
