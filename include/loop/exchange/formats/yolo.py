"""YOLO: a text file of boxes for each image, and a YAML (or list of names) that says what the numbers mean.

A line is ``class centre-x centre-y width height`` in fractions of the image, with a sixth number where a
model wrote its confidence. Seven and more numbers, an odd count, are a polygon (Ultralytics' segments and
turned boxes) and become the upright box around it. The label file of ``images/a/1.jpg`` is
``labels/a/1.txt``, or ``1.txt`` beside the image where no folder is called images. An empty or missing label
file means that nothing is on the image (Ultralytics, "Detection Datasets").

Sizes are those of the stored pictures, so every picture's header is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import yaml

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import Files
from include.loop.exchange.formats import Format, ReadOptions, WriteOptions
from include.loop.exchange.formats._output import check_name, picture_of, put, readable_name, size_of
from include.loop.exchange.formats._pictures import Pictures
from include.loop.exchange.formats._values import (
    boxes_to_write,
    enclosing,
    from_fractions,
    number,
    read_lines,
    shown,
    split_word,
    usable,
    without_suffix,
)
from include.loop.exchange.formats._yolo_names import Description, check_same, describe, images_of
from include.loop.exchange.items import Box, Item, Problem, Scalar

TITLE = "YOLO"
_MOST_LABELS = 16 << 20  # of one image
_FOLDER_OF = {"train": "train", "validation": "val", "test": "test"}
# Fractions beyond are pixels, or of another image; what reaches over an edge is clipped to it later.
_FARTHEST = 2


def _looks_like(files: Files) -> bool:
    names = set(files.names())
    told = any(name.endswith((".yaml", ".yml", ".names", "classes.txt")) for name in names)
    return told and any(not names.isdisjoint(_label_files(name)) for name in Pictures(files).names())


def _classes(files: Files, options: ReadOptions) -> list[str] | None:
    return _named(describe(files), options)


def _named(description: Description, options: ReadOptions) -> list[str] | None:
    """BadRecord where a person names the classes otherwise than the source does."""
    if options.classes and description.names:
        check_same(description.name, description.names, "the classes given", options.classes)
    return description.names or list(options.classes) or None


def _read(files: Files, options: ReadOptions) -> Iterator[Item | Problem]:
    description = describe(files)
    classes = _named(description, options)
    if not classes:
        raise BadRecord(
            f"{files.place} has no YAML with names, classes.txt or obj.names: say the classes "
            "with --classes FILE"
        )
    pictures = Pictures(options.images or files)
    splits, problems = images_of(description, files, pictures)
    names = set(files.names())
    labels = {name: file for name in splits if (file := _labels_of(name, names)) is not None}
    if not labels:
        raise BadRecord(
            f"{files.place} has no label file for any of {len(splits):,} images: the labels of "
            "images/a/1.jpg are looked for in labels/a/1.txt"
        )
    if options.sets:
        unknown = [word for word in options.sets if word not in description.splits]
        if unknown:
            there = ", ".join(description.splits) or "none"
            raise BadRecord(f"{description.name} has no split {unknown[0]!r}; there are: {there}")
        chosen = {split_word(word) for word in options.sets}
        splits = {name: split for name, split in splits.items() if split in chosen}
    items = _items(files, pictures, splits, labels, classes, description)
    # Whoever asks for some splits may have the pictures of these only.
    return chain(problems, items, () if options.sets else _orphans(names, pictures))


def _items(
    files: Files,
    pictures: Pictures,
    splits: dict[str, str | None],
    labels: dict[str, str],
    classes: Sequence[str],
    description: Description,
) -> Iterator[Item | Problem]:
    for name, split in splits.items():
        try:
            size = pictures.size(name)
            lines = read_lines(files, labels[name], _MOST_LABELS) if name in labels else []
        except (BadRecord, FileNotFoundError) as error:
            yield Problem(name, str(error))
            continue
        boxes, problems = [], []
        for count, line in lines:
            try:
                boxes.append(_box(line.split(), classes, size, description.keypoints))
            except BadRecord as error:
                problems.append(Problem(f"{labels[name]}:{count}", str(error), "dropped"))
        try:
            used = usable(boxes, problems)
        except BadRecord as error:
            yield Problem(name, str(error))
            continue
        yield from problems
        yield Item(name, pictures.reader(name), pictures.files.uri(name), size, used, split=split)


def _orphans(names: set[str], pictures: Pictures) -> Iterator[Problem]:
    """Label files of no picture, be it one that no split names."""
    used = {_labels_of(name, names) for name in pictures.names()}
    found = {file for file in names if file.endswith(".txt") and "/labels/" in f"/{file}"}
    for file in sorted(found - used):
        yield Problem(file, "there is no image of this label file")


def _label_files(image: str) -> list[str]:
    """Ultralytics' rule: the last folder ``images`` becomes ``labels``. Behind it the places by the others,
    which some tools write to: ``labels/images/1.txt`` for ``images/images/1.jpg``.
    """
    parts = without_suffix(image).split("/")
    at = [index for index, part in enumerate(parts[:-1]) if part == "images"]
    paths = ["/".join([*parts[:index], "labels", *parts[index + 1 :]]) for index in reversed(at)]
    return [f"{path}.txt" for path in paths or ["/".join(parts)]]


def _labels_of(image: str, names: set[str]) -> str | None:
    """The label file that there is; labels can lie in a source of their own, without the images' folders."""
    plain = f"{without_suffix(image)}.txt"
    return next((path for path in (*_label_files(image), f"labels/{plain}", plain) if path in names), None)


def _box(words: list[str], classes: Sequence[str], size: tuple[int, int], keypoints: bool) -> Box:
    index = number(words[0], "the class")
    if not index.is_integer() or not 0 <= index < len(classes):
        raise BadRecord(f"class {shown(words[0])}; there are 0 to {len(classes) - 1}")
    label = classes[int(index)]
    values = [number(word, "a coordinate") for word in words[1:]]
    if any(abs(value) > _FARTHEST for value in values):
        raise BadRecord(f"{' '.join(words[1:5])[:80]} are no fractions of the image: are they pixels?")
    width, height = size
    marks: dict[str, Scalar] = {}
    if len(values) == 5:
        marks["confidence"] = values[4]
        if not 0 <= values[4] <= 1:
            raise BadRecord(f"confidence is {shown(words[5])}; 0 to 1 is one")
    elif len(values) >= 6 and len(values) % 2 == 0 and not keypoints:
        corners = zip(values[::2], values[1::2], strict=True)
        return enclosing(label, [(x * width, y * height) for x, y in corners], marks)
    elif len(values) != 4 and not (keypoints and len(values) > 4):
        raise BadRecord(
            f"line of {len(words)} numbers; 5 are a box, 6 one with confidence, 7, 9, … a polygon"
        )
    across, down, wide, high = values[:4]
    left, top = (across - wide / 2) * width, (down - high / 2) * height
    return from_fractions(label, left, top, left + wide * width, top + high * height, marks)


def _write(items: Iterable[Item], folder: Path, options: WriteOptions) -> Iterator[Problem]:
    ids = {name: index for index, name in enumerate(options.classes)}
    lists: dict[str, list[str]] = defaultdict(list)
    for item in items:
        boxes, problems = boxes_to_write(item, TITLE, ("confidence",))
        yield from problems
        if boxes is None:
            continue
        word = _FOLDER_OF.get(item.split or "train", "train")
        try:
            # Without copies the pictures lie where they do, under their own names.
            name = f"{word}/{readable_name(item) if options.copy_images else check_name(item.name)}"
            unknown = [box.label for box in boxes if box.label not in ids]
            if unknown:
                raise BadRecord(f"class {unknown[0]!r} is none of {', '.join(options.classes)}")
            text = "".join(_line(box, ids[box.label], size_of(item)) for box in boxes)
            picture = picture_of(item) if options.copy_images else None
            put(folder, _label_files(f"images/{name}")[0], text.encode())
            if picture is not None:
                put(folder, f"images/{name}", picture)
        except BadRecord as error:
            yield Problem(item.name, str(error))
            continue
        lists[word].append(name)
    _write_yaml(folder, options.classes, sorted(lists))


def _line(box: Box, index: int, size: tuple[int, int]) -> str:
    """Nine digits: a thousandth of a pixel of the largest images, at a fraction of the length of a float."""
    width, height = size
    values = [
        (box.left + box.width / 2) / width,
        (box.top + box.height / 2) / height,
        box.width / width,
        box.height / height,
    ]
    confidence = box.marks.get("confidence")
    if isinstance(confidence, int | float):
        values.append(confidence)
    return " ".join([str(index), *(f"{value:.9g}" for value in values)]) + "\n"


def _write_yaml(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> None:
    """Ultralytics wants train and val: where one is missing it gets the images of the other."""
    folders = {word: f"images/{word}" for word in splits}
    if splits:
        folders = dict.fromkeys(("train", "val"), f"images/{splits[0]}") | folders
    told = {"path": ".", **folders, "names": dict(enumerate(classes))}
    put(folder, "data.yaml", yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=10**6).encode())


FORMAT = Format(
    title=TITLE,
    holds=frozenset({"boxes"}),
    looks_like=_looks_like,
    classes=_classes,
    read=_read,
    write=_write,
    notes=(
        "polygons and turned boxes become the upright boxes around them; keypoints are not read",
        "an image without a split is written to train, for Ultralytics trains on nothing else",
        "every image needs its pixels' size, so pictures are read also where they are not copied",
    ),
)
