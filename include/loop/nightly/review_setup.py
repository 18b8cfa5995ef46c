"""What must exist before people can be asked: CORS on the bucket, a work team, a worker template, a flow
definition.

Takes the pipeline's review settings and the environment's work team; gives ARNs and the portal's address.
Templates and flow definitions cannot be changed once they exist, so their names carry a hash of their
content: new settings make new ones, and the same settings find the old ones. Every function is safe to run
again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError, Fatal, NotSetUp
from include.loop.core.identity import check_name, content_hash
from include.loop.core.storage import error_code
from include.loop.nightly.template_lists import warnings
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

# What a browser needs to show an image: A2I's guide asks for GET from anywhere, Ground Truth's also exposes
# the header.
CORS_RULE: Any = {
    "AllowedHeaders": [],
    "AllowedMethods": ["GET"],
    "AllowedOrigins": ["*"],
    "ExposeHeaders": ["Access-Control-Allow-Origin"],
}


@dataclass(frozen=True)
class ImageBuckets:
    """The buckets that reviewers' browsers read, and those of them that got the CORS rule now."""

    buckets: list[str]
    changed: list[str]


@dataclass(frozen=True)
class Workteam:
    """The team, and the address at which it signs in."""

    workteam_arn: str
    portal_url: str


@dataclass(frozen=True)
class WorkerTemplate:
    """The worker task template, the name that carries its content's hash, and what is to be known about the
    lists of classes in it.
    """

    human_task_ui_arn: str
    name: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowDefinition:
    """The flow definition; ``flow_definition_arn`` is None for a moment after it was made."""

    flow_definition_arn: str | None
    name: str
    status: str
    active: bool


@dataclass(frozen=True)
class ReviewPortal:
    """Where the reviewers sign in, and what they will work on."""

    portal_url: str
    workteam_arn: str
    flow_definition_arn: str


def setup_bucket(workspace: Workspace, buckets: Iterable[str] = ()) -> ImageBuckets:
    """Let browsers read the images: add the CORS rule to their buckets, and keep the rules that are there.
    ``buckets`` hold images beside those of the pipeline's batches.
    """
    s3 = workspace.storage.s3
    images, _ = workspace.storage.resolve(workspace.pipeline.batch.prefix)
    every = sorted({workspace.environment.bucket, images, *buckets})
    changed = []
    for bucket in every:
        try:
            rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
        except ClientError as error:
            if error_code(error) != "NoSuchCORSConfiguration":
                raise
            rules = []
        if not any("GET" in rule["AllowedMethods"] and "*" in rule["AllowedOrigins"] for rule in rules):
            s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*rules, CORS_RULE]})
            changed.append(bucket)
    return ImageBuckets(every, changed)


def setup_workteam(workspace: Workspace) -> Workteam:
    """The environment's work team: the one whose ARN it names, else one by name, made when missing."""
    place = workspace.environment.review
    team = _find_workteam(workspace)
    if team is None:
        if place.workteam_arn:
            where = f"{workspace.environment.path}: review.workteam_arn"
            raise ConfigurationError(f"{where}: there is no work team {place.workteam_arn}")
        workspace.clients.review.create_workteam(
            WorkteamName=place.workteam,
            MemberDefinitions=[{"OidcMemberDefinition": {"Groups": list(place.oidc_groups)}}],
            Description=f"Reviewers of {workspace.pipeline.name}",
        )
        team = _find_workteam(workspace)
        if team is None:
            raise NotSetUp(f"work team {place.workteam} was created but cannot be described; run again")
    return Workteam(team["WorkteamArn"], _portal_url(workspace, team))


def setup_template(workspace: Workspace) -> WorkerTemplate:
    """The worker task template, under a name that carries its content's hash."""
    content = workspace.pipeline.template()
    name = _template_name(workspace)
    try:
        arn = workspace.clients.review.describe_human_task_ui(HumanTaskUiName=name)["HumanTaskUiArn"]
    except ClientError as error:
        if not _is_missing(error):
            raise
        arn = workspace.clients.review.create_human_task_ui(
            HumanTaskUiName=name, UiTemplate={"Content": content}
        )["HumanTaskUiArn"]
    return WorkerTemplate(arn, name, tuple(warnings(content, workspace.pipeline.classes)))


def setup_flow_definition(workspace: Workspace) -> FlowDefinition:
    """The flow definition of today's settings. Call again until ``active``; Fatal when it Failed.

    The work team and the template must exist (NotSetUp otherwise).
    """
    request = _flow_definition_request(workspace)
    name = request["FlowDefinitionName"]
    described = _describe_flow_definition(workspace.clients.review, name)
    if described is None:
        workspace.clients.review.create_flow_definition(**request)
        described = _describe_flow_definition(workspace.clients.review, name) or {}
    status = described.get("FlowDefinitionStatus", "Initializing")
    if status == "Failed":
        raise Fatal(f"flow definition {name} failed: {described.get('FailureReason', 'no reason given')}")
    return FlowDefinition(described.get("FlowDefinitionArn"), name, status, active=status == "Active")


def find_flow_definition(workspace: Workspace) -> str:
    """The ARN of the active flow definition of today's settings; NotSetUp before review_setup has run."""
    name = _flow_definition_request(workspace)["FlowDefinitionName"]
    described = _describe_flow_definition(workspace.clients.review, name)
    if described is None or described["FlowDefinitionStatus"] != "Active":
        state = described["FlowDefinitionStatus"] if described else "missing"
        raise NotSetUp(
            f"flow definition {name} is {state}: run review_setup for pipeline {workspace.pipeline.name!r} "
            "(again after every change of its review settings or template)"
        )
    return str(described["FlowDefinitionArn"])


def portal(workspace: Workspace) -> ReviewPortal:
    """For who has set everything up; NotSetUp names what is missing."""
    team = _require_workteam(workspace)
    return ReviewPortal(_portal_url(workspace, team), team["WorkteamArn"], find_flow_definition(workspace))


def _flow_definition_request(workspace: Workspace) -> dict[str, Any]:
    pipeline, environment = workspace.pipeline, workspace.environment
    review = pipeline.review
    template = _template_name(workspace)
    try:
        ui = workspace.clients.review.describe_human_task_ui(HumanTaskUiName=template)
    except ClientError as error:
        if not _is_missing(error):
            raise
        raise NotSetUp(f"worker template {template} is missing: run review_setup first") from None
    request = {
        "HumanLoopConfig": {
            "WorkteamArn": _require_workteam(workspace)["WorkteamArn"],
            "HumanTaskUiArn": ui["HumanTaskUiArn"],
            "TaskTitle": review.title,
            "TaskDescription": review.description,
            "TaskCount": review.task_count,
            "TaskAvailabilityLifetimeInSeconds": review.availability_seconds,
            "TaskTimeLimitInSeconds": review.time_limit_seconds,
        },
        "OutputConfig": {"S3OutputPath": workspace.storage.uri(layout.REVIEWS)},
        "RoleArn": environment.role_arn,
    }
    name = check_name(f"{pipeline.name}-review-{content_hash(request)}")
    return {"FlowDefinitionName": name, **request}


def _template_name(workspace: Workspace) -> str:
    return check_name(f"{workspace.pipeline.name}-ui-{content_hash(workspace.pipeline.template())}")


def _describe_flow_definition(review: SageMakerClient, name: str) -> dict[str, Any] | None:
    try:
        return dict(review.describe_flow_definition(FlowDefinitionName=name))
    except ClientError as error:
        if not _is_missing(error):
            raise
        return None


def _require_workteam(workspace: Workspace) -> dict[str, Any]:
    team = _find_workteam(workspace)
    if team is None:
        raise NotSetUp(
            f"work team {workspace.environment.review.workteam} is missing: run review_setup first"
        )
    return team


def _find_workteam(workspace: Workspace) -> dict[str, Any] | None:
    place = workspace.environment.review
    name = place.workteam_arn.rsplit("/", 1)[-1] if place.workteam_arn else place.workteam
    try:
        return dict(workspace.clients.review.describe_workteam(WorkteamName=name)["Workteam"])
    except ClientError as error:
        if not _is_missing(error):
            raise
        return None


def _portal_url(workspace: Workspace, team: dict[str, Any]) -> str:
    if workspace.environment.review.portal_url:
        return workspace.environment.review.portal_url
    domain = str(team.get("SubDomain", ""))
    # SubDomain is a bare host: TLS everywhere but on this machine itself.
    scheme = "http" if domain.startswith(("127.0.0.1", "localhost")) else "https"
    return domain if "://" in domain else f"{scheme}://{domain}"


def _is_missing(error: ClientError) -> bool:
    # SageMaker words a missing resource as ResourceNotFound for some kinds and as ValidationException for
    # others.
    return error_code(error) in {"ResourceNotFound", "ResourceNotFoundException", "ValidationException"}
