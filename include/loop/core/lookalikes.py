"""Which pictures of a long list look alike, found without comparing each with each.

Takes phashes (fingerprints.py), gives their near-duplicates: all pairs, or the first one in a list. Exact:
two hashes that differ in at most 24 bits differ in at most one bit of one of 13 bands, so only what shares a
band but for one bit is compared. Where so many share one that this saves nothing (a camera that never moves),
the list is compared from its beginning, and where many look alike that ends soon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from include.loop.core.fingerprints import HASH_BYTES, NEAR_BITS

BITS = 8 * HASH_BYTES
# With 24 bits in 13 bands, one of them has at most one.
BANDS = NEAR_BITS // 2 + 1
EDGES = [BITS * band // BANDS for band in range(BANDS + 1)]
# Of this many lookalikes by one band, most are none: the list itself is as quick to go through.
CROWD = 1024
# Pairs compared at once: two matrices of this many 64-bit words stay in a processor's cache.
BLOCK = 1 << 19
# Fewer pairs are compared one by one: tables for the bands cost as much.
FEW = 1 << 22
# Rows of the left list that are looked up at once, each with about 20 neighbours of its band.
PORTION = 1 << 14


def alike(left: Sequence[str | None], right: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    """Index pairs of the near-duplicates between two lists of phashes, in order; None is like nothing."""
    import numpy as np

    rows, columns = _Packed(left), _Packed(right)
    for start in range(0, len(rows.words), PORTION):
        portion = rows.words[start : start + PORTION]
        found = np.unique(np.concatenate([*_pairs(portion, columns.words)], axis=0), axis=0)
        for row, column in found:
            yield rows.there[start + int(row)], columns.there[int(column)]


def first_alike(left: Sequence[str | None], right: Sequence[str | None]) -> list[int]:
    """For each phash of the left list the index of the first of the right one that it resembles, or -1."""
    import numpy as np

    rows, columns = _Packed(left), _Packed(right)
    found = [-1] * len(left)
    for start in range(0, len(rows.words), PORTION):
        portion = rows.words[start : start + PORTION]
        first = np.full(len(portion), -1)
        # Where many look alike, one of the first will do.
        rest = _scan(portion, np.arange(len(portion)), columns.words[:CROWD], 0, first)
        if len(columns.words) > CROWD:
            _search(portion, rest, columns.words, first)
        for row, column in enumerate(first):
            if column >= 0:
                found[rows.there[start + row]] = columns.there[int(column)]
    return found


class Lookalikes:
    """A growing list of phashes, asked for the first one that resembles another."""

    def __init__(self) -> None:
        import numpy as np

        self._words = np.zeros((CROWD, HASH_BYTES // 8), np.uint64)
        self._hashes: list[int] = []
        self._bands: list[dict[int, list[int]]] = [{} for _ in range(BANDS)]
        self.compared = 0

    def add(self, phash: str | None) -> None:
        """Put a hash behind the others; None takes a place, too, and resembles nothing."""
        import numpy as np

        place, value = len(self._hashes), -1
        if place == len(self._words):
            self._words = np.concatenate([self._words, np.zeros_like(self._words)])
        if phash is not None:
            value = int(phash, 16)
            self._words[place] = np.frombuffer(value.to_bytes(HASH_BYTES, "little"), np.uint64)
            for table, key in zip(self._bands, _keys_of(value), strict=True):
                table.setdefault(key, []).append(place)
        self._hashes.append(value)

    def first(self, phash: str | None) -> int | None:
        """The place of the first one that resembles this one; None when there is none."""
        if phash is None or not self._hashes:
            return None
        value = int(phash, 16)
        near: list[list[int]] = []
        for band, key in enumerate(_keys_of(value)):
            table = self._bands[band]
            places = (table.get(key ^ flip) for flip in _FLIPS[band])
            near += [some for some in places if some is not None]
        if sum(map(len, near)) > CROWD:
            return self._scan(value)
        for place in sorted({place for some in near for place in some}):
            self.compared += 1
            if (value ^ self._hashes[place]).bit_count() <= NEAR_BITS:
                return place
        return None

    def _scan(self, value: int) -> int | None:
        import numpy as np

        words = np.frombuffer(value.to_bytes(HASH_BYTES, "little"), np.uint64)
        start, size = 0, 64
        while start < len(self._hashes):
            some = self._words[start : min(start + size, len(self._hashes))]
            self.compared += len(some)
            for place in np.flatnonzero(_differing(some ^ words) <= NEAR_BITS):
                if self._hashes[start + int(place)] >= 0:
                    return start + int(place)
            start, size = start + size, 2 * size
        return None


class _Packed:
    """The hashes of a list that are there, as rows of 64-bit words, and their indexes."""

    def __init__(self, hashes: Sequence[str | None]) -> None:
        import numpy as np

        self.there = [index for index, text in enumerate(hashes) if text is not None]
        body = bytes.fromhex("".join(hashes[index] or "" for index in self.there))
        self.words: Any = np.frombuffer(body, np.uint64).reshape(len(self.there), HASH_BYTES // 8)


def _differing(bits: Any) -> Any:
    import numpy as np

    return np.bitwise_count(bits).sum(axis=-1, dtype=np.uint16)


def _pairs(left: Any, right: Any) -> Iterator[Any]:
    """Every pair of near-duplicates, P x 2, some of them more than once."""
    import numpy as np

    yield np.zeros((0, 2), np.int64)
    if len(left) * len(right) <= FEW:
        crowded: Any = np.arange(len(left))
    else:
        ordinary = np.ones(len(left), bool)
        for band in range(BANDS):
            table = _Table(left, right, band)
            for rows in _some(np.arange(len(left))):
                begin, end = table.ranges(rows)
                few = (end - begin).sum(axis=1) <= CROWD
                ordinary[rows[~few]] = False
                yield from _compare(left, right, *table.candidates(rows[few], begin[few], end[few]))
        crowded = np.flatnonzero(~ordinary)
    step = max(1, BLOCK // max(1, len(right)))
    for start in range(0, len(crowded), step):
        some = crowded[start : start + step]
        pairs = np.argwhere(_matrix(left[some], right) <= NEAR_BITS)
        yield np.column_stack([some[pairs[:, 0]], pairs[:, 1]])


def _search(left: Any, rows: Any, right: Any, first: Any) -> None:
    """Put into ``first`` the first column of each of these rows, where there is one."""
    import numpy as np

    crowded = rows
    if len(rows) * len(right) > FEW:
        none = len(right)
        best = np.full(len(left), none)
        ordinary = np.ones(len(left), bool)
        for band in range(BANDS):
            table = _Table(left[rows], right, band)
            for places in _some(np.arange(len(rows))):
                some = rows[places]
                begin, end = table.ranges(places)
                few = ((end - begin).sum(axis=1) <= CROWD) & ordinary[some]
                ordinary[some[~few]] = False
                one, other = table.candidates(some[few], begin[few], end[few])
                for pairs in _compare(left, right, one, other):
                    np.minimum.at(best, pairs[:, 0], pairs[:, 1])
        done = rows[ordinary[rows] & (best[rows] < none)]
        first[done] = best[done]
        crowded = rows[~ordinary[rows]]
    start, size = 0, CROWD
    while len(crowded) and start < len(right):
        crowded = _scan(left, crowded, right[start : start + size], start, first)
        start, size = start + size, 2 * size


def _scan(left: Any, rows: Any, right: Any, start: int, first: Any) -> Any:
    """Compare these rows with a piece of the right list; those for which nothing was found in it."""
    step = max(1, BLOCK // max(1, len(right)))
    for begin in range(0, len(rows) if len(right) else 0, step):
        some = rows[begin : begin + step]
        near = _matrix(left[some], right) <= NEAR_BITS
        hit = near.any(axis=1)
        first[some[hit]] = start + near[hit].argmax(axis=1)
    return rows[first[rows] < 0]


def _matrix(left: Any, right: Any) -> Any:
    import numpy as np

    words = range(left.shape[1])
    return sum(
        np.bitwise_count(left[:, word, None] ^ right[None, :, word]).astype(np.uint16) for word in words
    )


def _some(rows: Any) -> Iterator[Any]:
    """Rows by portions, so that what is found at once stays small."""
    step = PORTION // 4
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _compare(left: Any, right: Any, rows: Any, columns: Any) -> Iterator[Any]:
    import numpy as np

    for start in range(0, len(rows), BLOCK):
        one, other = rows[start : start + BLOCK], columns[start : start + BLOCK]
        near = _differing(left[one] ^ right[other]) <= NEAR_BITS
        yield np.column_stack([one[near], other[near]])


class _Table:
    """One band of the right list: which columns have which key there."""

    def __init__(self, left: Any, right: Any, band: int) -> None:
        import numpy as np

        flips = np.array(_FLIPS[band], np.int64)
        self._probes = _keys(left, band)[:, None] ^ flips[None, :]
        size = 1 << (EDGES[band + 1] - EDGES[band])
        asked = np.zeros(size, bool)
        asked[self._probes] = True
        keys = _keys(right, band)
        columns = np.flatnonzero(asked[keys])
        order = np.argsort(keys[columns], kind="stable")
        self._columns = columns[order]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(keys[columns], minlength=size))])

    def ranges(self, places: Any) -> tuple[Any, Any]:
        probes = self._probes[places]
        return self._starts[probes], self._starts[probes + 1]

    def candidates(self, rows: Any, begin: Any, end: Any) -> tuple[Any, Any]:
        """Rows and columns whose keys are neighbours."""
        import numpy as np

        counts = end - begin
        lengths = counts.ravel()
        total = int(lengths.sum())
        offsets = np.repeat(begin.ravel() - (np.cumsum(lengths) - lengths), lengths)
        return np.repeat(rows, counts.sum(axis=1)), self._columns[offsets + np.arange(total)]


def _keys(words: Any, band: int) -> Any:
    """A band's bits of every row, as a number."""
    import numpy as np

    start, width = EDGES[band], EDGES[band + 1] - EDGES[band]
    word, shift = divmod(start, 64)
    keys = words[:, word] >> np.uint64(shift)
    if shift + width > 64:
        keys = keys | (words[:, word + 1] << np.uint64(64 - shift))
    return (keys & np.uint64((1 << width) - 1)).astype(np.int64)


def _keys_of(value: int) -> list[int]:
    return [(value >> EDGES[band]) & ((1 << (EDGES[band + 1] - EDGES[band])) - 1) for band in range(BANDS)]


# What is put on a band's key for its neighbours: nothing, or one bit.
_FLIPS = [[0, *(1 << bit for bit in range(EDGES[band + 1] - EDGES[band]))] for band in range(BANDS)]
