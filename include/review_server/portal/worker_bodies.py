"""What workers' programs send, read: each function gives a value, or says by ``BadAnswer`` what is wanted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.review_server import jsontext
from include.review_server.db.models import LONGEST_COMMENT
from include.review_server.db.statuses import DeclineReason
from include.review_server.errors import BadAnswer
from include.review_server.work.complaints import storable

_YEAR = 366 * 24 * 3600


def content_of(body: dict[str, Any]) -> str:
    """The answer of a body, as the JSON text that is kept."""
    content = body.get("answer_content")
    if not isinstance(content, dict):
        raise BadAnswer('the body must be {"answer_content": {…}}: a JSON object, as a form gives it')
    try:
        return jsontext.dump(content)
    except ValueError as error:
        raise BadAnswer(f"answer_content: {error}") from None


def wish_of(body: dict[str, Any], place: str) -> tuple[str | None, str | None]:
    """The queue and the hint of a request for the next task."""
    queue, prefer = body.get("queue"), body.get("prefer")
    if not isinstance(queue, str | None):
        raise BadAnswer(f"{place}queue must be one of GET /worker/queue, such as flow-definition/NAME")
    if not isinstance(prefer, str | None):
        raise BadAnswer(f"{place}prefer must be an item_hint of POST /worker/tasks/ahead")
    return queue, prefer


def seconds_of(body: dict[str, Any], name: str) -> float | None:
    """A duration, not less than nothing and not more than a year: JSON's numbers have no bounds."""
    seconds = body.get(name)
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise BadAnswer(f"{name} must be a number: the time at work without pauses")
    return float(min(max(seconds, 0), _YEAR))


def reason_of(body: dict[str, Any]) -> DeclineReason | None:
    reason = body.get("reason")
    if reason is None:
        return None
    if not isinstance(reason, str) or reason not in set(DeclineReason):
        raise BadAnswer(f"reason must be one of {', '.join(DeclineReason)}, or left out")
    return DeclineReason(reason)


def comment_of(body: dict[str, Any]) -> str | None:
    comment = body.get("comment")
    if not isinstance(comment, str | None):
        raise BadAnswer("comment must be a text, or left out")
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise BadAnswer(f"comment has {len(comment)} characters: {LONGEST_COMMENT} are the most")
    return storable(comment) or None if comment else None


def moment_of(text: str) -> datetime:
    try:
        moment: datetime | None = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment and moment.tzinfo else None  # year 1 has no earlier zone
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise BadAnswer(f"since must be a time with its zone, as 2026-03-04T00:00:00Z, not {text!r}")
    return moment
