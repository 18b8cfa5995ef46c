"""The tables of a batch's parts, as Parquet: some thousand rows each, read and written alone.

Takes and gives rows as plain dicts, or columns as a pandas frame. Nothing here holds more than one part.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from include.loop.core.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

# Rows of one part: a part's images are predicted on, judged and tried again together, and are some megabytes.
PART_ROWS = 10_000

# A column's name and the name of its Arrow type.
Columns = Mapping[str, str]


def encode(rows: Iterable[Mapping[str, Any]], columns: Columns) -> bytes:
    """Rows as the bytes of a table, which depend on nothing but the rows. A value may be None."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), sink)
    return sink.getvalue()


def read_rows(storage: Storage, location: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a table. FileNotFoundError when there is none."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(
        io.BytesIO(storage.read(location)), columns=None if columns is None else list(columns)
    ).to_pylist()
    return rows


def read_frame(storage: Storage, location: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The same as a frame; <NA> is what a row does not know. A column that the table does not have is left
    out.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    body = storage.read(location)
    if columns is not None:  # earlier versions had fewer
        there = pq.read_schema(io.BytesIO(body)).names
        columns = [name for name in columns if name in there]
    return pd.read_parquet(io.BytesIO(body), columns=columns, dtype_backend="pyarrow")
