"""Shapes: whatever SageMaker's model allows goes out and comes back the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import botocore.loaders
import pytest
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from include.wire import AwsError, shapes

MODEL = ServiceModel(botocore.loaders.Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
SHAPE = MODEL.shape_for("DescribeTrainingJobResponse")

moments = st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2199, 1, 1)).map(
    lambda d: d.replace(microsecond=d.microsecond // 1000 * 1000, tzinfo=UTC)
)
replies = st.fixed_dictionaries(
    {"TrainingJobName": st.text(), "CreationTime": moments},
    optional={
        "HyperParameters": st.dictionaries(st.text(), st.text()),
        "BillableTimeInSeconds": st.integers(-(2**31), 2**31 - 1),
        "EnableNetworkIsolation": st.booleans(),
        "FinalMetricDataList": st.lists(
            st.fixed_dictionaries(
                {"MetricName": st.text(), "Value": st.floats(allow_nan=False), "Timestamp": moments}
            )
        ),
    },
)


@given(replies)
def test_what_goes_out_comes_back(reply: dict[str, Any]) -> None:
    text = json.dumps(shapes.serialise(SHAPE, reply))
    assert shapes.parse(SHAPE, json.loads(text)) == reply


@given(replies, st.text(min_size=1).filter(lambda name: name not in SHAPE.members))
def test_unknown_members_are_dropped_both_ways(reply: dict[str, Any], name: str) -> None:
    assert name not in shapes.serialise(SHAPE, reply | {name: 1})
    assert name not in shapes.parse(SHAPE, {name: 1})


@pytest.mark.parametrize("value", ["yesterday", [], {}])
def test_a_time_that_is_none_is_refused_by_name(value: Any) -> None:
    with pytest.raises(AwsError, match="creationTime"):
        shapes.parse(SHAPE, {"CreationTime": value})


def test_a_boolean_is_not_an_integer() -> None:
    with pytest.raises(AwsError, match="billableTimeInSeconds must be a JSON integer"):
        shapes.parse(SHAPE, {"BillableTimeInSeconds": True})


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 10**4000])
def test_an_integer_has_32_bits(value: int) -> None:
    with pytest.raises(AwsError, match="billableTimeInSeconds is too large"):
        shapes.parse(SHAPE, {"BillableTimeInSeconds": value})


def test_patterns_match_whole_values() -> None:
    # The models' patterns have no closing $: a prefix that matches is not enough.
    shape = MODEL.shape_for("TrainingJobName")
    assert not list(shapes.violations(shape, "night-1"))
    assert list(shapes.violations(shape, "night-1/../x"))


def test_a_value_is_cut_in_its_own_error() -> None:
    shape = MODEL.shape_for("TrainingJobName")
    assert all(len(line) < 600 for line in shapes.violations(shape, "x" * 10_000))
