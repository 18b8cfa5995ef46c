"""From triage rows to human loops: one question per image, asked once.

Takes the rows that say ``ask``, writes the questions (loop name, image, and the loop's whole input) once
before the first start, and starts the loops. Names are computed from the image's content and the flow
definition, and what is already there is found by listing: a retry, or the same date again, asks nobody twice.
The deadline is anchored in ``Started``, written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from include.loop.core.errors import NotSetUp
from include.loop.core.identity import is_loop_of, loop_prefix
from include.loop.core.records.nightly import (
    EndpointPrelabels,
    LabelSummary,
    Question,
    QuestionsHeader,
    RefusedQuestions,
    Started,
)
from include.loop.core.storage import THREADS_OF_SMALL_REQUESTS, dump, error_code, in_parallel
from include.loop.nightly import second_look
from include.loop.nightly.compose import asked_again, claim, compose
from include.loop.nightly.human_loops import CLOCK_SLACK, list_loops
from include.loop.nightly.review_setup import find_flow_definition
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_a2i_runtime import AugmentedAIRuntimeClient

# The most StartHumanLoop takes as InputContent (A2I a2i model).
MAX_INPUT_BYTES = 3_145_728


@dataclass(frozen=True)
class PreparedQuestions:
    """How many images are asked about, how many of those that triage chose cannot be, and what became of the
    endpoint that was to give the first answers (None: none was asked).
    """

    batch: str
    asked: int
    unreadable: int
    questions_uri: str
    flow_definition_arn: str
    prelabels: EndpointPrelabels | None = None


@dataclass(frozen=True)
class StartedLoops:
    """How many of the ``asked`` loops were started now, existed before, were refused for good, and found no
    room (``remaining``): call ``start`` again for these when people have answered.
    """

    batch: str
    asked: int
    deadline: str
    started: int
    existing: int
    refused: int
    remaining: int


def prepare(workspace: Workspace, batch: str) -> PreparedQuestions:
    """Write the batch's questions once. NotSetUp when review_setup has not made the flow definition yet."""
    header = QuestionsHeader.find(workspace.storage, batch)
    if header is None:
        arn = find_flow_definition(workspace)
        composed = compose(workspace, batch, arn)
        questions = claim(workspace, batch, composed.questions)
        # The header is written last: it says that the questions are complete. Until then nobody has been
        # asked.
        Question.write_all(workspace.storage, questions, batch)
        header = QuestionsHeader(
            flow_definition_arn=arn,
            asked=len(questions),
            unreadable=composed.unreadable,
            prelabels=composed.prelabels,
            again={
                doubted: tuple(loops) for doubted, loops in asked_again(workspace, batch, questions).items()
            },
        ).write_once(workspace.storage, batch)
    for doubted, loops in header.again.items():
        second_look.keep(workspace, batch, doubted, loops)
    return PreparedQuestions(
        batch=batch,
        asked=header.asked,
        unreadable=len(header.unreadable),
        questions_uri=workspace.storage.uri(Question.location(batch)),
        flow_definition_arn=header.flow_definition_arn,
        prelabels=header.prelabels,
    )


def start(workspace: Workspace, batch: str) -> StartedLoops:
    """Start the loops that are missing."""
    header = QuestionsHeader.read(workspace.storage, batch)
    anchor = _anchor(workspace, batch, header)
    if workspace.storage.exists(LabelSummary.location(batch)):
        return StartedLoops(batch, header.asked, anchor.deadline, 0, header.asked, 0, 0)
    prefix = loop_prefix(workspace.pipeline.name, batch)
    created_after = datetime.fromisoformat(anchor.created_after)
    there = {
        name
        for name, _ in list_loops(workspace.clients.a2i, header.flow_definition_arn, created_after)
        if is_loop_of(prefix, name)
    }
    missing = [question for question in read_questions(workspace, batch) if question.loop not in there]
    refused: dict[str, str] = {}
    started = 0
    start_one = _starter(workspace.clients.a2i, header.flow_definition_arn)
    outcomes = in_parallel(start_one, missing, THREADS_OF_SMALL_REQUESTS)
    for question, outcome in zip(missing, outcomes, strict=True):
        if outcome is STARTED:
            started += 1
        elif outcome is not NO_ROOM:
            refused[question.loop] = outcome
    if refused and len(refused) == header.asked:
        raise NotSetUp(f"every question of {batch} was refused; the first: {next(iter(refused.values()))}")
    if refused:
        RefusedQuestions(reasons=refused).write(workspace.storage, batch)
    return StartedLoops(
        batch=batch,
        asked=header.asked,
        deadline=anchor.deadline,
        started=started,
        existing=len(there),
        refused=len(refused),
        remaining=len(missing) - started - len(refused),
    )


def read_questions(workspace: Workspace, batch: str) -> Iterator[Question]:
    """The questions of a prepared batch, streamed."""
    return Question.read_all(workspace.storage, batch)


def read_unreadable(workspace: Workspace, batch: str) -> dict[str, str]:
    """Images that could not be asked about, with the reason."""
    return QuestionsHeader.read(workspace.storage, batch).unreadable


def read_refused(workspace: Workspace, batch: str) -> dict[str, str]:
    """Loops that the review plane refused for good, with its reason."""
    found = RefusedQuestions.find(workspace.storage, batch)
    return found.reasons if found else {}


# The two outcomes of a start that are not a refusal; a refusal is the reason itself.
STARTED = "started"
NO_ROOM = "no room"


def _anchor(workspace: Workspace, batch: str, header: QuestionsHeader) -> Started:
    """When asking began, and until when answers are waited for: the clock is read once per batch."""
    now = datetime.now(UTC)
    deadline = now + timedelta(hours=workspace.pipeline.review.deadline_hours)
    return Started(
        flow_definition_arn=header.flow_definition_arn,
        asked=header.asked,
        started_at=now.isoformat(timespec="seconds"),
        created_after=(now - CLOCK_SLACK).isoformat(timespec="seconds"),
        deadline=deadline.isoformat(timespec="seconds"),
    ).write_once(workspace.storage, batch)


def _starter(a2i: AugmentedAIRuntimeClient, arn: str) -> Callable[[Question], str]:
    """Starts one loop; when one has found no room, those that have not begun by then are not tried."""
    full = Event()

    def start_one(question: Question) -> str:
        if full.is_set():
            return NO_ROOM
        content = dump(question.input)
        if len(content) > MAX_INPUT_BYTES:
            return f"the question has {len(content):,} bytes, more than {MAX_INPUT_BYTES:,}"
        try:
            a2i.start_human_loop(
                HumanLoopName=question.loop,
                FlowDefinitionArn=arn,
                HumanLoopInput={"InputContent": content.decode()},
            )
        except ClientError as error:
            # 402: the flow definition's quota of loops in flight (5,000) is reached.
            if error_code(error) == "ServiceQuotaExceededException":
                full.set()
                return NO_ROOM
            # 409: the name is taken by a loop with other input; 400: the request itself. Neither gets better.
            if error_code(error) in {"ConflictException", "ValidationException"}:
                return f"could not be started: {error_code(error)}: {error.response['Error'].get('Message')}"
            raise
        return STARTED

    return start_one
