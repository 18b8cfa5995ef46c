"""What A2I writes of workers who choose classes, and the tasks that read it."""

from __future__ import annotations

import json
from typing import Any

from include.loop.tasks.classification.task import ImageClassification
from include.loop.tasks.values import Origin

LOOP = "pets-20261101-00112233445566aa"
ORIGIN = Origin("s3://b/1.jpg", "e1", (100, 80), LOOP, "2026-11-01", "margin 0.02 below 0.1")
CLASSES = ("cat", "dog", "owl")

ONE = ImageClassification(CLASSES, "pet")
MANY = ImageClassification(CLASSES, "pets", multi_label=True)


def output(*said: Any) -> bytes:
    """An output.json with one worker each: ``"cat"`` from a classifier, ``["cat"]`` from a multi-select."""
    return json.dumps(
        {
            "humanLoopName": LOOP,
            "humanAnswers": [
                {
                    "workerId": f"w{number}",
                    "submissionTime": f"2026-11-01T08:00:0{number}Z",
                    "answerContent": {
                        "annotatedResult": {"labels": item} if isinstance(item, list) else {"label": item}
                    },
                    "timeSpentInSeconds": 4.5,
                }
                for number, item in enumerate(said)
            ],
        }
    ).encode()


def answers(task: ImageClassification, *said: Any) -> list[Any]:
    """The usable ones."""
    return task.read_answers(output(*said), LOOP, (100, 80))[0]
