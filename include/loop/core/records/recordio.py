"""Datasets in other forms than manifests, and RecordIO files that the first labels came in."""

from __future__ import annotations

from typing import ClassVar

from include.loop.core import layout
from include.loop.core.records.base import Line, Location, Record


class PackedDataset(Record):
    """``datasets/<id>/packed.json``: the records of each file, and how many images are in none. ``for_mxnet``
    says that images with nothing on them were left out, as SageMaker's own object detection cannot read them.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.packed_file)

    dataset_id: str
    train: int
    validation: int
    left_out: int = 0
    for_mxnet: bool = False


class CocoDataset(Record):
    """``datasets/<id>/coco/coco.json``: the images of each split in COCO's format, and of
    neither.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.coco_file)

    dataset_id: str
    train: int
    validation: int
    left_out: int = 0


class NotPacked(Line):
    """An image of a dataset that the form it was brought into leaves out."""

    LOCATION: ClassVar[Location] = staticmethod(layout.not_packed)

    split: str
    image: str
    reason: str


class RefusedRecord(Line):
    """A record that became no line of a manifest: its place in the file, from 1."""

    LOCATION: ClassVar[Location] = staticmethod(layout.unpacked_refused)

    number: int
    reason: str
