"""SageMaker training and transform jobs: describe, else create, else attach; and what can be waited for.

Takes a boto3 ``sagemaker`` client and a name stem; gives ``Job`` values and, for a caller who has to wait, a
``Pending``. A name is used once: the latest attempt is found by describing ``stem-1``, ``stem-2``, … and a
failed or stopped one is followed by the next number, never by a timestamp.

A step that needs jobs has the shape ``step(workspace, key, waited_for=None) -> Pending | Result``: it goes as
far as it can without waiting, and is called again with ``waited_for`` when the jobs it named have ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from include.loop.core.errors import JobFailed, JobRejected
from include.loop.core.identity import attempt_name
from include.loop.core.storage import error_code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

log = logging.getLogger(__name__)


class ResourceKind(StrEnum):
    """What can be waited for, with the names that the API gives to the same things."""

    TRAINING = "training"
    TRANSFORM = "transform"
    ENDPOINT = "endpoint"

    @property
    def describe_operation(self) -> str:
        return "describe_endpoint" if self is ResourceKind.ENDPOINT else f"describe_{self.value}_job"

    @property
    def name_field(self) -> str:
        return "EndpointName" if self is ResourceKind.ENDPOINT else f"{self.value.capitalize()}JobName"

    @property
    def status_field(self) -> str:
        return "EndpointStatus" if self is ResourceKind.ENDPOINT else f"{self.value.capitalize()}JobStatus"


# An endpoint is no job: it is not made by attempts, and nobody can stop its update.
JobResource = Literal[ResourceKind.TRAINING, ResourceKind.TRANSFORM]


def stop_operation(kind: JobResource) -> str:
    """The name of the client's method, for a caller who has another client than boto3's."""
    return f"stop_{kind.value}_job"


class JobStatus(StrEnum):
    """TrainingJobStatus and TransformJobStatus of the API model."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


ENDED = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.STOPPED})
# EndpointStatus while an operation goes on, whoever began it; no other can begin until it is over.
ENDPOINT_BUSY = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


@dataclass(frozen=True)
class Job:
    """One attempt as described; ``details`` is the API's whole answer."""

    kind: JobResource
    name: str
    attempt: int
    status: JobStatus
    details: dict[str, Any] = field(repr=False)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def completed(self) -> bool:
        return self.status is JobStatus.COMPLETED

    @property
    def reason(self) -> str:
        return str(self.details.get("FailureReason") or f"the job is {self.status}")

    @property
    def seconds(self) -> float:
        """Wall time from start to end; 0 while either is unknown."""
        start = self.details.get(f"{self.kind.value.capitalize()}StartTime")
        end = self.details.get(f"{self.kind.value.capitalize()}EndTime")
        return round((end - start).total_seconds(), 1) if start and end else 0.0


@dataclass(frozen=True)
class Pending:
    """Jobs that have to end before the step can go on.

    ``aim`` is what an endpoint was asked to become: a rollback by SageMaker also ends in service.
    """

    kind: ResourceKind
    names: tuple[str, ...]
    aim: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind.value, "names": list(self.names), "aim": self.aim}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Pending:
        return cls(ResourceKind(value["kind"]), tuple(value["names"]), value.get("aim", ""))


def latest(sagemaker: SageMakerClient, kind: JobResource, stem: str) -> Job | None:
    """The last attempt under a stem, or None. One describe per attempt, and one for the gap behind."""
    found = None
    attempt = 1
    while (job := _describe(sagemaker, kind, stem, attempt)) is not None:
        found = job
        attempt += 1
    return found


def create(
    sagemaker: SageMakerClient, kind: JobResource, stem: str, attempt: int, request: dict[str, Any]
) -> Job:
    """Create an attempt, or attach to it when somebody else was faster."""
    name = attempt_name(stem, attempt)
    try:
        if kind is ResourceKind.TRAINING:
            sagemaker.create_training_job(TrainingJobName=name, **request)
        else:
            sagemaker.create_transform_job(TransformJobName=name, **request)
        log.info("created %s job %s", kind, name)
    except ClientError as error:
        if error_code(error) != "ResourceInUse":
            raise
        log.info("attached to %s job %s", kind, name)
    job = _describe(sagemaker, kind, stem, attempt)
    if job is None:
        raise JobFailed(f"{kind} job {name} was created but cannot be described; try again")
    return job


def attach_or_create(
    sagemaker: SageMakerClient,
    kind: JobResource,
    stem: str,
    request: Callable[[], dict[str, Any]],
    waited_for: Pending | None,
) -> Job:
    """The running or completed attempt of this stem, created when there is none or the last one failed.

    ``request`` gives the create call's arguments without the name. When the failed attempt is the one that
    was just waited for, JobFailed or JobRejected is raised instead: whether to try again is the caller's
    decision.
    """
    job = latest(sagemaker, kind, stem)
    if job is None:
        return create(sagemaker, kind, stem, 1, request())
    if job.ended and not job.completed:
        if waited_for and job.name in waited_for.names:
            raise failure(job)
        return create(sagemaker, kind, stem, job.attempt + 1, request())
    return job


def failure(job: Job) -> JobFailed | JobRejected:
    """The error for a job that did not complete. A ``ClientError`` is the request's or the data's fault:
    fatal.
    """
    text = f"{job.kind} job {job.name} {job.status.lower()}: {job.reason}"
    return JobRejected(text) if job.reason.startswith("ClientError") else JobFailed(text)


def has_ended(kind: ResourceKind, response: dict[str, Any]) -> bool:
    """Whether a describe response tells of a job (or an endpoint's change) that has come to its end."""
    if kind is ResourceKind.ENDPOINT:
        return response[kind.status_field] not in ENDPOINT_BUSY
    return response[kind.status_field] in ENDED


def is_missing(error: ClientError) -> bool:
    """Whether a describe says that there is no such thing: AWS words that as ValidationException."""
    return error_code(error) in {"ValidationException", "ResourceNotFound"}


def stop(sagemaker: SageMakerClient, pending: Pending) -> None:
    """Ask the jobs to stop; those that have ended already are left alone, and so are endpoints."""
    if pending.kind is ResourceKind.ENDPOINT:
        log.warning("%s goes on changing: an update of an endpoint cannot be stopped", pending.names)
        return
    for name in pending.names:
        try:
            if pending.kind is ResourceKind.TRAINING:
                sagemaker.stop_training_job(TrainingJobName=name)
            else:
                sagemaker.stop_transform_job(TransformJobName=name)
        except ClientError as error:
            # AWS answers ValidationException for a job that is not in progress.
            if not is_missing(error):
                raise


def _describe(sagemaker: SageMakerClient, kind: JobResource, stem: str, attempt: int) -> Job | None:
    name = attempt_name(stem, attempt)
    details: dict[str, Any]
    try:
        if kind is ResourceKind.TRAINING:
            details = dict(sagemaker.describe_training_job(TrainingJobName=name))
        else:
            details = dict(sagemaker.describe_transform_job(TransformJobName=name))
    except ClientError as error:
        if is_missing(error):  # and not an invalid name: those are made by identity.py
            return None
        raise
    return Job(kind, name, attempt, JobStatus(details[kind.status_field]), details)
