"""Answers of strangers, read with care: every part is checked before it is used, and BadAnswer says in one
short line what is wrong. Pure functions.

What was posted is JSON within the limits of ``include.wire.strictjson``, and may be anything else: another
template's answer, numbers as texts, a million boxes. Nothing here walks down a value that it does not know,
or shows one at length.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from include.pictures import MAX_PIXELS
from include.review_server.labeling.consolidation.values import AnsweredObject, BadAnswer, Label, Question

log = logging.getLogger(__name__)

# Farther than any side of an image or any text reaches, and exact as a float.
FARTHEST = 1_000_000_000
_MOST_SHOWN = 60
_MOST_CATEGORIES = 10

T = TypeVar("T")


def one_by_one(
    label: Callable[[Question, AnsweredObject], Label], question: Question, objects: Sequence[AnsweredObject]
) -> list[Label | BadAnswer]:
    """The labels of objects that have nothing to do with each other."""
    return [_label_or_reason(label, question, item) for item in objects]


def _label_or_reason(
    label: Callable[[Question, AnsweredObject], Label], question: Question, item: AnsweredObject
) -> Label | BadAnswer:
    try:
        return label(question, item)
    except BadAnswer as error:
        return error


def read_answers(question: Question, item: AnsweredObject, read: Callable[[Any], T]) -> dict[str, T]:
    """What each worker's element says, by worker, in the order of submission.

    An answer that cannot be read is left out, and the log says so: one stranger's answer shall not cost those
    of the others. ``BadAnswer`` says what is wrong with the first one when none can be read.
    """
    if not item.answers:
        raise BadAnswer("nobody answered")
    name = question.task_type.element
    told: dict[str, T] = {}
    wrong: list[str] = []
    for worker, content in item.answers.items():
        try:
            if not isinstance(content, Mapping) or name not in content:
                raise BadAnswer(f"there is no {name!r}: the template's element must have this name")
            told[worker] = read(content[name])
        except BadAnswer as error:
            wrong.append(f"answer of worker {worker}: {error}")
    if not told:
        raise BadAnswer(wrong[0])
    for reason in wrong:
        log.warning("%s, object %d: left out, %s", question.job_name, item.number, reason)
    return told


def member(value: Any, name: str, kind: type[T], at: str = "answer") -> T:
    """What stands under ``name``, a list, an object, a text or a truth value. ``at`` says where we are."""
    if not isinstance(value, Mapping):
        raise BadAnswer(f"{at} is {shown(value)}, not an object")
    if name not in value:
        raise BadAnswer(f"{at} has no {name!r}")
    if not isinstance(value[name], kind):
        raise BadAnswer(f"{name} of {at} is {shown(value[name])}, not {_KINDS[kind]}")
    return value[name]


def number(value: Any, name: str, at: str) -> float:
    """The number under ``name``: integers stay integers. Texts, truth values, NaN and infinities are none."""
    found = member(value, name, object, at)
    if isinstance(found, bool) or not isinstance(found, int | float) or not -FARTHEST <= found <= FARTHEST:
        raise BadAnswer(f"{name} of {at} is {shown(found)}, not a usable number")
    return found


def class_of(question: Question, text: Any) -> int:
    """The index of the category that a label names."""
    if isinstance(text, str) and text in question.classes:
        return question.classes[text]
    first = ", ".join(shown(name) for name in question.job.categories[:_MOST_CATEGORIES])
    more = len(question.job.categories) - _MOST_CATEGORIES
    raise BadAnswer(
        f"label {shown(text)} is none of the job's categories: {first}" + f" and {more} more" * (more > 0)
    )


def image_size(content: Any) -> tuple[int, int]:
    """Width and height of the picture that a worker saw, in pixels."""
    properties = member(content, "inputImageProperties", dict)
    width, height = (number(properties, name, "inputImageProperties") for name in ("width", "height"))
    if int(width) != width or int(height) != height or min(width, height) < 1:
        raise BadAnswer(f"an image of {width:g} x {height:g} pixels is none")
    if width * height > MAX_PIXELS:
        raise BadAnswer(f"an image of {width:g} x {height:g} pixels is larger than {MAX_PIXELS:,} pixels")
    return int(width), int(height)


def same_size(sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The size that all workers saw."""
    found = list(dict.fromkeys(sizes))
    if len(found) > 1:
        told = " and ".join(f"{width} x {height}" for width, height in found[:2])
        raise BadAnswer(f"the workers saw images of different sizes, {told} pixels")
    return found[0]


def adjustment(question: Question, modified: Iterable[bool]) -> dict[str, str]:
    """What the metadata of an adjusted label says more: whether any worker changed what was there."""
    if question.task_type.reviews != "adjustment":
        return {}
    return {"adjustment-status": "adjusted" if any(modified) else "unadjusted"}


def plain(value: float) -> float:
    """A whole number without a fraction, as Ground Truth writes the sides of boxes."""
    return int(value) if value == int(value) else value


def shown(value: Any) -> str:
    """A value of any size in a few words."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= _MOST_SHOWN else f"{value[:_MOST_SHOWN]}…")
    if value is None:
        return "null"
    if isinstance(value, int) and abs(value) > FARTHEST:  # its digits may be more than Python writes
        return "a number beyond all bounds"
    return str(value).lower()


_KINDS: dict[Any, str] = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
