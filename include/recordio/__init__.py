"""RecordIO, the container of MXNet and of SageMaker's pipes: the one place that writes and reads it.

``framing`` cuts a stream into records; ``records`` are labelled images, ``labels`` what their numbers mean,
``lists`` the ``.lst`` and ``.idx`` beside them, ``class_names`` the list of classes; ``packing`` writes and
reads whole files, ``survey`` counts and shows them. All of it streams.
"""

from include.recordio.class_names import find_class_names, format_class_names
from include.recordio.framing import MAGIC, MAGIC_BYTES, MAX_PART, RecordIOError, frame, read, write
from include.recordio.labels import (
    Kind,
    Object,
    is_readable_by_mxnet,
    kind_of,
    read_class,
    read_classes,
    read_objects,
    write_classes,
    write_objects,
)
from include.recordio.lists import ListLine, format_line, parse_line, read_index, read_list
from include.recordio.packing import Placed, Writer, pack_list, read_records
from include.recordio.records import Label, Record, RecordError, pack, unpack

__all__ = [
    "MAGIC",
    "MAGIC_BYTES",
    "MAX_PART",
    "Kind",
    "Label",
    "ListLine",
    "Object",
    "Placed",
    "Record",
    "RecordError",
    "RecordIOError",
    "Writer",
    "find_class_names",
    "format_class_names",
    "format_line",
    "frame",
    "is_readable_by_mxnet",
    "kind_of",
    "pack",
    "pack_list",
    "parse_line",
    "read",
    "read_class",
    "read_classes",
    "read_index",
    "read_list",
    "read_objects",
    "read_records",
    "unpack",
    "write",
    "write_classes",
    "write_objects",
]
