"""The triage table of a batch: one row per image with its decision, as a parquet file that pandas reads."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from include.loop.core import layout
from include.loop.core.storage import Storage

if TYPE_CHECKING:
    import pandas as pd


class Decision(StrEnum):
    ASK = "ask"
    SKIP = "skip"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Row:
    """One image. ``top_score`` is None without a prediction, ``scores`` is how many it has; seconds and
    dollars are for all its reviewers together. ``sha256`` of the bytes, width and height (stored pixels) are
    known where somebody looked, and nowhere in files of earlier versions. ``same_as`` is the image of this
    batch that is asked in its place; ``again`` the set-aside batch whose image it is, when it is asked about
    once more (second_look.py).
    """

    image: str
    etag: str
    top_score: float | None
    scores: int
    decision: Decision
    reason: str
    expected_seconds: float = 0.0
    expected_dollars: float = 0.0
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    same_as: str | None = None
    again: str | None = None


COLUMNS = [field.name for field in fields(Row)]
NUMBERS = {
    "top_score": "double",
    "scores": "int32",
    "expected_seconds": "double",
    "expected_dollars": "double",
    "width": "int32",
    "height": "int32",
}


def read_frame(storage: Storage, batch: str) -> pd.DataFrame:
    """The table in the batch's order, with every column of ``Row``; <NA> is what a row does not know.
    FileNotFoundError before the batch is triaged.
    """
    import pandas as pd

    body = storage.read(layout.triage_file(batch))
    frame = pd.read_parquet(io.BytesIO(body), dtype_backend="pyarrow")
    # Earlier versions had fewer columns, and one of another name.
    return _typed(frame.rename(columns={"detections": "scores"}).reindex(columns=COLUMNS))


def read_rows(storage: Storage, batch: str) -> list[Row]:
    """The same, row by row."""
    frame = read_frame(storage, batch).astype(object)
    values: list[Any] = frame.where(frame.notna(), None).to_dict("records")
    return [Row(**value | {"decision": Decision(value["decision"])}) for value in values]


def write_rows(storage: Storage, batch: str, rows: Iterable[Row]) -> None:
    sink = io.BytesIO()
    frame_of(rows).to_parquet(sink, engine="pyarrow", index=False)
    storage.write(layout.triage_file(batch), sink.getvalue())


def frame_of(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as a table."""
    import pandas as pd

    return _typed(pd.DataFrame([vars(row) for row in rows], columns=COLUMNS, dtype=object))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """With types that do not depend on what the rows hold: a column may be empty."""
    return frame.astype({name: f"{NUMBERS.get(name, 'string')}[pyarrow]" for name in COLUMNS})
