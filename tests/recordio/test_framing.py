"""What goes into a RecordIO stream comes out of it, and what is no RecordIO is refused with a reason."""

from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include import recordio

# Payloads rich in magic numbers, aligned or not: the only bytes that need care.
payloads = st.lists(
    st.one_of(st.binary(max_size=9), st.just(recordio.MAGIC_BYTES), st.just(recordio.MAGIC_BYTES[:3])),
    max_size=8,
).map(b"".join)


@settings(deadline=None)
@given(st.lists(payloads, max_size=6))
def test_records_come_back_as_they_were_written(records):
    stream = io.BytesIO()
    for record in records:
        recordio.write(stream, record)
    stream.seek(0)
    assert list(recordio.read(stream)) == records


@settings(deadline=None)
@given(payloads)
def test_every_part_starts_on_four_bytes_and_the_magic_number_only_stands_there_in_headers(record):
    stream = io.BytesIO()
    recordio.write(stream, record)
    data, at, headers = stream.getvalue(), 0, set()
    assert len(data) % 4 == 0
    while at < len(data):
        magic, word = struct.unpack_from("<II", data, at)
        assert magic == recordio.MAGIC
        headers.add(at)
        length = word & recordio.MAX_PART
        at += 8 + length + (-length % 4)
    aligned = {i for i in range(0, len(data), 4) if data[i : i + 4] == recordio.MAGIC_BYTES}
    assert aligned == headers


def test_the_framing_is_the_documented_one():
    stream = io.BytesIO()
    recordio.write(stream, b"12345")
    assert stream.getvalue() == bytes.fromhex("0a23d7ce05000000") + b"12345\0\0\0"


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=19))
def test_a_stream_cut_inside_a_record_is_refused(cut):
    stream = io.BytesIO()
    recordio.write(stream, b"twelve bytes")
    with pytest.raises(recordio.RecordIOError, match="ends inside a record"):
        list(recordio.read(io.BytesIO(stream.getvalue()[:cut])))


def test_bytes_that_are_no_recordio_are_refused_with_a_hint_and_where():
    stream = io.BytesIO()
    recordio.write(stream, b"good")
    documented = "The Record IO header does not start with the magic number: found 0xe0ffd8ff at byte 12; .*"
    with pytest.raises(recordio.RecordIOError, match=f"{documented}RecordWrapperType"):
        list(recordio.read(io.BytesIO(stream.getvalue() + b"\xff\xd8\xff\xe0 a plain JPEG")))


def test_a_header_that_claims_half_a_gigabyte_takes_no_memory():
    stream = io.BytesIO(struct.pack("<II", recordio.MAGIC, recordio.MAX_PART) + b"few bytes")
    tracemalloc.start()
    with pytest.raises(recordio.RecordIOError, match="at byte 17: 536870903 of 536870912 bytes are missing"):
        list(recordio.read(io.BufferedReader(stream)))
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_parts_cannot_add_up_to_more_than_a_record_may_have():
    """Only headers are there to be read: the sizes are refused as they are told."""
    part = struct.pack("<II", recordio.MAGIC, 1 << 29) + struct.pack(
        "<II", recordio.MAGIC, 2 << 29 | recordio.MAX_PART
    )
    with pytest.raises(recordio.RecordIOError, match="the record at byte 0 is longer"):
        list(recordio.read(io.BytesIO(part)))


def test_a_continuation_without_a_beginning_is_refused():
    data = struct.pack("<II", recordio.MAGIC, 3 << 29 | 4) + b"tail"
    with pytest.raises(recordio.RecordIOError, match="part flag"):
        list(recordio.read(io.BytesIO(data)))


class Dripping(io.BytesIO):
    """A stream that hands over one byte per read, as a slow pipe may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 1))


def test_short_reads_from_a_pipe_are_put_together():
    stream = io.BytesIO()
    recordio.write(stream, b"slow and steady")
    assert list(recordio.read(Dripping(stream.getvalue()))) == [b"slow and steady"]
