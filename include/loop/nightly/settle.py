"""What became of each question: a label, the reasons why there is none, or nothing yet.

Takes questions, asks the review plane how their loops ended, reads their answers from S3 and lets the task
make a label of them. Writes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord
from include.loop.core.records.nightly import Quarantined, Question, Started
from include.loop.core.records.triage import Row, read_rows
from include.loop.core.storage import error_code, in_parallel
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


def settle(workspace: Workspace, batch: str, questions: Iterable[Question], final: bool) -> Iterator[Settled]:
    """What became of each question. ``final``: an answer that is not in S3 by now will not come."""
    started = Started.read(workspace.storage, batch)
    refused = read_refused(workspace, batch)
    created_after = datetime.fromisoformat(started.created_after)
    statuses = dict(list_loops(workspace.clients.a2i, started.flow_definition_arn, created_after))
    reasons: dict[str, str] = {}
    copies: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_rows(workspace.storage, batch):
        reasons[row.image] = row.reason
        if row.same_as:
            copies[row.same_as].append(row)

    def settle_one(question: Question) -> Settled:
        if question.loop in refused:
            return _failed(question, batch, "ask", refused[question.loop])
        status = statuses.get(question.loop)
        if status is not None and status.is_open:
            return Settled(question.loop, batch)
        outcome = _read_loop(workspace, batch, question, reasons[question.image], final)
        return replace(outcome, copies=tuple(copies[question.image]))

    return in_parallel(settle_one, questions)


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
    if not answers:
        return Settled(question.loop, batch, problems=problems, sha256=question.sha256)
    origin = Origin(question.image, question.etag, size, question.loop, batch, asked_because)
    try:
        label = workspace.task.write_label(answers, origin)
    except ReviewersDisagree as error:
        said = {answer.worker: answer.said for answer in answers}
        both_sides = Quarantined(
            stage="answer",
            image=question.image,
            reason=str(error),
            batch=batch,
            loop=question.loop,
            said=said,
        )
        problems = (*problems, both_sides)
        return Settled(question.loop, batch, None, problems, tuple(answers), question.sha256)
    return Settled(question.loop, batch, label, problems, tuple(answers), question.sha256)


def _failed(question: Question, batch: str, stage: str, reason: str) -> Settled:
    problem = Quarantined(stage=stage, image=question.image, reason=reason, batch=batch, loop=question.loop)
    return Settled(question.loop, batch, problems=(problem,), sha256=question.sha256)
