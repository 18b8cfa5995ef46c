"""Times as records and manifests hold them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal


def now(timespec: Literal["seconds", "microseconds"] = "seconds") -> str:
    """This moment in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec=timespec)


def in_utc(time: datetime) -> datetime:
    """The time itself; without a zone it is taken as UTC, as Ground Truth's are."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)
