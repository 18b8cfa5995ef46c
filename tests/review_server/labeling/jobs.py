"""Labeling jobs for tests: the request of one, and the files that it names."""

from __future__ import annotations

import json
from typing import Any

from tests.support.cloud import ROLE

_FUNCTION = "arn:aws:lambda:us-east-1:432418664414:function:"
TEMPLATE = "<crowd-form>{{ task.input.taskObject }}</crowd-form>"


def labeling_request(
    name: str, bucket: str, kind: str = "BoundingBox", attribute: str = "box", team: str = "reviewers"
) -> dict[str, Any]:
    """A valid CreateLabelingJob request; its files are those of ``put_files``."""
    return {
        "LabelingJobName": name,
        "LabelAttributeName": attribute,
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": f"s3://{bucket}/input.manifest"}}},
        "OutputConfig": {"S3OutputPath": f"s3://{bucket}/gt/"},
        "RoleArn": ROLE,
        "LabelCategoryConfigS3Uri": f"s3://{bucket}/labels.json",
        "HumanTaskConfig": {
            "WorkteamArn": f"arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/{team}",
            "UiConfig": {"UiTemplateS3Uri": f"s3://{bucket}/template.liquid.html"},
            "PreHumanTaskLambdaArn": f"{_FUNCTION}PRE-{kind}",
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": f"{_FUNCTION}ACS-{kind}"},
            "TaskTitle": "Draw boxes",
            "TaskDescription": "Tight boxes around every item",
            "NumberOfHumanWorkersPerDataObject": 1,
            "TaskTimeLimitInSeconds": 600,
        },
    }


def put_files(s3: Any, bucket: str, lines: list[str], labels: tuple[str, ...] = ("dent", "rust")) -> None:
    """The manifest, the categories and the template of ``labeling_request``."""
    categories = json.dumps({"labels": [{"label": label} for label in labels]})
    manifest = "".join(line + "\n" for line in lines)
    for key, text in (
        ("input.manifest", manifest),
        ("labels.json", categories),
        ("template.liquid.html", TEMPLATE),
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
