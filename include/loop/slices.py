"""The labelled images on which models are measured, by slice.

Takes a dataset, gives the pipeline's test sets (or, where it has none, the dataset's validation side) and the
dataset's memory set, newest held-out labels and random audit images, each with the ETag of its picture. A
picture that was replaced since it was labelled cannot be measured on. Knows dataset, manifest and storage.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.loop import storage
from include.loop.config import DATASET_SLICES
from include.loop.dataset import read_dataset
from include.loop.errors import BadRecord, ConfigurationError
from include.loop.manifest import LabelledImage, read_line
from include.loop.storage import in_parallel
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Slices:
    """``images`` by slice; ``etags`` of all of them; ``gone``: how many of a slice are there no more."""

    images: dict[str, list[LabelledImage]]
    etags: dict[str, str]
    gone: dict[str, int]

    @property
    def nights(self) -> set[str]:
        """The batches that images came from, where their lines know it."""
        lines = (line.value.get("batch") for images in self.images.values() for line in images)
        return {night for night in lines if isinstance(night, str)}


def read_slices(workspace: Workspace, dataset_id: str) -> Slices:
    """Every slice that is not empty. ConfigurationError when a test set is missing, empty or damaged."""
    lines = _test_sets(workspace, dataset_id)
    record = read_dataset(workspace, dataset_id)
    for name in DATASET_SLICES:
        if record.get(name):
            lines[name] = _read_set(workspace, name, storage.dataset_file(dataset_id, f"{name}.manifest"))
    etags = _etags(workspace, lines)
    images: dict[str, list[LabelledImage]] = {}
    gone = {}
    for name, all_lines in lines.items():
        there = [
            line for line in all_lines if etags[line.source] == line.value.get("etag", etags[line.source])
        ]
        there = [line for line in there if etags[line.source] is not None]
        gone[name] = len(all_lines) - len(there)
        if name in workspace.pipeline.test_sets and gone[name]:
            raise ConfigurationError(
                f"{workspace.pipeline.path}: test_sets.{name}: {gone[name]} of its {len(all_lines)} images "
                "are missing in S3, or are other pictures than those that were labelled. Put them back, or "
                "take their lines out of the manifest"
            )
        if there:
            images[name] = there
    used = {line.source for slice_lines in images.values() for line in slice_lines}
    return Slices(images, {uri: etag for uri, etag in etags.items() if etag and uri in used}, gone)


def _test_sets(workspace: Workspace, dataset_id: str) -> dict[str, list[LabelledImage]]:
    places = workspace.pipeline.test_sets or {
        "validation": storage.dataset_file(dataset_id, "validation.manifest")
    }
    return {name: _read_set(workspace, name, location) for name, location in sorted(places.items())}


def _etags(workspace: Workspace, lines: dict[str, list[LabelledImage]]) -> dict[str, str | None]:
    sources = sorted({line.source for images in lines.values() for line in images})
    return dict(zip(sources, in_parallel(workspace.storage.etag, sources), strict=True))


def _read_set(workspace: Workspace, name: str, location: str) -> list[LabelledImage]:
    pipeline = workspace.pipeline
    lines: dict[str, LabelledImage] = {}
    problems = []
    try:
        for raw in workspace.storage.read_raw_lines(location):
            try:
                line = read_line(raw, pipeline.label_attribute, pipeline.classes)
            except BadRecord as error:
                problems.append(str(error))
            else:
                lines[line.source] = line
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
