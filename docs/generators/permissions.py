"""The page of the permissions on AWS: every operation that our code calls, found in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import botocore.session
from botocore import xform_name

from docs.generators import code, table
from include.loop.aws.jobs import ResourceKind

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("s3", "sagemaker", "sagemaker-a2i-runtime", "sagemaker-runtime", "logs")
# The same word as a method of Python's `re`; nothing of ours asks SageMaker's Search.
NO_OPERATION = {"search"}
# IAM's actions are mostly the operations of the API; these are those that differ.
ACTIONS = {
    "HeadObject": "GetObject",
    "ListObjectsV2": "ListBucket",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
}
# What AWS asks for beside the operation itself.
BESIDE = {
    "CreateTrainingJob": ["AddTags"],
    "CreateFlowDefinition": ["PassRole"],
    "CreateLabelingJob": ["PassRole"],
}
NAMED = "names that begin with the pipeline's"
# Group → the words in an action that belong to it, in this order; and on what it is needed.
GROUPS: dict[str, tuple[tuple[str, ...], str]] = {
    "S3": (("Object", "Bucket"), "the bucket"),
    "Review runtime": (("HumanLoop",), "the flow definitions"),
    "Review control": (("FlowDefinition", "HumanTaskUi", "Workteam"), NAMED),
    "Labeling jobs": (("LabelingJob",), NAMED),
    "Model registry": (("ModelPackage",), "the group of the pipeline's name"),
    "Endpoints, for `teardown` alone": (
        ("DeleteEndpointConfig", "ListEndpointConfigs", "DeleteModel", "ListModels"),
        NAMED,
    ),
    "Endpoints": (("Endpoint",), NAMED),
    "SageMaker jobs": (("TrainingJob", "TransformJob", "Model", "AddTags"), NAMED),
    "CloudWatch Logs": (("Log",), "`/aws/sagemaker/TrainingJobs`"),
    "IAM": (("PassRole",), "the execution role"),
}
INTRODUCTION = """# Permissions on AWS

What Airflow's identity may have to do, by the operations that `include/loop` and `plugins/nightloop` call.
Where a review server of your own is asked (`aws_review`), the two rows of the review plane and that of
labeling jobs are its keys' business, not IAM's.
"""
END = """
The execution role (`role_arn`) is trusted by `sagemaker.amazonaws.com` and may read and write the bucket,
write CloudWatch Logs, and pull the algorithm's image. With `deployment.alarms` it also needs
`cloudwatch:DescribeAlarms`. With `notify.sns_topic_arn` Airflow's identity needs `sns:Publish` on that topic.
With a pipeline's `review.prelabel_endpoint` it needs `sagemaker:InvokeEndpoint` on that endpoint alone:
`arn:aws:sagemaker:REGION:ACCOUNT:endpoint/NAME`, in lower case.
With `review.events_queue` it needs `sqs:ReceiveMessage` and `sqs:DeleteMessage` on that queue.
"""


def page() -> str:
    rows: dict[str, list[str]] = {group: [] for group in GROUPS}
    for action in sorted(actions()):
        rows[_group(action)].append(code(action))
    lines = ((group, ", ".join(rows[group]), GROUPS[group][1]) for group in GROUPS if rows[group])
    return "\n".join([INTRODUCTION, table(("Service", "Actions", "On"), lines), END])


def actions() -> set[str]:
    """IAM's names of everything that is called."""
    called = {ACTIONS.get(operation, operation) for operation in operations()}
    return called | {beside for operation in called for beside in BESIDE.get(operation, [])}


def operations() -> Iterator[str]:
    """Operations whose methods our code names, as an attribute or as text, or makes from a kind."""
    session = botocore.session.get_session()
    methods = {
        xform_name(operation): operation
        for service in SERVICES
        for operation in session.get_service_model(service).operation_names
    }
    yield from (methods[kind.describe_operation] for kind in ResourceKind)
    for path in [*(ROOT / "include/loop").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for name in _names(ast.parse(path.read_text(encoding="utf-8"))):
            if name in methods and name not in NO_OPERATION:
                yield methods[name]


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _group(action: str) -> str:
    for group, (words, _) in GROUPS.items():
        if any(word in action for word in words):
            return group
    raise LookupError(f"{action} is called, and no row of the permissions says on what: add it to GROUPS")
