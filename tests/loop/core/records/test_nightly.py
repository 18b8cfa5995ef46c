"""What batches wrote before their records had a version is still read, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.loop.core import layout
from include.loop.core.records.base import Line, Record
from include.loop.core.records.nightly import (
    AskedAgain,
    Batch,
    Claim,
    Epochs,
    LabelSummary,
    PinnedModel,
    Predictions,
    Quarantined,
    Question,
    QuestionsHeader,
    RefusedImages,
    RefusedQuestions,
    Started,
)
from include.loop.core.records.triage import Decision, Row, read_looked_at, write_looked_at
from tests.loop.place import NIGHT, Place

IMAGE = "s3://b/digits/images/dt=2026-11-01/night-3.jpg"
LOOP = "digits-20261101-00112233445566aa"
OBJECTS: list[tuple[type[Record], dict[str, Any]]] = [
    (
        Batch,
        {
            "batch": NIGHT,
            "prefix": "s3://b/digits/images/dt=2026-11-01/",
            "images": [{"uri": IMAGE, "etag": "e1", "size": 4711}],
            "rejected": [{"uri": "s3://b/digits/images/dt=2026-11-01/a.txt", "reason": "suffix"}],
            "champion": {"training_job": "job-1", "model_data": "s3://b/m.tar.gz", "metrics": {"day": 0.5}},
        },
    ),
    (Predictions, {"champion": "job-1", "outputs": {IMAGE: "s3://b/o.out"}, "missing": [], "jobs": ["j-1"]}),
    (QuestionsHeader, {"flow_definition_arn": "arn:flow", "asked": 1, "unreadable": {IMAGE: "gone"}}),
    (
        Started,
        {
            "flow_definition_arn": "arn:flow",
            "asked": 1,
            "started_at": "2026-11-01T08:00:00+00:00",
            "created_after": "2026-11-01T07:45:00+00:00",
            "deadline": "2026-11-02T04:00:00+00:00",
        },
    ),
    (
        Claim,
        {"batch": NIGHT, "image": IMAGE, "etag": "e1", "loop": LOOP, "at": "2026-11-01T08:00:00+00:00"},
    ),
    (AskedAgain, {"batch": "2026-11-02", "loops": [LOOP]}),
    (
        LabelSummary,
        {
            "batch": NIGHT,
            "asked": 3,
            "labels": 1,
            "negatives": 0,
            "answers": 1,
            "quarantined": 1,
            "reviewer_seconds": 12.5,
            "open_loops": [LOOP],
            "late_loops": [["2026-10-31", "digits-20261031-00112233445566bb"]],
        },
    ),
]
LINES: list[tuple[type[Line], dict[str, Any]]] = [
    (
        Question,
        {
            "loop": LOOP,
            "image": IMAGE,
            "etag": "e1",
            "width": 128,
            "height": 96,
            "input": {"taskObject": IMAGE, "labels": ["zero"], "initialValue": []},
        },
    ),
    (
        Quarantined,
        {"stage": "answer", "image": IMAGE, "reason": "box without area", "batch": NIGHT, "worker": "w1"},
    ),
]


def said_in(value: Any, told: Any) -> None:
    """What the old value says, the new one says too; what nobody reads any more is left out."""
    if isinstance(told, dict) and isinstance(value, dict):
        for name in value.keys() & told.keys():
            said_in(value[name], told[name])
    else:
        assert told == value


@pytest.mark.parametrize(("kind", "value"), OBJECTS, ids=lambda item: getattr(item, "__name__", ""))
def test_an_object_of_version_1_is_read(place: Place, kind: type[Record], value: dict[str, Any]):
    place.storage.write_json(kind.location("one"), value)
    found = kind.read(place.storage, "one")
    dumped = found.model_dump(mode="json")
    said_in(value, dumped)
    assert value.keys() <= dumped.keys()
    assert kind.from_json(found.dump(place.storage)).model_dump(exclude=STAMPS) == found.model_dump(
        exclude=STAMPS
    )


STAMPS = {"written_by", "pipeline_sha256"}


@pytest.mark.parametrize(("kind", "value"), LINES, ids=lambda item: getattr(item, "__name__", ""))
def test_a_line_of_version_1_is_read_and_written_as_it_was(
    place: Place, kind: type[Line], value: dict[str, Any]
):
    place.storage.write_lines(kind.location(NIGHT), [value])
    (found,) = kind.read_all(place.storage, NIGHT)
    assert found.to_value() == value


def test_a_batch_of_version_1_is_not_of_a_backfill_and_names_its_model(place: Place):
    place.storage.write_json(Batch.location(NIGHT), dict(OBJECTS)[Batch])
    batch = Batch.read(place.storage, NIGHT)
    assert not batch.backfill
    assert batch.champion == PinnedModel(training_job="job-1", model_data="s3://b/m.tar.gz")


def test_what_was_a_bare_list_or_a_bare_table_of_reasons_has_a_name_now(place: Place):
    place.storage.write_json(Epochs.location(NIGHT), ["run-1", "run-2"])
    assert Epochs.read(place.storage, NIGHT).runs == ("run-1", "run-2")
    place.storage.write_json(RefusedQuestions.location(NIGHT), {LOOP: "could not be started"})
    refused = RefusedQuestions.read(place.storage, NIGHT)
    assert refused.reasons == {LOOP: "could not be started"}
    refused.write(place.storage, NIGHT)
    assert RefusedQuestions.read(place.storage, NIGHT).reasons == refused.reasons
    place.storage.write_json(RefusedImages.location("runs/x"), {IMAGE: "no prediction: the object is gone"})
    assert RefusedImages.read(place.storage, "runs/x").reasons[IMAGE].startswith("no prediction")


def test_a_triage_table_of_version_1_knows_less_of_its_rows(place: Place):
    old = {
        "image": [IMAGE, "s3://b/2.jpg"],
        "etag": ["e1", "e2"],
        "top_score": [0.25, None],
        "detections": pa.array([3, 0], pa.int32()),
        "decision": ["ask", "unreadable"],
        "reason": ["top score 0.250 below 0.5", "not an image"],
        "expected_seconds": [20.0, 0.0],
        "expected_dollars": [0.083333, 0.0],
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(old), sink)
    place.storage.write(layout.triage_file(NIGHT), sink.getvalue().to_pybytes())
    rows = read_looked_at(place.storage, NIGHT)
    assert rows == [
        Row(IMAGE, "e1", 0.25, 3, Decision.ASK, "top score 0.250 below 0.5", 20.0, 0.083333),
        Row("s3://b/2.jpg", "e2", None, 0, Decision.UNREADABLE, "not an image"),
    ]
    write_looked_at(place.storage, NIGHT, rows)
    assert read_looked_at(place.storage, NIGHT) == rows


def test_a_triage_table_without_a_row_has_its_columns_types_all_the_same(place: Place):
    write_looked_at(place.storage, NIGHT, [])
    table = pq.read_table(pa.BufferReader(place.storage.read(layout.triage_file(NIGHT))))
    assert table.schema.field("width").type == pa.int32()
    assert read_looked_at(place.storage, NIGHT) == []
