"""The rules of CreateLabelingJob that its model does not have."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from include.review_server.labeling.requests import LabelingRequest, checked
from include.wire import AwsError
from tests.review_server.labeling.jobs import labeling_request


def _changed(path: str, value: Any, **options: Any) -> dict[str, Any]:
    """The valid request with one member changed, or left out when the value is None."""
    params = copy.deepcopy(labeling_request("box-r1", "bucket", **options))
    *parents, name = path.split(".")
    place = params
    for parent in parents:
        place = place.setdefault(parent, {})
    if value is None:
        place.pop(name, None)
    else:
        place[name] = value
    return params


def test_a_request_is_read_with_the_defaults_of_a_private_team():
    request = checked(labeling_request("Box-R1", "bucket"))
    assert isinstance(request, LabelingRequest)
    assert request.key == "box-r1"
    assert (request.task_type and request.task_type.name, request.attribute) == ("BoundingBox", "box")
    assert request.output_path == "s3://bucket/gt/"
    assert (request.availability, request.workers) == (2_592_000, 1)


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:eu-west-1:394669845002:{kind}/{name}"


def _functions(pre: str, acs: str) -> dict[str, Any]:
    arn = "arn:aws:lambda:ap-south-1:565803892007:function:"
    return {
        "PreHumanTaskLambdaArn": arn + pre,
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": arn + acs},
    }


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        ("BoundingBox", "category"),
        ("VerificationSemanticSegmentation", "check"),
        ("SemanticSegmentation", "seg-ref"),
        ("AdjustmentSemanticSegmentation", "better-ref"),
    ],
)
def test_built_in_functions_of_any_region_and_account_name_the_type(kind: str, attribute: str):
    params = labeling_request("job", "bucket", kind=kind, attribute=attribute)
    params["HumanTaskConfig"] |= _functions(f"PRE-{kind}", f"ACS-{kind}")
    read = checked(params).task_type
    assert read is not None
    assert read.name == kind


def test_a_custom_task_needs_no_categories_and_may_write_files():
    params = _changed("LabelCategoryConfigS3Uri", None)
    params["LabelAttributeName"] = "outline-ref"
    params["HumanTaskConfig"] |= _functions("prepare", "merge")
    request = checked(params)
    assert request.task_type is None
    assert [arn and arn.rpartition(":")[2] for arn in request.functions] == ["prepare", "merge"]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("LabelAttributeName", "source-ref", "name of their own"),
        ("LabelAttributeName", "source", "name of their own"),
        ("LabelAttributeName", "box-metadata", "must not end with -metadata"),
        ("LabelAttributeName", "box-ref", "must not end with -ref"),
        ("LabelCategoryConfigS3Uri", None, "LabelCategoryConfigS3Uri is required for BoundingBox"),
        ("LabelCategoryConfigS3Uri", "s3://bucket", "names a bucket and no object"),
        ("InputConfig.DataSource.SnsDataSource", {"SnsTopicArn": "arn:x"}, "streaming"),
        ("OutputConfig.SnsTopicArn", "arn:aws:sns:us-east-1:000000000000:done", "streaming"),
        ("InputConfig.DataSource.S3DataSource", None, "ManifestS3Uri"),
        ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "s3://bucket/", "names a bucket and no object"),
        ("OutputConfig.S3OutputPath", "https://example.com/out", "not an S3 location"),
        ("OutputConfig.S3OutputPath", "s3://bucket/a/../b", "has . or .. as a part"),
        ("OutputConfig.S3OutputPath", "s3://bucket/a\0b", "NUL"),
        ("HumanTaskConfig.TaskDescription", "a\0b", "NUL"),
        ("HumanTaskConfig.WorkteamArn", _arn("workteam", "public-crowd/default"), "ListWorkteams"),
        ("HumanTaskConfig.WorkteamArn", _arn("workteam", "vendor-crowd/them"), "Marketplace"),
        ("HumanTaskConfig.TaskTimeLimitInSeconds", 28_801, "28,800"),
        ("HumanTaskConfig.TaskAvailabilityLifetimeInSeconds", 2_592_001, "2,592,000"),
        ("HumanTaskConfig.UiConfig", {}, "UiTemplateS3Uri"),
        ("HumanTaskConfig.UiConfig.HumanTaskUiArn", _arn("human-task-ui", "X"), "not both"),
        (
            "HumanTaskConfig.UiConfig",
            {"HumanTaskUiArn": _arn("human-task-ui", "VideoObjectTracking")},
            "Video frames and point clouds are not supported; task types are ImageMultiClass, ",
        ),
        (
            "HumanTaskConfig.PreHumanTaskLambdaArn",
            "arn:aws:lambda:us-east-1:432418664414:function:PRE-3DPointCloudObjectTracking",
            "is not supported: built in are ImageMultiClass",
        ),
        ("HumanTaskConfig.AnnotationConsolidationConfig", None, "takes both its functions"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_what_to_write(path: str, value: Any, says: str):
    with pytest.raises(AwsError, match="ValidationException") as refused:
        checked(_changed(path, value))
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("kind", "attribute", "algorithm", "says"),
    [
        ("ImageMultiClassMultiLabel", "tags", "image-classification", "people label every object"),
        ("AdjustmentBoundingBox", "box-2", "object-detection", "not AdjustmentBoundingBox"),
        ("BoundingBox", "box", "image-classification", "labels ImageMultiClass and not BoundingBox"),
        ("SemanticSegmentation", "seg-ref", "semantic-segmentation", "no algorithm of automated labeling"),
        ("TextMultiClass", "mood", "text-classification", "no algorithm of automated labeling"),
    ],
)
def test_automated_labeling_is_for_the_types_that_an_algorithm_here_can_learn(
    kind: str, attribute: str, algorithm: str, says: str
):
    params = labeling_request("job", "bucket", kind=kind, attribute=attribute)
    arn = f"arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/{algorithm}"
    params["LabelingJobAlgorithmsConfig"] = {"LabelingJobAlgorithmSpecificationArn": arn}
    with pytest.raises(AwsError) as refused:
        checked(params)
    assert says in refused.value.message


def test_automated_labeling_of_boxes_is_accepted_from_any_region():
    params = labeling_request("job", "bucket")
    arn = "arn:aws:sagemaker:eu-west-1:027400017018:labeling-job-algorithm-specification/object-detection"
    params["LabelingJobAlgorithmsConfig"] = {"LabelingJobAlgorithmSpecificationArn": arn}
    assert checked(params).task_type
