"""SageMaker as automated labeling needs it: training jobs, models and transform jobs.

Each job has a name that follows from the labeling job and its iteration: it is described, else created, and
whoever created it, attached to. Nothing waits. ``Rejected`` says what will not come right by itself; what may
(``S3_ERRORS``) passes through to the caller, who asks again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from include.review_server.reach import Reach
from include.review_server.settings import OF_AWS, ReviewSettings

Kind = Literal["training", "transform"]

_LONGEST_NAME = 63
_MISSING = {"ValidationException", "ResourceNotFound"}
_MOST_ATTEMPTS = 2


class Rejected(ValueError):
    """A request or a job that failed, and would again: the reason, for the labeling job's FailureReason."""


@dataclass(frozen=True)
class Job:
    """The latest attempt of a job. ``details`` is what its describe operation says."""

    kind: Kind
    name: str
    attempt: int
    details: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.details[f"{self.kind.capitalize()}JobStatus"])

    @property
    def has_ended(self) -> bool:
        return self.status in ("Completed", "Failed", "Stopped")

    @property
    def completed(self) -> bool:
        return self.status == "Completed"

    @property
    def failed_by_chance(self) -> bool:
        """Whether it failed, and neither its request nor its data are to blame."""
        return self.status == "Failed" and not self.reason.startswith("ClientError")

    @property
    def reason(self) -> str:
        return str(self.details.get("FailureReason") or f"it is {self.status}")

    @property
    def output(self) -> str:
        """The S3 URI below which its results are."""
        part = "OutputDataConfig" if self.kind == "training" else "TransformOutput"
        return str(self.details[part]["S3OutputPath"])


class Place:
    """SageMaker where the server's settings say that it is."""

    def __init__(self, settings: ReviewSettings) -> None:
        self._settings, self._endpoint = settings, settings.auto_labeling.endpoint
        self._reach = Reach("SageMaker")

    @property
    def is_there(self) -> bool:
        return self._endpoint is not None

    @cached_property
    def _sagemaker(self) -> Any:
        # Half a second of reading its service model: only where a job needs it.
        return boto3.session.Session(
            aws_access_key_id=self._settings.access_key_id,
            aws_secret_access_key=self._settings.secret_access_key,
            region_name=self._settings.region,
        ).client(
            "sagemaker",
            endpoint_url=None if self._endpoint == OF_AWS else self._endpoint,
            config=Config(
                connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 2, "mode": "standard"}
            ),
        )

    def attach(self, kind: Kind, stem: str, output: str, request: Callable[[], dict[str, Any]]) -> Job:
        """The latest job of this stem, which writes below ``output``; created when there is none.

        ``request`` makes the create operation's members, without the name, when they are needed. A job that
        failed by no fault of its request or data is tried once more, under the next number. Raises
        ``Rejected`` for a refused request, and for a name that somebody else's job has.
        """
        job = self._latest(kind, stem)
        if job is None:
            return self._create(kind, stem, 1, request())
        if job.output.rstrip("/") != output.rstrip("/"):
            raise Rejected(
                f"ClientError: there is a {kind} job {job.name} that is not of this labeling job: it writes "
                f"to {job.output} and not to {output}"
            )
        if job.failed_by_chance and job.attempt < _MOST_ATTEMPTS:
            return self._create(kind, stem, job.attempt + 1, request())
        return job

    def model(self, name: str, request: dict[str, Any]) -> str:
        """The ARN of the model of this name, created when there is none. Raises ``Rejected``."""
        found = self._describe("model", name)
        if found is None:
            try:
                with self._reach.used("models"):
                    return str(self._sagemaker.create_model(ModelName=name, **request)["ModelArn"])
            except ClientError as error:
                if "already existing" not in str(error) and _code(error) != "ResourceInUse":
                    raise _judged(error, f"model {name}") from None
            found = self._describe("model", name)
        if found is None:
            raise Rejected(f"ClientError: model {name} was created and cannot be described")
        return str(found["ModelArn"])

    def first_artifact(self, model_arn: str, image: str) -> str:
        """Where the ``model.tar.gz`` of a model to begin with is, as an S3 URI.

        Raises ``Rejected``, also for a model of another algorithm than that of ``image``.
        """
        name = model_name(model_arn)
        container = (self._describe("model", name) or {}).get("PrimaryContainer") or {}
        if not container.get("ModelDataUrl"):
            raise Rejected(
                f"ClientError: InitialActiveLearningModelArn: there is no model {name!r} with an artifact"
            )
        wanted, found = _repository(image), _repository(str(container.get("Image", "")))
        if found != wanted:
            raise Rejected(
                f"ClientError: InitialActiveLearningModelArn: model {name!r} is one of {found!r} and not of "
                f"{wanted!r}: give the FinalActiveLearningModelArn of a job of the same task type"
            )
        return str(container["ModelDataUrl"])

    def latest_name(self, kind: Kind, stem: str) -> str:
        """The name of the latest job of this stem. Raises ``Rejected`` where there is none."""
        job = self._latest(kind, stem)
        if job is None:
            raise Rejected(f"ClientError: the {kind} job {stem} of automated labeling is gone")
        return job.name

    def has_ended(self, kind: Kind, name: str) -> bool:
        """Whether the job of this very name has, or is gone."""
        details = self._describe(f"{kind}_job", name)
        return details is None or Job(kind, name, 1, details).has_ended

    def stop(self, kind: Kind, stem: str) -> None:
        """Ask the latest job of this stem to stop, if it runs. Raises what boto3 raises."""
        job = self._latest(kind, stem)
        if job is not None and not job.has_ended:
            with self._reach.used(f"{kind} jobs"):
                if kind == "training":
                    self._sagemaker.stop_training_job(TrainingJobName=job.name)
                else:
                    self._sagemaker.stop_transform_job(TransformJobName=job.name)

    def _latest(self, kind: Kind, stem: str) -> Job | None:
        found = None
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            name = attempt_name(stem, attempt)
            details = self._describe(f"{kind}_job", name)
            if details is None:
                break
            found = Job(kind, name, attempt, details)
        return found

    def _create(self, kind: Kind, stem: str, attempt: int, request: dict[str, Any]) -> Job:
        name = attempt_name(stem, attempt)
        try:
            with self._reach.used(f"{kind} jobs"):
                if kind == "training":
                    self._sagemaker.create_training_job(TrainingJobName=name, **request)
                else:
                    self._sagemaker.create_transform_job(TransformJobName=name, **request)
        except ClientError as error:
            # Made by a request of ours whose reply was lost.
            if _code(error) != "ResourceInUse":
                raise _judged(error, f"{kind} job {name}") from None
        details = self._describe(f"{kind}_job", name)
        if details is None:
            raise Rejected(f"ClientError: {kind} job {name} was created and cannot be described")
        return Job(kind, name, attempt, details)

    def _describe(self, what: str, name: str) -> dict[str, Any] | None:
        field = "ModelName" if what == "model" else f"{what.partition('_')[0].capitalize()}JobName"
        try:
            with self._reach.used("describing"):
                return dict(getattr(self._sagemaker, f"describe_{what}")(**{field: name}))
        except ClientError as error:
            # AWS says ValidationException of what is not there.
            if _code(error) in _MISSING:
                return None
            raise


def job_stem(labeling_job: str, iteration: int, part: str = "") -> str:
    """``<labeling job>-<iteration>``, as the documented names are; shortened where it would be too long, with
    a hash in place of what is left out.
    """
    end = f"-{iteration}" + (f"-{part}" if part else "")
    room = _LONGEST_NAME - len(end) - len("-2")
    if len(labeling_job) > room:
        mark = hashlib.sha256(labeling_job.encode()).hexdigest()[:8]
        labeling_job = f"{labeling_job[: room - 9].rstrip('-')}-{mark}"
    return labeling_job + end


def model_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def attempt_name(stem: str, attempt: int) -> str:
    """The first one has the name alone."""
    return stem if attempt == 1 else f"{stem}-{attempt}"


def failure(job: Job) -> Rejected:
    """Why a job that ended without completing ends the labeling job."""
    kind = "InternalServerError" if job.failed_by_chance else "ClientError"
    return Rejected(
        f"{kind}: {job.kind} job {job.name} of automated labeling did not complete: {job.reason[:500]}. The "
        "labels so far are in the output manifest: start another job with it as its input and the same "
        "LabelAttributeName"
    )


def _judged(error: ClientError, what: str) -> Exception:
    """A refusal that no later attempt changes is ``Rejected``; busy services and quotas are asked again."""
    if _code(error) in ("ValidationException", "AccessDeniedException", "AccessDenied"):
        return Rejected(f"ClientError: {what} of automated labeling was refused: {error}")
    return error


def _repository(image: str) -> str:
    """The name of an image without its registry and tag: the same in every Region."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
