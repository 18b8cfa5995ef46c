"""Control plane: labeling jobs, told as they were asked for, with what became of their objects.

A job cannot be changed or deleted, and its name is taken for good. Creating one only records it: its files
are read in the background (``labeling.initializing``), its objects labeled there (``labeling.running``), and
stopping one leaves a word for both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server.api.tags import TagOperations, check_characters
from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import HumanTaskUi, LabelingJob, Workteam
from include.review_server.db.pages import page
from include.review_server.db.statuses import LABELING_AT_WORK, LabelingStatus
from include.review_server.labeling.auto.algorithms import NO_SAGEMAKER
from include.review_server.labeling.functions import Functions
from include.review_server.labeling.layout import Layout
from include.review_server.labeling.requests import LabelingRequest, checked
from include.review_server.settings import AutoLabelingSettings
from include.wire import AwsError

# Of jobs that have not ended. AWS begins with one, and raises it on request.
_MOST_AT_WORK = 100
_CODE_CHARACTERS = 16
_SORTED_BY = {"Name": LabelingJob.key_name, "Status": LabelingJob.status}


class LabelingJobOperations:
    """The five operations on labeling jobs. ``wake`` tells the background that there is work."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        arns: Arns,
        tags: TagOperations,
        functions: Functions,
        auto_labeling: AutoLabelingSettings,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._tags = tags
        self._functions = functions
        self._auto_labeling = auto_labeling
        self._wake = wake

    def create_labeling_job(self, params: dict[str, Any]) -> dict[str, Any]:
        request, tags = checked(params), params.get("Tags", [])
        check_characters(tags)
        if problem := self._functions.problem(*request.functions):
            raise AwsError("ValidationException", f"HumanTaskConfig: {problem}")
        if "LabelingJobAlgorithmsConfig" in params and self._auto_labeling.endpoint is None:
            raise AwsError("ValidationException", f"LabelingJobAlgorithmsConfig: {NO_SAGEMAKER}")
        arn = self._arns.labeling_job(request.name)
        taken = AwsError(
            "ResourceInUse",
            f"A labeling job {request.name} exists already, in this or another case: names are kept for good",
        )
        try:
            with self._database.write() as session:
                if _named(session, request.name):
                    raise taken
                self._check_quota(session)
                session.add(self._job(session, request, params))
        except IntegrityError:
            raise taken from None
        self._tags.put(arn, tags)
        self._wake()
        return {"LabelingJobArn": arn}

    def describe_labeling_job(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            job = _existing(session, params["LabelingJobName"])
            shown = self._summary(job)
            request = json.loads(job.request)
        arn = shown["LabelingJobArn"]
        # As AWS shows it: the path verbatim, and a key even where there is none.
        request["OutputConfig"] = {"KmsKeyId": ""} | request["OutputConfig"]
        return (
            request
            | shown
            | {
                "LabelingJobName": job.name,
                "LabelAttributeName": job.label_attribute,
                "JobReferenceCode": job.reference_code,
                "Tags": self._tags.list_tags({"ResourceArn": arn})["Tags"] or None,
            }
        )

    def list_labeling_jobs(self, params: dict[str, Any]) -> dict[str, Any]:
        query = select(LabelingJob)
        if after := params.get("LastModifiedTimeAfter"):
            query = query.where(LabelingJob.modified_at >= after)
        if before := params.get("LastModifiedTimeBefore"):
            query = query.where(LabelingJob.modified_at < before)
        if part := params.get("NameContains"):
            query = query.where(LabelingJob.key_name.contains(part.lower(), autoescape=True))
        if status := params.get("StatusEquals"):
            query = query.where(LabelingJob.status == LabelingStatus(status))
        with self._database.read() as session:
            jobs, token = page(session, query, LabelingJob, params, _SORTED_BY, "Ascending")
            return {"LabelingJobSummaryList": [self._listed(job) for job in jobs], "NextToken": token}

    def list_labeling_jobs_for_workteam(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = params["WorkteamArn"]
        with self._database.read() as session:
            name = self._arns.name_in(arn, "workteam")
            if name is None or session.get(Workteam, name) is None:
                raise AwsError("ResourceNotFound", f"Could not find work team {arn}")
            query: Select[LabelingJob] = select(LabelingJob).where(LabelingJob.workteam_name == name)
            if part := params.get("JobReferenceCodeContains"):
                part = part.replace("\0", "%")  # neither is in any code, and only one may be asked for
                query = query.where(LabelingJob.reference_code.contains(part, autoescape=True))
            jobs, token = page(session, query, LabelingJob, params, first="Ascending")
            return {
                "LabelingJobSummaryList": [self._for_team(job) for job in jobs],
                "NextToken": token,
            }

    def stop_labeling_job(self, params: dict[str, Any]) -> None:
        with self._database.write() as session:
            found = _existing(session, params["LabelingJobName"])
            job = session.get_one(LabelingJob, found.id, with_for_update=True, populate_existing=True)
            if job.status.is_terminal:
                raise AwsError(
                    "ValidationException",
                    f"The request was rejected because the labeling job {job.name} is in status {job.status}",
                )
            if job.status is not LabelingStatus.STOPPING:
                job.status, job.is_open, job.modified_at = LabelingStatus.STOPPING, False, self._clock()
        self._wake()

    def _job(self, session: Session, request: LabelingRequest, params: dict[str, Any]) -> LabelingJob:
        now = self._clock()
        # The job's own template, filled in when it is read; none of the account's human task UIs.
        ui = HumanTaskUi(name=request.key, content="", content_sha256="", created_at=now, deleted_at=now)
        session.add(ui)
        session.flush()
        task = params["HumanTaskConfig"]
        echoed = {key: value for key, value in params.items() if key not in ("LabelingJobName", "Tags")}
        return LabelingJob(
            name=request.name,
            key_name=request.key,
            status=LabelingStatus.INITIALIZING,
            is_open=False,
            created_at=now,
            modified_at=now,
            reference_code=self._reference_code(request),
            request=json.dumps(echoed),
            task_type=request.task_type.name if request.task_type else None,
            label_attribute=request.attribute,
            categories="[]",
            workteam_name=self._workteam(session, task["WorkteamArn"]),
            human_task_ui_id=ui.id,
            title=task["TaskTitle"],
            description=task["TaskDescription"],
            workers_per_item=request.workers,
            availability_seconds=request.availability,
            time_limit_seconds=request.time_limit,
            output_path=request.output_path,
            kms_key_id=params["OutputConfig"].get("KmsKeyId") or None,
        )

    def _reference_code(self, request: LabelingRequest) -> str:
        """The account and sixteen characters, as in AWS's; of the job's name, which is nobody else's."""
        digest = hashlib.sha256(self._arns.labeling_job(request.name).encode()).hexdigest()
        return self._arns.account_id + digest[:_CODE_CHARACTERS]

    def _workteam(self, session: Session, arn: str) -> str:
        name = self._arns.name_in(arn, "workteam")
        if name is None or session.get(Workteam, name) is None:
            teams = session.scalars(select(Workteam.name).order_by(Workteam.name).limit(5))
            known = ", ".join(self._arns.workteam(team) for team in teams)
            raise AwsError(
                "ValidationException",
                f"HumanTaskConfig.WorkteamArn: could not find work team {arn}; "
                + (f"there are {known}" if known else "there is none yet: make one with CreateWorkteam"),
            )
        return name

    def _check_quota(self, session: Session) -> None:
        at_work = (
            select(func.count()).select_from(LabelingJob).where(LabelingJob.status.in_(LABELING_AT_WORK))
        )
        if session.scalars(at_work).one() >= _MOST_AT_WORK:
            raise AwsError(
                "ResourceLimitExceeded",
                f"the account has {_MOST_AT_WORK} labeling jobs that have not ended: stop one, or wait",
            )

    def _summary(self, job: LabelingJob) -> dict[str, Any]:
        """What both Describe and List say."""
        return {
            "LabelingJobArn": self._arns.labeling_job(job.name),
            "LabelingJobStatus": job.status.value,
            "LabelCounters": {
                "TotalLabeled": job.human_labeled + job.machine_labeled,
                "HumanLabeled": job.human_labeled,
                "MachineLabeled": job.machine_labeled,
                "FailedNonRetryableError": job.failed,
                "Unlabeled": job.unlabeled,
            },
            "CreationTime": job.created_at,
            "LastModifiedTime": job.modified_at,
            "FailureReason": job.failure_reason if job.status is LabelingStatus.FAILED else None,
            "LabelingJobOutput": self._output(job),
        }

    def _output(self, job: LabelingJob) -> dict[str, Any] | None:
        """Where the labels are; a job that has asked nobody has written nothing."""
        if not job.objects:
            return None
        manifest = Layout.of(job.output_path, job.name).output_manifest
        return {"OutputDatasetS3Uri": manifest.uri, "FinalActiveLearningModelArn": job.final_model_arn}

    def _listed(self, job: LabelingJob) -> dict[str, Any]:
        request = json.loads(job.request)
        task = request["HumanTaskConfig"]
        return self._summary(job) | {
            "LabelingJobName": job.name,
            "WorkteamArn": task["WorkteamArn"],
            "PreHumanTaskLambdaArn": task.get("PreHumanTaskLambdaArn"),
            "AnnotationConsolidationLambdaArn": task.get("AnnotationConsolidationConfig", {}).get(
                "AnnotationConsolidationLambdaArn"
            ),
            "InputConfig": request["InputConfig"],
        }

    def _for_team(self, job: LabelingJob) -> dict[str, Any]:
        return {
            "LabelingJobName": job.name,
            "JobReferenceCode": job.reference_code,
            "WorkRequesterAccountId": self._arns.account_id,
            "CreationTime": job.created_at,
            "LabelCounters": {
                "HumanLabeled": job.human_labeled,
                "PendingHuman": job.unlabeled,
                "Total": job.objects,
            },
            "NumberOfHumanWorkersPerDataObject": job.workers_per_item,
        }


def _named(session: Session, name: str) -> LabelingJob | None:
    query = select(LabelingJob).where(LabelingJob.key_name == name.lower())
    return session.scalars(query).one_or_none()


def _existing(session: Session, name: str) -> LabelingJob:
    job = _named(session, name)
    if job is None:
        raise AwsError("ResourceNotFound", f"Could not find labeling job {name}")
    return job
