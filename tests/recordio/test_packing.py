"""Labelled images are packed byte for byte as MXNet packs them, and read back; nothing that a file claims is
believed before it is there.
"""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include import recordio
from include.recordio import survey

STUB = bytes.fromhex("ffd8ffe0000000000000")

# Payloads as MXNet's own recordio.pack makes them: header, label, image.
VECTORS = {
    "detection": (
        recordio.Record(7, recordio.write_objects([recordio.Object(1, 0.1, 0.2, 0.5, 0.6)]), STUB),
        "07000000 00000000 0700000000000000 0000000000000000"
        "00000040 0000a040 0000803f cdcccc3d cdcc4c3e 0000003f 9a99193f",
        62,
    ),
    "one class": (
        recordio.Record(9, 2.0, STUB),
        "00000000 00000040 0900000000000000 0000000000000000",
        34,
    ),
    "many classes": (
        recordio.Record(9, recordio.write_classes([0, 2], 3), STUB),
        "03000000 00000000 0900000000000000 0000000000000000 0000803f 00000000 0000803f",
        46,
    ),
}
f32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
labels = st.one_of(f32, st.lists(f32, min_size=1, max_size=12).map(tuple))
records = st.builds(
    recordio.Record,
    st.integers(0, 2**64 - 1),
    labels,
    st.lists(st.one_of(st.binary(min_size=1, max_size=5), st.just(recordio.MAGIC_BYTES)), min_size=1).map(
        b"".join
    ),
)


@pytest.mark.parametrize("name", VECTORS)
def test_a_record_has_the_bytes_that_mxnet_writes(name):
    record, head, size = VECTORS[name]
    payload = recordio.pack(record)
    assert payload == bytes.fromhex(head) + STUB
    assert len(payload) == size
    read = recordio.unpack(payload)
    assert (read.id, recordio.pack(read)) == (record.id, payload)
    assert recordio.kind_of(read.label) == {"detection": "objects", "many classes": "classes"}.get(name, name)


def test_a_framed_record_begins_with_magic_number_and_length():
    stream = io.BytesIO()
    assert recordio.write(stream, recordio.pack(VECTORS["detection"][0])) == 72
    assert stream.getvalue()[:8] == bytes.fromhex("0a23d7ce 3e000000")


def test_an_aligned_magic_number_in_an_image_makes_two_parts_of_its_record():
    stream = io.BytesIO()
    record = recordio.Record(1, 0.0, b"\xff\xd8\xff\xe0" + recordio.MAGIC_BYTES + b"end")
    recordio.Writer(stream).add(record)
    data = stream.getvalue()
    first, second = struct.unpack_from("<II", data), struct.unpack_from("<II", data, 36)
    assert [word >> 29 for _, word in (first, second)] == [1, 3]
    assert [placed.record for placed in recordio.read_records(io.BytesIO(data))] == [record]


@settings(deadline=None)
@given(st.lists(records, max_size=5))
def test_what_is_packed_is_read_back_and_the_index_says_where(many):
    stream, index = io.BytesIO(), io.BytesIO()
    writer = recordio.Writer(stream, index)
    for record in many:
        writer.add(record)
    assert writer.records == len(many)
    placed = list(recordio.read_records(io.BytesIO(stream.getvalue())))
    assert [item.record for item in placed] == many
    index.seek(0)
    places = [(record.id, item.offset) for record, item in zip(many, placed, strict=True)]
    assert list(recordio.read_index(index)) == places
    for (_, offset), record in zip(places, many, strict=True):
        stream.seek(offset)
        assert next(recordio.read_records(stream)).record == record


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"short", "5 bytes are too few"),
        (struct.pack("<IfQQ", 0xFFFFFFFF, 0, 0, 0) + STUB, "4,294,967,295 numbers of a label follow"),
        (struct.pack("<IfQQ", 3, 0, 0, 0) + STUB, "3 numbers of a label follow, but the record has 34 bytes"),
        (struct.pack("<IfQQ", 0, float("nan"), 0, 0) + STUB, "not finite"),
        (struct.pack("<IfQQf", 1, 0, 0, 0, float("inf")) + STUB, "not finite"),
        (struct.pack("<IfQQ", 0, 1, 0, 0), "no image"),
    ],
)
def test_a_record_that_claims_too_much_costs_only_itself(payload, message):
    stream = io.BytesIO()
    for body in (payload, recordio.pack(recordio.Record(1, 0.0, STUB))):
        recordio.write(stream, body)
    stream.seek(0)
    bad, good = (placed.record for placed in recordio.read_records(stream))
    assert isinstance(good, recordio.Record)
    assert isinstance(bad, recordio.RecordError)
    assert message in str(bad)


def test_numbers_that_are_no_label_are_refused():
    with pytest.raises(recordio.RecordError, match="expected header width"):
        recordio.kind_of((3, 4, 1))


def test_headers_and_objects_may_be_wider_than_two_and_five():
    label = (4, 6, 300, 200, 1, 0.1, 0.2, 0.5, 0.6, 1, 0, 0, 0, 1, 1, 0)
    objects = recordio.read_objects(label)
    assert objects == [
        recordio.Object(1, 0.1, 0.2, 0.5, 0.6, extras=(1,)),
        recordio.Object(0, 0, 0, 1, 1, extras=(0,)),
    ]
    assert recordio.read_objects((2, 5)) == []


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ((2, 5, 1, 0.1), "4 numbers are no header of 2 and whole objects of 5"),
        ((9, 5, 1), "3 numbers are no header of 9"),
        ((2.5, 5, 1, 0, 0, 1, 1), r"2\.5 is no whole number"),
        ((2, 5, 1.5, 0, 0, 1, 1), r"1\.5 is no whole number from 0, as a class"),
        ((2, 5, -1, 0, 0, 1, 1), "-1 is no whole number"),
        ((3, 4, 1), "expected header width"),
    ],
)
def test_labels_that_do_not_come_out_even_are_refused(label, message):
    with pytest.raises(recordio.RecordError, match=message):
        recordio.read_objects(label)


@pytest.mark.parametrize(
    "text",
    [
        "0\t2\t5\t11.0000\t0.0344\t0.1320\t0.9781\t0.9480\tVOC2007/JPEGImages/000123.jpg\n",
        "5\t1\tday/000812.jpg\n",
        "9\t1\t0\t1\tnight/000013.jpg\n",
    ],
)
def test_a_line_of_a_list_is_written_as_it_was_read(text):
    line = recordio.parse_line(text.encode())
    assert recordio.format_line(line) == text
    stream = io.BytesIO(b"\n" + text.encode() + b"no list\n")
    (first, same), (second, wrong) = recordio.read_list(stream)
    assert (first, same, second) == (2, line, 3)
    assert "three columns" in str(wrong)


def test_a_class_may_be_written_as_a_float():
    line = recordio.parse_line(b"3.0\t1.000000\ta b.jpg\r\n")
    assert (line.index, line.label, line.path) == (3, 1.0, "a b.jpg")
    assert recordio.format_line(line) == "3\t1\ta b.jpg\n"


def test_corners_have_the_four_decimals_of_mxnets_own_lists():
    """A box of 21, 11 to 120, 60 on an image of 200 × 100: pixel over size, as prepare_dataset does."""
    label = recordio.write_objects([recordio.Object(6, 21 / 200, 11 / 100, 120 / 200, 60 / 100)])
    line = recordio.format_line(recordio.ListLine(4, label, "a.jpg"))
    assert line == "4\t2\t5\t6.0000\t0.1050\t0.1100\t0.6000\t0.6000\ta.jpg\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"1\ta.jpg", "three columns"),
        (b"x\t1\ta.jpg", "has to be the image's index"),
        (b"1\tnan\ta.jpg", "'nan' is no number"),
        (b"1\t1e999\ta.jpg", "is no number"),
        (b"1\t1\t\xff.jpg", "UTF-8"),
    ],
)
def test_lines_that_are_no_list_are_refused(line, message):
    with pytest.raises(recordio.RecordError, match=message):
        recordio.parse_line(line)
    with pytest.raises(recordio.RecordError, match="cannot hold the path"):
        recordio.format_line(recordio.ListLine(1, 1.0, "a\tb.jpg"))


def test_what_cannot_be_read_is_left_out_and_told():
    def read(path: str) -> bytes:
        if path == "gone.jpg":
            raise FileNotFoundError("no file gone.jpg")
        return STUB

    stream = io.BytesIO()
    lines = recordio.read_list(io.BytesIO(b"0\t1\ta.jpg\n1\t1\tgone.jpg\n2\tb.jpg\n3\t0\tb.jpg\n"))
    told = list(recordio.pack_list(lines, read, recordio.Writer(stream)))
    assert [number for number, _ in told] == [2, 3]
    packed = [placed.record for placed in recordio.read_records(io.BytesIO(stream.getvalue()))]
    assert packed == [recordio.Record(0, 1.0, STUB), recordio.Record(3, 0.0, STUB)]


def test_a_file_is_counted_and_shown():
    stream = io.BytesIO()
    writer = recordio.Writer(stream)
    for record, _, _ in VECTORS.values():
        writer.add(record)
    writer.add(recordio.Record(1, (2, 5), STUB))
    recordio.write(stream, b"broken")
    stream.seek(0)
    found = survey.survey(stream)
    assert (found.records, found.widest, found.empty, max(found.classes)) == (4, 7, 1, 2)
    assert found.kinds == {"objects": 2, "one class": 1, "classes": 1}
    assert found.refused == [(5, "6 bytes are too few for a record's header of 24")]
    stream.seek(0)
    assert list(survey.preview(stream, 3)) == [
        "record 1, byte 0: index 7, image of 10 bytes; 1 object: class 1 at 0.1000 0.2000 0.5000 0.6000",
        "record 2, byte 72: index 9, image of 10 bytes; class 2",
        "record 3, byte 116: index 9, image of 10 bytes; classes 0, 2 of 3",
    ]
    (shown,) = survey.preview_list(io.BytesIO(b"7\t2\t5\t1\t0.1\t0.2\t0.5\t0.6\ta.jpg\n"), 2)
    assert shown == "line 1: index 7, a.jpg; 1 object: class 1 at 0.1000 0.2000 0.5000 0.6000"
