"""The labelled images on which models are measured, by slice.

Takes a dataset, gives the pipeline's test sets (or, where it has none, the dataset's validation split) and
the dataset's retention set, recent held-out labels and random audit images, each with the ETag of its
picture; and what was learned from, to see whether it could be learned. A picture that was replaced since it
was labelled cannot be measured on.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from include.loop.config import DATASET_SLICES
from include.loop.core import layout
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.identity import share
from include.loop.core.records.dataset import Dataset
from include.loop.core.stats import stat_all
from include.loop.tasks.values import Labelled, Unlearnable
from include.loop.workspace import Workspace

# Of the labels that a model has learned from: those that it did not learn for the first time.
REPLAYED = "replayed"
# So many of a batch, and of the replayed ones, show well enough how well they were learned.
LEARNED_IMAGES = 300


@dataclass(frozen=True)
class Slices:
    """``images`` by slice; ``etags`` of all of them, and their ``sizes`` in bytes where those are known;
    ``gone``: how many of a slice are there no more.
    """

    images: dict[str, list[Labelled]]
    etags: dict[str, str]
    gone: dict[str, int]
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def batches(self) -> dict[str, str]:
        """The batch that an image came from, where its line knows it."""
        lines = (line for images in self.images.values() for line in images)
        return {line.source: line.value["batch"] for line in lines if "batch" in line.value}

    def without(self, left_out: Container[str]) -> Slices:
        """Every slice that has other images than these."""
        kept = {
            name: [line for line in lines if line.source not in left_out]
            for name, lines in self.images.items()
        }
        return replace(self, images={name: lines for name, lines in kept.items() if lines})


def read_slices(workspace: Workspace, dataset_id: str) -> Slices:
    """Every slice that is not empty. ConfigurationError when a test set is missing, empty or damaged."""
    dataset = Dataset.read(workspace.storage, dataset_id)
    lines = _test_sets(workspace, dataset)
    for name in DATASET_SLICES:
        if getattr(dataset, name):
            lines[name] = _read_set(workspace, name, dataset.manifest(name))
    slices = _with_etags(workspace, lines)
    for name in workspace.pipeline.test_sets:
        if slices.gone[name]:
            raise ConfigurationError(
                f"{workspace.pipeline.path}: test_sets.{name}: {slices.gone[name]} of its {len(lines[name])} "
                "images are missing in S3, or are other pictures than those that were labelled. Put them "
                "back, or take their lines out of the manifest"
            )
    return slices


def read_learned(workspace: Workspace, dataset_id: str) -> Slices:
    """A sample of what the challenger has learned from: the labels of each new batch, and ``REPLAYED``.

    No batch for the dataset of a first model that has labels of its own.
    """
    dataset = Dataset.read(workspace.storage, dataset_id)
    batch_of = {
        key: batch
        for batch in sorted(dataset.shards)
        for key in _keys(workspace.storage.read_lines(layout.labels_manifest(batch)))
    }
    parts: dict[str, list[Labelled]] = {}
    if batch_of:
        for line in _read_set(workspace, "train", dataset.manifest("train")):
            (key,) = _keys([line.value])
            parts.setdefault(batch_of.get(key, REPLAYED), []).append(line)
    return _with_etags(workspace, {name: _sample(lines) for name, lines in parts.items()})


def _test_sets(workspace: Workspace, dataset: Dataset) -> dict[str, list[Labelled]]:
    places = workspace.pipeline.test_sets or {"validation": dataset.manifest("validation")}
    return {name: _read_set(workspace, name, location) for name, location in sorted(places.items())}


def _with_etags(workspace: Workspace, lines: dict[str, list[Labelled]]) -> Slices:
    sources = sorted({line.source for images in lines.values() for line in images})
    found = stat_all(workspace.storage, sources)
    etags = {source: found[source].etag for source in sources if source in found}
    there = {
        name: [line for line in images if _is_there(line, etags.get(line.source))]
        for name, images in lines.items()
    }
    used = {line.source for images in there.values() for line in images}
    return Slices(
        images={name: images for name, images in there.items() if images},
        etags={source: etag for source, etag in etags.items() if source in used},
        gone={name: len(images) - len(there[name]) for name, images in lines.items()},
        sizes={source: found[source].size for source in used},
    )


def _is_there(line: Labelled, etag: str | None) -> bool:
    return etag is not None and etag == line.value.get("etag", etag)


def _keys(values: Iterable[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """What tells the labels of a picture apart: the loop that asked about it, which may be anything in lines
    of others.
    """
    return ((value["source-ref"], str(value.get("loop"))) for value in values)


def _sample(lines: list[Labelled]) -> list[Labelled]:
    """At most ``LEARNED_IMAGES``, always the same."""
    chosen = heapq.nsmallest(
        LEARNED_IMAGES, lines, key=lambda line: (share("learned", line.source), line.source)
    )
    return sorted(chosen, key=lambda line: line.source)


def _read_set(workspace: Workspace, name: str, location: str) -> list[Labelled]:
    pipeline = workspace.pipeline
    ours = (
        name not in pipeline.test_sets
    )  # a dataset's manifest: what is lost of it was told when it was built
    lines: dict[str, Labelled] = {}
    problems = []
    try:
        for number, raw in workspace.storage.numbered_lines(location):
            try:
                line = workspace.task.read_line(raw)
            except BadRecord as error:
                if not (ours and isinstance(error, Unlearnable)):
                    problems.append(f"{error} (line {number})")
            else:
                lines[line.source] = line
                if line.lost and not ours:
                    problems.append(f"{line.lost[0].reason} (line {number})")
    except FileNotFoundError as error:
        raise ConfigurationError(f"{pipeline.path}: {_what(workspace, name)}: {error}") from None
    if problems or not lines:
        # A test set that silently shrinks would change what "better" means.
        why = f"{len(problems)} unusable lines, the first: {problems[0]}" if problems else "it is empty"
        raise ConfigurationError(
            f"{pipeline.path}: {_what(workspace, name)} ({workspace.storage.uri(location)}): {why}"
        )
    return list(lines.values())


def _what(workspace: Workspace, name: str) -> str:
    return f"test_sets.{name}" if name in workspace.pipeline.test_sets else f"the {name} images"
