"""The triage of a batch: one row per image with its decision, in Parquet tables that pandas reads.

``triage/part-00000.parquet``, … have what the model's answers say of each image; ``triage.parquet`` has the
rows of the images that somebody has looked at, which take the place of those in the parts; ``triage.json``
says how much is in the parts. Version 1 had every row in ``triage.parquet``, and neither of the others.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from include.loop.core import layout
from include.loop.core.records import tables
from include.loop.core.records.base import Record
from include.loop.core.storage import Storage

if TYPE_CHECKING:
    import pandas as pd


class Decision(StrEnum):
    ASK = "ask"
    SKIP = "skip"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Row:
    """One image. ``top_score`` is None without a prediction, ``scores`` is how many it has, ``shown`` how
    many of them a person begins with, and ``top_class`` the class of the best one (both None where nobody
    knows, and in files of earlier versions); seconds and dollars are for all its reviewers together.
    ``sha256`` of the bytes, width and height (stored pixels) are known where somebody looked, and nowhere in
    files of earlier versions. ``same_as`` is the image of this batch that is asked in its place; ``again``
    the set-aside batch whose image it is, when it is asked about once more (second_look.py). ``share`` is the
    strategy that named it, or what is asked whatever a strategy says; None in files of earlier versions.
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
    shown: int | None = None
    share: str | None = None
    top_class: int | None = None


@dataclass(frozen=True, order=True)
class Rank:
    """An image's place among those that people might be asked about: first the ``audit`` ones by ``value``,
    then the others, the smaller value first.
    """

    doubt: bool
    value: float


@dataclass(frozen=True)
class Weighed:
    """One image of a part by what the model says: its row, as it stays when it is not looked at; with a
    ``rank``, people might be asked about it, for the reason ``why``. That is what the first strategy of a
    batch says, or an audit; ``further`` has rank and reason of others that might ask about it, by name.
    """

    row: Row
    rank: Rank | None = None
    why: str = ""
    further: Mapping[str, tuple[Rank, str]] = field(default_factory=dict)


class TriageSummary(Record):
    """A batch whose images have been decided about: ``images`` in so many ``parts``, of which ``unreadable``
    could not be judged and were not looked at. What was looked at is counted in its own table.

    Of the images with a prediction ``audit_share`` were to be audits (None in earlier versions, and without a
    model). What asking takes was told from so many ``answers`` (0: from the settings), and nine times of ten
    it takes no more and no less than by the share ``spread``. ``budget`` is the seconds that there were
    (None: no limit).
    """

    LOCATION = staticmethod(layout.triage_header)

    parts: int
    images: int
    unreadable: int
    audit_share: float | None = None
    answers: int = 0
    spread: float | None = None
    budget: float | None = None


COLUMNS = [field.name for field in fields(Row)]
NUMBERS = {
    "top_score": "double",
    "scores": "int32",
    "expected_seconds": "double",
    "expected_dollars": "double",
    "width": "int32",
    "height": "int32",
    "shown": "int32",
    "top_class": "int32",
}
PART_COLUMNS = {
    "image": "string",
    "etag": "string",
    "top_score": "double",
    "scores": "int32",
    "decision": "string",
    "reason": "string",
    "doubt": "bool",
    "value": "double",
    "why": "string",
    "shown": "int32",
    "top_class": "int32",
}


def read_looked_at(storage: Storage, batch: str) -> list[Row]:
    """The rows of the images that were looked at. FileNotFoundError before the batch is triaged."""
    return rows_of(_read_frame(storage, batch))


def write_looked_at(storage: Storage, batch: str, rows: Iterable[Row]) -> None:
    sink = io.BytesIO()
    frame_of(rows).to_parquet(sink, engine="pyarrow", index=False)
    storage.write(layout.triage_file(batch), sink.getvalue())


def read_frames(storage: Storage, batch: str, columns: Sequence[str] = COLUMNS) -> Iterator[pd.DataFrame]:
    """Every image once, with its decision, some columns of ``Row``: first what was looked at, then the rest
    of each part. <NA> is what a row does not know. FileNotFoundError before the batch is triaged.
    """
    looked_at = _read_frame(storage, batch)
    yield looked_at[list(columns)]
    summary = TriageSummary.find(storage, batch)
    wanted = [name for name in columns if name in PART_COLUMNS]
    for part in range(summary.parts if summary else 0):
        frame = tables.read_frame(storage, layout.triage_part(batch, part), sorted({*wanted, "image"}))
        rest = frame[~frame["image"].isin(looked_at["image"])]
        yield _typed(rest.reindex(columns=COLUMNS))[list(columns)]


def write_part(
    storage: Storage, batch: str, part: int, weighed: Iterable[Weighed], further: Sequence[str] = ()
) -> None:
    """``further`` are the strategies after the first; what they say has columns with their names."""

    def values(item: Weighed) -> dict[str, Any]:
        ranks = {**({"": (item.rank, item.why)} if item.rank else {}), **item.further}
        found: dict[str, Any] = {name: getattr(item.row, name, None) for name in PART_COLUMNS}
        for name, (rank, why) in ranks.items():
            found |= {"doubt": rank.doubt, column_of("value", name): rank.value, column_of("why", name): why}
        return found

    columns = PART_COLUMNS | {
        column_of(column, name): PART_COLUMNS[column] for name in further for column in ("value", "why")
    }
    storage.write(layout.triage_part(batch, part), tables.encode(map(values, weighed), columns))


def read_ranks(storage: Storage, batch: str, part: int, further: Sequence[str] = ()) -> pd.DataFrame:
    """Of a part's rows in their order: ``decision``, and ``doubt`` and ``value`` of their rank, that of a
    further strategy under the name that ``column_of`` gives; <NA> where it names nothing, or had no share yet
    when they were weighed.
    """
    columns = ["decision", "doubt", "value", *(column_of("value", name) for name in further)]
    return tables.read_frame(storage, layout.triage_part(batch, part), columns).reindex(columns=columns)


def read_weighed(
    storage: Storage, batch: str, part: int, places: Sequence[int], further: str = ""
) -> list[Weighed]:
    """Some rows of a part, by their places in it, as the first strategy or a further one has them."""
    frame = tables.read_frame(storage, layout.triage_part(batch, part)).iloc[list(places)]
    rows = rows_of(_typed(frame.reindex(columns=COLUMNS)))
    ranks = zip(
        frame["doubt"], frame[column_of("value", further)], frame[column_of("why", further)], strict=True
    )
    return [
        Weighed(row, Rank(bool(doubt), float(value)), why)
        for row, (doubt, value, why) in zip(rows, ranks, strict=True)
    ]


def column_of(name: str, strategy: str) -> str:
    """The column of a part's table that has this of a strategy; that of the first one (``""``) is plain."""
    return f"{name}:{strategy}" if strategy else name


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """A table row by row."""
    plain = frame.astype(object)
    values: list[Any] = plain.where(plain.notna(), None).to_dict("records")
    return [Row(**value | {"decision": Decision(value["decision"])}) for value in values]


def frame_of(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as a table."""
    import pandas as pd

    return _typed(pd.DataFrame([vars(row) for row in rows], columns=COLUMNS, dtype=object))


def _read_frame(storage: Storage, batch: str) -> pd.DataFrame:
    frame = tables.read_frame(storage, layout.triage_file(batch))
    # Earlier versions had fewer columns, and one of another name.
    return _typed(frame.rename(columns={"detections": "scores"}).reindex(columns=COLUMNS))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """With types that do not depend on what the rows hold: a column may be empty."""
    return frame.astype({name: f"{NUMBERS.get(name, 'string')}[pyarrow]" for name in COLUMNS})
