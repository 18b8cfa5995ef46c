"""What the review plane refuses a worker, by what the worker can do about it.

The AWS side raises ``include.wire.AwsError`` instead, because there the code is part of the API. What both
sides can meet, a database that is away, is such an error too.
"""

from __future__ import annotations

from include.wire import AwsError


class DatabaseAway(AwsError):
    """The database cannot be asked or cannot store now: nothing was accepted, later it may be."""

    RETRY_SECONDS = 2

    def __init__(self, why: str) -> None:
        message = f"The review server's database {why}. Nothing of this request is stored: send it again."
        super().__init__("ServiceUnavailable", message, 503)
        self.why = why


class BadAnswer(ValueError):
    """The request or answer is malformed: mend it and send it again."""


class BodyTooLarge(ValueError):
    """The request has more bytes than its route takes."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the body may have {most} bytes here")


class NotSignedIn(PermissionError):
    """No valid session: sign in first."""


class TooManyAttempts(PermissionError):
    """Too many wrong passwords for this name or from this address: wait ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        wait = f"{retry_after} seconds" if retry_after < 120 else f"{-(-retry_after // 60)} minutes"
        super().__init__(f"too many attempts to sign in: try again in {wait}")
        self.retry_after = retry_after


class TooBusy(RuntimeError):
    """There are more requests of this kind than the server takes at once: wait ``retry_after`` seconds."""

    def __init__(self, what: str, retry_after: int = 3) -> None:
        super().__init__(f"{what}: try again in {retry_after} seconds")
        self.retry_after = retry_after


class TooManyComplaints(RuntimeError):
    """A page complains more often than anybody would read: wait ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many complaints in a minute: try again in {retry_after} seconds")
        self.retry_after = retry_after


class BadInvitation(LookupError):
    """The invitation is unknown, used or too old: ask for a new one."""


class WeakPassword(ValueError):
    """The password is too easy to guess: choose another."""


class Forbidden(PermissionError):
    """Signed in, but the request does not prove that it comes from the worker's own page or program."""


class UnknownTask(LookupError):
    """No such task, or it is not this worker's: which of the two is not told."""


class TaskNotInHand(RuntimeError):
    """The task was this worker's and has ended: answered, given back, out of time or withdrawn."""


class AnotherInHand(TaskNotInHand):
    """The worker holds another task of the queue, and one at a time is the rule."""


class RenderBusy(RuntimeError):
    """Too many templates are being rendered just now: try again in a moment."""
