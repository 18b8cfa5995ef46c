"""The labeling job itself: made or attached to, waited for, and what it came to.

Takes the name of a plan whose files are written. A job cannot be made twice under a name, nor go on once it
was stopped: its attempts are ``name-1``, ``name-2``, …, and a later one begins with the output of the one
before, where images that have a label keep it (Ground Truth calls that chaining). A new attempt needs
somebody's word: what a person has stopped, or the service could not do, is no matter of a retry.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from include.loop.aws.jobs import is_missing
from include.loop.aws.request_options import given, tags, vpc
from include.loop.core import layout
from include.loop.core.errors import Fatal, JobFailed, JobRejected, NotSetUp
from include.loop.core.identity import attempt_name
from include.loop.core.records.labeling import LabelingRequest
from include.loop.core.storage import error_code
from include.loop.labeling import built_in
from include.loop.labeling.progress import Counts, LabelingStatus, Watch, rates_of
from include.loop.nightly.review_setup import setup_bucket, setup_workteam
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

log = logging.getLogger(__name__)

LONGEST_ANSWER = 28_800  # TaskTimeLimitInSeconds of image tasks


@dataclass(frozen=True)
class Attempt:
    """One job as described."""

    name: str
    number: int
    status: LabelingStatus
    details: dict[str, Any] = field(repr=False)

    @property
    def counts(self) -> Counts:
        return Counts.of(self.details)

    @property
    def reason(self) -> str:
        return str(self.details.get("FailureReason") or "no reason given")

    def manifest(self, workspace: Workspace) -> str:
        """The S3 URI of its labels, as far as it came: there may be none yet."""
        said = self.details.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri")
        return str(said) if said else workspace.storage.uri(layout.labeling_output(self.name))


@dataclass(frozen=True)
class LabelledImages:
    """A job that is complete. Counts and dollars are of all its attempts; ``manifest_uri`` has its labels."""

    job: str
    human: int
    machine: int
    failed: int
    unlabeled: int
    dollars: float
    manifest_uri: str


def label(workspace: Workspace, name: str, waited_for: Watch | None = None) -> Watch | LabelledImages:
    """Make the job or attach to it: what to wait for, or what it came to. To be called again with what was
    waited for. Fatal when that job was stopped or has failed.
    """
    record = LabelingRequest.find(workspace.storage, name)
    if record is None:
        raise NotSetUp(f"{workspace.storage.uri(layout.labeling_file(name))} is missing: plan the job first")
    tried = list(attempts(workspace.clients.review, name))
    last = tried[-1] if tried else None
    if last is None or (last.status.ended and last.status is not LabelingStatus.COMPLETED):
        if last and waited_for and waited_for.job == last.name and not waited_for.goes_on:
            raise _ended_early(workspace, last)
        _create(workspace, record, tried)
        tried = list(attempts(workspace.clients.review, name))
        if not tried:
            raise JobFailed(
                f"labeling job {attempt_name(name, 1)} was created but cannot be described; try again"
            )
    return _as_it_is(workspace, record, tried)


def attempts(review: SageMakerClient, name: str) -> Iterator[Attempt]:
    """The jobs of one plan, in order: one describe for each, and one for the gap behind."""
    number = 1
    while (found := find_attempt(review, name, number)) is not None:
        yield found
        number += 1


def find_attempt(review: SageMakerClient, name: str, number: int) -> Attempt | None:
    job = attempt_name(name, number)
    try:
        details: dict[str, Any] = dict(review.describe_labeling_job(LabelingJobName=job))
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return Attempt(job, number, LabelingStatus(details["LabelingJobStatus"]), details)


def stop(review: SageMakerClient, job: str) -> None:
    """Ask a job to stop: labels so far stay. One that has ended is left alone."""
    try:
        review.stop_labeling_job(LabelingJobName=job)
    except ClientError as error:
        if not is_missing(error):
            raise


def asking_jobs(workspace: Workspace) -> Iterator[str]:
    """The jobs of this pipeline, planned in this bucket, that still ask people."""
    ours = set(workspace.storage.list_folders(layout.LABELING))
    if not ours:
        return  # a review plane of before has no labeling jobs to list
    pages = workspace.clients.review.get_paginator("list_labeling_jobs")
    asking: tuple[Literal["Initializing", "InProgress"], ...] = ("Initializing", "InProgress")
    told = set[str]()  # one that begins between the two lists is in both
    for status in asking:
        names = pages.paginate(NameContains=f"{workspace.pipeline.name}-labeling-", StatusEquals=status)
        for page in names:
            for item in page["LabelingJobSummaryList"]:
                name = item["LabelingJobName"]
                if name.rpartition("-")[0] in ours and name not in told:
                    told.add(name)
                    yield name


def _as_it_is(
    workspace: Workspace, record: LabelingRequest, tried: Sequence[Attempt]
) -> Watch | LabelledImages:
    *earlier, last = tried
    rates = rates_of(workspace.pipeline, workspace.environment, record.workers)
    spent = sum(rates.dollars(one.counts.human, one.counts.machine) for one in earlier)
    watch = Watch(last.name, rates, spent, goes_on=last.status is LabelingStatus.STOPPING)
    if last.status is not LabelingStatus.COMPLETED:
        return watch
    return LabelledImages(
        job=last.name,
        human=sum(one.counts.human for one in tried),
        machine=sum(one.counts.machine for one in tried),
        failed=last.counts.failed,
        unlabeled=last.counts.unlabeled,
        dollars=round(watch.dollars(last.counts), 2),
        manifest_uri=last.manifest(workspace),
    )


def _ended_early(workspace: Workspace, job: Attempt) -> JobRejected:
    what = (
        f"labeling job {job.name} was stopped"
        if job.status is LabelingStatus.STOPPED
        else f"labeling job {job.name} has failed: {job.reason}"
    )
    return JobRejected(
        f"{what}. {job.counts.labelled} images have a label in {job.manifest(workspace)}. Clear this task to "
        "go on with the others, or take what is there: import_dataset reads the manifest"
    )


def _create(workspace: Workspace, record: LabelingRequest, tried: Sequence[Attempt]) -> None:
    """Create the next attempt, or leave it to somebody who was faster."""
    setup_bucket(workspace, record.buckets)
    name = attempt_name(record.name, len(tried) + 1)
    try:
        workspace.clients.review.create_labeling_job(
            LabelingJobName=name, **_request(workspace, record, tried)
        )
        log.info("created labeling job %s", name)
    except ClientError as error:
        code = error_code(error)
        if code == "ResourceLimitExceeded":
            raise Fatal(
                f"labeling job {name} was not made: {error}. Wait for the labeling jobs that run, or stop "
                "one; then clear this task"
            ) from None
        if code == "ValidationException":
            raise JobRejected(f"labeling job {name} was not made: {error}") from None
        if code != "ResourceInUse":
            raise
        log.info("attached to labeling job %s", name)


def _request(workspace: Workspace, record: LabelingRequest, tried: Sequence[Attempt]) -> dict[str, Any]:
    """CreateLabelingJob without the name."""
    pipeline, environment, storage = workspace.pipeline, workspace.environment, workspace.storage
    settings = pipeline.labeling
    return given(
        LabelAttributeName=pipeline.label_attribute,
        InputConfig={"DataSource": {"S3DataSource": {"ManifestS3Uri": _input(workspace, record, tried)}}},
        OutputConfig=given(S3OutputPath=storage.uri(layout.LABELING), KmsKeyId=environment.network.kms_key),
        RoleArn=environment.role_arn,
        LabelCategoryConfigS3Uri=storage.uri(layout.labeling_categories(record.name)),
        StoppingConditions=_limit(record, tried),
        LabelingJobAlgorithmsConfig=_automatic(workspace) if record.automatic else None,
        HumanTaskConfig={
            "WorkteamArn": setup_workteam(workspace).workteam_arn,
            "UiConfig": {"UiTemplateS3Uri": storage.uri(layout.labeling_template(record.name))},
            **built_in.functions(environment.region, pipeline),
            "TaskTitle": settings.title,
            "TaskDescription": settings.description,
            "NumberOfHumanWorkersPerDataObject": record.workers,
            "TaskTimeLimitInSeconds": min(pipeline.review.time_limit_seconds, LONGEST_ANSWER),
            "TaskAvailabilityLifetimeInSeconds": settings.availability_seconds,
            "MaxConcurrentTaskCount": settings.images_at_once,
        },
        Tags=tags(environment),
    )


def _input(workspace: Workspace, record: LabelingRequest, tried: Sequence[Attempt]) -> str:
    """The manifest to begin with: the newest that has labels of this job, or else the plan's."""
    for one in reversed(tried):
        if workspace.storage.exists(place := one.manifest(workspace)):
            return place
    return workspace.storage.uri(layout.labeling_manifest(record.name))


def _limit(record: LabelingRequest, tried: Sequence[Attempt]) -> dict[str, int] | None:
    if record.most_images is None:
        return None
    left = record.most_images - sum(one.counts.human for one in tried)
    return {"MaxHumanLabeledObjectCount": max(left, 1)}


def _automatic(workspace: Workspace) -> dict[str, Any]:
    environment = workspace.environment
    resources = given(VolumeKmsKeyId=environment.network.volume_kms_key, VpcConfig=vpc(environment))
    return given(
        LabelingJobAlgorithmSpecificationArn=built_in.algorithm(environment.region, workspace.pipeline),
        LabelingJobResourceConfig=resources or None,
    )
