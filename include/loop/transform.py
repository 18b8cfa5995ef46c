"""Predictions for a list of images by batch transform, whatever happens to some of them.

Takes a model's artifact and image URIs, gives for each image the location of its ``.out`` object. A transform
job fails as a whole when one image is bad, and leaves the good outputs behind: so what is missing is sent
once more, alone, and what is missing then has no prediction. Used for nights (predictions.py) and for test
sets (evaluation.py).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.algorithm import ensure_model
from include.loop.errors import BadRecord, ConfigurationError, JobFailed
from include.loop.images import check_image
from include.loop.jobs import Job, JobKind, JobStatus, Running, create, failure, latest
from include.loop.network import given, tags, volume_key
from include.loop.storage import parse, split_uri
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Detection:
    """One predicted box: class index, score, and sides as fractions of the image (0 to 1)."""

    class_id: int
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass(frozen=True)
class Transform:
    """What to predict: the model, the images, and the folder (a location) for inputs and outputs."""

    stem: str
    training_job: str
    model_data: str
    images: tuple[str, ...]
    folder: str


@dataclass(frozen=True)
class Transformed:
    """``outputs``: image URI to the URI of its .out object; ``missing``: the others; ``job``: the last
    attempt.
    """

    outputs: dict[str, str]
    missing: list[str]
    job: Job | None


def advance(
    workspace: Workspace, sagemaker: Any, transform: Transform, waited_for: Running | None
) -> Running | Transformed:
    """Go on with a transform as far as possible without waiting (see jobs.py)."""
    job = latest(sagemaker, JobKind.TRANSFORM, transform.stem)
    if job is None:
        return _submit(workspace, sagemaker, transform, 1, transform.images)
    if not job.ended:
        return Running(JobKind.TRANSFORM, (job.name,))
    folder = workspace.storage.uri(f"{transform.folder}/out/")
    outputs = match_outputs(
        transform.images, (item.uri[len(folder) :] for item in workspace.storage.list(folder))
    )
    missing = [image for image in transform.images if image not in outputs]
    stopped = job.status is JobStatus.STOPPED
    # An attempt that brought nothing new met only bad images: sending them again cannot help.
    fruitless = len(missing) == input_count(workspace, transform, job.attempt)
    if not missing or (outputs and fruitless and not stopped):
        return Transformed({image: f"{folder}{path}.out" for image, path in outputs.items()}, missing, job)
    if job.completed and not outputs:
        raise JobFailed(f"transform job {job.name} completed, but left no output below {folder}")
    if (stopped or not outputs) and waited_for and job.name in waited_for.names:
        raise failure(job)
    return _submit(workspace, sagemaker, transform, job.attempt + 1, missing)


def any_readable(workspace: Workspace, images: Iterable[str]) -> bool:
    """Whether any of the images can be opened: when a job failed on all of them, it may not be to blame."""
    for image in images:
        try:
            check_image(workspace.storage.read(image))
        except (BadRecord, FileNotFoundError):
            continue
        return True
    return False


def read_detections(payload: bytes, num_classes: int) -> list[Detection]:
    """The detections of one .out object, best first; BadRecord when it is not what the algorithm documents.

    Shape: ``{"prediction": [[class, score, xmin, ymin, xmax, ymax], …]}``; coordinates are clamped to the
    image.
    """
    try:
        rows = parse(payload)["prediction"]
        detections = [_detection(row, num_classes) for row in rows]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadRecord(f"no prediction: unreadable output ({error})") from None
    return sorted((item for item in detections if item is not None), key=lambda item: -item.score)


def match_outputs(images: Sequence[str], paths: Iterable[str]) -> dict[str, str]:
    """Find each image's output by suffix: how much of a key is kept below the output path is not documented.

    ``a/1.jpg.out`` belongs to the image whose URI ends in ``/a/1.jpg``; the longest paths choose first. A
    path that still fits more than one image belongs to none. Gives image URI to path without ``.out``.
    """
    by_name: dict[str, list[str]] = {}
    for image in images:
        by_name.setdefault(image.rsplit("/", 1)[-1], []).append(image)
    found: dict[str, str] = {}
    names = {path.removesuffix(".out") for path in paths if path.endswith(".out")}
    for path in sorted(names, key=lambda name: (-name.count("/"), name)):
        same_name = by_name.get(path.rsplit("/", 1)[-1], ())
        candidates = [image for image in same_name if image.endswith(f"/{path}") and image not in found]
        if len(candidates) == 1:
            found[candidates[0]] = path
    return found


def _submit(
    workspace: Workspace, sagemaker: Any, transform: Transform, attempt: int, images: Sequence[str]
) -> Running:
    """Write the input manifest and create the attempt. A lost race attaches to the other's job and input."""
    storage = workspace.storage
    location = _input_location(transform, attempt)
    storage.write_json_once(location, _manifest(transform.images, images))
    environment, place = workspace.environment, workspace.environment.transform
    request: dict[str, Any] = {
        "ModelName": ensure_model(sagemaker, environment, transform.training_job, transform.model_data),
        "TransformInput": {
            "DataSource": {
                "S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": storage.uri(location)},
            },
            "ContentType": "application/x-image",
            "CompressionType": "None",
            "SplitType": "None",
        },
        "TransformOutput": given(
            S3OutputPath=storage.uri(f"{transform.folder}/out/"),
            Accept="application/json",
            KmsKeyId=environment.network.kms_key,
        ),
        "TransformResources": given(
            InstanceType=place.instance_type,
            InstanceCount=place.instance_count,
            VolumeKmsKeyId=volume_key(environment, place.instance_type),
        ),
        **given(MaxPayloadInMB=place.max_payload_mb, Tags=tags(environment)),
    }
    job = create(sagemaker, JobKind.TRANSFORM, transform.stem, attempt, request)
    return Running(JobKind.TRANSFORM, (job.name,))


def _manifest(all_images: Sequence[str], images: Sequence[str]) -> list[Any]:
    """SageMaker's ManifestFile: a prefix, then keys relative to it.

    The prefix is what all images of the transform share, also when only some are sent again: an output's
    place must not depend on the company its image was sent in.
    """
    buckets = {split_uri(image)[0] for image in all_images}
    if len(buckets) != 1:
        raise ConfigurationError(f"the images of one job must lie in one bucket, not in {sorted(buckets)}")
    alike = os.path.commonprefix(list(all_images))  # noqa: RUF071 -- by character, then cut to a folder
    shared = alike.rpartition("/")[0] + "/"
    return [{"prefix": shared}, *(image[len(shared) :] for image in images)]


def _input_location(transform: Transform, attempt: int) -> str:
    return f"{transform.folder}/input-{attempt}.json"


def input_count(workspace: Workspace, transform: Transform, attempt: int) -> int:
    """How many images an attempt was given."""
    return len(workspace.storage.read_json(_input_location(transform, attempt))) - 1


def _detection(row: Sequence[Any], num_classes: int) -> Detection | None:
    class_id, score, *sides = (float(value) for value in row)
    if len(sides) != 4 or not all(map(math.isfinite, (class_id, score, *sides))):
        raise ValueError(f"not [class, score, xmin, ymin, xmax, ymax]: {row}")
    if class_id < 0:
        return None  # the algorithm's padding rows
    if class_id != int(class_id) or class_id >= num_classes:
        raise ValueError(f"class {class_id:g} is not one of {num_classes}")
    xmin, ymin, xmax, ymax = (min(max(side, 0.0), 1.0) for side in sides)
    return Detection(int(class_id), score, xmin, ymin, xmax, ymax)
