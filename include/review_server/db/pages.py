"""Pages of a listing: filters by creation time, order, and a token that says where the next page begins.

Pages are found by key, not by offset: the ten-thousandth costs what the first does, and a row that comes or
goes meanwhile shifts nothing. It works on any table with ``created_at`` and ``id``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Select, inspect, literal, tuple_
from sqlalchemy.orm import Session

from include.review_server.db.models import FlowDefinition, HumanLoop, HumanTaskUi, Moment
from include.wire import AwsError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 100

Row = TypeVar("Row", FlowDefinition, HumanLoop, HumanTaskUi)


def page(
    session: Session, query: Select[Row], table: type[Row], params: Mapping[str, Any]
) -> tuple[list[Row], str | None]:
    """The rows of one page, and the token of the next (None at the end).

    ``params`` are the API's own: CreationTimeAfter (inclusive), CreationTimeBefore (exclusive, so that
    neighbouring windows share no row), SortOrder (newest first unless Ascending), NextToken, MaxResults.
    """
    # The columns that the index is on: those of a kind's own table are the same and would have to be sorted.
    base = inspect(table).base_mapper.class_
    if after := params.get("CreationTimeAfter"):
        query = query.where(base.created_at >= after)
    if before := params.get("CreationTimeBefore"):
        query = query.where(base.created_at < before)
    key = tuple_(base.created_at, base.id)
    ascending = params.get("SortOrder") == "Ascending"
    if token := params.get("NextToken"):
        created_at, last_id = _position(token)
        last = tuple_(literal(created_at, Moment), literal(last_id, BigInteger))
        query = query.where(key > last if ascending else key < last)
    order = (base.created_at, base.id) if ascending else (base.created_at.desc(), base.id.desc())
    limit = params.get("MaxResults", _MOST)
    rows = list(session.scalars(query.order_by(*order).limit(limit + 1)))
    more = len(rows) > limit
    rows = rows[:limit]
    return rows, _token(rows[-1]) if more else None


def _token(row: FlowDefinition | HumanLoop | HumanTaskUi) -> str:
    text = f"{(row.created_at - _EPOCH) // timedelta(milliseconds=1)}.{row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _position(token: str) -> tuple[datetime, int]:
    try:
        created, _, last_id = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(".")
        position = _EPOCH + timedelta(milliseconds=int(created)), int(last_id)
        if abs(position[1]) >= 1 << 63:
            raise ValueError(last_id)
    except (binascii.Error, ValueError, OverflowError):
        raise AwsError("ValidationException", "NextToken is not one that this operation returned") from None
    return position
