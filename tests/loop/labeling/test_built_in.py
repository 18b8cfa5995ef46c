"""The names by which Ground Truth knows what a pipeline's people are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.loop.config import Pipeline
from include.loop.core.errors import ConfigurationError
from include.loop.labeling import built_in
from include.review_server.labeling.task_types import task_type


def pipeline(**settings: Any) -> Pipeline:
    return Pipeline(name="pets", path=Path("pets.yaml"), **{"classes": ["cat", "dog"], **settings})


@pytest.mark.parametrize("region", sorted(built_in.ACCOUNTS))
@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "BoundingBox"),
        ({"task": "image-classification"}, "ImageMultiClass"),
        ({"task": "image-classification", "multi_label": True}, "ImageMultiClassMultiLabel"),
    ],
)
def test_both_functions_name_the_task_in_every_region(region: str, settings: dict[str, Any], name: str):
    found = built_in.functions(region, pipeline(**settings))
    before = found["PreHumanTaskLambdaArn"]
    after = found["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"]
    assert before == f"arn:aws:lambda:{region}:{built_in.ACCOUNTS[region]}:function:PRE-{name}"
    known = task_type(before, after)
    assert known is not None
    assert known.name == name


def test_a_region_without_labeling_jobs_is_told_with_those_that_have_them():
    with pytest.raises(ConfigurationError, match=r"no labeling jobs in eu-north-1; there are ap-northeast-1"):
        built_in.functions("eu-north-1", pipeline())


def test_a_model_labels_boxes_and_single_classes_by_itself_and_not_many():
    arn = "arn:aws:sagemaker:eu-west-1:027400017018:labeling-job-algorithm-specification"
    assert built_in.algorithm("eu-west-1", pipeline()) == f"{arn}/object-detection"
    with pytest.raises(ConfigurationError, match="leave automatic labeling off"):
        built_in.algorithm("eu-west-1", pipeline(task="image-classification", multi_label=True))
