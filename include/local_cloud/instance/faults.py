"""Whose fault it was, by class: the words SageMaker puts before a failure reason."""

from __future__ import annotations


class ClientFault(ValueError):
    """The request or its data are wrong: doing it again changes nothing. Reported as ``ClientError``."""


class AlgorithmFault(RuntimeError):
    """The container failed. Reported with the reason that it gave."""


class Interrupted(RuntimeError):
    """This process must end now and its job starts again elsewhere: the cloud is going, or has gone for
    good.
    """


class StopRequested(RuntimeError):
    """Somebody asked for the job to be stopped."""
