"""Whatever bytes stand in a channel: a record is used or left out, or the job ends with the user's fault."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given

from include import recordio
from include.algorithms.container import ClientError
from include.algorithms.object_detection.channels import Example, read_channel
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.labels import (
    AnnotationFile,
    LabelError,
    Labelled,
    boxes_of,
    parse_json,
    parse_label,
    parse_packed,
)
from tests.algorithms.object_detection.jobs import Job, records, stream_of
from tests.support.mutants import mutants, thorough

SETTINGS = parse_hyperparameters({"num_classes": "10", "num_training_samples": "9", "image_shape": "96"})
PAIRS = records(2)
LABELS = [text for _, text in PAIRS]
FILES = [b'{"file": "1.jpg", ' + text[1:] for text in LABELS]
# The slow run tries many; the first of them are tried in every run.
HOW_MANY = pytest.mark.parametrize("examples", [50, pytest.param(2000, marks=pytest.mark.slow)])


def packed(values: list[float]) -> bytes:
    header = struct.pack("<IfQQ", len(values), 0.0, 7, 0) + np.array(values, "<f4").tobytes()
    return header + PAIRS[0][0][:300]


def frames(stream: bytes) -> list[bytes]:
    """The records of a stream; a stream that is none is one part."""
    try:
        return list(recordio.read(io.BytesIO(stream)))
    except recordio.RecordIOError:
        return [stream]


def framed(parts: list[bytes]) -> bytes:
    stream = io.BytesIO()
    for part in parts:
        recordio.write(stream, part)
    return stream.getvalue()


PACKED = [
    packed([2, 5, 4, 0.1, 0.2, 0.3, 0.4]),
    packed([4, 6, 0, 0, *[1, 0, 0, 1, 1, 0] * 2]),
    packed([2, 5]),
]
REC = [framed(PACKED), framed([b"", recordio.MAGIC_BYTES * 3, b"ab" + recordio.MAGIC_BYTES + b"c"])]


def assert_can_be_learned(found: Labelled | Example) -> None:
    corners = found.boxes[:, 1:]
    assert found.boxes.shape[1] == 5
    assert ((corners >= 0) & (corners <= 1)).all()
    assert (corners[:, 2:] > corners[:, :2]).all()
    assert set(found.boxes[:, 0]) <= set(range(SETTINGS.num_classes))


@HOW_MANY
def test_no_label_leaves_but_as_boxes_or_as_its_fault(examples: int):
    @thorough(examples)
    @given(mutants(LABELS))
    def tried(text: bytes) -> None:
        with suppress(LabelError, ClientError):
            assert_can_be_learned(parse_label(text, SETTINGS))

    tried()


@HOW_MANY
def test_no_annotation_file_leaves_but_as_boxes_or_as_its_fault(examples: int):
    @thorough(examples)
    @given(mutants(FILES))
    def tried(text: bytes) -> None:
        with suppress(LabelError, ClientError):
            assert_can_be_learned(boxes_of(parse_json(AnnotationFile, text), SETTINGS))

    tried()


@HOW_MANY
def test_no_packed_label_leaves_but_as_boxes_or_as_its_fault(examples: int):
    @thorough(examples)
    @given(mutants(PACKED))
    def tried(record: bytes) -> None:
        with suppress(LabelError, ClientError):
            assert_can_be_learned(parse_packed(record, SETTINGS)[1])

    tried()


@HOW_MANY
def test_no_stream_leaves_but_as_records_or_as_its_fault(examples: int):
    @thorough(examples)
    @given(mutants([*REC, stream_of(PAIRS)]))
    def tried(stream: bytes) -> None:
        try:
            payloads = list(recordio.read(io.BytesIO(stream)))
        except recordio.RecordIOError:
            return
        assert frames(framed(payloads)) == payloads

    tried()


@pytest.mark.parametrize("examples", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_a_channel_of_mutants_is_read_or_refused_and_never_breaks_the_job(examples: int, tmp_path):
    job = Job(tmp_path)

    @thorough(examples)
    @given(mutants([stream_of(PAIRS), framed(PACKED)], frames, framed))
    def tried(stream: bytes) -> None:
        job.channel("train", {"ContentType": "application/x-recordio", "TrainingInputMode": "Pipe"}, {})
        (tmp_path / "input/data").mkdir(parents=True, exist_ok=True)
        (tmp_path / "input/data/train_0").write_bytes(stream)
        with suppress(ClientError):
            for record in read_channel(job.container, "train", SETTINGS):
                if isinstance(record, Example):
                    assert_can_be_learned(record)
                else:
                    assert record.name.startswith("record ")

    tried()
