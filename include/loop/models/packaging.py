"""A trained model as a model package: what a version of the registry says of where it comes from.

Takes a judged training job, gives the CreateModelPackage request and the package's ARN; made once, whatever
dies in between. What SageMaker would refuse in a text is taken out of it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.aws.containers import training_image
from include.loop.aws.jobs import is_missing
from include.loop.aws.request_options import given, tags
from include.loop.core import layout
from include.loop.core.identity import content_hash
from include.loop.core.records.models import TrainedModel
from include.loop.core.records.verdict import Verdict
from include.loop.core.storage import error_code
from include.loop.models.calibration import find_calibration
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

# Limits of CreateModelPackage and UpdateModelPackage.
MAX_PROPERTIES, MAX_PROPERTY, MAX_TEXT, TOKEN_CHARS = 50, 256, 1024, 36
PROPERTY_SIGNS = " _.:/=+-@"  # what a property may hold besides letters and digits
CONTENT_TYPES = ("image/jpeg", "image/png", "application/x-image")  # of SageMaker's algorithms
# The property by which a package is traced to the job that trained it.
TRAINING_JOB = "training-job"


def create_package(workspace: Workspace, training_job: str, verdict: Verdict, status: str) -> str:
    """The ARN of the model's package in the pipeline's group, created with this ModelApprovalStatus.

    A package that an earlier call made and could not record is found again, by its token or its properties.
    """
    request = _request(workspace, training_job, verdict, status)
    _ensure_group(workspace)
    try:
        return str(workspace.clients.sagemaker.create_model_package(**request)["ModelPackageArn"])
    except ClientError as error:
        if error_code(error) != "ConflictException":
            raise
        pages = workspace.clients.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=request["ModelPackageGroupName"],
            SortBy="CreationTime",
            SortOrder="Descending",
        )
        for item in (item for page in pages for item in page["ModelPackageSummaryList"]):
            if _origin(workspace.clients.sagemaker, item["ModelPackageArn"]) == training_job:
                return str(item["ModelPackageArn"])
        raise


def property_text(text: str) -> str:
    """A text as SageMaker takes it in CustomerMetadataProperties, never empty."""
    plain = "".join(char if char.isalnum() or char in PROPERTY_SIGNS else " " for char in text)
    return " ".join(plain.split())[:MAX_PROPERTY] or "-"


def one_line(text: str) -> str:
    """A text as SageMaker takes it in a description or comment."""
    return " ".join(text.split())[:MAX_TEXT]


def _origin(sagemaker: SageMakerClient, arn: str) -> str | None:
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    return found.get("CustomerMetadataProperties", {}).get(TRAINING_JOB)


def _ensure_group(workspace: Workspace) -> None:
    name = workspace.pipeline.name
    try:
        workspace.clients.sagemaker.describe_model_package_group(ModelPackageGroupName=name)
        return
    except ClientError as error:
        if not is_missing(error):
            raise
    try:
        workspace.clients.sagemaker.create_model_package_group(
            ModelPackageGroupName=name,
            ModelPackageGroupDescription=one_line(workspace.pipeline.description),
            **given(Tags=tags(workspace.environment)),  # SageMaker takes them on groups, not on versions
        )
    except ClientError as error:
        if "already exist" not in str(error):  # somebody made it between the two calls
            raise


def _request(workspace: Workspace, training_job: str, verdict: Verdict, status: str) -> dict[str, Any]:
    """Depends on stored facts only, so that its token finds the package that a crash left unrecorded."""
    model = TrainedModel.read(workspace.storage, training_job)
    measured = workspace.storage.find(layout.metrics_file(training_job))
    reasons = "; ".join(verdict.reasons)
    account, region = workspace.environment.role_arn.split(":")[4], workspace.environment.region
    partition, kinds = workspace.environment.role_arn.split(":")[1], workspace.environment.adapter
    return {
        "ModelPackageGroupName": workspace.pipeline.name,
        "ModelPackageDescription": one_line(f"{training_job}: {reasons}"),
        "ModelApprovalStatus": status,
        "ClientToken": content_hash(
            workspace.storage.uri(layout.registry_file(training_job)), length=TOKEN_CHARS
        ),
        "InferenceSpecification": {
            "Containers": [{"Image": training_image(workspace), "ModelDataUrl": model.model_data}],
            "SupportedContentTypes": list(dict.fromkeys([*CONTENT_TYPES, kinds.content_type])),
            "SupportedResponseMIMETypes": [kinds.accept],
        },
        "MetadataProperties": {
            "GeneratedBy": f"arn:{partition}:sagemaker:{region}:{account}:training-job/{training_job}"
        },
        "CustomerMetadataProperties": _properties(workspace, training_job, model, verdict),
        **({"ModelMetrics": _metrics(workspace, training_job, measured[0])} if measured else {}),
    }


def _calibration(workspace: Workspace, training_job: str) -> dict[str, str]:
    """How the model's scores are to be read by who serves it; the maps by class are in its metrics."""
    found = find_calibration(workspace, training_job)
    if found is None:
        return {}
    pooled = found.pooled
    told = f"logit of the share that is right = {pooled.slope} logit of the score + {pooled.offset}"
    values = {"calibration": "scores as they are" if found.why_not else told}
    if point := found.working_point:
        values["working-point"] = (
            f"calibrated score {point.score} for the {found.asked}: precision {point.precision}, "
            f"recall {point.recall}"
        )
    return values


def _metrics(workspace: Workspace, training_job: str, body: bytes) -> dict[str, Any]:
    statistics = {
        "ContentType": "application/json",
        "S3Uri": workspace.storage.uri(layout.metrics_file(training_job)),
        "ContentDigest": f"sha256:{hashlib.sha256(body).hexdigest()}",
    }
    return {"ModelQuality": {"Statistics": statistics}}


def _properties(
    workspace: Workspace, training_job: str, model: TrainedModel, verdict: Verdict
) -> dict[str, str]:
    """What can be searched for: at most 50 texts of at most 256 characters, which SageMaker chooses."""
    values = {
        TRAINING_JOB: training_job,
        "dataset-id": model.dataset_id,
        "parent": model.origin or "none",
        "gate": ("passed" if verdict.promote else "failed") + ": " + " / ".join(verdict.reasons),
        "metric": verdict.metric,
        **_calibration(workspace, training_job),
        "report": workspace.storage.uri(layout.report_page(training_job)),
    }
    scores = {f"score-{name}": json.dumps(value) for name, value in sorted(verdict.score.items())}
    values |= dict(list(scores.items())[: MAX_PROPERTIES - len(values)])
    return {name: property_text(value) for name, value in values.items()}
