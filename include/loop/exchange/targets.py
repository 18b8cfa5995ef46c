"""What imported labels become: the first model's manifests, a test set, or a shard that training learns from.

Takes the target's word (``initial``, ``labels``, ``test:<name>``) and says where its manifests lie, which
images of a source belong there, and writes them. Manifests that are there and say something else are not
written over unless asked: everything is looked at before the first one is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.loop.config import Pipeline
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.nightly import LabelSummary, Quarantined
from include.loop.core.storage import Storage, dump
from include.loop.workspace import Workspace

TARGETS = "initial, labels, test:NAME"
ALL = "labels"  # the only part of a target without splits of its own
_TEST = "test"


@dataclass(frozen=True)
class Target:
    """``places`` has the manifest of each split; none for a shard, whose place is its import's name."""

    word: str
    places: Mapping[str, str]

    @property
    def is_shard(self) -> bool:
        return not self.places

    def split_of(self, split: str | None, splits: Collection[str | None], chosen: bool) -> str | None:
        """The part of the target that an image of a source's split belongs to; None leaves it out. ``splits``
        are all of the source's, ``chosen`` is whether a person named those that are read.

        What others have held out for a test is not learned from, nor the other way round.
        """
        if self.places.keys() == {_TEST}:
            return _TEST if split == _TEST or chosen or splits == {None} else None
        if split == _TEST:
            return None
        return ALL if self.is_shard else (split or "")

    def manifest(self, split: str, name: str) -> str:
        """Where the labels of a split of this import lie."""
        return self.places.get(split) or layout.labels_manifest(name)


def find_target(pipeline: Pipeline, word: str) -> Target:
    """ConfigurationError when the pipeline has no place for it."""
    kind, _, name = word.partition(":")
    if word == "labels":
        return Target(word, {})
    if word == "initial":
        if pipeline.initial is None:
            raise ConfigurationError(
                f"{pipeline.path}: initial: names no manifests, so labels cannot be imported as those of the "
                "first model; add `initial: {}`, or import them as labels"
            )
        return Target(word, {"train": pipeline.initial.train, "validation": pipeline.initial.validation})
    if kind == "test" and name:
        if name not in pipeline.test_sets:
            there = ", ".join(sorted(pipeline.test_sets)) or "none yet"
            raise ConfigurationError(
                f"{pipeline.path}: test_sets: has no {name!r}; there are {there}. Add the line "
                f"`{name}: tests/{name}.manifest` below test_sets"
            )
        return Target(word, {_TEST: pipeline.test_sets[name]})
    raise ConfigurationError(f"labels are imported as one of {TARGETS}, not as {word!r}")


def check_target(target: Target) -> None:
    """ConfigurationError when a manifest of it would lie where another kind of file does."""
    for location in target.places.values():
        if location.endswith(".rec"):
            raise ConfigurationError(
                f"{location} is a RecordIO file, and an import writes augmented manifests: name a .manifest "
                "in the pipeline's file"
            )


def check_manifests(
    workspace: Workspace,
    target: Target,
    name: str,
    parts: Mapping[str, Sequence[dict[str, Any]]],
    replace: bool,
) -> bool:
    """Whether any manifest is not there already. ConfigurationError when one says something else, and is not
    to be written over.
    """
    if target.is_shard:
        return not workspace.storage.exists(LabelSummary.location(name))
    return bool(_new_manifests(workspace.storage, target, parts, replace))


def write_manifests(
    workspace: Workspace,
    target: Target,
    name: str,
    parts: Mapping[str, Sequence[dict[str, Any]]],
    refused: Sequence[tuple[str, str]],
    replace: bool,
) -> bool:
    """Write the lines of each split; whether anything was not there already."""
    storage = workspace.storage
    if target.is_shard:
        return _write_shard(workspace, name, parts[ALL], refused)
    new = _new_manifests(storage, target, parts, replace)
    for location, body in new.items():
        storage.write(location, body)
    return bool(new)


def _new_manifests(
    storage: Storage, target: Target, parts: Mapping[str, Sequence[dict[str, Any]]], replace: bool
) -> dict[str, bytes]:
    bodies = {target.places[split]: b"".join(dump(line) + b"\n" for line in parts[split]) for split in parts}
    return {location: body for location, body in bodies.items() if _differs(storage, location, body, replace)}


def _differs(storage: Storage, location: str, body: bytes, replace: bool) -> bool:
    found = storage.find(location)
    if found is not None and found[0] != body and not replace:
        raise ConfigurationError(
            f"{storage.uri(location)} is there already, with other labels. --replace writes over it "
            "(datasets that were made of it stay as they are); --as labels adds these to what is there"
        )
    return found is None or found[0] != body


def _write_shard(
    workspace: Workspace, name: str, lines: Sequence[dict[str, Any]], refused: Sequence[tuple[str, str]]
) -> bool:
    """Commit a shard as a batch does: its summary last."""
    storage = workspace.storage
    if storage.exists(LabelSummary.location(name)):
        return False
    problems = (
        Quarantined(stage="import", image=where, reason=reason, batch=name) for where, reason in refused
    )
    Quarantined.write_all(storage, problems, name)
    storage.write_lines(layout.labels_manifest(name), lines)
    negatives = sum(workspace.task.is_negative(line) for line in lines)
    summary = LabelSummary(batch=name, labels=len(lines), negatives=negatives, quarantined=len(refused))
    summary.write_once(storage, name)
    return True
