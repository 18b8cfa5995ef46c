"""What became of each question: a label, the reasons why there is none, or nothing yet.

Takes questions, asks the review plane how their loops ended, reads their answers from S3 and lets the task
make labels of them, of all that are settled together at once. Writes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord
from include.loop.core.records.nightly import Quarantined, Question, Started
from include.loop.core.records.triage import Row, read_looked_at
from include.loop.core.storage import THREADS_OF_SMALL_REQUESTS, error_code, in_parallel
from include.loop.nightly.human_loops import HumanLoopStatus, list_loops
from include.loop.nightly.questions import read_refused
from include.loop.tasks.a2i_output import MOST_BYTES
from include.loop.tasks.values import Answer, Origin, ReviewersDisagree
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Settled:
    """What became of one question; with neither label nor problem it is still open. ``sha256`` is that of its
    image, ``copies`` the other images of its batch with the same bytes.
    """

    loop: str
    batch: str
    label: dict[str, Any] | None = None
    problems: tuple[Quarantined, ...] = ()
    answers: tuple[Answer, ...] = ()
    sha256: str | None = None
    copies: tuple[Row, ...] = ()
    # Of what has usable answers: where their label comes from.
    origin: Origin | None = None
    shown: int | None = None  # objects that the model had shown

    @property
    def open(self) -> bool:
        return self.label is None and not self.problems

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The label of every image that it serves."""
        if self.label is None:
            return []
        return [
            self.label,
            *(self.label | {"source-ref": row.image, "etag": row.etag} for row in self.copies),
        ]


def settle(workspace: Workspace, batch: str, questions: Iterable[Question], final: bool) -> list[Settled]:
    """What became of each question. ``final``: an answer that is not in S3 by now will not come."""
    started = Started.read(workspace.storage, batch)
    refused = read_refused(workspace, batch)
    created_after = datetime.fromisoformat(started.created_after)
    statuses = dict(list_loops(workspace.clients.a2i, started.flow_definition_arn, created_after))
    reasons: dict[str, str] = {}
    shown: dict[str, int | None] = {}
    copies: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_looked_at(workspace.storage, batch):
        reasons[row.image] = row.reason
        shown[row.image] = row.shown
        if row.same_as:
            copies[row.same_as].append(row)

    def settle_one(question: Question) -> Settled:
        if question.loop in refused:
            return _failed(question, batch, "ask", refused[question.loop])
        status = statuses.get(question.loop)
        if status is not None and status.is_open:
            return Settled(question.loop, batch)
        outcome = _read_loop(workspace, batch, question, reasons[question.image], final)
        return replace(outcome, copies=tuple(copies[question.image]), shown=shown[question.image])

    return _labelled(workspace, list(in_parallel(settle_one, questions, THREADS_OF_SMALL_REQUESTS)))


def _labelled(workspace: Workspace, settled: list[Settled]) -> list[Settled]:
    """Those with answers, with the label or the disagreement that these come to; the others as they are."""
    answered = sorted(
        (item.origin.image, item.loop, place, item.origin)
        for place, item in enumerate(settled)
        if item.origin is not None
    )
    asked = [(settled[place].answers, origin) for _, _, place, origin in answered]
    for (*_, place, origin), label in zip(answered, workspace.task.write_labels(asked), strict=True):
        item = settled[place]
        if isinstance(label, ReviewersDisagree):
            settled[place] = replace(item, problems=(*item.problems, _both_sides(item, origin, label)))
        else:
            settled[place] = replace(item, label=label)
    return settled


def _both_sides(item: Settled, origin: Origin, disagreement: ReviewersDisagree) -> Quarantined:
    return Quarantined(
        stage="answer",
        image=origin.image,
        reason=str(disagreement),
        batch=origin.batch,
        loop=item.loop,
        said={answer.worker: answer.said for answer in item.answers},
    )


def _read_loop(
    workspace: Workspace, batch: str, question: Question, asked_because: str, final: bool
) -> Settled:
    """Describe one loop that has ended (the listing has neither its output's place nor its failure code)."""
    try:
        loop = workspace.clients.a2i.describe_human_loop(HumanLoopName=question.loop)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return _failed(question, batch, "ask", "loop does not exist (never started, or deleted)")
    status = HumanLoopStatus(loop["HumanLoopStatus"])
    if status.is_open:
        return Settled(question.loop, batch)
    if not status.has_answers:
        why = ": ".join(loop[name] for name in ("FailureCode", "FailureReason") if loop.get(name))
        return _failed(question, batch, "answer", f"loop {status}" + (f": {why}" if why else ""))
    try:
        body = workspace.storage.read(loop["HumanLoopOutput"]["OutputS3Uri"], last_byte=MOST_BYTES)
    except (KeyError, FileNotFoundError):
        # A loop can be Completed before its output is in S3: the next batch looks once more.
        return (
            _failed(question, batch, "answer", "output.json is missing")
            if final
            else Settled(question.loop, batch)
        )
    return _read_answers(workspace, batch, question, asked_because, body)


def _read_answers(
    workspace: Workspace, batch: str, question: Question, asked_because: str, body: bytes
) -> Settled:
    size = question.width, question.height
    try:
        answers, rejected = workspace.task.read_answers(body, question.loop, size)
    except BadRecord as error:
        return _failed(question, batch, "answer", str(error))
    problems = tuple(
        Quarantined(
            stage="answer",
            image=question.image,
            reason=item.reason,
            batch=batch,
            loop=question.loop,
            worker=item.worker,
        )
        for item in rejected
    )
    origin = Origin(question.image, question.etag, size, question.loop, batch, asked_because)
    return Settled(
        question.loop,
        batch,
        problems=problems,
        answers=tuple(answers),
        sha256=question.sha256,
        origin=origin if answers else None,
    )


def _failed(question: Question, batch: str, stage: str, reason: str) -> Settled:
    problem = Quarantined(stage=stage, image=question.image, reason=reason, batch=batch, loop=question.loop)
    return Settled(question.loop, batch, problems=(problem,), sha256=question.sha256)
