"""What a person should know of an import besides what it brought: whether its labels will count at all.

Takes the import, its images and the pipeline as it stands now, gives ``Notes``. Nothing here is on record:
asked for again later, the answers may be others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from botocore.exceptions import ClientError

from include.loop.config import Pipeline
from include.loop.core.records.dataset import RejectedLine
from include.loop.core.records.imports import Import
from include.loop.dataset.candidates import read_candidates
from include.loop.dataset.ledger import read_ledger
from include.loop.exchange.pictures import Stored
from include.loop.tasks.manifest_lines import moment
from include.loop.trials.shards import committed_shards, read_discarded, shard_manifest
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Notes:
    """``discarded``: a person has said that nothing learns from the import. ``labelled`` of its images have a
    label of another batch, too; ``newer`` counts, by batch, those whose newer label counts instead.
    ``warnings`` say what of the pipeline would stop or mislead what comes next, and what to do.
    """

    discarded: bool = False
    labelled: int = 0
    newer: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def outdated(self) -> int:
        """How many images have a newer label elsewhere."""
        return sum(self.newer.values())


@dataclass(frozen=True)
class Dated:
    """An image and the date of its imported label."""

    stored: Stored
    created: str


def take_note(workspace: Workspace, record: Import, images: Sequence[Dated]) -> Notes:
    discarded = read_discarded(workspace)
    ours = {item.stored.prints.sha256: moment(item.created) for item in images}
    newest: dict[str, tuple[datetime, str]] = {}
    for sha256, created, batch in _labels(workspace, images, {record.name, *discarded}):
        newest[sha256] = max((moment(created), batch), newest.get(sha256, (moment(""), "")))
    newer = Counter(batch for sha256, (created, batch) in newest.items() if created > ours[sha256])
    return Notes(
        discarded=record.name in discarded,
        labelled=len(newest),
        newer=dict(sorted(newer.items())) if record.target == "labels" else {},
        warnings=(*_too_few(workspace.pipeline, record), *_missing_tests(workspace, record)),
    )


def _too_few(pipeline: Pipeline, record: Import) -> Iterator[str]:
    """What the gate could not judge by: said before the first model is trained, not after the second."""
    least = pipeline.gate.min_images
    if record.target == "initial":
        yield from too_few_held_out(pipeline, record.splits.get("validation", 0))
    elif record.target != "labels" and record.images < least:
        yield (
            f"the test set has {record.images:,} images, and the gate judges by no fewer than {least:,} "
            "(gate.min_images): its numbers are told, and decide nothing"
        )
    without = [name for name, count in record.labels.items() if not count]
    if without and record.target != "labels":
        shown = ", ".join(without[:8]) + (f" and {len(without) - 8:,} more" if len(without) > 8 else "")
        verb = "is learned" if record.target == "initial" else "is measured"
        yield f"no label is of class {shown}: nothing {verb} of it"


def too_few_held_out(pipeline: Pipeline, held_out: int) -> Iterator[str]:
    """The warning, where so many images validate and the gate judges later models by no fewer than more."""
    least = pipeline.gate.min_images
    # Half of what is held out becomes the retention set (dataset/split_rules.py).
    left = held_out - min(pipeline.training.retention_images, held_out // 2)
    judged_by_it = not pipeline.test_sets or "validation" in pipeline.gate.improve_on
    if left < least and judged_by_it:
        yield (
            f"{held_out:,} images validate, {left:,} of them after others became the retention set, and "
            f"the gate judges by no fewer than {least:,} (gate.min_images): no later model could take "
            "the first one's place. Bring more, add a test set, or lower gate.min_images"
        )


def _missing_tests(workspace: Workspace, record: Import) -> Iterator[str]:
    pipeline = workspace.pipeline
    for name, location in sorted(pipeline.test_sets.items()):
        if record.target == f"test:{name}":
            continue
        try:
            there = workspace.storage.exists(location)
        except ClientError:  # nobody here may look; whether the training may, it says itself
            continue
        if not there:
            yield (
                f"nothing lies at {workspace.storage.uri(location)}, and training stops without it: import "
                f"it (--as test:{name}), or take `{name}` out of test_sets in {pipeline.path}"
            )


def _labels(
    workspace: Workspace, images: Sequence[Dated], without: set[str]
) -> Iterator[tuple[str, str, str]]:
    """SHA-256, date and batch of each label that these images have elsewhere, but in test sets."""
    storage = workspace.storage
    by_sha256 = {item.stored.prints.sha256 for item in images}
    # The register knows the bytes of what it has; of other batches a copy's place or an ETag tells.
    by_place = {
        (item.stored.uri, None if item.stored.copied else item.stored.etag): item.stored.prints.sha256
        for item in images
    }
    ledger = read_ledger(storage)
    for name, entries in ledger.items():
        if name not in without and not name.startswith("test-"):
            yield from ((item.sha256, item.created, name) for item in entries if item.sha256 in by_sha256)
    for batch, _ in committed_shards(storage, known={*ledger, *without}):
        rejected: list[RejectedLine] = []
        for item in read_candidates(workspace, shard_manifest(batch), rejected):
            source, etag = item.line.source, item.line.value.get("etag")
            sha256 = by_place.get((source, None)) or by_place.get((source, etag))
            if sha256 is not None:
                yield sha256, item.line.created, batch
