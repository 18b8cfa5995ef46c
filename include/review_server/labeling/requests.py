"""What CreateLabelingJob must be beyond its model: the rules that the API reference states in prose.

Takes the request's members, which the wire has checked against the model, and gives a ``LabelingRequest``, or
``ValidationException`` with the field, what is wrong and what to write. Pure: what only S3 or the database
know (is the team there, what do the files say) is asked by others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from include.review_server.labeling import worker_uis
from include.review_server.labeling.auto.algorithms import ALGORITHMS
from include.review_server.labeling.task_types import TaskType, UnknownTaskType, task_type
from include.review_server.s3_location import S3Location
from include.wire import AwsError

# For a private team, "default and maximum" of the reference; and the longest turn at images and texts.
AVAILABILITY_SECONDS = 2_592_000
MOST_TIME_LIMIT_SECONDS = 28_800

_ALGORITHM = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:labeling-job-algorithm-specification/(.+)"
)
_SHARED_CROWD = re.compile(r":workteam/(public-crowd|vendor-crowd)/")


@dataclass(frozen=True)
class LabelingRequest:
    """A labeling job as it was asked for. ``task_type`` is None for a custom task; times are in seconds.

    ``functions`` are the ARNs of the one before people are asked and of the one after.
    """

    name: str
    attribute: str
    task_type: TaskType | None
    functions: tuple[str | None, str | None]
    output_path: str
    workers: int
    time_limit: int
    availability: int

    @property
    def key(self) -> str:
        """The name as it is unique in an account and Region, for good: without regard to case."""
        return self.name.lower()


def checked(params: Mapping[str, Any]) -> LabelingRequest:
    """The request. Raises ``AwsError`` (ValidationException) for the first rule that it breaks."""
    task = params["HumanTaskConfig"]
    output_path = params["OutputConfig"]["S3OutputPath"]
    for where, text in (
        ("HumanTaskConfig.TaskDescription", task["TaskDescription"]),
        ("OutputConfig.S3OutputPath", output_path),
    ):
        if "\0" in text:  # the model's patterns allow it, and no text of a database can hold it
            raise _invalid(f"{where} has a NUL character")
    functions = _functions(task)
    kind = _task_type(*functions)
    _check_attribute(params["LabelAttributeName"], kind)
    _check_team(task["WorkteamArn"])
    _check_times(task)
    _check_algorithm(params.get("LabelingJobAlgorithmsConfig"), kind)
    _check_location("OutputConfig.S3OutputPath", output_path, S3Location.parse)
    _check_source(params)
    _check_categories(params.get("LabelCategoryConfigS3Uri"), kind)
    _check_template(task["UiConfig"], kind)
    return LabelingRequest(
        name=params["LabelingJobName"],
        attribute=params["LabelAttributeName"],
        task_type=kind,
        functions=functions,
        output_path=output_path,
        workers=task["NumberOfHumanWorkersPerDataObject"],
        time_limit=task["TaskTimeLimitInSeconds"],
        availability=task.get("TaskAvailabilityLifetimeInSeconds", AVAILABILITY_SECONDS),
    )


def _functions(task: Mapping[str, Any]) -> tuple[str | None, str | None]:
    consolidation = task.get("AnnotationConsolidationConfig", {})
    return task.get("PreHumanTaskLambdaArn"), consolidation.get("AnnotationConsolidationLambdaArn")


def _task_type(pre: str | None, acs: str | None) -> TaskType | None:
    try:
        return task_type(pre, acs)
    except UnknownTaskType as error:
        raise _invalid(
            f"HumanTaskConfig.PreHumanTaskLambdaArn and AnnotationConsolidationLambdaArn: {error}"
        ) from None


def _check_attribute(name: str, kind: TaskType | None) -> None:
    """The rules of LabelAttributeName that a job's lines need not be known for."""
    where = f"LabelAttributeName {name!r}"
    if name in ("source", "source-ref"):
        raise _invalid(f"{where} is the key of the objects themselves: give the labels a name of their own")
    if name.endswith("-metadata"):
        raise _invalid(f"{where} must not end with -metadata: what is known about a label is stored there")
    if kind is None:
        return  # a custom task's function may write a file's address or a value
    if kind.attribute_ends_ref and not name.endswith("-ref"):
        raise _invalid(f"{where} must end with -ref: the labels of {kind.name} are files, as in {name}-ref")
    if not kind.attribute_ends_ref and name.endswith("-ref"):
        raise _invalid(f"{where} must not end with -ref: the labels of {kind.name} are values, and no files")


def _check_team(arn: str) -> None:
    if crowd := _SHARED_CROWD.search(arn):
        others = "Amazon Mechanical Turk" if crowd[1] == "public-crowd" else "a vendor of the Marketplace"
        raise _invalid(
            f"HumanTaskConfig.WorkteamArn: {arn} is a team of {others}, whom this server cannot reach. "
            "Name a private team: ListWorkteams shows them, CreateWorkteam makes one"
        )


def _check_times(task: Mapping[str, Any]) -> None:
    for name, most in (
        ("TaskTimeLimitInSeconds", MOST_TIME_LIMIT_SECONDS),
        ("TaskAvailabilityLifetimeInSeconds", AVAILABILITY_SECONDS),
    ):
        if task.get(name, 0) > most:
            raise _invalid(f"HumanTaskConfig.{name} is at most {most:,} here, not {task[name]:,}")


def _check_algorithm(config: Mapping[str, Any] | None, kind: TaskType | None) -> None:
    """Automated labeling: only for a type that an algorithm can learn, and only with that algorithm."""
    if config is None:
        return
    arn = config["LabelingJobAlgorithmSpecificationArn"]
    where = "LabelingJobAlgorithmsConfig.LabelingJobAlgorithmSpecificationArn"
    found = _ALGORITHM.search(arn)
    if found is None or found[1] not in ALGORITHMS:
        raise _invalid(
            f"{where}: {arn} is no algorithm of automated labeling; there are "
            + ", ".join(f"labeling-job-algorithm-specification/{name}" for name in ALGORITHMS)
        )
    labels = ALGORITHMS[found[1]].task_type
    if kind is None or kind.name != labels:
        asked = kind.name if kind else "a custom task"
        raise _invalid(
            f"{where}: {found[1]} labels {labels} and not {asked}; leave "
            "LabelingJobAlgorithmsConfig out, and people label every object"
        )


def _check_source(params: Mapping[str, Any]) -> None:
    source = params["InputConfig"]["DataSource"]
    if "SnsDataSource" in source or "SnsTopicArn" in params["OutputConfig"]:
        raise _invalid(
            "streaming labeling jobs (InputConfig.DataSource.SnsDataSource, OutputConfig.SnsTopicArn) are "
            "not supported: put the objects into a manifest, name it as S3DataSource.ManifestS3Uri, and "
            "start a job for each manifest"
        )
    if "S3DataSource" not in source:
        raise _invalid("InputConfig.DataSource: name the manifest as S3DataSource.ManifestS3Uri")
    uri = source["S3DataSource"]["ManifestS3Uri"]
    _check_location("InputConfig.DataSource.S3DataSource.ManifestS3Uri", uri, S3Location.of_object)


def _check_categories(uri: str | None, kind: TaskType | None) -> None:
    if uri is None and kind is not None:
        raise _invalid(
            f"LabelCategoryConfigS3Uri is required for {kind.name}: an object in S3 such as "
            '{"document-version": "2018-11-28", "labels": [{"label": "dent"}, {"label": "rust"}]}'
        )
    if uri is not None:
        _check_location("LabelCategoryConfigS3Uri", uri, S3Location.of_object)


def _check_template(ui: Mapping[str, Any], kind: TaskType | None) -> None:
    if len(ui) == 2:
        raise _invalid("HumanTaskConfig.UiConfig: give either UiTemplateS3Uri or HumanTaskUiArn, not both")
    if arn := ui.get("HumanTaskUiArn"):
        if why := worker_uis.problem(arn, kind):
            raise _invalid(f"HumanTaskConfig.UiConfig.HumanTaskUiArn: {why}")
        return
    if "UiTemplateS3Uri" not in ui:
        raise _invalid("HumanTaskConfig.UiConfig: name the worker task template as UiTemplateS3Uri")
    _check_location("HumanTaskConfig.UiConfig.UiTemplateS3Uri", ui["UiTemplateS3Uri"], S3Location.of_object)


def _check_location(where: str, uri: str, parse: Callable[[str], S3Location]) -> None:
    try:
        parse(uri)
    except ValueError as error:
        raise _invalid(f"{where}: {error}") from None


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
