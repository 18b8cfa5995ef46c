"""What a batch transform job is given: which images, as which manifest, and where their outputs will lie.

Takes the images of a transform with their sizes, gives the manifest, the one place of each output, and the
images that no job can predict, with the reason. Keys are opaque: nothing here looks into a name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from include.loop.config import Environment
from include.loop.core.errors import ConfigurationError
from include.loop.core.stats import stat_all
from include.loop.core.storage import MOST_BYTES, MOST_KEY_BYTES, split_uri
from include.loop.workspace import Workspace

# MaxPayloadInMB of CreateTransformJob when nobody says. It can be 100; so can its product with
# MaxConcurrentTransforms, when that is given: it is left to the model.
DEFAULT_MB = 6


def prefix_of(images: Sequence[str]) -> str:
    """The folder, an S3 URI, that all images of a transform share; each of them has a name below it.

    ConfigurationError for images of several buckets, which one manifest cannot name.
    """
    buckets = {split_uri(image)[0] for image in images}
    if len(buckets) != 1:
        raise ConfigurationError(f"the images of one job must lie in one bucket, not in {sorted(buckets)}")
    # By character, then cut to a folder; without the last one, so that no name below it is empty.
    alike = os.path.commonprefix([image[:-1] for image in images])  # noqa: RUF071
    return alike.rpartition("/")[0] + "/"


def manifest(prefix: str, images: Iterable[str]) -> list[Any]:
    """SageMaker's ManifestFile: a prefix, then names that are put behind it as they are."""
    return [{"prefix": prefix}, *(image[len(prefix) :] for image in images)]


def places(images: Sequence[str], folder: str) -> dict[str, str]:
    """Image to the S3 URI of its output below ``folder`` (an S3 URI that ends in a slash).

    The name in the manifest and ``.out``. The prefix is that of all images of the transform, also when only
    some are sent again: an output's place must not depend on the company its image was sent in.
    """
    prefix = prefix_of(images)
    return {image: f"{folder}{image[len(prefix) :]}.out" for image in images}


def most_bytes(environment: Environment) -> int:
    """How large an image may be to be predicted here."""
    given = environment.transform.max_payload_mb
    return MOST_BYTES if given is None else given << 20


def too_large(environment: Environment, size: int) -> str | None:
    """Why an image of so many bytes cannot be predicted here; None when it can."""
    most, place = most_bytes(environment), environment.transform
    if size <= most:
        return None
    whose = f" here (transform.max_payload_mb in {environment.path})" if place.max_payload_mb else ""
    return f"image of {size:,} bytes; batch transform takes {most:,}{whose}"


def payload_mb(environment: Environment, sizes: Iterable[int]) -> int:
    """MaxPayloadInMB for a job with images of these sizes: a little more than the largest, as AWS advises."""
    largest = max(sizes, default=0)
    return min(max(DEFAULT_MB, (largest >> 20) + 1), most_bytes(environment) >> 20)


def sizes_of(workspace: Workspace, images: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """The images' sizes in bytes: those that are known, the others as S3 says; without what is gone."""
    found = stat_all(workspace.storage, (image for image in images if image not in known))
    return {
        **{image: known[image] for image in images if image in known},
        **{image: item.size for image, item in found.items()},
    }


def refusals(workspace: Workspace, outputs: Mapping[str, str], sizes: Mapping[str, int]) -> dict[str, str]:
    """Image to the reason why it is not worth sending. ``outputs`` is what ``places`` gives."""
    refused = {}
    for image, output in outputs.items():
        length = len(split_uri(output)[1].encode())
        if image not in sizes:
            refused[image] = "no prediction: the object is gone"
        elif reason := too_large(workspace.environment, sizes[image]):
            refused[image] = reason
        elif length > MOST_KEY_BYTES:
            told = f"{length:,} bytes; S3 takes {MOST_KEY_BYTES:,}"
            refused[image] = f"no prediction: the key of its output would have {told}"
    return refused
