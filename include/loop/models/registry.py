"""The model registry: one model package per trained model, whose approval status says whether it may be used.

Takes a judged training job, gives a version in SageMaker's model package group of the pipeline and
``registry/<job>.json``. The status is the one truth: the gate's no makes it Rejected, its yes Approved, or
PendingManualApproval where a person has to agree; afterwards anybody with a SageMaker client may decide.
Knows storage and packaging.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.aws.jobs import is_missing
from include.loop.core import layout
from include.loop.core.errors import NotSetUp
from include.loop.core.records.verdict import Verdict
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
class Package:
    """One version of the group. ``comment`` is what the last decision said, "" before there was one."""

    arn: str
    group: str
    version: int
    training_job: str
    status: Approval
    comment: str


def register(workspace: Workspace, training_job: str, ask: bool | None = None) -> dict[str, Any]:
    """Make the model a package, once; run again it finds the same one, in whatever state it is by now.

    ``ask``: a person has to agree, also where the pipeline does not say so; a dataset with nights that a
    backfill ran always asks. NotSetUp before the gate has judged.
    """
    record = workspace.storage.find_json(layout.registry_file(training_job))
    verdict = Verdict.find(workspace.storage, training_job)
    if verdict is None:
        raise NotSetUp(f"{training_job} has no verdict: run the gate before registering")
    dataset = _read_dataset(workspace, training_job)
    why = _why_ask(workspace, dataset, ask) if verdict.promote else ""
    if record is None:
        status = Approval.PENDING if why else Approval.APPROVED if verdict.promote else Approval.REJECTED
        arn = create_package(workspace, training_job, verdict, status.value)
        version = int(arn.rpartition("/")[2])
        record = workspace.storage.write_json_once(
            layout.registry_file(training_job),
            {"package_arn": arn, "group": workspace.pipeline.name, "version": version},
        )
    package = read_package(workspace, training_job)
    return {
        "training_job": training_job,
        **record,
        "status": package.status.value,
        "ask": package.status is Approval.PENDING,
        "why": why if package.status is Approval.PENDING else "",
    }


def read_package(workspace: Workspace, training_job: str) -> Package:
    """The package of a trained model. NotSetUp when it was not registered, or deleted since."""
    record = workspace.storage.find_json(layout.registry_file(training_job))
    if record is None:
        raise NotSetUp(f"{training_job} is not in the model registry: run register first")
    try:
        return describe_package(workspace.clients.sagemaker, record["package_arn"])
    except ClientError as error:
        if not is_missing(error):
            raise
        location = workspace.storage.uri(layout.registry_file(training_job))
        raise NotSetUp(
            f"model package {record['package_arn']} of {training_job} was deleted; "
            f"to register the model anew, delete {location} and run register"
        ) from None


def describe_package(sagemaker: SageMakerClient, arn: str) -> Package:
    """A package by its ARN."""
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    return Package(
        arn=found["ModelPackageArn"],
        group=found.get("ModelPackageGroupName", ""),
        version=int(found.get("ModelPackageVersion", 0)),
        training_job=found.get("CustomerMetadataProperties", {}).get(TRAINING_JOB, ""),
        status=Approval(found.get("ModelApprovalStatus", Approval.PENDING)),
        comment=found.get("ApprovalDescription", ""),
    )


def status(workspace: Workspace, training_job: str) -> str:
    """ModelApprovalStatus of a registered model."""
    return read_package(workspace, training_job).status.value


def newest_approved(workspace: Workspace) -> Package | None:
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


def decide(
    workspace: Workspace, training_job: str, approve: bool, by: str, comment: str = ""
) -> dict[str, Any]:
    """What a person said about a package that waits. The first decision holds."""
    package = read_package(workspace, training_job)
    changed = package.status is Approval.PENDING
    if changed:
        wanted = Approval.APPROVED if approve else Approval.REJECTED
        set_status(workspace, package, wanted, by, comment)
        package = read_package(workspace, training_job)
    return {
        "training_job": training_job,
        "package_arn": package.arn,
        "status": package.status.value,
        "changed": changed,
        "comment": package.comment,
    }


def set_status(workspace: Workspace, package: Package, wanted: Approval, by: str, comment: str) -> None:
    """Set a package's status, whatever it was, and keep who did so and why beside its record."""
    text = f"{wanted.value.lower()} by {by}" + (f": {comment}" if comment else "")
    workspace.clients.sagemaker.update_model_package(
        ModelPackageArn=package.arn, ModelApprovalStatus=wanted.value, ApprovalDescription=one_line(text)
    )
    workspace.storage.write_json(
        layout.decision_file(package.training_job),
        {
            "status": wanted.value,
            "by": by,
            "comment": comment,
            "decided_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def _why_ask(workspace: Workspace, dataset: dict[str, Any], ask: bool | None) -> str:
    """Why a person has to agree; "" when nobody needs to be asked."""
    if backfilled := dataset.get("backfilled"):
        return f"it learned from nights that a backfill ran: {', '.join(sorted(backfilled))}"
    if ask:
        return "this run was told to ask"
    return f"{workspace.pipeline.path}: gate.approval is set" if workspace.pipeline.gate.approval else ""


def _read_dataset(workspace: Workspace, training_job: str) -> dict[str, Any]:
    dataset_id = workspace.storage.read_json(layout.model_file(training_job))["dataset_id"]
    return dict(workspace.storage.find_json(layout.dataset_file(dataset_id)) or {})
