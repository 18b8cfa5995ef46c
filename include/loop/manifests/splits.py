"""A manifest as two: one to learn from and one to measure with.

SageMaker has no parameter for a part of a manifest, so that a split means two files. Takes the lines of the
whole one twice, first to decide and then to write; gives the counts of both and what was left out. Lines of
one image stay together. What has no label is in neither: a job that meets such a line fails or learns
nothing from it.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import dump
from include.loop.manifests.labels import metadata_of, read_label
from include.loop.manifests.survey import parse_object, source_of

PARTS = ("train", "validation")


class Rule(StrEnum):
    """By what images part. ``hash``: by the image's URI alone, so that lines which are added later move no
    old one. ``shuffle``: at random, repeatable by the seed. ``class``: the same within each class, so that
    rare classes are in both; an image counts for its rarest one. ``group``: images that share the value of a
    field (a camera, a day) stay on one side.
    """

    HASH = "hash"
    SHUFFLE = "shuffle"
    CLASS = "class"
    GROUP = "group"


@dataclass(frozen=True)
class Choice:
    """``share`` is the validation's, in whole hundredths; ``group`` the field for ``Rule.GROUP``, of the line
    or of the label's metadata.
    """

    label: str
    rule: Rule
    share: float
    seed: int = 0
    group: str = ""


@dataclass
class Parted:
    """Counts of lines: by part, of those in a part that show nothing, and by why they were left out."""

    parts: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class _Row:
    source: str
    classes: frozenset[int]
    group: str | None


def decide(lines: Iterable[tuple[int, bytes]], choice: Choice) -> dict[str, bool]:
    """Image to whether it is for validation. ConfigurationError when one part would be empty."""
    rows: dict[str, _Row] = {}
    for _, line in lines:
        row = _read(line, choice)
        if isinstance(row, _Row):
            known = rows.get(row.source)
            rows[row.source] = row if known is None else _both(known, row)
    chosen = _RULES[choice.rule](list(rows.values()), choice)
    parts = Counter(chosen.values())
    if rows and len(parts) < len(PARTS):
        raise ConfigurationError(
            f"all {len(rows):,} images would be for {PARTS[next(iter(parts))]}: choose another share "
            "or rule (--by shuffle counts)"
        )
    if not rows:
        raise ConfigurationError(f"no line has a label {choice.label!r}: there is nothing to divide")
    return chosen


def write(
    lines: Iterable[tuple[int, bytes]],
    choice: Choice,
    decided: Mapping[str, bool],
    files: Sequence[IO[bytes]],
) -> Parted:
    """Copy each line, byte for byte, to the file of its part (in the order of PARTS)."""
    parted = Parted()
    for _, line in lines:
        row = _read(line, choice)
        if not isinstance(row, _Row):
            parted.left_out[row] += 1
            continue
        part = decided[row.source]
        parted.parts[PARTS[part]] += 1
        parted.empty[PARTS[part]] += not row.classes
        files[part].write(line.rstrip(b"\r") + b"\n")
    return parted


def _read(line: bytes, choice: Choice) -> _Row | str:
    """A line as far as the rules look at it, or why it is in neither part."""
    try:
        value = parse_object(line)
    except BadRecord as error:
        return str(error)
    source, metadata = source_of(value), metadata_of(value, choice.label)
    if source is None:
        return "no source-ref"
    if metadata.get("failure-reason") is not None:
        return "not labelled: failure-reason"
    if choice.label not in value:
        return "not labelled"
    try:
        classes = frozenset(read_label(value[choice.label], metadata).classes)
    except BadRecord as error:
        return str(error)
    group = None
    if choice.rule is Rule.GROUP:
        found = value.get(choice.group, metadata.get(choice.group))
        if found is None:
            return f"no {choice.group}"
        group = dump(found).decode()
    return _Row(source, classes, group)


def _both(first: _Row, second: _Row) -> _Row:
    if first.group != second.group:
        raise ConfigurationError(
            f"{first.source} is in two groups, {first.group} and {second.group}: it cannot stay with both"
        )
    return _Row(first.source, first.classes | second.classes, first.group)


def _by_hash(rows: Sequence[_Row], choice: Choice) -> dict[str, bool]:
    def number(text: str) -> int:
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    return {row.source: number(row.source) % 100 < round(choice.share * 100) for row in rows}


def _by_shuffle(rows: Sequence[_Row], choice: Choice) -> dict[str, bool]:
    order = [row.source for row in rows]
    random.Random(choice.seed).shuffle(order)  # noqa: S311 -- to be repeated, not to be secret
    train = round(len(order) * (1 - choice.share))
    return {source: place >= train for place, source in enumerate(order)}


def _by_class(rows: Sequence[_Row], choice: Choice) -> dict[str, bool]:
    """A class of two images or more has one at least in each part."""
    often = Counter(index for row in rows for index in row.classes)
    strata: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        strata[min(row.classes, key=lambda index: (often[index], index), default=-1)].append(row.source)
    dice = random.Random(choice.seed)  # noqa: S311
    chosen: dict[str, bool] = {}
    for _, sources in sorted(strata.items()):
        dice.shuffle(sources)
        most = max(len(sources) - 1, 0)
        held_out = min(max(round(len(sources) * choice.share), 1), most)
        chosen |= {source: place < held_out for place, source in enumerate(sources)}
    return chosen


def _by_group(rows: Sequence[_Row], choice: Choice) -> dict[str, bool]:
    """Whole groups, in an order by the seed, until the share is reached; one at least stays to learn from."""
    sizes = Counter(row.group for row in rows)
    order: list[Any] = sorted(sizes, key=str)
    random.Random(choice.seed).shuffle(order)  # noqa: S311
    held_out = set(_until(order[:-1], sizes, len(rows) * choice.share))
    return {row.source: row.group in held_out for row in rows}


def _until(order: Sequence[Any], sizes: Mapping[Any, int], wanted: float) -> Iterator[Any]:
    have = 0
    for group in order:
        if have >= wanted:
            return
        have += sizes[group]
        yield group


_RULES = {
    Rule.HASH: _by_hash,
    Rule.SHUFFLE: _by_shuffle,
    Rule.CLASS: _by_class,
    Rule.GROUP: _by_group,
}
