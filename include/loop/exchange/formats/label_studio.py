"""Label Studio's JSON export: a list of tasks with the annotations that people made.

Of each task the annotation marked as ground truth counts, or else the one changed last; cancelled ones and
predictions never do. Rectangles (``rectanglelabels``) are percent of the image as it was shown; one that was
turned becomes the upright box around it. ``choices`` are classes of the whole image.

Images are looked for by the end of the path that a task has for them: ``/data/upload/3/0f12ab34-cat.jpg``
(with and without the eight characters that an upload gets), ``/data/local-files/?d=…``, ``s3://…``. Nothing
is fetched over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import Files
from include.loop.exchange.formats import Format, ReadOptions
from include.loop.exchange.formats._label_studio_write import LOCAL, TITLE, write
from include.loop.exchange.formats._pictures import SUFFIXES, Pictures
from include.loop.exchange.formats._values import (
    class_name,
    enclosing,
    from_fractions,
    number,
    pixels,
    read_json,
    shown,
    split_of,
    turned,
    usable,
)
from include.loop.exchange.items import Box, Class, Item, Problem

_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
_LONGEST_URL = 4096


def _looks_like(files: Files) -> bool:
    names = [name for name in files.names() if name.lower().endswith(".json")]
    if not names:
        return False
    with files.open(names[0]) as stream:
        head = stream.read(65_536).lstrip()
    return head.startswith(b"[") and b'"annotations"' in head and (b'"result"' in head or b'"data"' in head)


def _read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    tasks: list[tuple[str, Any]] = []
    for name in files.names():
        if name.lower().endswith(".json"):
            value = read_json(files, name)
            if not isinstance(value, list):
                raise BadRecord(f"{name}: is {shown(value)}; Label Studio's JSON export is a list of tasks")
            tasks += [(f"{name}: task {index}", task) for index, task in enumerate(value, 1)]
    if not tasks:
        raise BadRecord(f"{files.place} has no JSON file with tasks")
    if all(isinstance(task, dict) and "annotations" not in task for _, task in tasks):
        raise BadRecord(f"{tasks[0][0]} has no annotations: export as JSON, not as JSON-MIN")
    return _items(tasks, Pictures(options.images or files), _questions(tasks, options.label))


@dataclass(frozen=True)
class _Questions:
    """What the people were asked: boxes, and the one choice that is the image's class."""

    boxes: bool
    choice: str | None


def _questions(tasks: Iterable[tuple[str, Any]], label: str | None) -> _Questions:
    """What all answers together show, for one without an answer does not say what it was asked."""
    boxes, choices = False, set()
    for _, task in tasks:
        for region in (region for answer in _answers(task) for region in _regions(answer)):
            boxes |= region.get("type") == "rectanglelabels"
            if region.get("type") == "choices" and _of_whole_image(region):
                choices.add(_asked(region))
    if label is not None and label not in choices and choices:
        raise BadRecord(f"there is no choice named {label!r}; there are: {', '.join(sorted(choices))}")
    if label is None and len(choices) > 1:
        raise BadRecord(
            f"there are several choices: {', '.join(sorted(choices))}. Say which is the label: --label NAME"
        )
    choice = label if label in choices else next(iter(choices), None)
    return _Questions(boxes or not choices, choice)


def _asked(region: dict[str, Any]) -> str:
    """The name that the labelling interface has for what was answered."""
    return str(region.get("from_name"))[:100]


def _items(
    tasks: Sequence[tuple[str, Any]], pictures: Pictures, questions: _Questions
) -> Iterator[Item | Problem]:
    seen: dict[str, str] = {}
    for where, task in tasks:
        try:
            answer = _answer(task)
            if len(regions := _regions(answer)) != _length(answer.get("result")):
                raise BadRecord(f"result is {shown(answer.get('result'))}; a list of objects is wanted")
            if (picture := _picture(task, pictures)) in seen:
                raise BadRecord(f"is of {picture}, and so is {seen[picture]}, which is used")
            size = _size(regions)
            labels = _labels(regions, questions, where)
        except BadRecord as error:
            yield Problem(where, str(error))
            continue
        seen[picture] = where
        yield from labels.problems
        yield Item(
            picture,
            pictures.reader(picture),
            pictures.files.uri(picture),
            size,
            labels.boxes,
            labels.classes,
            split_of(str(PurePosixPath(picture).parent)),
        )


@dataclass(frozen=True)
class _Labels:
    """What one answer says: boxes and classes are None where it was not asked for them, or none is left of
    those that it has.
    """

    boxes: tuple[Box, ...] | None
    classes: tuple[Class, ...] | None
    problems: list[Problem]


def _labels(regions: Sequence[dict[str, Any]], questions: _Questions, where: str) -> _Labels:
    """BadRecord when nothing is left of an answer."""
    boxes: list[Box] = []
    names: dict[str, None] = {}
    problems: list[Problem] = []
    lost_box = lost_class = False
    for region in regions:
        try:
            if region.get("type") == "choices":
                names |= dict.fromkeys(_chosen(region, questions))
                continue
            for label in _named(region, "rectanglelabels"):
                box, whole = _box(label, region)
                boxes.append(box)
                if not whole:
                    reason = f"{label!r} is turned: the upright box around it is used"
                    problems.append(Problem(where, reason, "mended"))
        except BadRecord as error:
            problems.append(Problem(where, str(error), "dropped"))
            lost_class |= region.get("type") == "choices" and _is_class(region, questions)
            lost_box |= region.get("type") != "choices"
    if not names and (lost_box or lost_class):
        usable(boxes, problems)
    return _Labels(
        tuple(boxes) if boxes or (questions.boxes and not lost_box) else None,
        tuple(Class(name) for name in names) if names or (questions.choice and not lost_class) else None,
        problems,
    )


def _answers(task: Any) -> list[dict[str, Any]]:
    """The annotations of a task that were not cancelled."""
    found = task.get("annotations") if isinstance(task, dict) else None
    answers = found if isinstance(found, list) else []
    return [one for one in answers if isinstance(one, dict) and not one.get("was_cancelled")]


def _answer(task: Any) -> dict[str, Any]:
    if not isinstance(task, dict):
        raise BadRecord(f"is {shown(task)}; an object is wanted")
    answers = _answers(task)
    if not answers:
        raise BadRecord("nobody has annotated it, or whoever did has cancelled")
    # Times of one export are written alike, so they can be compared as text.
    return max(
        reversed(answers), key=lambda one: (one.get("ground_truth") is True, str(one.get("updated_at", "")))
    )


def _regions(annotation: dict[str, Any]) -> list[dict[str, Any]]:
    result = annotation.get("result")
    return [one for one in result if isinstance(one, dict)] if isinstance(result, list) else []


def _length(result: Any) -> int | None:
    return len(result) if isinstance(result, list) else None


def _picture(task: dict[str, Any], pictures: Pictures) -> str:
    data = task.get("data")
    texts = [value for value in data.values() if isinstance(value, str)] if isinstance(data, dict) else []
    named = data.get("image") if isinstance(data, dict) else None
    urls = [named] if isinstance(named, str) else [text for text in texts if _is_image(text)]
    if len(urls) != 1 or not 0 < len(urls[0]) <= _LONGEST_URL:
        raise BadRecord("data has no image, or several" if len(urls) != 1 else "data.image is no path")
    url = urls[0]
    if re.match(r"https?:|data:", url, re.IGNORECASE):
        raise BadRecord(f"image {shown(url)} is not in the source; images are not downloaded")
    path = _path(url)
    try:
        return pictures.find(path, elsewhere=True)
    except BadRecord:
        last = PurePosixPath(path).name
        if _UPLOADED.match(last):
            return pictures.find(_UPLOADED.sub("", last, count=1))
        raise


def _is_image(text: str) -> bool:
    return PurePosixPath(_path(text[:_LONGEST_URL])).suffix.lower() in SUFFIXES


def _path(url: str) -> str:
    """The path of a task's image, to be found by its end."""
    if url.startswith(LOCAL):
        return parse_qs(url.partition("?")[2]).get("d", [""])[0]
    if url.startswith("/data/"):
        return unquote(url)
    if re.match(r"[a-z][a-z0-9+-]*://", url):  # s3://, gs://: buckets' keys are written as they are
        return url.partition("://")[2]
    return url


def _size(regions: Sequence[dict[str, Any]]) -> tuple[int, int] | None:
    """As the browser showed the image. BadRecord where it was turned to be labelled."""
    sizes = set()
    for region in regions:
        if region.get("image_rotation") not in (None, 0):
            raise BadRecord("the image was turned to be labelled: its boxes are not those of the stored one")
        if size := pixels(region.get("original_width"), region.get("original_height")):
            sizes.add(size)
    if len(sizes) > 1:
        raise BadRecord("its regions are of images of several sizes")
    return next(iter(sizes), None)


def _of_whole_image(region: dict[str, Any]) -> bool:
    """Choices can also be of one region, which they then repeat the place of."""
    value = region.get("value")
    return isinstance(value, dict) and "x" not in value


def _chosen(region: dict[str, Any], questions: _Questions) -> list[str]:
    if not _is_class(region, questions):
        raise BadRecord(f"the choice {shown(region.get('from_name'))} is not the class of the image")
    return _named(region, "choices")


def _is_class(region: dict[str, Any], questions: _Questions) -> bool:
    return _of_whole_image(region) and _asked(region) == questions.choice


def _named(region: dict[str, Any], kind: str) -> list[str]:
    value = region.get("value")
    if region.get("type") != kind or not isinstance(value, dict):
        raise BadRecord(f"a label of type {shown(region.get('type'))} is neither a box nor a choice")
    labels = value.get(kind)
    if not isinstance(labels, list) or not labels:
        raise BadRecord(f"{kind} is {shown(labels)}; a list of names is wanted")
    return list(dict.fromkeys(class_name(label) for label in labels))


def _box(label: str, region: dict[str, Any]) -> tuple[Box, bool]:
    """The box, and whether it is the rectangle itself."""
    value = region["value"]
    width = number(region.get("original_width"), "original_width")
    height = number(region.get("original_height"), "original_height")
    left, top, wide, high = (number(value.get(key), key) for key in ("x", "y", "width", "height"))
    left, wide, top, high = left * width / 100, wide * width / 100, top * height / 100, high * height / 100
    box = from_fractions(label, left, top, left + wide, top + high, {})
    degrees = number(value.get("rotation", 0), "rotation")
    if not degrees % 360:
        return box, True
    corners = [(left, top), (left + wide, top), (left + wide, top + high), (left, top + high)]
    return enclosing(label, turned(corners, corners[0], degrees), {}), False


FORMAT = Format(
    title=TITLE,
    holds=frozenset({"boxes", "classes", "many_classes"}),
    looks_like=_looks_like,
    classes=lambda files, options: None,
    read=_read,
    write=write,
    notes=(
        "of several annotations the ground truth counts, or the one changed last; predictions never do",
        "a turned rectangle becomes the upright box around it; brushes, polygons and key points are not read",
        "written are tasks.json, for a project whose local storage has the folder images, and its interface",
    ),
)
