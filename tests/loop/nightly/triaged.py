"""The rows of a triaged batch, as a person would read them."""

from __future__ import annotations

from collections.abc import Iterable

from include.loop.config import TriageSettings
from include.loop.core.records.triage import Row, read_frames, rows_of
from include.loop.core.storage import Storage
from include.loop.nightly.choosing import Show, ask, scores_of, weigh
from include.loop.nightly.looks import Look, LookAt
from include.loop.nightly.predictions import Predicted


def read_rows(storage: Storage, batch: str) -> list[Row]:
    """Every row, what is asked again first and the others in the order of their keys."""
    rows = [row for frame in read_frames(storage, batch) for row in rows_of(frame)]
    return sorted(rows, key=lambda row: (row.again is None, row.image))


def choose(
    predictions: Iterable[Predicted],
    settings: TriageSettings,
    look: LookAt | None = None,
    show: Show = scores_of,
) -> list[Row]:
    """What becomes of each prediction, in their order, as one part. Without ``look`` every image is as good
    to ask about as its prediction.
    """
    weighed = list(weigh(predictions, settings, show))
    ranked = sorted((item for item in weighed if item.rank), key=lambda item: (item.rank, item.row.image))
    candidates = [(item.row, item.why) for item in ranked]
    looked_at = ask(candidates, settings.cap, look or (lambda images: (Look() for _ in images)))
    decided = {row.image: row for row in looked_at}
    return [decided.get(item.row.image, item.row) for item in weighed]
