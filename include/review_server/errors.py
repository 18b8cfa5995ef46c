"""What the review plane refuses a worker, by what the worker can do about it.

The AWS side raises ``include.wire.AwsError`` instead, because there the code is part of the API.
"""

from __future__ import annotations


class BadAnswer(ValueError):
    """The request or answer is malformed: mend it and send it again."""


class NotSignedIn(PermissionError):
    """No valid session: sign in first."""


class Forbidden(PermissionError):
    """Signed in, but the request does not prove that it comes from the worker's own page or program."""


class UnknownTask(LookupError):
    """No such task, or it is not this worker's: which of the two is not told."""


class TaskNotInHand(RuntimeError):
    """The task was this worker's and has ended: answered, given back, out of time or withdrawn."""
