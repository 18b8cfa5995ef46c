"""The few ways in which a step can end early, told apart by what the caller should do about them.

``Skip``: there is nothing to do, and that is fine. ``Fatal``: a person has to change something first; trying
again gives the same answer. ``Retryable``: trying again later can succeed. Errors of botocore are not
wrapped: they are retryable, and already say what happened. Bad records (``BadRecord``) never leave the step
that met them: they go to the quarantine with their reason.
"""

from __future__ import annotations


class Skip(LookupError):
    """There is nothing to do."""


class NoImages(Skip):
    """The batch date has no images."""


class NothingToLearn(Skip):
    """No labels, or too few, have come in since the champion was trained."""


class Fatal(ValueError):
    """Trying again cannot help."""


class ConfigurationError(Fatal):
    """A pipeline or environment file says something that is not allowed."""


class NotSetUp(Fatal):
    """A step that must run first has not run: the message says which."""


class Incompatible(Fatal):
    """The parent model cannot be trained further with these settings."""


class NotApproved(Fatal):
    """A model package may not be used: nobody has approved it, or somebody has rejected it."""


class DeploymentFailed(Fatal):
    """An endpoint did not become what it should: a person has to look before traffic is moved again."""


class JobRejected(Fatal):
    """A SageMaker job failed because of its request or its data (``ClientError``)."""


class Retryable(RuntimeError):
    """Trying again later can succeed."""


class JobFailed(Retryable):
    """A SageMaker job failed or was stopped; the next try runs under the next attempt number."""


class ConcurrentWrite(Retryable):
    """Somebody else changed an object between reading and replacing it."""


class BadRecord(ValueError):
    """One image, prediction or answer is unusable; its text is the reason shown in the quarantine."""
