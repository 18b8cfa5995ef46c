"""How much faster than the notebooks' own loop human loops are started, polled and collected.

    python -m benchmarks.seed_loop --start 1000 --poll 1000 --collect 10000

Amazon's notebooks do one request after the other: start a loop per image, describe every loop to see which
are done, describe and fetch every answer. Beside that the loop's own steps do the same work in the same run:
real boto3 clients, answered in process, each request after --latency-ms (boto3_answers.py says what that
leaves out). Seconds are those that somebody waits, CPU seconds those of boto3 and of the work, without what
answering took. Take the ratio on a machine with nothing else to do: beside other work, threads that are done
with waiting for an answer wait for a processor, and ours have more to do at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.boto3_answers import Answered
from benchmarks.counted_services import FLOW
from benchmarks.fabricated_night import NIGHT, SIZE, Night, open_night
from include.loop.core.clients import SETTINGS, Clients
from include.loop.core.identity import loop_name
from include.loop.core.records.nightly import Question, QuestionsHeader, Started
from include.loop.core.records.triage import Decision, Row, write_looked_at
from include.loop.core.storage import Storage
from include.loop.nightly import batch, human_loops, labels, questions
from include.loop.workspace import Workspace

GOALS = {"start": 15, "poll": 50, "collect": 10}


@dataclass(frozen=True)
class Side:
    """What one of the two took: seconds of waiting, of the processor, and requests."""

    seconds: float
    cpu_seconds: float
    requests: int


def main(arguments: Sequence[str] | None = None) -> dict[str, tuple[Side, Side]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=int, default=1_000, help="loops")
    parser.add_argument("--poll", type=int, default=1_000, help="open loops")
    parser.add_argument("--collect", type=int, default=10_000, help="answered loops")
    parser.add_argument("--latency-ms", type=float, default=20)
    options = parser.parse_args(arguments)
    latency = options.latency_ms / 1000
    found: dict[str, tuple[Side, Side]] = {}
    print(
        f"{'':8} {'loops':>7}  {'notebook: s / CPU s / requests':>32}  {'ours':>32}  {'ratio':>6} {'goal':>5}"
    )
    for name, work in WORK.items():
        count = getattr(options, name)
        if count == 0:
            continue
        print(f"{name} {count:,} loops …", file=sys.stderr, flush=True)
        notebook, ours = found[name] = _side_by_side(count, latency, work)
        ratio = notebook.seconds / ours.seconds
        cells = "  ".join(
            f"{f'{side.seconds:,.1f} / {side.cpu_seconds:.1f} / {side.requests:,}':>32}"
            for side in found[name]
        )
        print(f"{name:8} {count:>7,}  {cells}  {ratio:>6.1f} {GOALS[name]:>5}", flush=True)
    return found


def _side_by_side(count: int, latency: float, work: tuple[Work, Work, bool, bool]) -> tuple[Side, Side]:
    notebook, ours, there, answered = work
    sides = []
    # The notebooks' clients are boto3's own, ours are set as the loop sets them.
    for does, settings in ((notebook, {}), (ours, SETTINGS)):
        with _place(count, there, answered, settings) as place:
            calls = place.night.calls
            calls.latency, calls.answering = latency, 0.0
            began, busy = time.monotonic(), time.process_time()
            does(place)
            seconds, cpu = time.monotonic() - began, time.process_time() - busy - calls.answering
            sides.append(Side(seconds, cpu, sum(calls.made.values())))
    return sides[0], sides[1]


@dataclass(frozen=True)
class Place:
    """A night whose questions are written, with boto3 clients."""

    night: Night
    workspace: Workspace
    asked: list[Question]

    @property
    def a2i(self) -> Any:
        return self.workspace.clients.a2i


Work = Callable[[Place], None]


@contextmanager
def _place(count: int, there: bool, answered: bool, settings: dict[str, Any]) -> Iterator[Place]:
    """``there``: the loops have been started; ``answered``: people have answered them all."""
    with tempfile.TemporaryDirectory(prefix="nightloop-seed-") as folder:
        night = open_night(Path(folder), count)
        made = Answered(night.s3, night.review)
        clients = {name: made.client(name, **settings) for name in ("s3", "sagemaker-a2i-runtime")}
        storage = Storage(clients["s3"], "night", "night")
        workspace = Workspace(
            night.workspace.pipeline,
            night.workspace.environment,
            storage,
            Clients(lambda name, _: clients[name]),
        )
        asked = _questions(night)
        if there:
            for question in asked:
                night.review.place(question.loop, question.input)
        if answered:
            night.review.answer()
        clients["sagemaker-a2i-runtime"].list_human_loops(FlowDefinitionArn=FLOW)  # made ready: not the work
        night.calls.made.clear()
        yield Place(night, workspace, asked)


def _questions(night: Night) -> list[Question]:
    """One about every image, as a night leaves them before it starts the loops."""
    storage, images = night.storage, list(night.storage.list(f"images/dt={NIGHT}/"))
    batch.list_batch(night.workspace, NIGHT)
    rows = (Row(item.uri, item.etag, 0.3, 1, Decision.ASK, "unsure") for item in images)
    write_looked_at(storage, NIGHT, rows)
    asked = [
        Question(
            loop=loop_name("night", NIGHT, item.uri, item.etag, FLOW),
            image=item.uri,
            etag=item.etag,
            width=SIZE[0],
            height=SIZE[1],
            input={"taskObject": item.uri, "labels": ["cat", "dog"], "initialValue": []},
        )
        for item in images
    ]
    Question.write_all(storage, asked, NIGHT)
    QuestionsHeader(flow_definition_arn=FLOW, asked=len(asked)).write(storage, NIGHT)
    now = datetime.now(UTC)
    Started(
        flow_definition_arn=FLOW,
        asked=len(asked),
        started_at=now.isoformat(),
        created_after=(now - timedelta(minutes=15)).isoformat(),
        deadline=(now + timedelta(hours=20)).isoformat(),
    ).write(storage, NIGHT)
    return asked


# ---- the notebook: one request after the other


def _start_serially(place: Place) -> None:
    for question in place.asked:
        place.a2i.start_human_loop(
            HumanLoopName=str(uuid.uuid4()),
            FlowDefinitionArn=FLOW,
            HumanLoopInput={"InputContent": json.dumps(question.input)},
        )


def _describe_serially(place: Place) -> list[dict[str, Any]]:
    described = (place.a2i.describe_human_loop(HumanLoopName=question.loop) for question in place.asked)
    return [loop for loop in described if loop["HumanLoopStatus"] == "Completed"]


def _poll_serially(place: Place) -> None:
    assert not _describe_serially(place)


def _collect_serially(place: Place) -> None:
    """Describe every loop, fetch the output of each that is done, make a manifest of the first answers."""
    s3, lines = place.workspace.clients.s3, []
    for loop in _describe_serially(place):
        bucket, key = loop["HumanLoopOutput"]["OutputS3Uri"].removeprefix("s3://").split("/", 1)
        output = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        answer = output["humanAnswers"][0]
        drawn = answer["answerContent"]["annotatedResult"]
        boxes = [
            {"class_id": output["inputContent"]["labels"].index(box["label"])}
            | {side: box[side] for side in ("left", "top", "width", "height")}
            for box in drawn["boundingBoxes"]
        ]
        size = drawn["inputImageProperties"] | {"depth": 3}
        label = {"annotations": boxes, "image_size": [size]}
        metadata = {"creation-date": answer["submissionTime"], "human-annotated": "yes"}
        source = output["inputContent"]["taskObject"]
        lines.append(json.dumps({"source-ref": source, "review": label, "review-metadata": metadata}))
    s3.put_object(Bucket="night", Key="night/notebook.manifest", Body="\n".join(lines).encode())
    assert len(lines) == len(place.asked)


# ---- ours


def _start(place: Place) -> None:
    assert questions.start(place.workspace, NIGHT).started == len(place.asked)


def _poll(place: Place) -> None:
    watch = human_loops.watch(place.workspace, NIGHT)
    counts = human_loops.LoopCounts()
    pages = place.a2i.get_paginator("list_human_loops").paginate(
        **watch.list_arguments(), PaginationConfig={"PageSize": human_loops.PAGE_SIZE}
    )
    for page in pages:
        counts += human_loops.count_page(watch, page["HumanLoopSummaries"])
    assert counts.open == len(place.asked)


def _collect(place: Place) -> None:
    assert labels.assemble(place.workspace, NIGHT).labels == len(place.asked)


# By what is done: the notebook's way, ours, and whether the loops are there and answered before.
WORK: dict[str, tuple[Work, Work, bool, bool]] = {
    "start": (_start_serially, _start, False, False),
    "poll": (_poll_serially, _poll, True, False),
    "collect": (_collect_serially, _collect, True, True),
}


if __name__ == "__main__":
    main()
