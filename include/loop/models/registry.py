"""The model registry: one model package per trained model, whose approval status says whether it may be used.

Takes a judged training job, gives a version in SageMaker's model package group of the pipeline and
``registry/<job>.json``. The status is the one truth: the gate's no makes it Rejected, its yes Approved, or
PendingManualApproval where a person has to agree; afterwards anybody with a SageMaker client may decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from include.loop.aws.jobs import is_missing
from include.loop.core.errors import NotSetUp
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import ApprovalDecision, Registration, TrainedModel
from include.loop.core.records.verdict import Verdict
from include.loop.core.times import now
from include.loop.models.packaging import TRAINING_JOB, create_package, one_line
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


class Approval(StrEnum):
    """ModelApprovalStatus of the API model."""

    APPROVED = "Approved"
    REJECTED = "Rejected"
    PENDING = "PendingManualApproval"


@dataclass(frozen=True)
class ModelPackage:
    """One version of the group. ``comment`` is what the last decision said, "" before there was one."""

    arn: str
    group: str
    version: int
    training_job: str
    status: Approval
    comment: str


@dataclass(frozen=True)
class Registered:
    """A model's version in the registry, as it stands: ``ask`` somebody for a decision, and ``why``."""

    training_job: str
    package_arn: str
    group: str
    version: int
    status: str
    ask: bool
    why: str


@dataclass(frozen=True)
class Decided:
    """How a package stands after somebody has spoken; ``changed`` is False when that was decided before."""

    training_job: str
    package_arn: str
    status: str
    changed: bool
    comment: str


def register(workspace: Workspace, training_job: str, ask: bool | None = None) -> Registered:
    """Make the model a package, once; run again it finds the same one, in whatever state it is by now.

    ``ask``: a person has to agree, also where the pipeline does not say so; a dataset with batches that a
    backfill ran always asks. NotSetUp before the gate has judged.
    """
    registration = Registration.find(workspace.storage, training_job)
    verdict = Verdict.find(workspace.storage, training_job)
    if verdict is None:
        raise NotSetUp(f"{training_job} has no verdict: run the gate before registering")
    model = TrainedModel.read(workspace.storage, training_job)
    dataset = Dataset.find(workspace.storage, model.dataset_id)
    why = _why_ask(workspace, dataset, ask) if verdict.promote else ""
    if registration is None:
        status = Approval.PENDING if why else Approval.APPROVED if verdict.promote else Approval.REJECTED
        arn = create_package(workspace, training_job, verdict, status.value)
        version = int(arn.rpartition("/")[2])
        made = Registration(package_arn=arn, group=workspace.pipeline.name, version=version)
        registration = made.write_once(workspace.storage, training_job)
    package = read_package(workspace, training_job)
    asked = package.status is Approval.PENDING
    return Registered(
        training_job=training_job,
        package_arn=registration.package_arn,
        group=registration.group,
        version=registration.version,
        status=package.status.value,
        ask=asked,
        why=why if asked else "",
    )


def read_package(workspace: Workspace, training_job: str) -> ModelPackage:
    """The package of a trained model. NotSetUp when it was not registered, or deleted since."""
    registration = Registration.find(workspace.storage, training_job)
    if registration is None:
        raise NotSetUp(f"{training_job} is not in the model registry: run register first")
    try:
        return describe_package(workspace.clients.sagemaker, registration.package_arn)
    except ClientError as error:
        if not is_missing(error):
            raise
        location = workspace.storage.uri(Registration.location(training_job))
        raise NotSetUp(
            f"model package {registration.package_arn} of {training_job} was deleted; "
            f"to register the model anew, delete {location} and run register"
        ) from None


def describe_package(sagemaker: SageMakerClient, arn: str) -> ModelPackage:
    """A package by its ARN."""
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    return ModelPackage(
        arn=found["ModelPackageArn"],
        group=found.get("ModelPackageGroupName", ""),
        version=int(found.get("ModelPackageVersion", 0)),
        training_job=found.get("CustomerMetadataProperties", {}).get(TRAINING_JOB, ""),
        status=Approval(found.get("ModelApprovalStatus", Approval.PENDING)),
        comment=found.get("ApprovalDescription", ""),
    )


def newest_approved(workspace: Workspace) -> ModelPackage | None:
    """The newest version that may be used, whoever approved it; None when there is none."""
    try:
        pages = workspace.clients.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=workspace.pipeline.name,
            ModelApprovalStatus=Approval.APPROVED.value,
            SortBy="CreationTime",
            SortOrder="Descending",  # the default is Ascending
        )
        found = next((item for page in pages for item in page["ModelPackageSummaryList"]), None)
    except ClientError as error:
        if not is_missing(error):
            raise
        return None  # no group yet
    return describe_package(workspace.clients.sagemaker, found["ModelPackageArn"]) if found else None


def decide(workspace: Workspace, training_job: str, approve: bool, by: str, comment: str = "") -> Decided:
    """What a person said about a package that waits. The first decision holds."""
    package = read_package(workspace, training_job)
    changed = package.status is Approval.PENDING
    if changed:
        wanted = Approval.APPROVED if approve else Approval.REJECTED
        set_status(workspace, package, wanted, by, comment)
        package = read_package(workspace, training_job)
    return Decided(training_job, package.arn, package.status.value, changed, package.comment)


def set_status(workspace: Workspace, package: ModelPackage, wanted: Approval, by: str, comment: str) -> None:
    """Set a package's status, whatever it was, and keep who did so and why beside its record."""
    text = f"{wanted.value.lower()} by {by}" + (f": {comment}" if comment else "")
    workspace.clients.sagemaker.update_model_package(
        ModelPackageArn=package.arn, ModelApprovalStatus=wanted.value, ApprovalDescription=one_line(text)
    )
    decision = ApprovalDecision(status=wanted.value, by=by, comment=comment, decided_at=now().isoformat())
    decision.write(workspace.storage, package.training_job)


def _why_ask(workspace: Workspace, dataset: Dataset | None, ask: bool | None) -> str:
    """Why a person has to agree; "" when nobody needs to be asked."""
    if dataset and dataset.backfilled:
        return f"it learned from batches that a backfill ran: {', '.join(sorted(dataset.backfilled))}"
    if ask:
        return "this run was told to ask"
    return f"{workspace.pipeline.path}: gate.approval is set" if workspace.pipeline.gate.approval else ""
