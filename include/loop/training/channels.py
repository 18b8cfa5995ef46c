"""The input channels of a training job, under the names that its image gives them.

Takes what a split is stored as (augmented manifest, RecordIO, COCO), gives members of ``InputDataConfig``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.loop.core import layout
from include.loop.core.records.dataset import Dataset
from include.loop.workspace import Workspace

SPLITS = ("train", "validation")
_OF_MODELS = "application/x-sagemaker-model"


def dataset_channels(workspace: Workspace, dataset: Dataset) -> list[dict[str, Any]]:
    """Those of a dataset, which has been packed where its image reads no manifests."""
    uri, names = workspace.storage.uri, workspace.environment.adapter.channels
    if names.format == "coco":
        images = [
            _file_channel(
                names.name(split),
                uri(layout.coco_images(dataset.dataset_id, split)),
                "application/x-image",
                "ManifestFile",
            )
            for split in SPLITS
        ]
        annotations = uri(layout.coco_annotations(dataset.dataset_id))
        return [*images, _file_channel(names.annotations, annotations, "application/json")]
    if workspace.pipeline.trains_from_recordio:
        return [
            recordio_channel(workspace, split, uri(layout.dataset_records(dataset.dataset_id, split)))
            for split in SPLITS
        ]
    attribute = workspace.task.label_attribute
    return [manifest_channel(workspace, split, uri(dataset.manifest(split)), attribute) for split in SPLITS]


def manifest_channel(workspace: Workspace, split: str, uri: str, attribute: str) -> dict[str, Any]:
    """The ``train`` or ``validation`` channel of an augmented manifest whose labels are that attribute."""
    channel: dict[str, Any] = {
        "ChannelName": workspace.environment.adapter.channels.name(split),
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "AugmentedManifestFile",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
                # The order counts: the image first, then its label.
                "AttributeNames": ["source-ref", attribute],
            }
        },
        "ContentType": workspace.task.algorithm.manifest_content_type,
        "RecordWrapperType": "RecordIO",
        "CompressionType": "None",
        "InputMode": "Pipe",
    }
    if split == "train":
        channel["ShuffleConfig"] = {"Seed": 1}  # the manifest is sorted; learning wants it mixed
    return channel


def recordio_channel(workspace: Workspace, split: str, uri: str) -> dict[str, Any]:
    """The ``train`` or ``validation`` channel of RecordIO files: one, or all whose keys begin so."""
    return _file_channel(workspace.environment.adapter.channels.name(split), uri, "application/x-recordio")


def model_channel(workspace: Workspace, model_data: str) -> dict[str, Any]:
    """The channel of an artifact that is trained further, for an image that takes one."""
    name = workspace.environment.adapter.channels.model or "model"
    return _file_channel(name, model_data, _OF_MODELS)


def is_model_channel(channel: Mapping[str, Any]) -> bool:
    """Whether a job's channel, as it was sent, has the model that it goes on from."""
    return channel.get("ContentType") == _OF_MODELS


def _file_channel(name: str, uri: str, content_type: str, kind: str = "S3Prefix") -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": kind,
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "ContentType": content_type,
        "CompressionType": "None",
        "InputMode": "File",
    }
