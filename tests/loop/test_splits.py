"""The ledger is written once per shard, reads every image once, and knows which label is the newest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop import layout
from include.loop.errors import ConcurrentWrite
from include.loop.manifest import read_value
from include.loop.sides import Rules, Side
from include.loop.splits import Candidate, Entry, Ledger, open_ledger
from tests.loop.pictures import patchwork
from tests.loop.place import Place, labelled

RULES = Rules(validation_share=0.3)


def candidate(place: Place, name: str, body: bytes | None = None, side: Side | None = None) -> Candidate:
    """The label of a picture; without a body the place is left as it is."""
    source = place.storage.uri(name)
    more = {}
    if body is not None:
        place.put(name, body)
        more = {"etag": hashlib.md5(body, usedforsecurity=False).hexdigest()}
    line = read_value(labelled(source) | more, "review", ("cat", "dog"))
    return Candidate(line, side, "m", 1)


def many(place: Place, *names: str) -> list[Candidate]:
    return [candidate(place, name, patchwork(name)) for name in names]


@pytest.fixture
def reads(place: Place) -> Iterator[Counter[str]]:
    """How often each object is read."""
    counted: Counter[str] = Counter()

    def count(params: dict, **_: object) -> None:
        counted[params["Key"].removeprefix("pets/")] += 1

    place.s3.meta.events.register("provide-client-params.s3.GetObject", count)
    yield counted
    place.s3.meta.events.unregister("provide-client-params.s3.GetObject", count)


def test_every_image_is_read_once_and_its_side_is_kept(place: Place, reads: Counter[str]):
    labels = many(place, "a.jpg", "b.jpg", "c.jpg")
    first = open_ledger(place.workspace)
    entries = first.admit("2026-11-01", labels, RULES)
    first.keep("2026-11-01")
    again = open_ledger(place.workspace)
    assert again.admit("2026-11-01", labels, Rules(1)) == entries  # other rules change nothing any more
    later = again.admit("2026-11-02", [*labels[:2], *many(place, "d.jpg")], RULES)
    assert [item and item.side for item in later[:2]] == [item and item.side for item in entries[:2]]
    assert {name: count for name, count in reads.items() if name.endswith(".jpg")} == {
        "a.jpg": 1, "b.jpg": 1, "c.jpg": 1, "d.jpg": 1,
    }  # fmt: skip


def test_an_entry_tells_what_decided(place: Place):
    place.put("old.jpg", patchwork("old"))
    ledger = open_ledger(place.workspace)
    ledger.admit("test-day-0", [candidate(place, "old.jpg", side=Side.TEST)], Rules(0))
    entries = ledger.admit(
        "2026-11-01",
        [
            candidate(place, "again.jpg", patchwork("old")),
            candidate(place, "copy.jpg", patchwork("old", quality=60)),
            candidate(place, "other.jpg", patchwork("other")),
            candidate(place, "asked.jpg", patchwork("asked"), Side.AUDIT),
        ],
        Rules(0),
    )
    old = place.storage.uri("old.jpg")
    assert [(item.side, item.why) for item in entries if item] == [
        (Side.TEST, f"same content as {old}"),
        (Side.VALIDATION, f"near-duplicate of {old}"),
        (Side.TRAIN, "by hash"),
        (Side.AUDIT, "given"),
    ]
    assert [item.resembles for item in entries if item] == [False, True, False, False]


def test_an_image_that_training_could_not_read_is_used_nowhere(place: Place):
    replaced = candidate(place, "replaced.jpg", patchwork("first"))
    place.put("replaced.jpg", patchwork("second"))
    labels = [
        replaced,
        candidate(place, "gone.jpg"),
        candidate(place, "text.jpg", b"no image"),
        Candidate(
            read_value(labelled("s3://no-such-bucket-of-ours/1.jpg"), "review", ("cat",)), None, "m", 1
        ),
    ]
    entries = open_ledger(place.workspace).admit("2026-11-01", labels, RULES)
    assert [(item.side, item.why) for item in entries if item] == [
        (Side.UNUSABLE, "the image was replaced after it was labelled"),
        (Side.UNUSABLE, "the image is gone"),
        (Side.UNUSABLE, "not an image"),
        (Side.UNUSABLE, "the image is gone"),
    ]


def test_of_two_runs_that_write_the_same_split_the_slower_one_starts_again(place: Place):
    one, other = open_ledger(place.workspace), open_ledger(place.workspace)
    for ledger in (one, other):
        ledger.admit("2026-11-01", many(place, "a.jpg"), RULES)
    one.keep("2026-11-01")
    with pytest.raises(ConcurrentWrite, match=r"splits/2026-11-01\.jsonl was just written"):
        other.keep("2026-11-01")
    assert [item.uri for item in place.storage.list(layout.SPLITS)] == [
        place.storage.uri("splits/2026-11-01.jsonl")
    ]


def test_a_test_set_that_comes_later_takes_its_images_out_of_training(place: Place):
    ledger = open_ledger(place.workspace)
    labels = many(place, "a.jpg", "b.jpg", "c.jpg")
    entries = [item for item in ledger.admit("2026-11-01", labels, Rules(0)) if item]
    assert ledger.learnable(entries) == entries
    copy = candidate(place, "copy.jpg", patchwork("b.jpg", quality=60), Side.TEST)
    ledger.admit("test-day-0", [candidate(place, "a.jpg", side=Side.TEST), copy], Rules(0))
    assert ledger.side(entries[0]) is Side.TEST
    assert ledger.learnable(entries) == [entries[2]]


def entry(content: str, source: str, day: int, label: str) -> Entry:
    return Entry(source, "e", content, None, Side.TRAIN, "", f"2026-11-0{day}", label, ())


LABELS = st.lists(
    st.builds(
        entry,
        st.sampled_from("xyz"),
        st.sampled_from("abc"),
        st.integers(1, 9),
        st.text("0123456789", min_size=3),
    ),
    max_size=14,
    unique_by=lambda item: item.label,
)


@given(LABELS, st.randoms(use_true_random=False))
def test_one_label_per_image_the_newest_whatever_the_order_of_shards(labels, random):
    def newest(entries: list[Entry]) -> dict[str, Entry]:
        shards = {str(number): entries[number::3] for number in range(3)}
        return Ledger(None, shards).newest(random.sample(sorted(shards), 3))  # type: ignore[arg-type]

    chosen = newest(labels)
    assert newest(random.sample(labels, len(labels))) == chosen
    sources = [item.source for item in chosen.values()]
    assert len(set(sources)) == len(sources)
    for content, item in chosen.items():
        assert item.age == max(other.age for other in labels if other.sha256 == content)
        assert item.age == max(other.age for other in labels if other.source == item.source)
