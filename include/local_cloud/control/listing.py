"""List operations: filters, order and pages, the same for every kind of resource.

Takes the validated parameters of a List request, gives documents and the next token. A token names the last
row that was given, not an offset, so rows that come or go between two pages neither repeat nor hide others.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from include.local_cloud.store import Document, Kind, Row, Store
from include.wire import AwsError, strictjson

DEFAULT_PAGE = 10
_COLUMNS = {"Name": "name", "CreationTime": "created", "Status": "status"}
_TIMES = (
    ("CreationTimeAfter", "created >= ?"),
    ("CreationTimeBefore", "created <= ?"),
    ("LastModifiedTimeAfter", "modified >= ?"),
    ("LastModifiedTimeBefore", "modified <= ?"),
)


def page(
    store: Store,
    kind: Kind,
    params: Document,
    *,
    order: str = "Descending",
    status_after_the_cut: bool = False,
    further: Sequence[tuple[str, Any]] = (),
) -> tuple[list[Document], str | None]:
    """One page of documents, each with its ``LastModifiedTime``, and the token of the next page or None.

    ``order`` is the operation's documented default. ListTrainingJobs applies StatusEquals after the page
    was cut (``status_after_the_cut``): its pages may be short, or empty, and still have a next token.
    ``further`` are conditions of the operation's own, as ``Store.rows`` takes them.
    """
    column = _COLUMNS[params.get("SortBy", "CreationTime")]
    descending = params.get("SortOrder", order) == "Descending"
    size = params.get("MaxResults", DEFAULT_PAGE)
    where: list[tuple[str, Any]] = [
        *further,
        *((condition, params[name].timestamp()) for name, condition in _TIMES if params.get(name)),
    ]
    if text := params.get("NameContains"):
        where.append(("instr(lower(name), ?) > 0", text.lower()))
    status = params.get("StatusEquals")
    if status and not status_after_the_cut:
        where.append(("status = ?", status))
    if token := params.get("NextToken"):
        where.append((f"({column}, name) {'<' if descending else '>'} (?, ?)", _read_token(token, column)))
    way = "DESC" if descending else "ASC"
    found = store.rows(kind, where, f"{column} {way}, name {way}", size + 1)
    rows, more = found[:size], len(found) > size
    token = _write_token(column, rows[-1]) if more else None
    if status and status_after_the_cut:
        rows = [row for row in rows if row.status == status]
    return [
        row.document | {"LastModifiedTime": datetime.fromtimestamp(row.modified, UTC)} for row in rows
    ], token


def _write_token(column: str, row: Row) -> str:
    return base64.urlsafe_b64encode(json.dumps([column, getattr(row, column), row.name]).encode()).decode()


def _read_token(token: str, column: str) -> tuple[Any, str]:
    try:
        sorted_by, value, name = strictjson.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error):
        sorted_by = value = name = None
    if sorted_by != column or not isinstance(value, str | float) or not isinstance(name, str):
        raise AwsError("ValidationException", "NextToken is not of this list: ask again without it")
    return value, name
