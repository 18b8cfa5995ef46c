"""The lines of output.manifest, and the keys of a job's files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from include.review_server.db.statuses import ObjectStatus
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.layout import Layout
from include.review_server.labeling.output import labelled_line

LABEL = '{"box":{"annotations":[]},"box-metadata":{"job-name":"labeling-job/j"}}'


def view(**request: Any) -> JobView:
    return JobView(
        id=1,
        name="J",
        arn="arn",
        request={"HumanTaskConfig": {}, **request},
        task_type=None,
        label_attribute="box",
        categories=("a",),
        iteration=1,
        objects=1000,
        human_labeled=300,
        machine_labeled=400,
        output=Layout.of("s3://bucket/out/", "J"),
        reference_code="r",
    )


@pytest.mark.parametrize(
    "line", ['{"source":"x","price":1.10,"big":1e400}', ' { "source" : "a}b,c:" , "n" : {"m":[1.0]} } ']
)
def test_a_label_stands_behind_the_lines_own_keys_which_leave_as_they_came(line: str):
    labelled = labelled_line(view(), line, ObjectStatus.LABELED, LABEL, None)
    for text in ("1.10", "1e400", '{"m":[1.0]}', '"a}b,c:"'):
        assert (text in labelled) == (text in line)
    assert list(json.loads(labelled)) == [*json.loads(line), "box", "box-metadata"]
    assert labelled_line(view(), line, ObjectStatus.UNLABELED, None, None) == line


def test_the_label_takes_the_place_of_an_earlier_failure():
    line = '{"source":"x","box-metadata":{"failure-reason":"late"},"k":1}'
    labelled = json.loads(labelled_line(view(), line, ObjectStatus.LABELED, LABEL, None))
    assert list(labelled) == ["source", "k", "box", "box-metadata"]
    assert "failure-reason" not in labelled["box-metadata"]


def test_a_failed_line_says_why_and_has_no_label_to_use():
    line = labelled_line(view(), '{"source":"x"}', ObjectStatus.FAILED, None, "no answers")
    metadata = {"failure-reason": "no answers", "type": "groundTruth/custom", "job-name": "labeling-job/j"}
    assert json.loads(line) == {"source": "x", "box-metadata": metadata}


@pytest.mark.parametrize("line", ["", "{", '{"a":}', '{"a" 1}', "[1]", '"x"', '{"a":1', '{"a":1}}', "{1:2}"])
def test_what_is_no_json_object_is_copied(line: str):
    assert labelled_line(view(), line, ObjectStatus.FAILED, None, "no JSON object") == line


@pytest.mark.parametrize(
    ("conditions", "left"),
    [
        ({}, 1000),
        ({"MaxHumanLabeledObjectCount": 310}, 10),
        ({"MaxHumanLabeledObjectCount": 200}, 0),
        ({"MaxPercentageOfInputDatasetLabeled": 71}, 10),
        ({"MaxPercentageOfInputDatasetLabeled": 71, "MaxHumanLabeledObjectCount": 304}, 4),
    ],
)
def test_a_stopping_condition_says_how_many_more_may_go_out(conditions: dict[str, int], left: int):
    assert view(StoppingConditions=conditions).still_allowed == left


def test_the_keys_are_those_that_readers_of_a_jobs_output_know():
    layout, moment = Layout.of("s3://bucket/out/", "J"), datetime(2026, 2, 11, 9, 13, 5, 120_000, UTC)
    annotations = "s3://bucket/out/J/annotations"
    consolidated = f"{annotations}/consolidated-annotation"
    assert layout.output_manifest.uri == "s3://bucket/out/J/manifests/output/output.manifest"
    response = layout.worker_response(12, 7, moment).uri
    assert response == f"{annotations}/worker-response/iteration-12/7/2026-02-11_09:13:05.json"
    for kind, location in (
        ("request", layout.consolidation_request(2, moment)),
        ("response", layout.consolidation_response(2, moment)),
    ):
        assert location.uri == f"{consolidated}/consolidation-{kind}/iteration-2/2026-02-11_09:13:05.json"
    assert layout.consolidated_file("7_x.png").uri == f"{consolidated}/output/7_x.png"
    assert layout.intermediate(3).uri == f"{annotations}/intermediate/3/annotations.json"
    assert Layout.of("s3://bucket", "J").root.uri == "s3://bucket/J"
