"""Near-duplicates are found exactly, in long lists and short ones, and without comparing each with each."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core import lookalikes
from include.loop.core.fingerprints import NEAR_BITS
from include.loop.core.lookalikes import Lookalikes, alike, first_alike
from include.loop.dataset.split_rules import Placed, SplitRules, settle

BITS = st.integers(0, 2**256 - 1)
HASHES = st.lists(st.none() | st.tuples(BITS, st.integers(0, 40)), max_size=20)


def spread(base: int, items: list) -> list[str | None]:
    """Hashes around a common one, as many bits away as the second number says, and some anywhere."""
    return [
        None if item is None else f"{base ^ ((1 << item[1]) - 1) if item[0] % 3 else item[0]:064x}"
        for item in items
    ]


def compared(left: Sequence[str | None], right: Sequence[str | None]) -> list[tuple[int, int]]:
    """The same by comparing each with each."""
    return [
        (row, column)
        for row, a in enumerate(left)
        for column, b in enumerate(right)
        if a and b and (int(a, 16) ^ int(b, 16)).bit_count() <= NEAR_BITS
    ]


def firsts(pairs: list[tuple[int, int]], count: int) -> list[int]:
    found = dict(reversed(pairs))
    return [found.get(row, -1) for row in range(count)]


@given(BITS, HASHES, HASHES)
def test_pairs_and_the_first_of_them_are_those_within_the_threshold(base: int, left: list, right: list):
    one, other = spread(base, left), spread(base, right)
    expected = compared(one, other)
    assert list(alike(one, other)) == expected
    assert first_alike(one, other) == firsts(expected, len(one))
    growing = Lookalikes()
    for phash in other:
        growing.add(phash)
    assert [growing.first(phash) for phash in one] == [
        None if first < 0 else first for first in firsts(expected, len(one))
    ]


def test_a_list_grows_as_far_as_it_has_to():
    growing = Lookalikes()
    for _ in range(2 * lookalikes.CROWD):
        growing.add(None)
    growing.add(f"{1:064x}")
    assert growing.first(f"{3:064x}") == 2 * lookalikes.CROWD


def away(phash: int, bits: int, dice: random.Random) -> int:
    for bit in dice.sample(range(256), bits):
        phash ^= 1 << bit
    return phash


@pytest.mark.parametrize("crowd", [1, 1024], ids=["every band crowded", "as it is"])
def test_the_tables_of_bands_miss_nothing(crowd: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lookalikes, "CROWD", crowd)
    monkeypatch.setattr(lookalikes, "FEW", 0)
    dice = random.Random(7)
    right = [dice.getrandbits(256) for _ in range(1200)]
    # As far away as a copy may be, one bit less and one more, spread over all bands and within one word.
    left = [away(right[n], 23 + n % 3, dice) for n in range(90)]
    left += [right[100 + n] ^ (((1 << NEAR_BITS) - 1) << n) for n in range(232)]
    one, other = [f"{value:064x}" for value in left], [f"{value:064x}" for value in right * 2]
    expected = compared(one, other)
    assert len(expected) == 2 * (60 + 232)
    assert list(alike(one, other)) == expected
    assert first_alike(one, other) == firsts(expected, len(one))


def pictures(count: int, likeness: int | None) -> list[Placed]:
    """Images of one picture, so many bits away from it, or of any."""
    dice = random.Random(count)
    base = dice.getrandbits(256)
    hashes = (dice.getrandbits(256) if likeness is None else away(base, likeness, dice) for _ in range(count))
    return [
        Placed(f"{dice.getrandbits(256):064x}", f"{value:064x}", None, frozenset([0])) for value in hashes
    ]


@pytest.mark.parametrize("likeness", [None, 0, 10], ids=["strangers", "one picture", "a camera that stands"])
def test_settling_compares_in_proportion_to_the_images(likeness: int | None, monkeypatch: pytest.MonkeyPatch):
    rows = 0
    count_bits = np.bitwise_count

    def counting(words: np.ndarray) -> np.ndarray:
        nonlocal rows
        rows += words.size
        return count_bits(words)

    monkeypatch.setattr(np, "bitwise_count", counting)
    asked: dict[int, Lookalikes] = {}
    first = Lookalikes.first

    def asking(self: Lookalikes, phash: str | None) -> int | None:
        asked[id(self)] = self
        return first(self, phash)

    monkeypatch.setattr(Lookalikes, "first", asking)
    counts = []
    for count in (2_000, 8_000):
        rows = 0
        asked.clear()
        settled = settle(pictures(count, likeness), [], SplitRules(0.3, cold=True))
        assert len(settled) == count
        counts.append(rows / 4 + sum(item.compared for item in asked.values()))
    # Compared each with each it would be 16 times as many.
    assert counts[1] < 6 * counts[0]
