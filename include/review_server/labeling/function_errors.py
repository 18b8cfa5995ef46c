"""How a function of a labeling job fails: for good, for now, or by itself."""

from __future__ import annotations


class FunctionFailed(RuntimeError):
    """The job cannot go on with this function; the text is the job's FailureReason."""

    MOST = 1024  # characters that DescribeLabelingJob shows

    def __init__(self, reason: str) -> None:
        super().__init__(reason.strip()[: self.MOST])


class FunctionAway(RuntimeError):
    """The function could not be asked just now, or was asked too often: the same call may succeed later."""


class LambdaFailed(RuntimeError):
    """A function was asked and failed. ``code`` is in Lambda's words, such as Unhandled; ``said`` is what
    else is known of it, a sentence or nothing.
    """

    def __init__(self, code: str, said: str = "") -> None:
        super().__init__(f"{code}: {said}")
        self.code, self.said = code, said
