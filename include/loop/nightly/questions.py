"""From triage rows to human loops: one question per image, asked once.

Takes the rows that say ``ask``, gives ``runs/dt=D/questions.jsonl`` (loop name, image, and the loop's whole
input, written once before the first start) and starts the loops. Names are computed from the image's content
and the flow definition, and what is already there is found by listing: a retry, or the same date again, asks
nobody twice. The deadline is anchored in ``started.json``, written once. Knows compose, review, loops and
identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.core import layout
from include.loop.core.errors import NotSetUp
from include.loop.core.identity import is_loop_of, loop_prefix
from include.loop.core.storage import THREADS, dump, error_code, in_parallel
from include.loop.nightly import second_look
from include.loop.nightly.compose import Question, asked_again, claim, compose
from include.loop.nightly.human_loops import CLOCK_SLACK, list_loops
from include.loop.nightly.review_setup import find_flow_definition
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_a2i_runtime import AugmentedAIRuntimeClient

# The most StartHumanLoop takes as InputContent (A2I a2i model).
MAX_INPUT_BYTES = 3_145_728


def prepare(workspace: Workspace, batch: str) -> dict[str, Any]:
    """Write the batch's questions once. NotSetUp when review_setup has not made the flow definition yet."""
    location = layout.questions_file(batch)
    header = workspace.storage.find_json(layout.questions_header(batch))
    if header is None:
        arn = find_flow_definition(workspace)
        questions, unreadable = compose(workspace, batch, arn)
        questions = claim(workspace, batch, questions)
        # The header is written last: it says that the questions are complete. Until then nobody has been
        # asked.
        workspace.storage.write_lines(location, (asdict(question) for question in questions))
        header = workspace.storage.write_json_once(
            layout.questions_header(batch),
            {
                "flow_definition_arn": arn,
                "asked": len(questions),
                "unreadable": unreadable,
                "again": asked_again(workspace, batch, questions),
            },
        )
    for night, loops in header.get("again", {}).items():
        second_look.keep(workspace, batch, night, loops)
    return {
        "batch": batch,
        "asked": header["asked"],
        "unreadable": len(header["unreadable"]),
        "questions_uri": workspace.storage.uri(location),
        "flow_definition_arn": header["flow_definition_arn"],
    }


def start(workspace: Workspace, batch: str) -> dict[str, Any]:
    """Start the loops that are missing. ``remaining`` of them found no room: call again when people have
    answered.
    """
    header = workspace.storage.read_json(layout.questions_header(batch))
    anchor = _anchor(workspace, batch, header)
    report = {"batch": batch, "asked": header["asked"], "deadline": anchor["deadline"]}
    if workspace.storage.exists(layout.summary_file(batch)):
        return report | {"started": 0, "existing": header["asked"], "refused": 0, "remaining": 0}
    prefix = loop_prefix(workspace.pipeline.name, batch)
    created_after = datetime.fromisoformat(anchor["created_after"])
    there = {
        name
        for name, _ in list_loops(workspace.clients.a2i, header["flow_definition_arn"], created_after)
        if is_loop_of(prefix, name)
    }
    missing = [question for question in read_questions(workspace, batch) if question.loop not in there]
    refused: dict[str, str] = {}
    started, full = 0, False
    for chunk in _chunks(missing, THREADS * 4):
        outcomes = list(in_parallel(_starter(workspace.clients.a2i, header["flow_definition_arn"]), chunk))
        started += sum(outcome is STARTED for outcome in outcomes)
        full = any(outcome is NO_ROOM for outcome in outcomes)
        for question, outcome in zip(chunk, outcomes, strict=True):
            if outcome is not STARTED and outcome is not NO_ROOM:
                refused[question.loop] = outcome
        if full:
            break
    if refused and len(refused) == header["asked"]:
        raise NotSetUp(f"every question of {batch} was refused; the first: {next(iter(refused.values()))}")
    if refused:
        workspace.storage.write_json(_refused_location(batch), refused)
    return report | {
        "started": started,
        "existing": len(there),
        "refused": len(refused),
        "remaining": len(missing) - started - len(refused),
    }


def read_questions(workspace: Workspace, batch: str) -> Iterator[Question]:
    """The questions of a prepared batch, streamed."""
    location = layout.questions_file(batch)
    return (Question(**line) for line in workspace.storage.read_lines(location))


def read_unreadable(workspace: Workspace, batch: str) -> dict[str, str]:
    """Images that could not be asked about, with the reason."""
    return dict(workspace.storage.read_json(layout.questions_header(batch))["unreadable"])


def read_refused(workspace: Workspace, batch: str) -> dict[str, str]:
    """Loops that the review plane refused for good, with its reason."""
    return dict(workspace.storage.find_json(_refused_location(batch)) or {})


# The two outcomes of a start that are not a refusal; a refusal is the reason itself.
STARTED = "started"
NO_ROOM = "no room"


def _anchor(workspace: Workspace, batch: str, header: dict[str, Any]) -> dict[str, Any]:
    """When asking began, and until when answers are waited for: the clock is read once per batch."""
    now = datetime.now(UTC)
    return dict(
        workspace.storage.write_json_once(
            layout.started_file(batch),
            {
                "flow_definition_arn": header["flow_definition_arn"],
                "asked": header["asked"],
                "started_at": now.isoformat(timespec="seconds"),
                "created_after": (now - CLOCK_SLACK).isoformat(timespec="seconds"),
                "deadline": (now + timedelta(hours=workspace.pipeline.review.deadline_hours)).isoformat(
                    timespec="seconds"
                ),
            },
        )
    )


def _starter(a2i: AugmentedAIRuntimeClient, arn: str) -> Any:
    def start_one(question: Question) -> str:
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
                return NO_ROOM
            # 409: the name is taken by a loop with other input; 400: the request itself. Neither gets better.
            if error_code(error) in {"ConflictException", "ValidationException"}:
                return f"could not be started: {error_code(error)}: {error.response['Error'].get('Message')}"
            raise
        return STARTED

    return start_one


def _chunks(items: Sequence[Question], size: int) -> Iterator[Sequence[Question]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _refused_location(batch: str) -> str:
    return layout.refused_file(batch)
