"""Which split an image belongs to for ever: learned from, or held out to measure with.

Takes the images of a shard and what is settled already, gives each new image its split and the reason. A
near-duplicate follows the image it resembles, held out before trained; all others go by the hash of their
content, so that the same images always part in the same way, in whatever order they come. Nothing here reads
or writes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from include.loop.core.identity import share
from include.loop.core.lookalikes import Lookalikes, first_alike
from include.loop.core.records.splits import Split

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
    near = _Near(order, known)
    settled: dict[str, Placed] = {}
    for place, item in enumerate(order):
        held_out, trained = near.held_out(place), near.trained(place)
        settled[item.sha256] = _settle(item, held_out, trained, rules.validation_share)
        near.add(place, settled[item.sha256])
    if rules.cold:
        alone = [settled[order[place].sha256] for place in near.alone()]
        settled |= _hold_some_out([*settled.values(), *known], alone)
    return settled | _set_some_apart(settled.values(), rules.retention)


class _Near:
    """What images resemble among the known, and among those of their own list that come before them.

    Of all these an image asks for two: the first by name that is held out, and the first that is trained.
    Named as the reason is the original rather than another copy of it.
    """

    def __init__(self, order: Sequence[Placed], known: Collection[Placed]) -> None:
        hashes = [item.phash for item in order]
        self._hashes = hashes
        by_kind: dict[Split | None, list[Placed]] = {Split.VALIDATION: [], Split.TRAIN: [], None: []}
        for item in known:
            by_kind[_kind(item)].append(item)
        self._known = {kind: _first_known(hashes, by_kind[kind]) for kind in (Split.VALIDATION, Split.TRAIN)}
        before = first_alike(hashes, hashes)
        after = first_alike(hashes[::-1], hashes[::-1])[::-1]
        self._before = [first not in (place, -1) for place, first in enumerate(before)]
        self._after = [last not in (len(order) - 1 - place, -1) for place, last in enumerate(after)]
        # By kind, whether it is another's copy, and whether it came with a split that measures: of each of
        # these lists the names ascend.
        self._lists: defaultdict[tuple[Split, bool, bool], tuple[Lookalikes, list[str]]] = defaultdict(
            lambda: (Lookalikes(), [])
        )
        self._given = [_measures(item) for item in order]

    def held_out(self, place: int) -> str | None:
        return self._first(Split.VALIDATION, place)

    def trained(self, place: int) -> str | None:
        return self._first(Split.TRAIN, place)

    def add(self, place: int, settled: Placed) -> None:
        """An image has its split; those that come after it may follow it."""
        if (kind := _kind(settled)) and self._after[place]:
            hashes, names = self._lists[kind, settled.like is not None, self._given[place]]
            hashes.add(settled.phash)
            names.append(settled.sha256)

    def alone(self) -> Iterator[int]:
        """The places of those that resemble nothing that is used."""
        for place, (before, after) in enumerate(zip(self._before, self._after, strict=True)):
            if not (before or after or any(found[place] for found in self._known.values())):
                yield place

    def _first(self, kind: Split, place: int) -> str | None:
        found = [self._known[kind][place]]
        for copy in (False, True):
            for given in (True, False) if self._before[place] else ():
                hashes, names = self._lists[kind, copy, given]
                first = hashes.first(self._hashes[place])
                found.append(None if first is None else (copy, names[first]))
            if any(item and item[0] is copy for item in found):
                break
        return min((item for item in found if item), default=(False, None))[1]


def _first_known(hashes: Sequence[str | None], known: Sequence[Placed]) -> list[tuple[bool, str] | None]:
    names = sorted((item.like is not None, item.sha256, item.phash) for item in known if item.phash)
    found = first_alike(hashes, [phash for _, _, phash in names])
    return [None if first < 0 else names[first][:2] for first in found]


def _kind(item: Placed) -> Split | None:
    """Whether it is measured with (as whatever) or learned from; None when it is not used."""
    if _measures(item):
        return Split.VALIDATION
    return Split.TRAIN if item.split is Split.TRAIN else None


def _measures(item: Placed) -> bool:
    return item.split is not None and item.split.held_out


def _settle(item: Placed, held_out: str | None, trained: str | None, validation_share: float) -> Placed:
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
