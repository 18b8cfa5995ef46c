"""Which images of a batch people should look at, and what that will take.

Takes the batch's predictions, gives ``runs/dt=D/triage.parquet``: one row per image with decision, reason,
and the expected seconds and dollars. The pipeline's strategy (strategies.py) raises doubts, a small random
share is audited whatever the model says, and a cap bounds the night. Without a champion the choice is random.
All randomness is a hash of the image's content: the same batch is always triaged the same way. The bytes of
every image that is to be asked about are read first (looks.py): what nobody can see is not asked, and the
same bytes are asked once.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from include.loop.config import ReviewSettings, TriageSettings
from include.loop.core import layout
from include.loop.core.identity import share
from include.loop.nightly.batch import Batch, read_batch
from include.loop.nightly.contents import Contents
from include.loop.nightly.looks import Look, LookAt, look_at
from include.loop.nightly.predictions import Predicted, read_predictions
from include.loop.nightly.second_look import Again, to_ask
from include.loop.strategies import AUDIT, ImageScores, find_strategy
from include.loop.workspace import Workspace


class Decision(StrEnum):
    ASK = "ask"
    SKIP = "skip"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Row:
    """One image. ``top_score`` is None without a prediction; seconds and dollars are for all its reviewers
    together. ``sha256`` of the bytes, width and height (stored pixels) are known where somebody looked, and
    nowhere in files of earlier versions. ``same_as`` is the image of this night that is asked in its place;
    ``again`` the set-aside night whose image it is, when it is asked about once more (second_look.py).
    """

    image: str
    etag: str
    top_score: float | None
    detections: int
    decision: Decision
    reason: str
    expected_seconds: float = 0.0
    expected_dollars: float = 0.0
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    same_as: str | None = None
    again: str | None = None


def triage(
    workspace: Workspace, batch: str, threshold: float | None = None, cap: int | None = None
) -> dict[str, Any]:
    """Decide about every image of the batch; the counts of the decisions.

    ``threshold`` and ``cap`` take the place of the pipeline's for this night. Decisions are final as soon as
    the questions are written; until then (a plan, a crash) they are made anew.
    """
    location = layout.triage_file(batch)
    if not workspace.storage.exists(layout.questions_header(batch)):
        given = {"threshold": threshold, "cap": cap}
        changes = {name: value for name, value in given.items() if value is not None}
        settings = workspace.pipeline.triage.model_copy(update=changes)
        write_rows(workspace, batch, _rows(workspace, read_batch(workspace, batch), settings))
    return summarise(batch, read_rows(workspace, batch)) | {"triage_uri": workspace.storage.uri(location)}


def read_rows(workspace: Workspace, batch: str) -> list[Row]:
    """The rows of a triaged batch, in the batch's order."""
    import pyarrow.parquet as pq

    body = workspace.storage.read(layout.triage_file(batch))
    rows = pq.read_table(io.BytesIO(body)).to_pylist()
    return [Row(**row | {"decision": Decision(row["decision"])}) for row in rows]


def write_rows(workspace: Workspace, batch: str, rows: Sequence[Row]) -> None:
    workspace.storage.write(layout.triage_file(batch), _to_parquet(rows))


def summarise(batch: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Counts, and what asking will take."""
    return {
        "batch": batch,
        "images": sum(row.again is None for row in rows),
        **{str(decision): sum(row.decision is decision for row in rows) for decision in Decision},
        "audit": sum(row.decision is Decision.ASK and row.reason == AUDIT for row in rows),
        "again": sum(row.decision is Decision.ASK and row.again is not None for row in rows),
        "expected_seconds": round(sum(row.expected_seconds for row in rows), 1),
        "expected_dollars": round(sum(row.expected_dollars for row in rows), 2),
    }


def choose(
    predictions: Iterable[Predicted],
    settings: TriageSettings,
    look: LookAt | None = None,
    again: Sequence[Again] = (),
) -> list[Row]:
    """One row per prediction, after those of the few images that are asked ``again``: these come first, then
    audits, then the doubtful ones, most urgent first, up to the cap.

    Without ``look`` every image is as good to ask about as its prediction.
    """
    doubt_of = find_strategy(settings.strategy)
    rows = _again(again)
    candidates: list[tuple[tuple[int, float, str], int, str]] = []
    for index, prediction in enumerate(predictions, start=len(rows)):
        if prediction.problem is not None:
            rows.append(
                Row(prediction.uri, prediction.etag, None, 0, Decision.UNREADABLE, prediction.problem)
            )
            continue
        scores = ImageScores(prediction.said, share("strategy", prediction.etag))
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


def _rows(workspace: Workspace, pinned: Batch, settings: TriageSettings) -> list[Row]:
    look = look_at(workspace, Contents(workspace, pinned.batch))
    if pinned.champion is None:  # nothing was tried, so no night is set aside
        rows = _choose_blindly(pinned, settings.cap, look)
    else:
        again = to_ask(workspace, pinned.batch, settings.cap, {image.uri for image in pinned.images})
        rows = choose(read_predictions(workspace, pinned), settings, look, again)
    return [with_cost(row, workspace.pipeline.review) for row in rows]


def _again(images: Iterable[Again]) -> list[Row]:
    return [
        Row(item.image, item.etag, None, 0, Decision.SKIP, item.reason, again=item.night) for item in images
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


def _to_parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("image", pa.string()),
            ("etag", pa.string()),
            ("top_score", pa.float64()),
            ("detections", pa.int32()),
            ("decision", pa.string()),
            ("reason", pa.string()),
            ("expected_seconds", pa.float64()),
            ("expected_dollars", pa.float64()),
            ("sha256", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("same_as", pa.string()),
            ("again", pa.string()),
        ]
    )
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()
