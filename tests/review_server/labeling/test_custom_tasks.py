"""Labeling jobs of custom tasks, from request to manifest: callables of the operator's own, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from include.review_server.labeling import consolidating
from include.review_server.labeling.function_errors import FunctionAway
from tests.review_server.labeling.jobs import labeling_request, put_files
from tests.review_server.labeling.runs import Output
from tests.review_server.rig import MEMBERS, Rig, refused
from tests.support.cloud import LocalCloud, eventually

_ARN = "arn:aws:lambda:us-east-1:111122223333:function:{}"
LINES = [{"source": "good morning"}, {"source": "42"}, {"source": "rain again"}]


def before(event: Any, context: Any) -> Any:
    text = event["dataObject"]["source"]
    return {"taskInput": {"text": text.upper()}, "isHumanAnnotationRequired": not text.isdigit()}


def after(event: Any, context: Any) -> Any:
    """The answers in one list, read from S3; nothing about rain."""
    bucket, _, key = event["payload"]["s3Uri"].removeprefix("s3://").partition("/")
    objects = json.loads(context.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    labels = []
    for one in objects:
        if "rain" not in one["dataObject"]["content"]:
            moods = [json.loads(each["annotationData"]["content"])["mood"] for each in one["annotations"]]
            content = {event["labelAttributeName"]: {"moods": moods}}
            labels.append(
                {"datasetObjectId": one["datasetObjectId"], "consolidatedAnnotation": {"content": content}}
            )
    return labels


def broken(event: Any, context: Any) -> Any:
    raise RuntimeError("half a character (\ud800), and none at all (\0)")  # which no database can store


def away(event: Any, context: Any) -> Any:
    raise FunctionAway("nobody is at home")


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    named = tuple(f"{name}={__name__}:{name}" for name in ("before", "after", "broken", "away"))
    with Rig(cloud, tmp_path_factory.mktemp("review"), labeling_functions=named) as running:
        running.sagemaker.create_workteam(WorkteamName="us", Description="d", MemberDefinitions=MEMBERS)
        yield running


def started(rig: Rig, bucket: str, name: str, pre: str | None, acs: str | None) -> dict[str, Any]:
    """Make a job with these functions; its request."""
    put_files(rig.s3, bucket, [json.dumps(line) for line in LINES])
    request = labeling_request(name, bucket, attribute="mood", team="us")
    task = request["HumanTaskConfig"]
    del (
        request["LabelCategoryConfigS3Uri"],
        task["PreHumanTaskLambdaArn"],
        task["AnnotationConsolidationConfig"],
    )
    if pre:
        task["PreHumanTaskLambdaArn"] = _ARN.format(pre)
    if acs:
        task["AnnotationConsolidationConfig"] = {"AnnotationConsolidationLambdaArn": _ARN.format(acs)}
    rig.sagemaker.create_labeling_job(**request)
    return request


def ended(rig: Rig, name: str) -> dict[str, Any]:
    def job() -> dict[str, Any] | None:
        described: dict[str, Any] = rig.sagemaker.describe_labeling_job(LabelingJobName=name)
        return described if described["LabelingJobStatus"] in ("Completed", "Failed", "Stopped") else None

    return eventually(job)


def work(rig: Rig, count: int) -> list[Any]:
    """Answer so many tasks; what they showed."""
    person, shown = rig.worker("us"), []
    for _ in range(count):
        task = eventually(person.take)
        shown.append(task["input"])
        assert person.do("answer", task, {"mood": "glad"}).status_code == 200
    return shown


def test_the_operators_callables_say_what_is_shown_and_what_the_answers_come_to(rig: Rig):
    started(rig, bucket := rig.bucket(), "Moods", "before", "after")
    assert work(rig, 2) == [{"text": "GOOD MORNING"}, {"text": "RAIN AGAIN"}]
    job = ended(rig, "Moods")
    assert job["LabelingJobStatus"] == "Completed", job.get("FailureReason")
    counters = job["LabelCounters"]
    assert (counters["HumanLabeled"], counters["FailedNonRetryableError"], counters["Unlabeled"]) == (1, 1, 1)
    first, second, third = Output(rig.s3, bucket, "Moods").manifest()
    assert first["mood"] == {"moods": ["glad"]}
    assert first["mood-metadata"]["type"] == "groundTruth/custom"
    assert first["mood-metadata"]["job_name"] == "Moods"
    assert "worker-response-ref" not in first["mood-metadata"]
    assert second == LINES[1], "nobody need look at it"
    assert "mood" not in third
    assert "left the object out" in third["mood-metadata"]["failure-reason"]


def test_without_functions_the_answers_are_where_the_metadata_says(rig: Rig):
    started(rig, bucket := rig.bucket(), "plain", None, None)
    person = rig.worker("us")
    for seconds, shown in enumerate(LINES):
        task = eventually(person.take)
        assert task["input"] == shown
        rig.clock.advance(seconds)
        body = {"answer_content": {"mood": "glad"}, "active_seconds": seconds}
        assert person.http.post(f"/worker/tasks/{task['task_id']}/answer", json=body).status_code == 200
    assert ended(rig, "plain")["LabelCounters"]["HumanLabeled"] == 3
    fast = [[f"private.us-east-1.{person.id}"], [], []]
    for line, workers in zip(Output(rig.s3, bucket, "plain").manifest(), fast, strict=True):
        assert line["mood-metadata"].get("answered-too-fast", []) == workers
        assert line["mood"] == {}
        place = line["mood-metadata"]["worker-response-ref"].removeprefix(f"s3://{bucket}/")
        response = json.loads(rig.s3.get_object(Bucket=bucket, Key=place)["Body"].read())
        assert [answer["answerContent"] for answer in response["answers"]] == [{"mood": "glad"}]


def test_a_function_that_raises_fails_the_job_and_says_why(rig: Rig):
    request = started(rig, rig.bucket(), "broken", "broken", None)
    job = ended(rig, "broken")
    assert job["LabelingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(
        f"ClientError: Exception invoking the Lambda function {_ARN.format('broken')}. LambdaErrorCode: "
        f"Unhandled. Ensure the Lambda function exists, that the role {request['RoleArn']} has permissions"
    )
    assert job["FailureReason"].endswith("It said: RuntimeError: half a character (?), and none at all ()")


def test_a_stopped_job_does_not_wait_for_ever_for_a_function_that_is_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(consolidating, "LAST_ATTEMPT", 1)
    started(rig, bucket := rig.bucket(), "left", None, "away")
    work(rig, 3)
    rig.sagemaker.stop_labeling_job(LabelingJobName="left")
    job = ended(rig, "left")
    assert (job["LabelingJobStatus"], job["LabelCounters"]["FailedNonRetryableError"]) == ("Stopped", 3)
    for line in Output(rig.s3, bucket, "left").manifest():
        assert "nobody is at home" in line["mood-metadata"]["failure-reason"]


def test_a_function_that_nobody_has_named_is_refused_at_once(rig: Rig):
    bucket = rig.bucket()
    request = labeling_request("unknown", bucket, attribute="mood", team="us")
    request["HumanTaskConfig"]["PreHumanTaskLambdaArn"] = _ARN.format("os")
    del request["HumanTaskConfig"]["AnnotationConsolidationConfig"]
    code, _, message = refused(rig.sagemaker.create_labeling_job, **request)
    assert code == "ValidationException"
    assert f"{_ARN.format('os')} is not here" in message
