"""Which type of task a request's two functions name."""

from __future__ import annotations

import pytest

from include.review_server.labeling.task_types import TASK_TYPES, UnknownTaskType, task_type


def arn(function: str, account: str = "432418664414", region: str = "us-east-1") -> str:
    return f"arn:aws:lambda:{region}:{account}:function:{function}"


@pytest.mark.parametrize("name", TASK_TYPES)
def test_both_functions_name_the_type_wherever_they_are_said_to_live(name):
    assert task_type(arn(f"PRE-{name}"), arn(f"ACS-{name}", "000000000000", "eu-north-1")) is TASK_TYPES[name]


def test_functions_of_ones_own_make_a_custom_task():
    assert task_type(arn("before"), arn("after")) is None
    assert task_type(arn("MY-PRE-BoundingBox"), arn("after")) is None
    assert task_type(arn("PRE-PassThrough"), arn("ACS-PassThrough")) is None
    assert task_type(None, None) is None


@pytest.mark.parametrize(
    ("pre", "acs"),
    [("PRE-BoundingBox", "ACS-ImageMultiClass"), ("PRE-BoundingBox", "after"), ("before", "ACS-BoundingBox")],
)
def test_functions_that_do_not_fit_together_are_refused_with_both_names(pre, acs):
    with pytest.raises(UnknownTaskType, match=f"{pre}.*{acs}"):
        task_type(arn(pre), arn(acs))
    with pytest.raises(UnknownTaskType, match="takes both its functions"):
        task_type(arn("PRE-BoundingBox"), None)


def test_video_and_point_clouds_are_refused_with_what_there_is():
    with pytest.raises(UnknownTaskType, match=r"'VideoObjectTracking' is not supported: .*BoundingBox"):
        task_type(arn("PRE-VideoObjectTracking"), arn("ACS-VideoObjectTracking"))


def test_only_a_label_that_is_a_file_has_an_attribute_that_ends_with_ref():
    assert {name for name, item in TASK_TYPES.items() if item.attribute_ends_ref} == {
        "SemanticSegmentation",
        "AdjustmentSemanticSegmentation",
    }
