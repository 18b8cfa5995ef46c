"""The labels of a night: every answer that can be used, every record that cannot, committed once.

Takes the loops of a batch and those of earlier nights that were still open, gives ``labels/dt=D/``:
quarantine.jsonl, augmented.manifest and, written last as the commit mark, summary.json. A committed shard
never changes: a rerun returns it. What is still open then is picked up by the next night that commits. Knows
loops, answers, consensus and manifest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from include.loop.core import layout
from include.loop.core.errors import BadRecord
from include.loop.core.storage import error_code, in_parallel
from include.loop.nightly.batch import read_batch
from include.loop.nightly.compose import Question
from include.loop.nightly.contents import let_go
from include.loop.nightly.human_loops import HumanLoopStatus, list_loops
from include.loop.nightly.questions import read_questions, read_refused, read_unreadable
from include.loop.nightly.triage import Decision, Row, read_rows
from include.loop.tasks.a2i_output import MOST_BYTES
from include.loop.tasks.values import Answer, Origin, ReviewersDisagree
from include.loop.trials.shards import committed_shards
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Quarantined:
    """One record that could not be used: where it was met (batch, predict, ask, answer) and why; ``said`` is
    what each worker drew, where they disagree.
    """

    stage: str
    image: str
    reason: str
    batch: str
    loop: str | None = None
    worker: str | None = None
    said: dict[str, list[str]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Without the fields that do not apply."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Outcome:
    """What became of one question; with neither label nor problem it is still open. ``sha256`` is that of its
    image, ``copies`` the other images of its night with the same bytes.
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


def assemble(workspace: Workspace, batch: str) -> dict[str, Any]:
    """Collect and commit the shard of a batch; the counts of its summary."""
    summary_location = layout.summary_file(batch)
    summary = workspace.storage.find_json(summary_location)
    if summary is None:
        summary = workspace.storage.write_json_once(summary_location, _collect(workspace, batch))
    counts = {name: value for name, value in summary.items() if name not in {"open_loops", "late_loops"}}
    # Shards of earlier versions took "no majority" for "nothing there", and asked about every copy.
    return (
        {"disagreed": 0}
        | counts
        | {
            "open": len(summary["open_loops"]),
            "late": len(summary["late_loops"]),
            "manifest_uri": workspace.storage.uri(layout.labels_manifest(batch)),
            "quarantine_uri": workspace.storage.uri(layout.quarantine_file(batch)),
            "summary_uri": workspace.storage.uri(summary_location),
        }
    )


def reasons(workspace: Workspace, batch: str) -> list[tuple[str, int, str]]:
    """Why records of a committed batch could not be used, most frequent first: reason, how many, and one of
    the objects.
    """
    lines = list(workspace.storage.read_lines(layout.quarantine_file(batch)))
    example = {line["reason"]: line["image"] for line in reversed(lines)}
    counts = Counter(line["reason"] for line in lines)
    return [(reason, count, example[reason]) for reason, count in counts.most_common()]


def _collect(workspace: Workspace, batch: str) -> dict[str, Any]:
    mine = list(_settle(workspace, batch, read_questions(workspace, batch), final=False))
    late = list(_settle_earlier_nights(workspace, batch))
    settled = [outcome for outcome in (*mine, *late) if not outcome.open]
    labels = [outcome.label for outcome in settled if outcome.label is not None]
    lines = [line for outcome in settled for line in outcome.lines]
    lines.sort(key=lambda value: (value["source-ref"], value["loop"]))
    problems = [problem for outcome in settled for problem in outcome.problems]
    problems += _problems_before_asking(workspace, batch)
    problems.sort(key=lambda item: (item.image, item.loop or "", item.worker or "", item.reason))
    answers = [answer for outcome in settled for answer in outcome.answers]
    _let_go(workspace, settled)
    # The order is the commit: a reader trusts the manifest only when the summary is there.
    workspace.storage.write_lines(layout.quarantine_file(batch), (item.to_dict() for item in problems))
    workspace.storage.write_lines(layout.labels_manifest(batch), lines)
    return {
        "batch": batch,
        "asked": len(mine),
        "labels": len(labels),
        "copies": len(lines) - len(labels),
        "negatives": sum(workspace.task.is_negative(line) for line in labels),
        "disagreed": sum(problem.said is not None for problem in problems),
        "answers": len(answers),
        "quarantined": len(problems),
        "reviewer_seconds": round(sum(answer.seconds or 0.0 for answer in answers), 1),
        "open_loops": sorted(outcome.loop for outcome in mine if outcome.open),
        "late_loops": sorted([outcome.batch, outcome.loop] for outcome in late if not outcome.open),
    }


def _settle(
    workspace: Workspace, batch: str, questions: Iterable[Question], final: bool
) -> Iterator[Outcome]:
    """What became of each question. ``final``: an answer that is not in S3 by now will not come."""
    started = workspace.storage.read_json(layout.started_file(batch))
    refused = read_refused(workspace, batch)
    created_after = datetime.fromisoformat(started["created_after"])
    statuses = dict(list_loops(workspace.clients.a2i, started["flow_definition_arn"], created_after))
    reasons: dict[str, str] = {}
    copies: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_rows(workspace, batch):
        reasons[row.image] = row.reason
        if row.same_as:
            copies[row.same_as].append(row)

    def settle(question: Question) -> Outcome:
        if question.loop in refused:
            return _failed(question, batch, "ask", refused[question.loop])
        status = statuses.get(question.loop)
        if status is not None and status.is_open:
            return Outcome(question.loop, batch)
        outcome = _read_outcome(workspace, batch, question, reasons[question.image], final)
        return replace(outcome, copies=tuple(copies[question.image]))

    return in_parallel(settle, questions)


def _settle_earlier_nights(workspace: Workspace, batch: str) -> Iterator[Outcome]:
    """Loops that were open when their own night was committed, unless another shard has taken them since."""
    waiting: dict[str, set[str]] = {}
    taken: set[str] = set()
    for shard, summary in committed_shards(workspace.storage):
        if summary["open_loops"]:
            waiting[shard] = set(summary["open_loops"])
        taken |= {loop for _, loop in summary["late_loops"]}
    for shard, loops in waiting.items():
        if left := loops - taken:
            questions = (item for item in read_questions(workspace, shard) if item.loop in left)
            yield from _settle(workspace, shard, questions, final=True)


def _read_outcome(
    workspace: Workspace, batch: str, question: Question, asked_because: str, final: bool
) -> Outcome:
    """Describe one loop that has ended (the listing has neither its output's place nor its failure code)."""
    try:
        loop = workspace.clients.a2i.describe_human_loop(HumanLoopName=question.loop)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return _failed(question, batch, "ask", "loop does not exist (never started, or deleted)")
    status = HumanLoopStatus(loop["HumanLoopStatus"])
    if status.is_open:
        return Outcome(question.loop, batch)
    if not status.has_answers:
        why = ": ".join(loop[name] for name in ("FailureCode", "FailureReason") if loop.get(name))
        return _failed(question, batch, "answer", f"loop {status}" + (f": {why}" if why else ""))
    try:
        body = workspace.storage.read(loop["HumanLoopOutput"]["OutputS3Uri"], last_byte=MOST_BYTES)
    except (KeyError, FileNotFoundError):
        # A loop can be Completed before its output is in S3: the next night looks once more.
        return (
            _failed(question, batch, "answer", "output.json is missing")
            if final
            else Outcome(question.loop, batch)
        )
    return _read_answers(workspace, batch, question, asked_because, body)


def _read_answers(
    workspace: Workspace, batch: str, question: Question, asked_because: str, body: bytes
) -> Outcome:
    size = question.width, question.height
    try:
        answers, rejected = workspace.task.read_answers(body, question.loop, size)
    except BadRecord as error:
        return _failed(question, batch, "answer", str(error))
    problems = tuple(
        Quarantined("answer", question.image, item.reason, batch, question.loop, item.worker)
        for item in rejected
    )
    if not answers:
        return Outcome(question.loop, batch, problems=problems, sha256=question.sha256)
    origin = Origin(question.image, question.etag, size, question.loop, batch, asked_because)
    try:
        label = workspace.task.write_label(answers, origin)
    except ReviewersDisagree as error:
        said = {answer.worker: answer.said for answer in answers}
        both_sides = Quarantined("answer", question.image, str(error), batch, question.loop, said=said)
        problems = (*problems, both_sides)
        return Outcome(question.loop, batch, None, problems, tuple(answers), question.sha256)
    return Outcome(question.loop, batch, label, problems, tuple(answers), question.sha256)


def _failed(question: Question, batch: str, stage: str, reason: str) -> Outcome:
    problem = Quarantined(stage, question.image, reason, batch, question.loop)
    return Outcome(question.loop, batch, problems=(problem,), sha256=question.sha256)


def _let_go(workspace: Workspace, settled: Iterable[Outcome]) -> None:
    """What has no label may be asked about again. Before the commit: after it nobody would come back."""
    ended = [
        (item.sha256, item.loop, item.problems[-1].reason)
        for item in settled
        if item.label is None and item.sha256
    ]
    for _ in in_parallel(lambda item: let_go(workspace, *item), ended):
        pass


def _problems_before_asking(workspace: Workspace, batch: str) -> list[Quarantined]:
    """Everything of the night that never became a question."""
    pinned = read_batch(workspace, batch)
    problems = [Quarantined("batch", item.uri, item.reason, batch) for item in pinned.rejected]
    for row in read_rows(workspace, batch):
        if row.decision is Decision.UNREADABLE:
            problems.append(Quarantined("predict", row.image, row.reason, batch))
    for image, reason in read_unreadable(workspace, batch).items():
        problems.append(Quarantined("ask", image, reason, batch))
    return problems
