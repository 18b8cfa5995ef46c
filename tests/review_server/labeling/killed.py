"""A labeling job at work in processes that kill themselves (-9): one life after another, each at its step.

    python -m tests.review_server.labeling.killed DATA S3_URL STEP STEP … end

Each life is the whole server but for HTTP, with its people in it: everything that stores or writes is there.
A life is a fork of this process, so that each begins in a moment. Its people note in DATA/journal what they
took and what was accepted; after the last life the exit statuses are printed, one a line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.review_server.app import create_review
from include.review_server.db.models import LabelingJob
from include.review_server.labeling.consolidating import Consolidations
from include.review_server.labeling.offering import Offering
from include.review_server.labeling.publishing import Publishing
from include.review_server.labeling.running import LabelingRuns
from include.review_server.s3 import ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings
from include.review_server.work.tasks import Tasks
from tests.review_server.killable import VARIABLE, during, reached, watch

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:joined"
# In the order of a batch's life, so that a few batches meet them all.
STEPS = (
    "batch-uncommitted",
    "batch-committed",
    "offer-uncommitted",
    "offer-committed",
    "take-uncommitted",
    "take-committed",
    "answer-uncommitted",
    "answer-committed",
    "final-uncommitted",
    "final-committed",
    "worker-response-not-begun",
    "worker-response-done",
    "settle-uncommitted",
    "settle-committed",
    "group-uncommitted",
    "group-committed",
    "consolidation-request-not-begun",
    "consolidation-request-done",
    "consolidation-response-not-begun",
    "consolidation-response-done",
    "label-uncommitted",
    "label-committed",
    "intermediate-done",
    "output.manifest-not-begun",
    "output.manifest-done",
    "publish-uncommitted",
    "publish-committed",
)
_END = "end"


def settings(data: Path, s3_url: str, keys: tuple[str, str]) -> ReviewSettings:
    return ReviewSettings(
        data_dir=data,
        s3_endpoint_url=s3_url,
        access_key_id=keys[0],
        secret_access_key=keys[1],
        # Short, but there: what is not final yet shall outlive a kill too.
        undo_seconds=0.2,
        labeling_functions=("joined=tests.review_server.labeling.killed:joined",),
    )


def joined(event: dict[str, Any], context: Any) -> list[dict[str, Any]]:
    """A post-annotation function: the label is the answers, in an order that does not tell who was first."""
    location = S3Location.parse(event["payload"]["s3Uri"])
    body = context.s3.get_object(Bucket=location.bucket, Key=location.key)["Body"].read()
    return [
        {
            "datasetObjectId": one["datasetObjectId"],
            "consolidatedAnnotation": {
                "content": {
                    event["labelAttributeName"]: sorted(
                        given["annotationData"]["content"] for given in one["annotations"]
                    )
                }
            },
        }
        for one in json.loads(body)
    ]


def _life(chosen: ReviewSettings, step: str) -> None:
    os.environ[VARIABLE] = step
    _watch()
    review = create_review(chosen)
    review.background.start()
    journal = os.open(chosen.data_dir / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    done = threading.Event()
    people = [
        threading.Thread(target=_work, args=(review.tasks, member.worker_id, member.name, journal, done))
        for member in review.accounts.members()
    ]
    for person in people:
        person.start()
    while not done.wait(0.05):
        with review.database.read() as session:
            if session.get_one(LabelingJob, 1).status.is_terminal:
                done.set()
    for person in people:
        person.join()
    review.background.stop()


def _work(tasks: Tasks, worker_id: str, name: str, journal: int, done: threading.Event) -> None:
    while not done.is_set():
        found = tasks.take(worker_id)
        if found is None:
            done.wait(0.02)
            continue
        task, _ = found
        shown = json.loads(task.input)["source"]
        os.write(journal, json.dumps(["took", name, shown, task.id]).encode() + b"\n")
        tasks.answer(worker_id, task.id, json.dumps({"said": f"{name} of {shown}"}))
        os.write(journal, json.dumps(["accepted", name, shown, task.id]).encode() + b"\n")


def _watch() -> None:
    watch()
    during(LabelingRuns, "_advance", "batch")
    during(Offering, "_offer", "offer")
    during(Consolidations, "_begin_group", "group")
    during(Consolidations, "_store_labels", "label")
    during(Publishing, "_publish", "publish")
    put: Callable[..., None] = ObjectStore.put_bytes

    def watched(store: ObjectStore, location: S3Location, *arguments: Any) -> None:
        kinds = ("worker-response", "consolidation-request", "consolidation-response")
        kind = next((kind for kind in kinds if f"/{kind}/" in location.key), None)
        name = location.key.rpartition("/")[2]
        kind = kind or ("intermediate" if name == "annotations.json" else name)
        reached(f"{kind}-not-begun")
        put(store, location, *arguments)
        reached(f"{kind}-done")

    ObjectStore.put_bytes = watched  # type: ignore[method-assign,assignment]


def _main(data: str, s3_url: str, *steps: str) -> None:
    keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    chosen = settings(Path(data), s3_url, keys)
    statuses = []
    for step in steps:
        child = os.fork()
        if child == 0:
            _life(chosen, step)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        statuses.append(os.waitstatus_to_exitcode(status))
    print(*statuses, sep="\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
