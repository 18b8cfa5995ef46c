"""A dataset as COCO's annotations beside its images, for training images that read those.

Takes a dataset, gives for each split a JSON file in COCO's format and a list of its images, from which
SageMaker fills the channel: no image is copied. coco.json is written last and says that all is there.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from include.loop.aws.transform_input import manifest, prefix_of
from include.loop.core import layout
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.recordio import CocoDataset, NotPacked
from include.loop.core.stats import stat_all
from include.loop.dataset.split_register import known_etags, name_label
from include.loop.tasks.values import Labelled
from include.loop.training.channels import SPLITS
from include.loop.workspace import Workspace

log = logging.getLogger(__name__)


def write_coco(workspace: Workspace, dataset: Dataset) -> CocoDataset:
    """Write it, or find it written. What cannot be downloaded is left out and told in not-packed.jsonl: one
    image that is gone must not cost the job. ConfigurationError when a split has no image, for images of
    several buckets, and for a task that has no boxes.
    """
    storage = workspace.storage
    if found := CocoDataset.find(storage, dataset.dataset_id):
        return found
    left_out: list[NotPacked] = []
    etags, counts = known_etags(storage), {}
    for split in SPLITS:
        labels = dict(_usable(workspace, dataset, split, etags, left_out))
        if not labels:
            raise ConfigurationError(
                f"{workspace.environment.path}: adapter.channels.format: no image of the split {split!r} of "
                f"dataset {dataset.dataset_id} can be given to a job" + _first(left_out)
            )
        names = list(labels)
        prefix = prefix_of(names)
        body = _annotations(workspace, {image[len(prefix) :]: label for image, label in labels.items()})
        storage.write_json(layout.coco_annotations(dataset.dataset_id) + f"{split}.json", body)
        storage.write_json(layout.coco_images(dataset.dataset_id, split), manifest(prefix, names))
        counts[split] = len(labels)
    if left_out:
        log.warning(
            "%d images of dataset %s are left out%s", len(left_out), dataset.dataset_id, _first(left_out)
        )
    NotPacked.write_all(storage, left_out, dataset.dataset_id)
    written = CocoDataset(dataset_id=dataset.dataset_id, left_out=len(left_out), **counts)
    return written.write_once(storage, dataset.dataset_id)


def _usable(
    workspace: Workspace,
    dataset: Dataset,
    split: str,
    etags: Mapping[str, str],
    left_out: list[NotPacked],
) -> Iterator[tuple[str, Labelled]]:
    """Image and label of those that a job can download as files."""
    storage = workspace.storage
    labels: dict[str, Labelled] = {}
    for line in storage.read_raw_lines(dataset.manifest(split)):
        try:
            label = workspace.task.read_line(line)
            labels[label.source] = label
        except BadRecord as error:
            left_out.append(NotPacked(split=split, image="", reason=str(error)))
    there = stat_all(storage, labels)
    folders = {folder for image in labels for folder in _above(image)}
    for image, label in labels.items():
        etag, stored = etags.get(name_label(label.value)), there.get(image)
        if stored is None:
            reason = f"the image is gone: {image}"
        elif etag and stored.etag != etag:
            reason = f"the image was replaced after its dataset was built: {image}"
        elif image in folders or posixpath.normpath(image[len("s3:/") :]) != image[len("s3:/") :]:
            reason = f"its key is no path of a file: {image}"
        else:
            yield image, label
            continue
        left_out.append(NotPacked(split=split, image=image, reason=reason))


def _above(image: str) -> Iterator[str]:
    """Every place that would be a folder, were the image a file."""
    while image := image.rpartition("/")[0]:
        yield image


def _annotations(workspace: Workspace, labels: Mapping[str, Labelled]) -> dict[str, Any]:
    """COCO's instances; ``labels`` by the images' names in the channel."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for key, (name, label) in enumerate(labels.items(), 1):
        width, height = label.size or (0, 0)
        images.append({"id": key, "file_name": name, "width": width, "height": height})
        for found in workspace.task.write_coco(label):
            annotations.append({"id": len(annotations) + 1, "image_id": key, **found})
    categories = [
        {"id": key, "name": name, "supercategory": ""}
        for key, name in enumerate(workspace.pipeline.classes, 1)
    ]
    lists = {"images": images, "annotations": annotations, "categories": categories}
    return {"info": {}, "licenses": [], **lists}


def _first(left_out: list[NotPacked]) -> str:
    return f", the first: {left_out[0].reason}" if left_out else ""
