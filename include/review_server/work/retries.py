"""When what failed is tried again: the waits of the outbox and of the events, rows with a ``due_at``."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

# 2, 4, 8 … seconds, and never more than this.
LONGEST_WAIT = timedelta(seconds=64)


def next_attempt(now: datetime, attempts: int) -> datetime:
    """When to try again what has failed so often."""
    return now + min(timedelta(seconds=2 ** min(attempts, 10)), LONGEST_WAIT)


def is_due(due_at: InstrumentedAttribute[datetime], now: datetime) -> ColumnElement[bool]:
    """Whether a row's next attempt is due.

    A time that is farther away than any wait was written by a clock that has been put back since. It would
    hold the row for as long as the clock was wrong, so it counts as come.
    """
    return or_(due_at <= now, due_at > now + LONGEST_WAIT)
