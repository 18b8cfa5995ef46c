"""What any model says of any images: by an endpoint at once, or by a batch transform where none is up.

A person's own images are put into the pipeline's folder under the hash of what they hold, so that the same
question has the same job and costs once. Nothing here becomes part of a model's evaluation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.aws.invoking import MAX_BYTES
from include.loop.aws.jobs import Pending, ResourceKind
from include.loop.aws.transform import Transform, advance, why_missing
from include.loop.core import layout
from include.loop.core.errors import BadRecord, DeploymentFailed, NotSetUp
from include.loop.core.identity import job_stem
from include.loop.core.records.outputs import outputs_by_image
from include.loop.core.storage import in_parallel, split_uri
from include.loop.evaluation.predictions import Contestant, Outputs
from include.loop.serving import smoke_test
from include.loop.serving.endpoint import describe_endpoint
from include.loop.tasks.outputs import read_outputs
from include.loop.workspace import Workspace

# EndpointStatus while it answers, whatever else is going on.
SERVING = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack"})


@dataclass(frozen=True)
class Given:
    """An image as a person gave it: its path or URI, and its bytes."""

    name: str
    body: bytes


@dataclass(frozen=True)
class Answers:
    """Predictions by image, and why there is none of the others."""

    found: dict[str, Any]
    missing: dict[str, str]


def ask_endpoint(
    workspace: Workspace, endpoint: str, images: Sequence[str], read: Callable[[str], bytes]
) -> Answers:
    """By name; ``read`` gives an image's bytes (FileNotFoundError or BadRecord: it has none). NotSetUp when
    there is no such endpoint in service.
    """
    described = describe_endpoint(workspace.clients.sagemaker, endpoint)
    status = described["EndpointStatus"] if described else "not there"
    if status not in SERVING:
        raise NotSetUp(
            f"endpoint {endpoint} is {status}: deploy a model, name another with --endpoint, or ask a model "
            "without one with --model"
        )

    def ask(image: str) -> tuple[str, Any, str]:
        try:
            body = read(image)
            if len(body) > MAX_BYTES:
                raise BadRecord(
                    f"image of {len(body):,} bytes; an endpoint takes {MAX_BYTES:,}: a batch "
                    "transform (--model) takes larger ones"
                )
            return image, smoke_test.ask(workspace, endpoint, body, image), ""
        except (BadRecord, FileNotFoundError, DeploymentFailed) as error:
            return image, None, str(error)

    answers = Answers({}, {})
    for image, prediction, why in in_parallel(ask, images):
        if why:
            answers.missing[image] = why
        else:
            answers.found[image] = prediction
    return answers


def upload(workspace: Workspace, images: Sequence[Given]) -> dict[str, str]:
    """Each image's URI in the pipeline's folder, by name; what is there already is not sent again."""

    def put(image: Given) -> tuple[str, str]:
        location = layout.asked_image(hashlib.sha256(image.body).hexdigest())
        workspace.storage.write_once(location, image.body)
        return image.name, workspace.storage.uri(location)

    return dict(in_parallel(put, images))


def ask_model(
    workspace: Workspace, model: Contestant, images: Sequence[str], waited_for: Pending | None
) -> Pending | Answers:
    """By S3 URI (see jobs.py for the calling pattern). What its evaluations have predicted is not predicted
    again.
    """
    found = zip(images, in_parallel(workspace.storage.stat, images), strict=True)
    there = {image: item for image, item in found if item is not None}
    known = outputs_by_image(workspace.storage, model.training_job)
    outputs: Outputs = {image: known.get((image, item.etag)) for image, item in there.items()}
    buckets: dict[str, dict[str, str]] = {}
    for image, item in sorted(there.items()):
        if outputs[image] is None:
            buckets.setdefault(split_uri(image)[0], {})[image] = item.etag
    missing = {image: "no prediction: the object is gone" for image in images if image not in there}
    pending: list[str] = []
    for etags in buckets.values():
        step = _transform(workspace, model, etags, waited_for)
        if isinstance(step, Pending):
            pending += step.names
        else:
            outputs |= step.found
            missing |= step.missing
    if pending:
        return Pending(ResourceKind.TRANSFORM, tuple(pending))
    read = read_outputs(workspace.task, workspace.storage, outputs)
    unreadable = outputs.keys() - read.keys() - missing.keys()
    return Answers(read, missing | {image: _why(workspace, image, outputs[image]) for image in unreadable})


def model_behind(workspace: Workspace, endpoint: str) -> Contestant:
    """The model that an endpoint serves, whoever deployed it; of several variants, the first one's."""
    sagemaker = workspace.clients.sagemaker
    described = describe_endpoint(sagemaker, endpoint)
    if described is None:
        raise NotSetUp(f"there is no endpoint {endpoint!r}; name another with --endpoint, or a --model")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container: Mapping[str, Any] = (model.get("Containers") or [model["PrimaryContainer"]])[0]
    if package := container.get("ModelPackageName"):
        found = sagemaker.describe_model_package(ModelPackageName=package)
        container = found["InferenceSpecification"]["Containers"][0]
    return contestant(workspace, container["ModelDataUrl"])


def contestant(workspace: Workspace, model_data: str) -> Contestant:
    """A model by its artifact: named after the training job that its place tells, else after the place."""
    parts = split_uri(model_data)[1].split("/")
    if parts[-2:] == ["output", "model.tar.gz"] and len(parts) > 2 and layout.is_training_job(parts[-3]):
        return Contestant(parts[-3], model_data)
    return Contestant(job_stem(workspace.pipeline.name, "artifact", model_data), model_data)


def _transform(
    workspace: Workspace, model: Contestant, etags: Mapping[str, str], waited_for: Pending | None
) -> Pending | Answers:
    """``found`` are locations of outputs."""
    stem = job_stem(
        workspace.pipeline.name, "ask", model.training_job, model.model_data, sorted(etags.items())
    )
    transform = Transform(
        stem=stem,
        training_job=model.training_job,
        model_data=model.model_data,
        images=tuple(etags),
        folder=layout.asked_folder(stem.rpartition("-")[2]),
    )
    step = advance(workspace, transform, waited_for)
    if isinstance(step, Pending):
        return step
    why = {image: step.refused.get(image) or why_missing(workspace, image) for image in step.missing}
    return Answers(dict(step.outputs), why)


def _why(workspace: Workspace, image: str, output: str | None) -> str:
    try:
        workspace.task.read_output(workspace.storage, output or "", image)
    except (BadRecord, FileNotFoundError) as error:
        return str(error)
    return "its output cannot be read"
