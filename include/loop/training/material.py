"""What a job by hand is to learn or be measured with: an augmented manifest, or RecordIO files.

Takes a place in S3 and reads it once; gives what a request has to say of it. What a job would stop at or
learn nothing from is refused here, with what there is instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from include.loop.config.pipeline import TaskName
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.identity import content_hash
from include.loop.core.storage import Storage
from include.loop.manifests.places import is_in_s3, numbered_lines
from include.loop.manifests.survey import Attribute, Survey, survey
from include.loop.training.channels import manifest_channel, recordio_channel
from include.loop.workspace import Workspace
from include.recordio import Kind, RecordError, RecordIOError, find_class_names
from include.recordio import survey as records

# SageMaker's image classification takes a list as a 0 or 1 for every class unless it is told otherwise.
MULTI_HOT = "application/x-recordio"
RECORDS = ".rec"
MOST_LIST_BYTES = 1 << 20
_KINDS: dict[Kind, tuple[TaskName, bool]] = {
    Kind.OBJECTS: ("object-detection", False),
    Kind.ONE_CLASS: ("image-classification", False),
    Kind.CLASSES: ("image-classification", True),
}


@dataclass(frozen=True)
class Material:
    """``images`` are labelled, the fullest with ``most`` things; ``names`` are those of the ``class_count``
    classes that have one; ``attribute`` is None for RecordIO. ``version`` changes with what is there.
    """

    place: str
    images: int
    task: TaskName
    multi_label: bool
    class_count: int
    most: int
    version: str
    names: Mapping[int, str] = field(default_factory=dict)
    attribute: str | None = None
    multi_hot: bool = False

    def channel(self, workspace: Workspace, split: str) -> dict[str, Any]:
        """As the loop sends it; but others may have written a 0 or 1 for every class, where it has ids."""
        if self.attribute is None:
            return recordio_channel(workspace, split, self.place)
        channel = manifest_channel(workspace, split, self.place, self.attribute)
        return channel | ({"ContentType": MULTI_HOT} if self.multi_hot else {})

    def class_names(self) -> tuple[str, ...]:
        """By index; a class without a name is called by its number."""
        return tuple(self.names.get(index, f"class-{index}") for index in range(self.class_count))


def look(storage: Storage, place: str, label: str | None) -> Material:
    """What is at a place: RecordIO where the name ends with ``.rec`` or a slash, which means all below it."""
    if not is_in_s3(place):
        raise ConfigurationError(f"{place} is not in S3, where a job reads: aws s3 cp {place} s3://…")
    if place.endswith((RECORDS, "/")):
        return _look_at_records(storage, place)
    found = survey(place, numbered_lines(place, lambda: storage), label)
    return _of_manifest(storage, found, found.choose(label))


def call(task: TaskName, multi_label: bool) -> str:
    """A task as messages have it."""
    return task + (" with many labels" if multi_label else "")


def names_beside(storage: Storage, place: str) -> dict[int, str]:
    """The names of a RecordIO file's classes by index, from the list beside it; beside the folder when all
    below one is meant, since in there all has to be RecordIO. Empty where there is no list.
    """
    rec = place.removesuffix("/") + RECORDS if place.endswith("/") else place
    try:
        found = find_class_names(rec, lambda name: storage.read(name, most=MOST_LIST_BYTES))
    except (BadRecord, RecordError) as error:
        raise ConfigurationError(f"{place}: its list of classes: {error}") from None
    return {} if found is None else dict(enumerate(found[1]))


def _of_manifest(storage: Storage, found: Survey, label: Attribute) -> Material:
    """A job stops at the first line that has no label, or skips it: either way the counts are wrong."""
    without = found.lines - label.labelled
    if without:
        why = [*found.problems, *(f"{reason} ({count})" for reason, count in label.unreadable.most_common(3))]
        raise ConfigurationError(
            f"{found.place}: {without:,} of {found.lines:,} lines have no label {label.name!r} to be read"
            + "".join(f"; {reason}" for reason in why[:3])
            + ". `data split` leaves such lines out"
        )
    if len(label.tasks) > 1:
        raise ConfigurationError(f"{found.place}: {label.name!r} is of several tasks: {sorted(label.tasks)}")
    if label.multi_hot and (len(label.multi_hot) > 1 or label.multi_hot.total() < label.labelled):
        raise ConfigurationError(f"{found.place}: {label.name!r} is not a 0 or 1 for each class in all lines")
    ((task, multi_label),) = label.tasks
    names = label.class_names()
    stored = storage.stat(found.place)
    return Material(
        place=found.place,
        images=label.labelled,
        task=task,
        multi_label=multi_label,
        class_count=label.class_count,
        most=label.most,
        version=stored.etag if stored else "",
        names={index: names[index] for index in label.names},
        attribute=label.name,
        multi_hot=bool(label.multi_hot),
    )


def _look_at_records(storage: Storage, place: str) -> Material:
    """S3Prefix means every object whose key begins so: all of them have to be RecordIO."""
    found, kinds, objects = records.Survey(), Counter[Kind](), list(storage.list(place))
    if not objects:
        raise ConfigurationError(f"there is nothing at {place}")
    for item in objects:
        with closing(storage.open(item.uri, item.etag)) as stream:
            try:
                part = records.survey(stream)
            except RecordIOError as error:
                raise ConfigurationError(f"{item.uri}: {error}") from None
        if part.refused:
            number, reason = part.refused[0]
            raise ConfigurationError(
                f"{item.uri}: {part.refusals:,} of {part.records + part.refusals:,} records cannot be used, "
                f"the first: record {number}: {reason}"
            )
        found.records += part.records
        found.widest = max(found.widest, part.widest)
        found.classes.update(part.classes)
        kinds.update(part.kinds)
    if len(kinds) != 1:
        raise ConfigurationError(f"{place}: labels of one kind are needed, not {', '.join(kinds) or 'none'}")
    (kind,) = kinds
    task, multi_label = _KINDS[kind]
    count = found.widest if multi_label else max(found.classes, default=-1) + 1
    names = names_beside(storage, place)
    if names and len(names) < count:
        raise ConfigurationError(
            f"{place} has the class {count - 1}, and the list of classes beside it has {len(names)} names"
        )
    return Material(
        place=place,
        images=found.records,
        task=task,
        multi_label=multi_label,
        class_count=max(count, len(names)),
        # As the algorithm makes room for it: five numbers each, and two.
        most=-(-(found.widest - 2) // 5) if kind is Kind.OBJECTS else 1,
        version=content_hash([item.etag for item in objects]),
        names=names,
    )
