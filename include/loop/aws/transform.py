"""Predictions for a list of images by batch transform, whatever happens to some of them.

Takes a model's artifact and image URIs, gives for each image the location of its ``.out`` object. A transform
job fails as a whole when one image is bad, and leaves the good outputs behind: so what is missing is sent
once more, alone, and what is missing then has no prediction. What no job can predict is not sent at all
(transform_input.py). Used for batches, test sets and replays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.loop.aws.containers import ensure_model
from include.loop.aws.jobs import Job, JobStatus, Pending, ResourceKind, create, failure, latest
from include.loop.aws.request_options import given, tags, volume_key
from include.loop.aws.transform_input import (
    manifest,
    most_bytes,
    payload_mb,
    places,
    prefix_of,
    refusals,
    sizes_of,
)
from include.loop.core import layout
from include.loop.core.errors import BadRecord, Fatal, JobFailed, JobRejected
from include.loop.core.images import check_image
from include.loop.core.records.nightly import RefusedImages
from include.loop.core.withheld import Denied, find_image
from include.loop.workspace import Workspace

# The model was asked, and it is its own fault that there is no answer.
JOB_FAILED = "no prediction: the model's job failed on this image"


@dataclass(frozen=True)
class Transform:
    """What to predict: the model, the images, and the folder (a location) for inputs and outputs. ``sizes``
    are the images' in bytes, where they are known; S3 is asked for the others.
    """

    stem: str
    training_job: str
    model_data: str
    images: tuple[str, ...]
    folder: str
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Transformed:
    """``outputs``: image URI to the URI of its .out object; ``missing``: the others; ``refused``: why some of
    those were never sent; ``job``: the last attempt.
    """

    outputs: dict[str, str]
    missing: list[str]
    refused: dict[str, str]
    job: Job | None


def advance(workspace: Workspace, transform: Transform, waited_for: Pending | None) -> Pending | Transformed:
    """Go on with a transform as far as possible without waiting (see jobs.py).

    A job that failed on pictures none of which can be opened is not to blame: then there are no outputs.
    Pictures that we may not read clear no job: perhaps it may not either, and its error says so.
    """
    try:
        return _advance(workspace, transform, waited_for)
    except (JobFailed, JobRejected):
        problems = (_problem(workspace, image) for image in transform.images)
        if any(problem is None or isinstance(problem, Denied) for problem in problems):
            raise
    job = latest(workspace.clients.sagemaker, ResourceKind.TRANSFORM, transform.stem)
    return Transformed({}, list(transform.images), _refused(workspace, transform) or {}, job)


def why_missing(workspace: Workspace, image: str) -> str:
    """Why an image that was sent has no output: the job does not say, so look at it."""
    problem = _problem(workspace, image)
    return JOB_FAILED if problem is None else str(problem)


def _advance(workspace: Workspace, transform: Transform, waited_for: Pending | None) -> Pending | Transformed:
    job = latest(workspace.clients.sagemaker, ResourceKind.TRANSFORM, transform.stem)
    if job is not None and not job.ended:
        return Pending(ResourceKind.TRANSFORM, (job.name,))
    folder = workspace.storage.uri(layout.transform_outputs(transform.folder))
    expected = places(transform.images, folder)
    refused = _refused(workspace, transform)
    if job is None:
        return _begin(workspace, transform, expected, refused)
    refused = refused or {}
    found = {item.uri for item in workspace.storage.list(folder)}
    outputs = {image: output for image, output in expected.items() if output in found}
    missing = [image for image in transform.images if image not in outputs]
    unsent = [image for image in missing if image not in refused]
    stopped = job.status is JobStatus.STOPPED
    # An attempt that brought nothing new met only bad images: sending them again cannot help.
    fruitless = len(unsent) == input_count(workspace, transform, job.attempt)
    if not unsent or (outputs and fruitless and not stopped):
        return Transformed(outputs, missing, refused, job)
    if found and not outputs:
        raise Fatal(
            f"transform job {job.name} left {len(found)} outputs below {folder}, but none of them where one "
            f"belongs, as its name in the manifest and .out: {min(expected.values())}, for instance, is not "
            f"there, and {min(found)} is. No output is matched to an image by guessing: see how the service "
            "names outputs now"
        )
    if job.completed and not outputs:
        raise JobFailed(f"transform job {job.name} completed, but left no output below {folder}")
    if (stopped or not outputs) and waited_for and job.name in waited_for.names:
        raise failure(job)
    sizes = sizes_of(workspace, unsent, transform.sizes)
    return _submit(workspace, transform, job.attempt + 1, unsent, sizes)


def _begin(
    workspace: Workspace,
    transform: Transform,
    expected: Mapping[str, str],
    refused: dict[str, str] | None,
) -> Pending | Transformed:
    """The first attempt, without what no job can predict, which is written down before it starts."""
    sizes = sizes_of(workspace, transform.images, transform.sizes)
    if refused is None:
        refused = refusals(workspace, expected, sizes)
        if refused:
            kept = RefusedImages(reasons=refused).write_once(workspace.storage, transform.folder)
            refused = kept.reasons
    sent = [image for image in transform.images if image not in refused]
    if not sent:
        return Transformed({}, list(transform.images), refused, None)
    return _submit(workspace, transform, 1, sent, sizes)


def _problem(workspace: Workspace, image: str) -> BadRecord | None:
    """Why an image cannot be opened, or None."""
    try:
        found = find_image(workspace.storage, image, most_bytes(workspace.environment))
        if found is None:
            return BadRecord("no prediction: the object is gone")
        check_image(found[0])
    except BadRecord as error:
        return error
    return None


def _submit(
    workspace: Workspace,
    transform: Transform,
    attempt: int,
    images: Sequence[str],
    sizes: Mapping[str, int],
) -> Pending:
    """Write the input manifest and create the attempt. A lost race attaches to the other's job and input."""
    storage = workspace.storage
    location = _input_location(transform, attempt)
    storage.write_json_once(location, manifest(prefix_of(transform.images), images))
    environment, place = workspace.environment, workspace.environment.transform
    request: dict[str, Any] = {
        "ModelName": ensure_model(workspace, transform.training_job, transform.model_data),
        "MaxPayloadInMB": payload_mb(environment, (sizes.get(image, 0) for image in images)),
        "TransformInput": {
            "DataSource": {
                "S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": storage.uri(location)},
            },
            "ContentType": environment.adapter.content_type,
            "CompressionType": "None",
            "SplitType": "None",
        },
        "TransformOutput": given(
            S3OutputPath=storage.uri(f"{transform.folder}/out/"),
            Accept=environment.adapter.accept,
            KmsKeyId=environment.network.kms_key,
        ),
        "TransformResources": given(
            InstanceType=place.instance_type,
            InstanceCount=place.instance_count,
            VolumeKmsKeyId=volume_key(environment, place.instance_type),
        ),
        **given(Tags=tags(environment)),
    }
    job = create(workspace.clients.sagemaker, ResourceKind.TRANSFORM, transform.stem, attempt, request)
    return Pending(ResourceKind.TRANSFORM, (job.name,))


def _input_location(transform: Transform, attempt: int) -> str:
    return layout.transform_input(transform.folder, attempt)


def _refused(workspace: Workspace, transform: Transform) -> dict[str, str] | None:
    """What was written down of the images that were not sent; None when nothing was."""
    found = RefusedImages.find(workspace.storage, transform.folder)
    return found.reasons if found else None


def input_count(workspace: Workspace, transform: Transform, attempt: int) -> int:
    """How many images an attempt was given."""
    return len(workspace.storage.read_json(_input_location(transform, attempt))) - 1
