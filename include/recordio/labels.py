"""What the numbers of a label mean: objects of a detector, one class, or the classes that an image is of.

Packed objects are ``[header width, object width, extras …, (class, xmin, ymin, xmax, ymax, extras …) × n]``
with corners as fractions of the image (MXNet's image_det_aug); several classes are one 0 or 1 for each class
there is; a single number is one class. The three can be told apart, as a header is 2 numbers at least.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from include.recordio.records import Label, RecordError

HEADER_WIDTH, OBJECT_WIDTH = 2, 5
_LEAST_NUMBERS = HEADER_WIDTH + OBJECT_WIDTH
# Numbers that a class or a width can be without losing its last digit as a float of 32 bits.
_MOST_EXACT = 1 << 24


class Kind(enum.StrEnum):
    """What a label is of."""

    OBJECTS = "objects"
    ONE_CLASS = "one class"
    CLASSES = "classes"


@dataclass(frozen=True, slots=True)
class Object:
    """One object: its class, its corners as fractions of the image, and what else the list says of it.

    MXNet's own lists of PASCAL VOC have one extra: 1 for an object that is difficult.
    """

    class_id: int
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    extras: tuple[float, ...] = ()


def kind_of(label: Label) -> Kind:
    """What a label is of. RecordError when it is of none of them."""
    if not isinstance(label, tuple):
        return Kind.ONE_CLASS
    if all(number in (0, 1) for number in label):
        return Kind.CLASSES
    if len(label) >= HEADER_WIDTH and label[0] >= HEADER_WIDTH and label[1] >= OBJECT_WIDTH:
        return Kind.OBJECTS
    raise _neither(label)


def is_readable_by_mxnet(label: Label) -> bool:
    """Whether MXNet's reader, which SageMaker's own algorithms are built on, takes the label: one of objects
    needs seven numbers, which is one object at least (image_det_aug, iter_image_det_recordio).
    """
    return not isinstance(label, tuple) or kind_of(label) is Kind.CLASSES or len(label) >= _LEAST_NUMBERS


def read_objects(label: Sequence[float]) -> list[Object]:
    """The objects of a packed label, as they are written. RecordError when it is none, they do not come out
    even, or a class is no whole number.
    """
    if len(label) < HEADER_WIDTH or label[0] < HEADER_WIDTH or label[1] < OBJECT_WIDTH:
        raise _neither(label)
    header, width = (_whole(number, "a width") for number in label[:HEADER_WIDTH])
    objects = label[header:]
    if header > len(label) or len(objects) % width:
        raise RecordError(
            f"packed label: {len(label)} numbers are no header of {header} and whole objects of {width}"
        )
    rows = (objects[start : start + width] for start in range(0, len(objects), width))
    return [Object(_whole(row[0], "a class"), row[1], row[2], row[3], row[4], tuple(row[5:])) for row in rows]


def read_class(label: float) -> int:
    """The class of a label that is one number; lists write it as ``2`` or ``2.000000``."""
    return _whole(label, "a class")


def read_classes(label: Sequence[float]) -> tuple[int, ...]:
    """The classes of a label that has a 0 or 1 for each there is, ascending."""
    return tuple(index for index, number in enumerate(label) if number == 1)


def write_objects(objects: Iterable[Object]) -> tuple[float, ...]:
    """The packed label of objects, without extras: SageMaker's own algorithm documents five numbers each."""
    rows = (number for item in objects for number in (item.class_id, *_corners(item)))
    return (HEADER_WIDTH, OBJECT_WIDTH, *rows)


def write_classes(classes: Iterable[int], count: int) -> tuple[float, ...]:
    """The label of an image that is of these of ``count`` classes."""
    these = {*classes}
    return tuple(float(index in these) for index in range(count))


def _corners(item: Object) -> tuple[float, float, float, float]:
    return item.xmin, item.ymin, item.xmax, item.ymax


def _neither(label: Sequence[float]) -> RecordError:
    return RecordError(
        "packed label: expected header width (2 or more) and object width (5 or more) first, or a 0 or 1 "
        f"for every class, not {', '.join(f'{number:g}' for number in label[:3])}"
    )


def _whole(number: float, what: str) -> int:
    if not 0 <= number < _MOST_EXACT or number != int(number):
        raise RecordError(f"label: {number:g} is no whole number from 0, as {what} has to be")
    return int(number)
