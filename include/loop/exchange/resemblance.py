"""Splits of imported images: shared out by the house's rules where the source has none, and held against
each other and against what the pipeline knows, for pictures that look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.loop.core.fingerprints import Fingerprint
from include.loop.core.lookalikes import alike
from include.loop.core.records.imports import NearDuplicate
from include.loop.core.records.splits import Split
from include.loop.dataset.ledger import read_ledger
from include.loop.dataset.split_rules import Placed, SplitRules, settle
from include.loop.exchange.pictures import Stored
from include.loop.workspace import Workspace

_TRAINED = {"train", "labels"}


def share_out(images: Sequence[tuple[Fingerprint, Sequence[int], str]], validation_share: float) -> list[str]:
    """train or validation for each image: its own split where it has one (else ""), or by its content, so
    that near-duplicates stay together and no class is left without an image that measures.
    """
    newcomers = [
        Placed(prints.sha256, prints.phash, Split(split) if split else None, frozenset(classes))
        for prints, classes, split in images
    ]
    settled = settle(newcomers, [], SplitRules(validation_share, cold=True))
    # Those that a source has put on one side stay there: what resembles the other is told, and building the
    # dataset decides about it.
    return [
        split or ("validation" if settled[prints.sha256].split is Split.VALIDATION else "train")
        for prints, _, split in images
    ]


def across_splits(workspace: Workspace, images: Sequence[tuple[str, str, Stored]]) -> list[NearDuplicate]:
    """Pairs that look alike, one of which would be learned from and the other measured with: among the images
    (name, split, stored), and between them and those that the pipeline knows.
    """
    hashes = [stored.prints.phash for _, _, stored in images]
    found = [
        NearDuplicate(
            name=images[one][0], split=images[one][1], like=images[other][0], other_split=images[other][1]
        )
        for one, other in (alike(hashes, hashes) if len({split for _, split, _ in images}) > 1 else ())
        if one < other and (images[one][1] in _TRAINED) != (images[other][1] in _TRAINED)
    ]
    known = _known(workspace)
    shas = {stored.prints.sha256 for _, _, stored in images}
    known = [item for item in known if item.sha256 not in shas]
    for one, other in alike(hashes, [item.phash for item in known]):
        name, split, _ = images[one]
        if (split in _TRAINED) != (known[other].split == "train"):
            there = known[other]
            found.append(NearDuplicate(name=name, split=split, like=there.source, other_split=there.split))
    return found


@dataclass(frozen=True)
class _Known:
    sha256: str
    phash: str | None
    source: str
    split: str


def _known(workspace: Workspace) -> list[_Known]:
    """The images of the split register that are learned from or measured with."""
    used = {Split.TRAIN, Split.VALIDATION, Split.RETENTION, Split.AUDIT, Split.TEST}
    entries = (entry for some in read_ledger(workspace.storage).values() for entry in some)
    by_image = {
        item.sha256: _Known(item.sha256, item.phash, item.source, str(item.split))
        for item in entries
        if item.split in used
    }
    return list(by_image.values())
