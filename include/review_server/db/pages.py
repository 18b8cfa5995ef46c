"""Pages of a listing: filters by time, order, and a token that says where the next page begins.

Pages are found by key, not by offset: the ten-thousandth costs what the first does, and a row that comes or
goes meanwhile shifts nothing. It works on any table with ``created_at`` and ``id``.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Select, String, inspect, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from include.review_server.db.models import FlowDefinition, HumanLoop, HumanTaskUi, LabelingJob, Moment
from include.wire import AwsError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 100

Row = TypeVar("Row", FlowDefinition, HumanLoop, HumanTaskUi, LabelingJob)
Column = InstrumentedAttribute[Any]


def page(
    session: Session,
    query: Select[Row],
    table: type[Row],
    params: Mapping[str, Any],
    by: Mapping[str, Column] | None = None,
    first: str = "Descending",
) -> tuple[list[Row], str | None]:
    """The rows of one page, and the token of the next (None at the end).

    ``params`` are the API's own: CreationTimeAfter (inclusive), CreationTimeBefore (exclusive, so that
    neighbouring windows share no row), SortBy, SortOrder, NextToken, MaxResults. ``by`` are the columns of
    text that SortBy may name beside CreationTime; ``first`` is the operation's own SortOrder, newest first
    for most.
    """
    # The columns that the index is on: those of a kind's own table are the same and would have to be sorted.
    base = inspect(table).base_mapper.class_
    if after := params.get("CreationTimeAfter"):
        query = query.where(base.created_at >= after)
    if before := params.get("CreationTimeBefore"):
        query = query.where(base.created_at < before)
    column = (by or {}).get(params.get("SortBy", ""))
    sorted_by = base.created_at if column is None else column
    key = tuple_(sorted_by, base.id)
    ascending = params.get("SortOrder", first) == "Ascending"
    if token := params.get("NextToken"):
        if column is None:
            moment, last_id = _moment(*_position(token))
            last = tuple_(literal(moment, Moment), literal(last_id, BigInteger))
        else:
            text, last_id = _text(*_position(token))
            last = tuple_(literal(text, String), literal(last_id, BigInteger))
        query = query.where(key > last if ascending else key < last)
    order = (sorted_by, base.id) if ascending else (sorted_by.desc(), base.id.desc())
    limit = params.get("MaxResults", _MOST)
    rows = list(session.scalars(query.order_by(*order).limit(limit + 1)))
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, _token(rows[-1], column) if more else None


def _token(row: Any, column: Column | None) -> str:
    value = (row.created_at - _EPOCH) // timedelta(milliseconds=1)
    text = json.dumps([value if column is None else getattr(row, column.key), row.id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _position(token: str) -> tuple[Any, int]:
    """What the last row of the page before was sorted by, and its id."""
    try:
        value, last_id = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
        if not isinstance(last_id, int) or not -(1 << 63) <= last_id < 1 << 63:
            raise ValueError(last_id)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise _unknown() from None
    return value, last_id


def _moment(value: Any, last_id: int) -> tuple[datetime, int]:
    try:
        return _EPOCH + timedelta(milliseconds=value), last_id
    except (TypeError, OverflowError):
        raise _unknown() from None


def _text(value: Any, last_id: int) -> tuple[str, int]:
    if not isinstance(value, str) or "\0" in value:
        raise _unknown()
    return value, last_id


def _unknown() -> AwsError:
    return AwsError("ValidationException", "NextToken is not one that this operation returned")
