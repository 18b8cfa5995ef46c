"""How a labeling job goes, from the files that it has written so far and the logs of its models."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest

from include.loop.analysis.costs import Prices
from include.loop.analysis.progress import Counted, read_progress, tell
from tests.loop.analysis.jobs import JOB, TRUE, boxes, described
from tests.loop.place import Place

COUNTERS = {"TotalLabeled": 15, "HumanLabeled": 12, "MachineLabeled": 3, "FailedNonRetryableError": 0}


class Described:
    """The review server that runs the job is tested elsewhere: here is what it would reply."""

    def __init__(self, place: Place) -> None:
        self.reply = described(place) | {"LabelCounters": COUNTERS | {"Unlabeled": 5}}

    def describe_labeling_job(self, **_: Any) -> dict[str, Any]:
        return self.reply


def responses(*numbers: int) -> bytes:
    content = boxes("s3://b/x", TRUE)
    return json.dumps(
        [{"datasetObjectId": str(n), "consolidatedAnnotation": {"content": content}} for n in numbers]
        + [{"datasetObjectId": "99"}]  # an object without a label
    ).encode()


def test_every_iteration_is_counted_by_its_whole_number_and_no_object_twice(place: Place) -> None:
    below = f"gt/{JOB}"
    consolidated = f"{below}/annotations/consolidated-annotation/consolidation-response"
    place.put(f"{consolidated}/iteration-1/2026-02-11_09:13:00.json", responses(*range(10)))
    place.put(f"{consolidated}/iteration-1/2026-02-11_09:14:00.json", responses(9))  # written again
    place.put(f"{consolidated}/iteration-12/2026-02-11_09:15:00.json", responses(10, 11))
    place.put(f"{consolidated}/iteration-12/2026-02-11_09:16:00.json", b"[")
    line = json.dumps(boxes("s3://b/x", TRUE[:1], human="no"))
    place.put(
        f"{below}/activelearning/12/{'x' * 8}/auto_annotator_output.txt",
        "".join(f"{n} {line}\n" for n in (12, 13, 14)).encode() + b"15 no label\n",
    )
    training_job = f"{JOB.lower()}-{place.bucket[-12:]}"
    place.put(f"{below}/training/12/y/{training_job}/output/model.tar.gz", b"x")
    stream = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": f"{training_job}/algo-1-1"}
    logs = place.cloud.client("logs")
    with suppress(logs.exceptions.ResourceAlreadyExistsException):  # of another test's training job
        logs.create_log_group(logGroupName=stream["logGroupName"])
    logs.create_log_stream(**stream)
    messages = [
        "INFO Final configuration: {u'epochs': u'2', u'num_training_samples': u'980'}",
        *(f"#quality_metric: host=algo-1, epoch={n}, validation mAP <score>=(0.{n + 1})" for n in range(2)),
    ]
    now = int(time.time() * 1000)
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": text} for text in messages])

    client: Any = Described(place)
    found = read_progress(client, place.storage, JOB, Prices(), seconds=60, logs=logs)
    assert [(item.number, item.human, item.machine) for item in found.iterations] == [
        (1, Counted(10, 20), Counted()),
        (12, Counted(2, 4), Counted(3, 3)),
    ]
    assert found.costs.total == pytest.approx(15 * 0.08 + 36 * 0.036)
    (curve,) = found.curves
    assert (curve.iteration, curve.samples, curve.scores) == (12, 980, (0.1, 0.2))
    assert len(found.problems) == 1
    told = "\n".join(tell(found))
    assert f"{JOB}: InProgress\n  TotalLabeled 15, HumanLabeled 12" in told
    assert "980 images): validation mAP 0.100 0.200" in told
