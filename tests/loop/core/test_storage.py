"""What is written once stays; what is replaced was read before; lines stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.errors import ConcurrentWrite, ConfigurationError
from include.loop.core.storage import (
    AHEAD,
    MOST_LINE_BYTES,
    THREADS,
    Storage,
    dump,
    in_parallel,
    parse,
    split_lines,
    split_uri,
)


@pytest.fixture
def store(cloud, bucket) -> Storage:
    return Storage(cloud.client("s3"), bucket, "pets")


def test_the_first_of_two_writers_wins_and_both_read_the_same(store: Storage):
    assert store.write_json_once("a.json", {"n": 1}) == {"n": 1}
    assert store.write_json_once("a.json", {"n": 2}) == {"n": 1}
    assert store.write_once("a.json", b"x") is False


def test_replacing_what_somebody_else_changed_is_refused(store: Storage):
    store.replace("c.json", b"1", etag=None)
    with pytest.raises(ConcurrentWrite):
        store.replace("c.json", b"2", etag=None)
    value, etag = store.find_version("c.json")
    assert value == 1
    store.replace("c.json", b"2", etag)
    with pytest.raises(ConcurrentWrite, match=r"pets/c\.json"):
        store.replace("c.json", b"3", etag)
    assert store.read_json("c.json") == 2


def test_what_is_not_there_is_none_or_file_not_found(store: Storage):
    assert store.find_json("no.json") is None
    assert store.find_version("no.json") == (None, None)
    assert not store.exists("no.json")
    for read in (store.read, store.read_json, store.read_lines):
        with pytest.raises(FileNotFoundError, match=r"pets/no\.json"):
            list(read("no.json"))


def test_lines_are_written_and_read_back_in_order(store: Storage):
    values = [{"n": n, "text": "å\u2028ß" * 50} for n in range(3000)]
    assert store.write_lines("x.jsonl", values) == 3000
    assert list(store.read_lines("x.jsonl")) == values
    assert store.write_lines("empty.jsonl", []) == 0
    assert list(store.read_lines("empty.jsonl")) == []


def test_a_stream_of_many_parts_is_there_as_a_whole_or_not_at_all(store: Storage):
    piece = bytes(range(256)) * 16_384  # 4 MB: more than 16 MB in all is uploaded in parts
    store.write_stream("x.bin", (piece for _ in range(6)))
    with store.open("x.bin") as stream:
        assert all(stream.read(len(piece)) == piece for _ in range(6))
        assert stream.read() == b""

    def failing() -> Iterator[bytes]:
        yield from [piece] * 5
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        store.write_stream("y.bin", failing())
    assert not store.exists("y.bin")
    assert "Uploads" not in store.s3.list_multipart_uploads(Bucket=store.bucket)
    store.write_stream("z.bin", [])
    assert store.read("z.bin") == b""
    with pytest.raises(FileNotFoundError, match=r"pets/no\.bin"):
        store.open("no.bin")
    with pytest.raises(ConcurrentWrite, match=r"pets/z\.bin was replaced meanwhile"):
        store.open("z.bin", etag="0" * 32)


def test_lines_of_other_systems_may_end_in_carriage_returns_and_leave_some_empty(store: Storage):
    store.write("x.manifest", b'{"a": 1}\r\n\r\n{"a":\r2}')
    found = [(number, json.loads(line)) for number, line in store.numbered_lines("x.manifest")]
    assert found == [(1, {"a": 1}), (3, {"a": 2})]


@given(st.binary(max_size=40), st.integers(1, 9))
def test_a_line_ends_at_a_line_feed_and_nowhere_else(text: bytes, size: int):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert list(split_lines(pieces)) == text.split(b"\n")


def test_a_line_without_end_does_not_fill_the_memory():
    pieces = [bytes(1 << 20)] * 20 + [b"\nnext"]
    assert [len(line) for line in split_lines(pieces)] == [MOST_LINE_BYTES, 4]


def test_listing_follows_pages_and_stays_below_the_folder(store: Storage):
    for n in range(12):
        store.write(f"images/dt=2026-11-01/{n:02}.jpg", bytes(n))
    store.write("images/dt=2026-11-010/x.jpg", b"")
    assert [item.size for item in store.list("images/dt=2026-11-01/")] == list(range(12))
    assert list(store.list_folders("images/")) == ["dt=2026-11-01", "dt=2026-11-010"]


def test_the_first_bytes_of_an_object_can_be_read_alone(store: Storage):
    store.write("x", b"0123456789")
    assert store.read("x", last_byte=3) == b"0123"
    assert store.read("x", last_byte=100) == b"0123456789"


@given(st.text(min_size=1))
def test_any_key_survives_its_uri(key):
    assert split_uri(f"s3://bucket/{key}") == ("bucket", key)


@pytest.mark.parametrize("uri", ["s3://", "s3://bucket", "s3://bucket/", "http://b/k", "bucket/key", ""])
def test_what_is_no_s3_uri_is_refused(uri):
    with pytest.raises(ConfigurationError, match="not an S3 URI"):
        split_uri(uri)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_bytes_depend_on_the_value_only(value):
    assert parse(dump(value)) == value
    assert dump(parse(dump(value))) == dump(value)


@given(st.lists(st.integers(), max_size=300))
def test_parallel_work_keeps_the_order(items):
    assert list(in_parallel(lambda item: item * 2, items)) == [item * 2 for item in items]


def test_parallel_work_goes_on_behind_an_item_that_takes_long():
    ahead = THREADS * AHEAD
    reached = Event()

    def work(item: int) -> bool:
        if item == ahead:
            reached.set()
        return item != ahead - 1 or reached.wait(60)

    assert all(in_parallel(work, range(2 * ahead)))


def test_parallel_work_is_never_far_ahead_of_its_reader():
    begun: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1_000):
            begun.append(item)
            yield item

    results = in_parallel(lambda item: item, items(), 4)
    for expected in range(100):
        assert next(results) == expected
        assert len(begun) <= expected + 4 * AHEAD


def test_the_first_error_of_parallel_work_ends_it():
    done: list[int] = []

    def work(item: int) -> None:
        if item == 5:
            raise ValueError("the fifth")
        done.append(item)

    with pytest.raises(ValueError, match="the fifth"):
        list(in_parallel(work, range(1_000), 2))
    assert len(done) < 5 + 2 * AHEAD + 2
