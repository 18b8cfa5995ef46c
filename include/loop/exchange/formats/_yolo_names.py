"""Where a YOLO data set says its classes and the images of its splits.

Three tools have three ways: Ultralytics a YAML, Darknet (and CVAT's "YOLO 1.1") ``obj.data`` with
``obj.names``, Label Studio and LabelImg ``classes.txt`` alone. Paths in them are of the machine that wrote
them, so they are matched by their ends with what the source has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any

import yaml

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import Files
from include.loop.exchange.formats._pictures import Pictures
from include.loop.exchange.formats._values import (
    class_name,
    read_lines,
    read_text,
    shown,
    split_of,
    split_word,
)
from include.loop.exchange.items import Problem

_MOST_YAML = 256 * 1024  # a thousand classes take 30 KB
_SPLITS = ("train", "val", "test")
_INDEX = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class Description:
    """``splits`` has the entries of train, val and test: folders or lists of images. ``names`` is None where
    nothing says the classes. ``keypoints`` follow the four numbers of each box where a pose is labelled.
    """

    name: str
    names: list[str] | None
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    path: str = ""
    keypoints: bool = False


def describe(files: Files) -> Description:
    """What the source says of itself; BadRecord when it cannot be read or contradicts itself."""
    names = files.names()
    found = [name for name in names if name.endswith((".yaml", ".yml"))]
    described = [said for name in found if (said := _yaml(files, name)) is not None]
    if len(described) > 1:
        raise BadRecord(f"{described[0].name} and {described[1].name} both describe a data set: keep one")
    lists = [name for name in names if PurePosixPath(name).name == "classes.txt" or name.endswith(".names")]
    listed = [(name, _checked(name, _whole(files, name))) for name in lists]
    told = [(one.name, one.names or []) for one in described] + listed
    for name, classes in told[1:]:
        check_same(*told[0], name, classes)
    if described:
        return described[0]
    data = next((name for name in names if name.endswith(".data")), None)
    if data is None or not listed:
        return Description(*(listed[0] if listed else (files.place, None)))
    pairs = (line.partition("=") for _, line in read_lines(files, data))
    values = {key.strip().replace("valid", "val"): value.strip() for key, _, value in pairs}
    return Description(data, listed[0][1], {word: [values[word]] for word in _SPLITS if values.get(word)})


def _whole(files: Files, name: str) -> list[str]:
    """All lines of a list of classes: a blank one in its midst would shift the indices of those behind it."""
    return read_text(files, name).rstrip().split("\n")


def check_same(here: str, names: Sequence[str], there: str, others: Sequence[str]) -> None:
    """BadRecord at the first index that two lists of classes mean differently."""
    for index, (name, other) in enumerate(zip_longest(names, others)):
        if name != other:
            raise BadRecord(f"class {index} is {name!r} in {here}, but {other!r} in {there}: make them alike")


def images_of(
    description: Description, files: Files, pictures: Pictures
) -> tuple[dict[str, str | None], list[Problem]]:
    """Every labelled image with its split, and what lists name in vain; all images where no split is told.

    An image that two splits name belongs to the first of train, val, test.
    """
    if not description.splits:
        return dict.fromkeys(pictures.names()), []
    found: dict[str, str | None] = {}
    problems: list[Problem] = []
    for word in _SPLITS:
        for entry in description.splits.get(word, ()):
            if _belongs_elsewhere(description, word, entry):
                continue
            names, missing = _entry(description, entry, files, pictures)
            if not names and not missing:
                raise BadRecord(f"{description.name}: {word} is {shown(entry)}; no image lies there")
            for name in names:
                found.setdefault(name, split_word(word))
            problems += missing
    return found, problems


def _belongs_elsewhere(description: Description, word: str, entry: str) -> bool:
    """Whether an entry that stands in for a missing split (val: images/train) is named after another one."""
    named = [other for other in _SPLITS if entry in description.splits.get(other, ())]
    return len(named) > 1 and split_of(entry) in {split_word(other) for other in named if other != word}


def _entry(
    description: Description, entry: str, files: Files, pictures: Pictures
) -> tuple[list[str], list[Problem]]:
    """The images of a folder or a list."""
    names: list[str] = []
    places = _places(description, entry)
    if not entry.endswith(".txt"):
        inside = ([n for n in pictures.names() if not path or n.startswith(f"{path}/")] for path in places)
        return next(filter(None, inside), names), []
    there = set(files.names())
    path = next((path for path in places if path in there), None)
    problems = []
    for count, line in read_lines(files, path) if path else ():
        try:
            names.append(pictures.find(line.removeprefix("./"), path or "", elsewhere=True))
        except BadRecord as error:
            problems.append(Problem(f"{path}:{count}", str(error)))
    return names, problems


def _places(description: Description, entry: str) -> list[str]:
    """Where an entry can lie: below ``path``, beside the description, in the source, each with fewer of its
    first folders, down to its last one (Roboflow writes ../train/images for train/images).
    """
    parts = _parts(entry)
    beside = _parts(str(PurePosixPath(description.name).parent)) if description.name else []
    starts = [[*beside, *_parts(description.path)], beside, _parts(description.path), []]
    tails = [parts[at:] for at in range(len(parts))] or [[]]
    return list(dict.fromkeys("/".join([*start, *tail]) for tail in tails for start in starts))


def _parts(path: str) -> list[str]:
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def _yaml(files: Files, name: str) -> Description | None:
    """The data set that a YAML describes; None for one of something else (a model, a training)."""
    try:
        # All values as text: plain YAML makes a truth of the class "no", and a number of "007".
        value = yaml.load(read_text(files, name, _MOST_YAML), yaml.BaseLoader)  # noqa: S506 -- builds str only
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        said = " ".join(str(error).split())[:200] or "nested too deeply"
        raise BadRecord(f"{name}: not YAML: {said}") from None
    if not isinstance(value, dict) or "names" not in value or not {*_SPLITS, "path", "nc"} & value.keys():
        return None
    splits = {word: _entries(name, word, value.get(word)) for word in _SPLITS}
    told = {word: entries for word, entries in splits.items() if entries}
    path = value.get("path")
    return Description(
        name,
        _names(name, value["names"]),
        told,
        path if isinstance(path, str) else "",
        "kpt_shape" in value,
    )


def _entries(name: str, word: str, value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value] if value else []
    if not all(isinstance(entry, str) for entry in entries):
        raise BadRecord(f"{name}: {word} is {shown(value)}; a folder, a list file or several are wanted")
    return [entry for entry in entries if entry]


def _names(name: str, value: Any) -> list[str]:
    """Class names by index, from a list or from a mapping that has every index once."""
    if isinstance(value, dict):
        # YAML has its last word for a key that is written twice; 0 and 00 are two keys of one index.
        numbered = {
            int(key): text for key, text in value.items() if isinstance(key, str) and _INDEX.fullmatch(key)
        }
        if len(numbered) != len(value) or sorted(numbered) != list(range(len(value))):
            raise BadRecord(f"{name}: names must have the indices 0 to {len(value) - 1}, each once")
        value = [numbered[index] for index in range(len(numbered))]
    if not isinstance(value, list) or not value:
        raise BadRecord(f"{name}: names is {shown(value)}; a list of class names is wanted")
    return _checked(name, value)


def _checked(name: str, values: Sequence[Any]) -> list[str]:
    try:
        classes = [class_name(value) for value in values]
    except BadRecord as error:
        raise BadRecord(f"{name}: {error}") from None
    if len(set(classes)) < len(classes):
        raise BadRecord(f"{name}: class {Counter(classes).most_common(1)[0][0]!r} has two indices")
    return classes
