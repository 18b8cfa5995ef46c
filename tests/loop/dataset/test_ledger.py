"""The whole ledger is read as one table, and the files that it was made of have the last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from include.loop.core import layout
from include.loop.core.records.splits import Entry, Split
from include.loop.dataset.ledger import LOOSE, read_ledger
from tests.loop.place import Place

SPLITS = [*Split]


def entries(shard: str) -> list[Entry]:
    """Two labels, one of them of a picture that could not be read, as an older version wrote it."""
    number = sum(map(ord, shard))
    known = Entry(
        source=f"s3://b/{shard}/é 1.jpg",
        etag="e",
        sha256=f"{number:064x}",
        phash=f"{number:064x}" if number % 3 else None,
        split=SPLITS[number % len(SPLITS)],
        why="by hash",
        created="2026-11-01T00:00:00",
        label=f"{shard}-1",
        classes=tuple(range(number % 3)),
        loop="loop" if number % 2 else None,
        width=64,
        height=48,
    )
    gone = {"etag": "", "sha256": "", "phash": None, "split": Split.UNUSABLE, "label": f"{shard}-2"}
    return [known, known.model_copy(update=gone | {"width": None, "height": None})]


def write(place: Place, *shards: str) -> None:
    for shard in shards:
        Entry.write_all(place.storage, entries(shard), shard)


@pytest.fixture
def reads(place: Place) -> Iterator[Counter[str]]:
    """How often each object is read."""
    counted: Counter[str] = Counter()

    def count(params: dict, **_: object) -> None:
        counted[params["Key"].removeprefix("pets/")] += 1

    place.s3.meta.events.register("provide-client-params.s3.GetObject", count)
    yield counted
    place.s3.meta.events.unregister("provide-client-params.s3.GetObject", count)


def test_many_shards_are_one_read_and_say_what_their_files_say(place: Place, reads: Counter[str]):
    nights = [f"night-{n:03}" for n in range(3 * LOOSE)]
    write(place, *nights)
    assert not place.storage.exists(layout.LEDGER)
    first = read_ledger(place.storage)
    assert not place.storage.exists(layout.LEDGER)  # who plans writes nothing
    assert first == {night: tuple(entries(night)) for night in nights}
    assert read_ledger(place.storage, keep=True) == first
    write(place, "night-new", "a-test-set")
    reads.clear()
    found = read_ledger(place.storage, keep=True)
    assert reads == {layout.LEDGER: 1, "splits/night-new.jsonl": 1, "splits/a-test-set.jsonl": 1}
    assert list(found) == ["a-test-set", *nights, "night-new"]  # as S3 lists them, whatever is in the copy
    assert found == {name: tuple(entries(name)) for name in found}
    assert [entry.to_value() for entry in found[nights[0]]] == list(
        place.storage.read_lines(layout.split_file(nights[0]))
    )
    assert {type(entry.split) for some in found.values() for entry in some} == {Split}


def test_a_file_that_is_another_one_by_now_is_read_itself_and_a_lost_copy_loses_nothing(place: Place):
    nights = [f"night-{n:03}" for n in range(LOOSE + 4)]
    write(place, *nights)
    read_ledger(place.storage, keep=True)
    Entry.write_all(place.storage, entries("other"), nights[3])
    bucket, key = place.storage.resolve(layout.split_file(nights[5]))
    place.s3.delete_object(Bucket=bucket, Key=key)
    expected = {night: tuple(entries(night)) for night in nights if night != nights[5]}
    expected |= {nights[3]: tuple(entries("other"))}
    assert read_ledger(place.storage) == expected
    write(place, nights[5])
    expected[nights[5]] = tuple(entries(nights[5]))
    for body in (b"", b"PAR1 but no table", place.storage.read(layout.LEDGER)[:-100]):
        place.storage.write(layout.LEDGER, body)
        assert read_ledger(place.storage) == expected
    read_ledger(place.storage, keep=True)
    assert read_ledger(place.storage) == expected
