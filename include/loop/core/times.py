"""Times as records and manifests hold them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def in_utc(time: datetime) -> datetime:
    """The time itself; without a zone it is taken as UTC, as Ground Truth's are."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)
