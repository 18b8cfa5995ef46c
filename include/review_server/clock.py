"""The server's clock: every lease, time stamp and deadline is by it, never by a client's.

Times are aware datetimes in UTC cut to milliseconds, the resolution of A2I's output and of the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Now, in UTC, in whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """``2026-03-04T10:12:40.118Z``, as A2I writes times."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
