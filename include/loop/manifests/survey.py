"""What a manifest holds: how many lines, which label attributes, how often each class.

Takes numbered lines, gives a ``Survey`` in one pass and in memory that does not grow with the manifest. Which
attribute is the label is never guessed: where several could be, that is an error which names them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from include.loop.config.pipeline import TaskName
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.manifests.labels import METADATA, OTHER_TYPES, TYPES, metadata_of, read_label, type_of
from include.loop.tasks.manifest_lines import moment, parse_line

SOURCES = ("source-ref", "source")
# Of lines that are told with their number; more are counted only.
TOLD = 10
# More names than a manifest of anybody has: they are counted as one.
MOST_NAMES = 1_000
EMPTY_PIPE = (
    "Got empty batch from pipe. Please check if the manifest file contains valid batches and the value of "
    "training job parameter AttributeNames matches attributes names in the augmented manifest."
)


@dataclass
class Attribute:
    """One label attribute. ``lines`` have it or its metadata, ``labelled`` have a label that can be read,
    ``failed`` a failure-reason. ``empty`` are labelled and show nothing; ``most`` is how many things the
    fullest image has. ``things`` and ``images`` are counts by class index.
    """

    name: str
    lines: int = 0
    labelled: int = 0
    failed: int = 0
    empty: int = 0
    most: int = 0
    newest: str = ""
    multi_hot: Counter[int] = field(
        default_factory=Counter
    )  # labels that are 0 or 1 for each of so many classes
    described: bool = False  # some line has metadata of it
    types: Counter[str] = field(default_factory=Counter)
    tasks: Counter[tuple[TaskName, bool]] = field(default_factory=Counter)
    things: Counter[int] = field(default_factory=Counter)
    images: Counter[int] = field(default_factory=Counter)
    names: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unreadable: Counter[str] = field(default_factory=Counter)

    @property
    def can_be_learned(self) -> bool:
        """Unless all that is said of it is a type that nothing here learns (a verification, for instance)."""
        known = [name for name in self.types if name in TYPES or not OTHER_TYPES.fullmatch(name)]
        return self.described and (bool(known) or not self.types)

    @property
    def class_count(self) -> int:
        """How many classes there must be for every index to be one of them."""
        return max(max((*self.things, *self.names), default=-1) + 1, *self.multi_hot, 0)

    def class_names(self) -> list[str]:
        """By index; a class without a name is called by its number. ConfigurationError for two names."""
        for index, names in sorted(self.names.items()):
            if len(names) > 1:
                both = " and ".join(map(repr, sorted(names)[:2]))
                raise ConfigurationError(f"class {index} of {self.name!r} is called {both}: one list only")
        named = {index: next(iter(names)) for index, names in self.names.items()}
        return [named.get(index, f"class-{index}") for index in range(self.class_count)]


@dataclass
class Survey:
    """``place`` is the manifest's; ``broken`` are lines that are no JSON objects, the first of them told."""

    place: str
    lines: int = 0
    broken: int = 0
    problems: list[str] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    attributes: dict[str, Attribute] = field(default_factory=dict)

    def candidates(self) -> list[Attribute]:
        """The attributes that could be the label."""
        return [item for item in self.attributes.values() if item.can_be_learned]

    def choose(self, name: str | None) -> Attribute:
        """The label attribute: the one that is named, else the only one. ConfigurationError otherwise."""
        if not self.lines:
            raise ConfigurationError(f"{self.place} has no lines")
        there = self.told_attributes()
        if name is not None:
            found = self.attributes.get(name)
            if found is None or not found.lines:
                raise ConfigurationError(
                    f"{self.place}: no line has the attribute {name!r}; {there}. A job would end with: "
                    + EMPTY_PIPE
                )
            return found
        candidates = self.candidates()
        if len(candidates) != 1:
            which = "several attributes could be the label" if candidates else "no attribute is a label"
            raise ConfigurationError(f"{self.place}: {which}; {there}. Name one with --label")
        return candidates[0]

    def told_attributes(self) -> str:
        """What there is, in one line."""
        told = [
            f"{item.name} ({', '.join(sorted(item.types)) or 'no type'}, in {self.share(item.lines)})"
            for item in self.attributes.values()
            if item.described
        ]
        if told:
            return "there are " + ", ".join(told)
        others = [name for name in self.keys if name not in SOURCES]
        return f"no attribute has metadata; the lines have {', '.join(others) or 'no other fields'}"

    def share(self, count: int) -> str:
        return f"all {count:,} lines" if count == self.lines else f"{count:,} of {self.lines:,} lines"


def survey(place: str, lines: Iterable[tuple[int, bytes]], label: str | None = None) -> Survey:
    """Read a manifest. ``label`` is an attribute to be counted though no line has metadata of it."""
    found = Survey(place)
    for number, line in lines:
        found.lines += 1
        try:
            value = parse_object(line)
        except BadRecord as error:
            found.broken += 1
            if len(found.problems) < TOLD:
                found.problems.append(f"line {number}: {error}")
            continue
        _count(found, value, label)
    return found


def parse_object(line: bytes) -> dict[str, Any]:
    """A line's fields. BadRecord when it has none."""
    value = parse_line(line)
    if not isinstance(value, dict):
        raise BadRecord("manifest line is not a JSON object")
    return value


def source_of(line: dict[str, Any]) -> str | None:
    """What a line is about: an image's URI, or text; None where it does not say."""
    return next((str(line[name]) for name in SOURCES if name in line), None)


def _count(found: Survey, value: dict[str, Any], label: str | None) -> None:
    found.sources.update(name for name in SOURCES if name in value)
    names = {name.removesuffix(METADATA) for name in value if name.endswith(METADATA)}
    if label is not None and label in value:
        names.add(label)
    for name in value:
        if not name.endswith(METADATA) and (name in found.keys or len(found.keys) < MOST_NAMES):
            found.keys[name] += 1
    for name in sorted(names):
        if name not in found.attributes and len(found.attributes) >= MOST_NAMES:
            continue
        _count_label(found.attributes.setdefault(name, Attribute(name)), value)


def _count_label(attribute: Attribute, line: dict[str, Any]) -> None:
    metadata = metadata_of(line, attribute.name)
    attribute.lines += 1
    attribute.described |= attribute.name + METADATA in line
    if kind := type_of(metadata):
        attribute.types[kind] += 1
    created = metadata.get("creation-date")
    if isinstance(created, str) and moment(created) > moment(attribute.newest):
        attribute.newest = created
    if metadata.get("failure-reason") is not None:
        attribute.failed += 1
        return
    if attribute.name not in line:
        return
    try:
        label = read_label(line[attribute.name], metadata)
    except BadRecord as error:
        reason = str(error)
        known = reason in attribute.unreadable or len(attribute.unreadable) < TOLD
        attribute.unreadable[reason if known else "other reasons"] += 1
        return
    attribute.labelled += 1
    attribute.tasks[label.task, label.multi_label] += 1
    if label.multi_hot:
        attribute.multi_hot[label.multi_hot] += 1
    attribute.empty += not label.classes
    attribute.most = max(attribute.most, len(label.classes))
    attribute.things.update(label.classes)
    attribute.images.update(set(label.classes))
    for index, name in label.names.items():
        if index in attribute.names or len(attribute.names) < MOST_NAMES:
            attribute.names[index][name] += 1
