"""From an answer of the endpoint back to the model: which package, which training job, which dataset.

Takes an image and an endpoint, or a package, or a training job; gives a ``walk``: steps by name, each a
JSON-able dict, from the answer down to the people behind a label (provenance.py goes on from the dataset).
Only asks and reads. What SageMaker says is followed, and our own records have to agree with it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.aws.invoking import MAX_BYTES
from include.loop.aws.jobs import is_missing
from include.loop.core import layout
from include.loop.core.errors import BadRecord, ConcurrentWrite, ConfigurationError, NotSetUp
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.models import TrainedModel
from include.loop.core.records.verdict import Verdict
from include.loop.lineage.provenance import walk_back
from include.loop.models import registry
from include.loop.models.packaging import TRAINING_JOB
from include.loop.serving import smoke_test
from include.loop.serving.endpoint import describe_endpoint, endpoint_name
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

Walk = dict[str, Any]


@dataclass(frozen=True)
class Start:
    """Where a walk begins, and which way it takes where the way divides.

    Either ``image`` (an S3 URI, sent to ``endpoint``; None: the live one), or ``package`` (an ARN), or
    ``training_job``. ``detection`` (a detected object, or a class of a classifier, by score) and ``line``
    count from 1; ``class_name`` None is the detection's class.
    """

    image: str | None = None
    endpoint: str | None = None
    package: str | None = None
    training_job: str | None = None
    class_name: str | None = None
    detection: int = 1
    line: int = 1


def walk(workspace: Workspace, start: Start) -> Walk:
    """Walk down as far as it goes.

    Steps: answer, endpoint, package, training_job, dataset, label, human_loop, answers, template,
    flow_definition. Those above the start are absent, and those behind a label nobody was asked for.
    ConfigurationError, NotSetUp or ConcurrentWrite say where the thread is lost.
    """
    if start.class_name is not None and start.class_name not in workspace.pipeline.classes:
        known = ", ".join(workspace.pipeline.classes)
        raise ConfigurationError(f"no class {start.class_name!r}; the pipeline's classes are {known}")
    steps: Walk = {}
    package, job, class_name = start.package, start.training_job, start.class_name
    if start.image is not None:
        steps |= _answer(workspace, start, start.image)
        package = steps["endpoint"]["package_arn"]
        class_name = class_name or steps["answer"]["class"]
    if job is not None:
        package = registry.read_package(workspace, job).arn
    if package is None:
        raise ConfigurationError("a walk begins at an image, a package or a training job: name one of them")
    steps |= _package(workspace, package)
    steps |= _training_job(workspace, steps["package"]["training_job"])
    steps |= _dataset(workspace, steps["training_job"])
    return steps | walk_back(workspace, steps["dataset"]["dataset_id"], class_name, start.line)


def _answer(workspace: Workspace, start: Start, image: str) -> Walk:
    """Send the image, and find out which package answered."""
    endpoint = start.endpoint or endpoint_name(workspace)
    try:
        body = workspace.storage.read(image, most=MAX_BYTES)
    except (BadRecord, FileNotFoundError) as error:
        raise ConfigurationError(str(error)) from None
    before = _in_service(workspace.clients.sagemaker, endpoint)
    reply = smoke_test.invoke(workspace, endpoint, body, image)
    if _in_service(workspace.clients.sagemaker, endpoint) != before:
        raise ConcurrentWrite(f"endpoint {endpoint} was updated while it was asked; ask again")
    found = smoke_test.read_answer(workspace, reply, endpoint, body, image)
    if not 1 <= start.detection <= len(found):
        raise ConfigurationError(
            f"endpoint {endpoint} says {len(found)} things of {image}: there is no number {start.detection}; "
            "another image, or a package or training job, can be a start as well"
        )
    detection = found[start.detection - 1]
    values = asdict(detection)
    class_name = workspace.pipeline.classes[values.pop("class_id")]
    variant = str(reply["InvokedProductionVariant"])
    answer = {"image": image, "detection": start.detection, "of": len(found), "class": class_name}
    return {
        "answer": answer | values,
        "endpoint": _endpoint(workspace.clients.sagemaker, endpoint, before, variant),
    }


def _in_service(sagemaker: SageMakerClient, endpoint: str) -> str:
    """The configuration an endpoint is in service with. While it changes, nobody can tell who answers."""
    described = describe_endpoint(sagemaker, endpoint)
    if described is None:
        raise NotSetUp(f"there is no endpoint {endpoint!r}; deploy a model, or name another with --endpoint")
    if described["EndpointStatus"] != "InService":
        raise ConcurrentWrite(f"endpoint {endpoint} is {described['EndpointStatus']}; ask again later")
    return str(described["EndpointConfigName"])


def _endpoint(sagemaker: SageMakerClient, endpoint: str, config: str, variant: str) -> dict[str, Any]:
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    model_name = next(item["ModelName"] for item in variants if item["VariantName"] == variant)
    model = sagemaker.describe_model(ModelName=model_name)
    containers = model.get("Containers") or [model["PrimaryContainer"]]
    arn = containers[0].get("ModelPackageName")
    if arn is None:
        raise NotSetUp(
            f"model {model_name} of endpoint {endpoint} was not made from a model package: it was not "
            "deployed by this loop, and nothing tells where it comes from"
        )
    return {
        "endpoint": endpoint,
        "config": config,
        "variant": variant,
        "model": model_name,
        "package_arn": arn,
    }


def _package(workspace: Workspace, arn: str) -> Walk:
    try:
        found = workspace.clients.sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if not is_missing(error):
            raise
        raise NotSetUp(f"there is no model package {arn}") from None
    # Both say it; the ARN is SageMaker's own field for it, the property is what can be searched for.
    origin = found.get("MetadataProperties", {}).get("GeneratedBy", "")
    properties = found.get("CustomerMetadataProperties", {})
    job = properties.get(TRAINING_JOB, "")
    if not job or origin.rpartition("/")[2] != job:
        raise NotSetUp(f"model package {arn} does not tell which training job it comes from: not one of ours")
    return {
        "package": {
            "package_arn": arn,
            "group": found["ModelPackageGroupName"],
            "version": found["ModelPackageVersion"],
            "status": found["ModelApprovalStatus"],
            "comment": found.get("ApprovalDescription", ""),
            "gate": _gate(workspace, job),
            "metrics_uri": workspace.storage.uri(layout.metrics_file(job)),
            "training_job": job,
        }
    }


def _gate(workspace: Workspace, job: str) -> str:
    verdict = Verdict.find(workspace.storage, job)
    if verdict is None:
        return "unknown: there is no verdict any more"
    return ("passed: " if verdict.promote else "failed: ") + "; ".join(verdict.reasons)


def _training_job(workspace: Workspace, job: str) -> Walk:
    model = TrainedModel.find(workspace.storage, job)
    if model is None:
        where = workspace.storage.uri(TrainedModel.location(job))
        raise NotSetUp(
            f"{where} is missing: {job} was trained by another pipeline (--pipeline) or into another bucket"
        )
    described = workspace.clients.sagemaker.describe_training_job(TrainingJobName=job)
    # Channels have the names and the form that the job's image wants, which the environment may say otherwise
    # by now.
    channels = [item["DataSource"].get("S3DataSource", {}) for item in described["InputDataConfig"]]
    sources = [source["S3Uri"] for source in channels if "S3Uri" in source]
    forms = (layout.dataset_manifest, layout.dataset_records, layout.coco_images)
    known = {workspace.storage.uri(form(model.dataset_id, "train")) for form in forms}
    read = next((source for source in sources if source in known), None)
    if read is None:
        raise NotSetUp(
            f"{job} was trained on {', '.join(sources)}, but model.json names dataset {model.dataset_id}"
        )
    return {
        "training_job": {
            "training_job": job,
            "started": described["CreationTime"].isoformat(timespec="seconds"),
            "status": described["TrainingJobStatus"],
            "artifact": described["ModelArtifacts"]["S3ModelArtifacts"],
            "parent": model.origin,
            "dataset_id": model.dataset_id,
            "manifest": read,
        }
    }


def _dataset(workspace: Workspace, job: dict[str, Any]) -> Walk:
    dataset = Dataset.read(workspace.storage, job["dataset_id"])
    return {
        "dataset": {
            "dataset_id": dataset.dataset_id,
            "uri": workspace.storage.uri(Dataset.location(dataset.dataset_id)),
            "batches": sorted(dataset.shards),
            "train": dataset.train,
            "new": dataset.new,
            "replayed": dataset.replayed,
            "parent_dataset": dataset.parent_dataset,
        }
    }
