"""Which images of a batch people should look at, and what that will take.

Takes the batch's predictions, gives its triage table: one row per image with decision, reason, and the
expected seconds and dollars. The pipeline's strategy raises doubts, a small random share is audited whatever
the model says, and a cap bounds the batch. Without a champion the choice is random. All randomness is a hash
of the image's content: the same batch is always triaged the same way. The bytes of every image that is to be
asked about are read first (looks.py): what nobody can see is not asked, and the same bytes are asked once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from include.loop.config import ReviewSettings, TriageSettings
from include.loop.core import layout
from include.loop.core.identity import share
from include.loop.core.records.nightly import Batch
from include.loop.core.records.triage import Decision, Row, read_frame, write_rows
from include.loop.nightly.batch import read_batch
from include.loop.nightly.contents import Contents
from include.loop.nightly.looks import Look, LookAt, look_at
from include.loop.nightly.predictions import Predicted, read_predictions
from include.loop.nightly.references import read_references
from include.loop.nightly.second_look import Again, to_ask
from include.loop.strategies import AUDIT, ImageScores, find_strategy
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

# What a strategy is shown of a prediction.
Show = Callable[[Predicted], ImageScores]


@dataclass(frozen=True)
class TriageCounts:
    """How many images there are (without those that are asked ``again``), what was decided about how many,
    and what asking will take.
    """

    batch: str
    images: int
    ask: int
    skip: int
    unreadable: int
    audit: int
    again: int
    expected_seconds: float
    expected_dollars: float


@dataclass(frozen=True)
class TriagedBatch(TriageCounts):
    triage_uri: str


def triage(
    workspace: Workspace, batch: str, threshold: float | None = None, cap: int | None = None
) -> TriagedBatch:
    """Decide about every image of the batch; the counts of the decisions.

    ``threshold`` and ``cap`` take the place of the pipeline's for this batch. Decisions are final as soon as
    the questions are written; until then (a plan, a crash) they are made anew.
    """
    if not workspace.storage.exists(layout.questions_header(batch)):
        given = {"threshold": threshold, "cap": cap}
        changes = {name: value for name, value in given.items() if value is not None}
        settings = workspace.pipeline.triage.model_copy(update=changes)
        write_rows(workspace.storage, batch, _rows(workspace, read_batch(workspace, batch), settings))
    counts = count(batch, read_frame(workspace.storage, batch))
    return TriagedBatch(**asdict(counts), triage_uri=workspace.storage.uri(layout.triage_file(batch)))


def count(batch: str, table: pd.DataFrame) -> TriageCounts:
    """The counts of a triage table."""
    decided = table["decision"].value_counts()
    asked = table[table["decision"] == Decision.ASK]
    return TriageCounts(
        batch=batch,
        images=int(table["again"].isna().sum()),
        **{str(decision): int(decided.get(decision, 0)) for decision in Decision},
        audit=int((asked["reason"] == AUDIT).sum()),
        again=int(asked["again"].notna().sum()),
        expected_seconds=round(float(table["expected_seconds"].sum()), 1),
        expected_dollars=round(float(table["expected_dollars"].sum()), 2),
    )


def choose(
    predictions: Iterable[Predicted],
    settings: TriageSettings,
    look: LookAt | None = None,
    again: Sequence[Again] = (),
    show: Show | None = None,
) -> list[Row]:
    """One row per prediction, after those of the few images that are asked ``again``: these come first, then
    audits, then the doubtful ones, most urgent first, up to the cap.

    Without ``look`` every image is as good to ask about as its prediction; without ``show`` a strategy sees
    the scores alone.
    """
    doubt_of = find_strategy(settings.strategy).doubt
    show = show or scores_of
    rows = _again(again)
    candidates: list[tuple[tuple[int, float, str], int, str]] = []
    for index, prediction in enumerate(predictions, start=len(rows)):
        if prediction.problem is not None:
            rows.append(
                Row(prediction.uri, prediction.etag, None, 0, Decision.UNREADABLE, prediction.problem)
            )
            continue
        scores = show(prediction)
        doubt = doubt_of(scores, settings.threshold)
        rows.append(
            Row(prediction.uri, prediction.etag, scores.top, len(scores.scores), Decision.SKIP, doubt.reason)
        )
        dice = share("audit", prediction.etag)
        if dice < settings.audit_share:
            # An audit says what the model gets wrong while it feels sure: the cap must not squeeze it out.
            candidates.append(((0, dice, prediction.uri), index, AUDIT))
        elif doubt.ask:
            candidates.append(((1, -doubt.urgency, prediction.uri), index, doubt.reason))
    order = [(index, item.reason) for index, item in enumerate(again)]
    order += [(index, reason) for _, index, reason in sorted(candidates)]
    return _ask(rows, order, settings.cap, look)


def scores_of(prediction: Predicted) -> ImageScores:
    """What every strategy sees."""
    return ImageScores(prediction.said, share("strategy", prediction.etag))


def _rows(workspace: Workspace, pinned: Batch, settings: TriageSettings) -> list[Row]:
    look = look_at(workspace, Contents(workspace, pinned.batch))
    if pinned.champion is None:  # nothing was tried, so no batch is set aside
        rows = _choose_blindly(pinned, settings.cap, look)
    else:
        again = to_ask(workspace, pinned.batch, settings.cap, {image.uri for image in pinned.images})
        rows = choose(
            read_predictions(workspace, pinned), settings, look, again, _show(workspace, pinned, settings)
        )
    return [with_cost(row, workspace.pipeline.review) for row in rows]


def _show(workspace: Workspace, pinned: Batch, settings: TriageSettings) -> Show:
    """The scores in the light of the pipeline: its classes, and what is known of the batch's images."""
    images = {image.uri for image in pinned.images}
    references = read_references(workspace, settings.references, images) if settings.references else {}

    def show(prediction: Predicted) -> ImageScores:
        known = references.get(prediction.uri)
        scores = replace(
            scores_of(prediction),
            multi_label=workspace.pipeline.multi_label,
            classes=workspace.pipeline.classes,
        )
        if isinstance(known, frozenset):
            return replace(scores, reference=known)
        return replace(scores, no_reference=known) if known else scores

    return show


def _again(images: Iterable[Again]) -> list[Row]:
    return [
        Row(item.image, item.etag, None, 0, Decision.SKIP, item.reason, again=item.batch) for item in images
    ]


def _choose_blindly(pinned: Batch, cap: int, look: LookAt) -> list[Row]:
    """No model yet: any images will do."""
    rows = [Row(image.uri, image.etag, None, 0, Decision.SKIP, "") for image in pinned.images]
    order = sorted(range(len(rows)), key=lambda index: (share("blind", rows[index].etag), rows[index].image))
    return _ask(rows, [(index, "no model yet") for index in order], cap, look)


def _ask(rows: list[Row], order: Sequence[tuple[int, str]], cap: int, look: LookAt | None) -> list[Row]:
    """Ask about the first of the order, as many as the cap allows, with the reason that each one has."""
    waiting, asked = deque(order), 0
    first: dict[str, str] = {}  # by content, the image that is asked about
    while waiting and asked < cap:
        # Not one image is read that the cap leaves no room for.
        chosen = [waiting.popleft() for _ in range(min(cap - asked, len(waiting)))]
        images = [(rows[index].image, rows[index].etag) for index, _ in chosen]
        looks = look(images) if look else (Look() for _ in images)
        for (index, reason), seen in zip(chosen, looks, strict=True):
            rows[index] = _decide(rows[index], reason, seen, first)
            asked += rows[index].decision is Decision.ASK
    for index, reason in waiting:
        rows[index] = replace(rows[index], reason=f"{reason}; {_over_cap(cap)}")
    return rows


def _decide(row: Row, reason: str, seen: Look, first: dict[str, str]) -> Row:
    row = replace(row, sha256=seen.sha256, width=seen.width, height=seen.height)
    if seen.problem:
        return replace(row, decision=Decision.UNREADABLE, reason=seen.problem)
    if seen.known:
        return replace(row, decision=Decision.SKIP, reason=seen.known)
    if seen.sha256 in first:
        asked = first[seen.sha256]
        return replace(row, decision=Decision.SKIP, reason=same_as(asked), same_as=asked)
    if seen.sha256:
        first[seen.sha256] = row.image
    return replace(row, decision=Decision.ASK, reason=reason)


def same_as(image: str) -> str:
    """The reason of an image whose bytes are asked about under another name."""
    return f"same bytes as {image}"


def _over_cap(cap: int) -> str:
    return f"over the cap of {cap}"


def with_cost(row: Row, review: ReviewSettings) -> Row:
    """The row with what asking about it takes: nothing when nobody is asked."""
    if row.decision is not Decision.ASK:
        return replace(row, expected_seconds=0.0, expected_dollars=0.0)
    seconds = review.seconds_per_image * review.task_count
    return replace(
        row, expected_seconds=seconds, expected_dollars=round(seconds / 3600 * review.dollars_per_hour, 6)
    )
