"""Which split an image belongs to for ever: learned from, or held out to measure with.

Takes the images of a shard and what is settled already, gives each new image its split and the reason. A
near-duplicate follows the image it resembles, held out before trained; all others go by the hash of their
content, so that the same images always part in the same way, in whatever order they come. Nothing here reads
or writes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from include.loop.core.identity import share
from include.loop.core.records.splits import Split
from include.loop.dataset.fingerprints import alike

# What the hash of an image is salted with, and so part of what it decides: never to be changed.
SPLIT_SALT, RETENTION_SALT = "side", "memory"


@dataclass(frozen=True, slots=True)
class Placed:
    """One image by its content. ``split`` is None while it is to be settled by its hash; ``like`` is the
    SHA-256 of an image it resembles and follows; ``classes`` are those of its boxes.
    """

    sha256: str
    phash: str | None
    split: Split | None
    classes: frozenset[int]
    like: str | None = None


@dataclass(frozen=True, slots=True)
class SplitRules:
    """``cold``: nothing has been held out by anybody yet, so every class should get an image that is.
    ``retention``: at most so many held-out images become the retention set; 0 when there is one already.
    """

    validation_share: float
    cold: bool = False
    retention: int = 0


def settle(newcomers: Collection[Placed], known: Collection[Placed], rules: SplitRules) -> dict[str, Placed]:
    """Every newcomer with its split, by SHA-256. ``known`` are the images that have one; they keep it."""
    # What measures comes first: what is learned from gives way to it, and not the other way round.
    order = sorted(newcomers, key=lambda item: (not _measures(item), item.sha256))
    before, after = _neighbours(order, [item for item in known if item.split is not Split.LEFT_OUT])
    settled: dict[str, Placed] = {}
    for item in order:
        near = [settled.get(other.sha256, other) for other in before[item.sha256]]
        settled[item.sha256] = _settle(item, near, rules.validation_share)
    if rules.cold:
        alone = [item for item in settled.values() if not before[item.sha256] and item.sha256 not in after]
        settled |= _hold_some_out([*settled.values(), *known], alone)
    return settled | _set_some_apart(settled.values(), rules.retention)


def _measures(item: Placed) -> bool:
    return item.split is not None and item.split.held_out


def _neighbours(
    order: Sequence[Placed], known: Sequence[Placed]
) -> tuple[defaultdict[str, list[Placed]], set[str]]:
    """By SHA-256: what an image resembles among the known and those before it; and which one is resembled by
    one after it.
    """
    before: defaultdict[str, list[Placed]] = defaultdict(list)
    after: set[str] = set()
    hashes = [item.phash for item in order]
    for one, other in alike(hashes, [item.phash for item in known]):
        before[order[one].sha256].append(known[other])
    for one, other in alike(hashes, hashes):
        if other < one:
            before[order[one].sha256].append(order[other])
            after.add(order[other].sha256)
    return before, after


def _settle(item: Placed, near: Sequence[Placed], validation_share: float) -> Placed:
    # Named as the reason is the original rather than another copy of it.
    by_name = sorted(near, key=lambda other: (other.like is not None, other.sha256))
    held_out = next((other.sha256 for other in by_name if _measures(other)), None)
    trained = next((other.sha256 for other in by_name if other.split is Split.TRAIN), None)
    if item.split is Split.TEST:
        return item
    if trained and (held_out or _measures(item)):
        return replace(item, split=Split.LEFT_OUT, like=trained)
    if held_out:
        return item if _measures(item) else replace(item, split=Split.VALIDATION, like=held_out)
    if item.split is not None:
        return item
    if trained:
        return replace(item, split=Split.TRAIN, like=trained)
    by_hash = share(SPLIT_SALT, item.sha256) < validation_share
    return replace(item, split=Split.VALIDATION if by_hash else Split.TRAIN)


def _hold_some_out(images: Sequence[Placed], movable: Sequence[Placed]) -> dict[str, Placed]:
    """Of few labels, chance may hold out none of a class: move one where the class has two, and where no
    class loses its only training image by it. Without any image held out, move one whatever its classes.
    """
    trained = Counter(name for item in images if item.split is Split.TRAIN for name in item.classes)
    measuring = {Split.VALIDATION, Split.RETENTION}
    measured = {name for item in images if item.split in measuring for name in item.classes}
    queue = sorted(
        (item for item in movable if item.split is Split.TRAIN),
        key=lambda item: (share(SPLIT_SALT, item.sha256), item.sha256),
    )
    moved: dict[str, Placed] = {}

    def move(item: Placed) -> None:
        moved[item.sha256] = replace(item, split=Split.VALIDATION)
        trained.subtract(item.classes)
        measured.update(item.classes)

    for name in sorted(trained):
        if name not in measured:
            spare = (
                item
                for item in queue
                if name in item.classes
                and item.sha256 not in moved
                and all(trained[other] > 1 for other in item.classes)
            )
            for item in islice(spare, 1):
                move(item)
    splits = Counter(item.split for item in images)
    if not moved and not splits[Split.VALIDATION] and splits[Split.TRAIN] > 1 and queue:
        move(queue[0])
    return moved


def _set_some_apart(settled: Collection[Placed], at_most: int) -> dict[str, Placed]:
    """Half of what is held out, by hash, becomes the retention set; the other half goes on validating."""
    held_out = sorted(
        (item for item in settled if item.split is Split.VALIDATION),
        key=lambda item: (share(RETENTION_SALT, item.sha256), item.sha256),
    )
    count = min(at_most, len(held_out) // 2)
    return {item.sha256: replace(item, split=Split.RETENTION) for item in held_out[:count]}
