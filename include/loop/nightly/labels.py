"""The labels of a batch: every answer that can be used, every record that cannot, committed once.

Takes the loops of a batch and those of earlier batches that were still open, writes the quarantine, the
augmented manifest and, last as the commit mark, the ``LabelSummary``. A committed shard never changes: a
rerun returns it. What is still open then is picked up by the next batch that commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.loop.core import layout
from include.loop.core.records.nightly import LabelSummary, Quarantined
from include.loop.core.records.parts import rejected_objects
from include.loop.core.records.triage import Decision, read_frames
from include.loop.core.storage import in_parallel
from include.loop.nightly.batch import read_batch
from include.loop.nightly.contents import let_go
from include.loop.nightly.effort import times_of
from include.loop.nightly.questions import read_questions, read_unreadable
from include.loop.nightly.settle import Settled, settle
from include.loop.trials.shards import committed_shards
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class AssembledLabels:
    """The counts of a committed shard (see ``LabelSummary``); ``open`` loops are left to a later batch,
    ``late`` ones were taken from earlier ones.
    """

    batch: str
    asked: int
    labels: int
    copies: int
    negatives: int
    disagreed: int
    answers: int
    quarantined: int
    reviewer_seconds: float
    open: int
    late: int
    manifest_uri: str
    quarantine_uri: str
    summary_uri: str


def assemble(workspace: Workspace, batch: str) -> AssembledLabels:
    """Collect and commit the shard of a batch."""
    storage = workspace.storage
    summary = LabelSummary.find(storage, batch)
    if summary is None:
        summary = _collect(workspace, batch).write_once(storage, batch)
    return AssembledLabels(
        batch=batch,
        asked=summary.asked,
        labels=summary.labels,
        copies=summary.copies,
        negatives=summary.negatives,
        disagreed=summary.disagreed,
        answers=summary.answers,
        quarantined=summary.quarantined,
        reviewer_seconds=summary.reviewer_seconds,
        open=len(summary.open_loops),
        late=len(summary.late_loops),
        manifest_uri=storage.uri(layout.labels_manifest(batch)),
        quarantine_uri=storage.uri(Quarantined.location(batch)),
        summary_uri=storage.uri(LabelSummary.location(batch)),
    )


def reasons(workspace: Workspace, batch: str) -> list[tuple[str, int, str]]:
    """Why records of a committed batch could not be used, most frequent first: reason, how many, and one of
    the objects.
    """
    import pandas as pd

    lines = [(line.reason, line.image) for line in Quarantined.read_all(workspace.storage, batch)]
    table = pd.DataFrame(lines, columns=["reason", "image"])
    found = table.groupby("reason", sort=False)["image"].agg(["size", "first"])
    found = found.sort_values("size", ascending=False, kind="stable")
    return [(str(reason), int(count), str(image)) for reason, count, image in found.itertuples()]


def _collect(workspace: Workspace, batch: str) -> LabelSummary:
    mine = settle(workspace, batch, read_questions(workspace, batch), final=False)
    late = list(_settle_earlier(workspace, batch))
    settled = [item for item in (*mine, *late) if not item.open]
    labels = [item.label for item in settled if item.label is not None]
    lines = [line for item in settled for line in item.lines]
    lines.sort(key=lambda value: (value["source-ref"], value["loop"]))
    problems = [problem for item in settled for problem in item.problems]
    problems += _problems_before_asking(workspace, batch)
    problems.sort(key=lambda item: (item.image, item.loop or "", item.worker or "", item.reason))
    answers = [answer for item in settled for answer in item.answers]
    _let_go(workspace, settled)
    # The order is the commit: a reader trusts the manifest only when the summary is there.
    Quarantined.write_all(workspace.storage, problems, batch)
    workspace.storage.write_lines(layout.labels_manifest(batch), lines)
    return LabelSummary(
        batch=batch,
        asked=len(mine),
        labels=len(labels),
        copies=len(lines) - len(labels),
        negatives=sum(workspace.task.is_negative(line) for line in labels),
        disagreed=sum(problem.said is not None for problem in problems),
        answers=len(answers),
        quarantined=len(problems),
        reviewer_seconds=round(sum(answer.seconds or 0.0 for answer in answers), 3),
        times=times_of(
            (item.shown, min(answer.seconds, workspace.pipeline.review.time_limit_seconds))
            for item in settled
            for answer in item.answers
            if item.shown is not None and answer.seconds
        ),
        open_loops=tuple(sorted(item.loop for item in mine if item.open)),
        late_loops=tuple(sorted((item.batch, item.loop) for item in late if not item.open)),
    )


def _settle_earlier(workspace: Workspace, batch: str) -> Iterator[Settled]:
    """Loops that were open when their own batch was committed, unless another shard has taken them since."""
    waiting: dict[str, set[str]] = {}
    taken: set[str] = set()
    for shard, summary in committed_shards(workspace.storage, keep=True):
        if summary.open_loops:
            waiting[shard] = set(summary.open_loops)
        taken |= {loop for _, loop in summary.late_loops}
    for shard, loops in waiting.items():
        if left := loops - taken:
            questions = (item for item in read_questions(workspace, shard) if item.loop in left)
            yield from settle(workspace, shard, questions, final=True)


def _let_go(workspace: Workspace, settled: Iterable[Settled]) -> None:
    """What has no label may be asked about again. Before the commit: after it nobody would come back."""
    ended = [
        (item.sha256, item.loop, item.problems[-1].reason)
        for item in settled
        if item.label is None and item.sha256
    ]
    for _ in in_parallel(lambda item: let_go(workspace, *item), ended):
        pass


def _problems_before_asking(workspace: Workspace, batch: str) -> list[Quarantined]:
    """Everything of the batch that never became a question."""
    storage = workspace.storage
    rejected = rejected_objects(storage, read_batch(workspace, batch))
    pinned = [("batch", item.uri, item.reason) for item in rejected]
    predicted = [
        ("predict", image, reason)
        for table in read_frames(storage, batch, ["image", "decision", "reason"])
        for image, reason in table.loc[
            table["decision"] == Decision.UNREADABLE, ["image", "reason"]
        ].itertuples(index=False)
    ]
    asked = [("ask", image, reason) for image, reason in read_unreadable(workspace, batch).items()]
    return [
        Quarantined(stage=stage, image=image, reason=reason, batch=batch)
        for stage, image, reason in (*pinned, *predicted, *asked)
    ]
