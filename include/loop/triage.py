"""Which images of a batch people should look at, and what that will take.

Takes the batch's predictions, gives ``runs/dt=D/triage.parquet``: one row per image with decision, reason,
and the expected seconds and dollars. The pipeline's strategy (strategies.py) raises doubts, a small random
share is audited whatever the model says, and a cap bounds the night. Without a champion the choice is random.
All randomness is a hash of the image's content: the same batch is always triaged the same way.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from include.loop import layout
from include.loop.batch import Batch, read_batch
from include.loop.config import ReviewSettings, TriageSettings
from include.loop.errors import BadRecord
from include.loop.identity import share
from include.loop.images import check_image
from include.loop.predictions import Prediction, read_predictions
from include.loop.storage import MOST_BYTES, in_parallel
from include.loop.strategies import STRATEGIES
from include.loop.workspace import Workspace

AUDIT = "audit"  # the reason of an image that is asked about whatever the model says


class Decision(StrEnum):
    ASK = "ask"
    SKIP = "skip"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Row:
    """One image. ``top_score`` is None without a prediction; seconds and dollars are for all its reviewers
    together.
    """

    image: str
    etag: str
    top_score: float | None
    detections: int
    decision: Decision
    reason: str
    expected_seconds: float = 0.0
    expected_dollars: float = 0.0


def triage(
    workspace: Workspace, batch: str, threshold: float | None = None, cap: int | None = None
) -> dict[str, Any]:
    """Decide about every image of the batch; the counts of the decisions.

    ``threshold`` and ``cap`` take the place of the pipeline's for this night. Decisions are final as soon as
    the questions are written; until then (a plan, a crash) they are made anew.
    """
    location = layout.run_file(batch, "triage.parquet")
    if not workspace.storage.exists(layout.questions_header(batch)):
        given = {"threshold": threshold, "cap": cap}
        changes = {name: value for name, value in given.items() if value is not None}
        settings = workspace.pipeline.triage.model_copy(update=changes)
        workspace.storage.write(
            location, _to_parquet(_rows(workspace, read_batch(workspace, batch), settings))
        )
    return summarise(batch, read_rows(workspace, batch)) | {"triage_uri": workspace.storage.uri(location)}


def read_rows(workspace: Workspace, batch: str) -> list[Row]:
    """The rows of a triaged batch, in the batch's order."""
    import pyarrow.parquet as pq

    body = workspace.storage.read(layout.run_file(batch, "triage.parquet"))
    rows = pq.read_table(io.BytesIO(body)).to_pylist()
    return [Row(**row | {"decision": Decision(row["decision"])}) for row in rows]


def summarise(batch: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Counts, and what asking will take."""
    return {
        "batch": batch,
        "images": len(rows),
        **{str(decision): sum(row.decision is decision for row in rows) for decision in Decision},
        "audit": sum(row.decision is Decision.ASK and row.reason == AUDIT for row in rows),
        "expected_seconds": round(sum(row.expected_seconds for row in rows), 1),
        "expected_dollars": round(sum(row.expected_dollars for row in rows), 2),
    }


def choose(predictions: Iterable[Prediction], settings: TriageSettings) -> list[Row]:
    """One row per prediction: audits first, then the doubtful ones, most urgent first, up to the cap."""
    rule = STRATEGIES[settings.strategy]
    rows: list[Row] = []
    candidates: list[tuple[tuple[int, float, str], int, str]] = []
    for index, prediction in enumerate(predictions):
        if prediction.problem is not None:
            rows.append(
                Row(prediction.uri, prediction.etag, None, 0, Decision.UNREADABLE, prediction.problem)
            )
            continue
        scores = [item.score for item in prediction.detections]
        doubt = rule(scores, settings.threshold)
        top = max(scores, default=0.0)
        rows.append(Row(prediction.uri, prediction.etag, top, len(scores), Decision.SKIP, doubt.reason))
        dice = share("audit", prediction.etag)
        if dice < settings.audit_share:
            # An audit says what the model gets wrong while it feels sure: the cap must not squeeze it out.
            candidates.append(((0, dice, prediction.uri), index, AUDIT))
        elif doubt.ask:
            candidates.append(((1, -doubt.urgency, prediction.uri), index, doubt.reason))
    return _ask(rows, candidates, settings.cap)


def _rows(workspace: Workspace, pinned: Batch, settings: TriageSettings) -> list[Row]:
    if pinned.champion is None:
        rows = _choose_blindly(workspace, pinned, settings.cap)
    else:
        rows = choose(read_predictions(workspace, pinned), settings)
    return [_with_cost(row, workspace.pipeline.review) for row in rows]


def _choose_blindly(workspace: Workspace, pinned: Batch, cap: int) -> list[Row]:
    """No model yet: any images will do, as long as they can be opened (no model has opened them before)."""
    order = sorted(pinned.images, key=lambda image: (share("blind", image.etag), image.uri))
    decided: dict[str, tuple[Decision, str]] = {}
    asked = 0
    problems = _problems(workspace, [image.uri for image in order])
    for image in order:
        if asked >= cap:
            break
        problem = next(problems)
        decided[image.uri] = (Decision.UNREADABLE, problem) if problem else (Decision.ASK, "no model yet")
        asked += problem is None
    over = (Decision.SKIP, _over_cap(cap))
    rows = []
    for image in pinned.images:
        decision, reason = decided.get(image.uri, over)
        rows.append(Row(image.uri, image.etag, None, 0, decision, reason))
    return rows


def _problems(workspace: Workspace, images: Sequence[str]) -> Iterator[str | None]:
    def check(uri: str) -> str | None:
        try:
            check_image(workspace.storage.read(uri, most=MOST_BYTES))
        except BadRecord as error:
            return str(error)
        except FileNotFoundError:
            return "the object is gone"
        return None

    return in_parallel(check, images)


def _ask(rows: list[Row], candidates: list[tuple[tuple[int, float, str], int, str]], cap: int) -> list[Row]:
    for place, (_, index, reason) in enumerate(sorted(candidates)):
        if place < cap:
            rows[index] = replace(rows[index], decision=Decision.ASK, reason=reason)
        else:
            rows[index] = replace(rows[index], reason=f"{reason}; {_over_cap(cap)}")
    return rows


def _over_cap(cap: int) -> str:
    return f"over the cap of {cap}"


def _with_cost(row: Row, review: ReviewSettings) -> Row:
    if row.decision is not Decision.ASK:
        return row
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
        ]
    )
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=schema)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()
