"""Ground Truth's own annotation functions and auto-labeling algorithms, by Region and by the pipeline's task.

CreateLabelingJob has no field for the type of a task: the service reads it from the names of the Lambda
functions, which lie in an account of Amazon's in each Region (API reference, HumanTaskConfig).
"""

from __future__ import annotations

from typing import Any

from include.loop.config import Pipeline
from include.loop.core.errors import ConfigurationError

# Amazon's account of the functions, in the twelve Regions that have labeling jobs.
ACCOUNTS = {
    "ap-northeast-1": "477331159723",
    "ap-northeast-2": "845288260483",
    "ap-south-1": "565803892007",
    "ap-southeast-1": "377565633583",
    "ap-southeast-2": "454466003867",
    "ca-central-1": "918755190332",
    "eu-central-1": "203001061592",
    "eu-west-1": "568282634449",
    "eu-west-2": "487402164563",
    "us-east-1": "432418664414",
    "us-east-2": "266458841044",
    "us-west-2": "081040173940",
}
# The same in all of them.
ALGORITHM_ACCOUNT = "027400017018"
# Ground Truth's names, by the pipeline's task and whether an image has many labels.
TASK_TYPES = {
    ("object-detection", False): "BoundingBox",
    ("image-classification", False): "ImageMultiClass",
    ("image-classification", True): "ImageMultiClassMultiLabel",
}


def task_type(pipeline: Pipeline) -> str:
    return TASK_TYPES[pipeline.task, pipeline.multi_label]


def functions(region: str, pipeline: Pipeline) -> dict[str, Any]:
    """The two members of HumanTaskConfig that say what people are asked. ConfigurationError for a Region that
    has no labeling jobs.
    """
    account = ACCOUNTS.get(region)
    if account is None:
        raise ConfigurationError(
            f"region: Ground Truth has no labeling jobs in {region}; there are {', '.join(sorted(ACCOUNTS))}"
        )
    stem = f"arn:aws:lambda:{region}:{account}:function"
    name = task_type(pipeline)
    return {
        "PreHumanTaskLambdaArn": f"{stem}:PRE-{name}",
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": f"{stem}:ACS-{name}"},
    }


def algorithm(region: str, pipeline: Pipeline) -> str:
    """The ARN of what labels by itself. ConfigurationError for a task that it cannot do."""
    if pipeline.multi_label:
        raise ConfigurationError(
            f"{pipeline.path}: multi_label: no model labels images of many classes by itself; leave "
            "automatic labeling off"
        )
    kind = f"labeling-job-algorithm-specification/{pipeline.task}"
    return f"arn:aws:sagemaker:{region}:{ALGORITHM_ACCOUNT}:{kind}"
