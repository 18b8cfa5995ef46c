"""The register is written once per shard, reads every image once, and knows which label is the newest."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from include.loop.core import layout
from include.loop.core.errors import ConcurrentWrite
from include.loop.core.records.splits import Entry, Split
from include.loop.dataset.split_register import Candidate, SplitRegister, age, open_register
from include.loop.dataset.split_rules import SplitRules
from include.loop.tasks.detection.manifest import read_value
from tests.loop.pictures import patchwork
from tests.loop.place import Place, labelled

RULES = SplitRules(validation_share=0.3)


def candidate(place: Place, name: str, body: bytes | None = None, split: Split | None = None) -> Candidate:
    """The label of a picture; without a body the place is left as it is."""
    source = place.storage.uri(name)
    more = {}
    if body is not None:
        place.put(name, body)
        more = {"etag": hashlib.md5(body, usedforsecurity=False).hexdigest()}
    line = read_value(labelled(source) | more, "review", ("cat", "dog"))
    return Candidate(line, split, "m", 1)


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


def test_every_image_is_read_once_and_its_split_is_kept(place: Place, reads: Counter[str]):
    labels = many(place, "a.jpg", "b.jpg", "c.jpg")
    first = open_register(place.workspace)
    entries = first.admit("2026-11-01", labels, RULES)
    first.keep("2026-11-01")
    again = open_register(place.workspace)
    assert again.admit("2026-11-01", labels, SplitRules(1)) == entries  # other rules change nothing any more
    later = again.admit("2026-11-02", [*labels[:2], *many(place, "d.jpg")], RULES)
    assert [item and item.split for item in later[:2]] == [item and item.split for item in entries[:2]]
    assert {name: count for name, count in reads.items() if name.endswith(".jpg")} == {
        "a.jpg": 1, "b.jpg": 1, "c.jpg": 1, "d.jpg": 1,
    }  # fmt: skip


def test_an_entry_tells_what_decided(place: Place):
    place.put("old.jpg", patchwork("old"))
    register = open_register(place.workspace)
    register.admit("test-day-0", [candidate(place, "old.jpg", split=Split.TEST)], SplitRules(0))
    entries = register.admit(
        "2026-11-01",
        [
            candidate(place, "again.jpg", patchwork("old")),
            candidate(place, "copy.jpg", patchwork("old", quality=60)),
            candidate(place, "other.jpg", patchwork("other")),
            candidate(place, "asked.jpg", patchwork("asked"), Split.AUDIT),
        ],
        SplitRules(0),
    )
    old = place.storage.uri("old.jpg")
    assert [(item.split, item.why) for item in entries if item] == [
        (Split.TEST, f"same content as {old}"),
        (Split.VALIDATION, f"near-duplicate of {old}"),
        (Split.TRAIN, "by hash"),
        (Split.AUDIT, "given"),
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
    entries = open_register(place.workspace).admit("2026-11-01", labels, RULES)
    assert [(item.split, item.why) for item in entries if item] == [
        (Split.UNUSABLE, "the image was replaced after it was labelled"),
        (Split.UNUSABLE, "the image is gone"),
        (Split.UNUSABLE, "not an image"),
        (Split.UNUSABLE, "the image is gone"),
    ]


SIZES = [
    ((64, 48), None),
    ((128, 96), None),  # another resolution: the boxes' shares are the same
    ((43, 32), None),  # rounded to whole pixels
    (
        (48, 64),
        "image_size says 48 x 64, but the stored image has 64 x 48 pixels: it was labelled as its EXIF "
        "orientation turns it, and boxes count from the corner of the stored pixels. Store the image turned, "
        "or label it again",
    ),
    ((64, 64), "image_size says 64 x 64, but the stored image has 64 x 48 pixels"),
    ((96, 128), "image_size says 96 x 128, but the stored image has 64 x 48 pixels"),
]


def sized(item: Candidate, size: tuple[int, int]) -> Candidate:
    """The same label with another image_size."""
    label = item.line.value["review"] | {"image_size": [{"width": size[0], "height": size[1]}]}
    return replace(item, line=read_value(item.line.value | {"review": label}, "review", ("cat", "dog")))


def test_a_label_of_another_shape_than_its_image_is_used_nowhere_and_names_both_sizes(place: Place):
    labels = [
        sized(candidate(place, f"{n}.jpg", patchwork(f"{n}")), size) for n, (size, _) in enumerate(SIZES)
    ]
    entries = open_register(place.workspace).admit("2026-11-01", labels, SplitRules(0))
    assert [(item.why if item.split is Split.UNUSABLE else None) for item in entries if item] == [
        why for _, why in SIZES
    ]
    assert {(item.size, bool(item.sha256)) for item in entries if item} == {((64, 48), True), (None, False)}


def test_an_image_of_one_pixel_more_than_it_is_high_is_still_turned(place: Place):
    body = patchwork("nearly square", scale=1)
    picture = Image.open(io.BytesIO(body)).resize((41, 40))
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    item = sized(candidate(place, "1.jpg", stream.getvalue()), (40, 41))
    (entry,) = open_register(place.workspace).admit("2026-11-01", [item], RULES)
    assert entry is not None
    assert entry.split is Split.UNUSABLE


def test_a_known_image_is_not_read_again_to_check_its_size_but_for_the_ledger_of_an_older_version(
    place: Place, reads: Counter[str]
):
    known = candidate(place, "a.jpg", patchwork("a"))
    register = open_register(place.workspace)
    register.admit("2026-11-01", [known], SplitRules(0))
    register.keep("2026-11-01")
    turned = sized(known, (48, 64))
    (entry,) = open_register(place.workspace).admit("2026-11-02", [turned], RULES)
    assert (entry and entry.split, reads["a.jpg"]) == (Split.UNUSABLE, 1)

    (old,) = place.storage.read_lines(layout.split_file("2026-11-01"))
    del old["width"], old["height"]
    place.storage.write_lines(layout.split_file("2026-11-01"), [old])
    register = open_register(place.workspace)
    (entry,) = register.admit("2026-11-01", [known], RULES)
    assert (entry and entry.split, reads["a.jpg"]) == (Split.TRAIN, 1)  # what is settled stays settled
    (entry,) = register.admit("2026-11-02", [turned], RULES)
    assert (entry and entry.split, reads["a.jpg"]) == (Split.UNUSABLE, 2)


def test_the_newest_label_is_the_one_of_the_latest_moment_whatever_its_zone(place: Place):
    times = ["2026-10-02T01:00:00", "2026-10-01T23:30:00-05:00", "2026-10-02T05:00:00+02:00", "yesterday", ""]
    entries = [
        entry("x", "s3://b/1.jpg", 1, str(number)).model_copy(update={"created": time})
        for number, time in enumerate(times)
    ]
    assert SplitRegister(place.workspace, {"2026-10-02": entries}).newest(["2026-10-02"])["x"].label == "1"


def test_of_two_runs_that_write_the_same_shard_the_slower_one_starts_again(place: Place):
    one, other = open_register(place.workspace), open_register(place.workspace)
    for register in (one, other):
        register.admit("2026-11-01", many(place, "a.jpg"), RULES)
    one.keep("2026-11-01")
    with pytest.raises(ConcurrentWrite, match=r"splits/2026-11-01\.jsonl was just written"):
        other.keep("2026-11-01")
    assert [item.uri for item in place.storage.list(layout.SPLITS)] == [
        place.storage.uri("splits/2026-11-01.jsonl")
    ]


def test_a_test_set_that_comes_later_takes_its_images_out_of_training(place: Place):
    register = open_register(place.workspace)
    labels = many(place, "a.jpg", "b.jpg", "c.jpg")
    entries = [item for item in register.admit("2026-11-01", labels, SplitRules(0)) if item]
    assert register.learnable(entries) == entries
    copy = candidate(place, "copy.jpg", patchwork("b.jpg", quality=60), Split.TEST)
    register.admit("test-day-0", [candidate(place, "a.jpg", split=Split.TEST), copy], SplitRules(0))
    assert register.split(entries[0]) is Split.TEST
    assert register.learnable(entries) == [entries[2]]


def entry(content: str, source: str, day: int, label: str) -> Entry:
    return Entry(
        source=source,
        etag="e",
        sha256=content,
        split=Split.TRAIN,
        why="",
        created=f"2026-11-0{day}",
        label=label,
        classes=(),
    )


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
        return SplitRegister(None, shards).newest(random.sample(sorted(shards), 3))  # type: ignore[arg-type]

    chosen = newest(labels)
    assert newest(random.sample(labels, len(labels))) == chosen
    sources = [item.source for item in chosen.values()]
    assert len(set(sources)) == len(sources)
    for content, item in chosen.items():
        assert age(item) == max(age(other) for other in labels if other.sha256 == content)
        assert age(item) == max(age(other) for other in labels if other.source == item.source)
