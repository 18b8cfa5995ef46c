"""Labeling jobs as an unmodified boto3 client meets them: made, told, listed, stopped, tagged."""

from __future__ import annotations

import json
import re
from code import InteractiveConsole
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.review_server.labeling.jobs import labeling_request, put_files
from tests.review_server.rig import MEMBERS, Rig, refused
from tests.support.cloud import eventually
from tests.test_setup import ROOT


@pytest.fixture(scope="module")
def bucket(rig: Rig) -> str:
    name = rig.bucket()
    put_files(rig.s3, name, [json.dumps({"source-ref": f"s3://{name}/{n}.jpg"}) for n in range(3)])
    rig.sagemaker.create_workteam(WorkteamName="reviewers", Description="d", MemberDefinitions=MEMBERS)
    return name


def _described(rig: Rig, name: str) -> Any:
    return rig.sagemaker.describe_labeling_job(LabelingJobName=name)


def _until(rig: Rig, name: str, *statuses: str) -> Any:
    return eventually(lambda: (job := _described(rig, name))["LabelingJobStatus"] in statuses and job)


def test_a_job_is_told_as_it_was_made(rig: Rig, bucket: str, monkeypatch: pytest.MonkeyPatch):
    request = labeling_request("Told-1", bucket) | {
        "Tags": [{"Key": "team", "Value": "night"}],
        "StoppingConditions": {"MaxHumanLabeledObjectCount": 2},
    }
    request["InputConfig"]["DataAttributes"] = {"ContentClassifiers": ["FreeOfAdultContent"]}
    price = {"AmountInUsd": {"Dollars": 0, "Cents": 3, "TenthFractionsOfACent": 6}}
    request["HumanTaskConfig"] |= {"MaxConcurrentTaskCount": 200, "PublicWorkforceTaskPrice": price}
    lanes = {lane.name: lane for lane in rig.review.background._lanes}
    with monkeypatch.context() as patch:
        patch.setattr(lanes["Initializing.initialize"], "_job", lambda: False)
        arn = rig.sagemaker.create_labeling_job(**request)["LabelingJobArn"]
        assert arn == "arn:aws:sagemaker:us-east-1:000000000000:labeling-job/told-1"
        assert _described(rig, "Told-1")["LabelCounters"] == dict.fromkeys(
            ("TotalLabeled", "HumanLabeled", "MachineLabeled", "FailedNonRetryableError", "Unlabeled"), 0
        )
    job = _until(rig, "told-1", "InProgress")
    assert {key: job[key] for key in request if key != "OutputConfig"} == {
        key: value for key, value in request.items() if key != "OutputConfig"
    }
    assert job["OutputConfig"] == {"S3OutputPath": f"s3://{bucket}/gt/", "KmsKeyId": ""}
    manifest = f"s3://{bucket}/gt/Told-1/manifests/output/output.manifest"
    assert job["LabelingJobOutput"] == {"OutputDatasetS3Uri": manifest}
    assert job["LabelCounters"]["Unlabeled"] == 3
    assert len(job["JobReferenceCode"]) == 28
    assert job["JobReferenceCode"].startswith("000000000000")
    assert "FailureReason" not in job
    assert job["CreationTime"] <= job["LastModifiedTime"]


def test_a_name_is_taken_for_good_in_any_case(rig: Rig, bucket: str):
    rig.sagemaker.create_labeling_job(**labeling_request("Once", bucket))
    code, status, message = refused(rig.sagemaker.create_labeling_job, **labeling_request("oNCE", bucket))
    assert (code, status) == ("ResourceInUse", 400)
    assert "kept for good" in message
    assert _described(rig, "ONCE")["LabelingJobName"] == "Once"
    code, _, _ = refused(rig.sagemaker.describe_labeling_job, LabelingJobName="never")
    assert code == "ResourceNotFound"


def test_what_nobody_could_label_is_refused_before_it_is_made(rig: Rig, bucket: str):
    request = labeling_request("refused", bucket, team="nobody")
    code, status, message = refused(rig.sagemaker.create_labeling_job, **request)
    assert (code, status) == ("ValidationException", 400)
    assert "workteam/private-crowd/nobody; there are arn:aws:sagemaker" in message
    for workers in (0, 10):
        request["HumanTaskConfig"]["NumberOfHumanWorkersPerDataObject"] = workers
        assert refused(rig.sagemaker.create_labeling_job, **request)[0] == "ValidationException"
    crowd = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"
    request = labeling_request("refused", bucket)
    request["HumanTaskConfig"]["WorkteamArn"] = crowd
    assert "ListWorkteams" in refused(rig.sagemaker.create_labeling_job, **request)[2]
    assert refused(rig.sagemaker.describe_labeling_job, LabelingJobName="refused")[0] == "ResourceNotFound"


@pytest.fixture(scope="module")
def listed(rig: Rig, bucket: str) -> list[str]:
    """Five jobs whose order by name is not that by time; the third is stopped, and the last fails."""
    names = ["list-d", "list-B", "list-a", "list-E", "list-c"]
    for name in names:
        request = labeling_request(name, bucket)
        if name == "list-c":
            request["LabelCategoryConfigS3Uri"] = f"s3://{bucket}/absent.json"
        rig.sagemaker.create_labeling_job(**request)
    rig.sagemaker.stop_labeling_job(LabelingJobName="list-a")
    for name in names:
        _until(rig, name, "InProgress", "Failed", "Stopping", "Stopped")
    return names


def _names(rig: Rig, **params: Any) -> list[str]:
    pages = rig.sagemaker.get_paginator("list_labeling_jobs").paginate(
        NameContains="LIST-", PaginationConfig={"PageSize": 2}, **params
    )
    return [job["LabelingJobName"] for page in pages for job in page["LabelingJobSummaryList"]]


def test_jobs_are_listed_in_every_order_page_by_page(rig: Rig, listed: list[str]):
    assert _names(rig) == listed
    assert _names(rig, SortOrder="Descending") == listed[::-1]
    assert _names(rig, SortBy="Name") == ["list-a", "list-B", "list-c", "list-d", "list-E"]
    assert _names(rig, SortBy="Name", SortOrder="Descending")[0] == "list-E"
    by_status = _names(rig, SortBy="Status")
    assert by_status[0] == "list-c", "Failed comes before InProgress"
    assert sorted(by_status) == sorted(listed)
    assert _names(rig, StatusEquals="Failed") == ["list-c"]
    modified = _described(rig, "list-c")["LastModifiedTime"]
    assert "list-c" in _names(rig, LastModifiedTimeAfter=modified)
    assert "list-c" not in _names(rig, LastModifiedTimeBefore=modified)
    assert _names(rig, CreationTimeAfter=datetime.now(UTC) + timedelta(hours=1)) == []


def test_a_token_holds_for_the_order_that_it_was_given_for(rig: Rig, listed: list[str]):
    lists = rig.sagemaker.list_labeling_jobs
    token = lists(NameContains="list-", MaxResults=1, SortBy="Name")["NextToken"]
    for wrong in (token, "bm9uc2Vuc2U=", "!", "W10="):
        assert refused(lists, NextToken=wrong)[0] == "ValidationException"


def test_a_summary_says_who_works_and_what_became_of_it(rig: Rig, bucket: str, listed: list[str]):
    reply = rig.sagemaker.list_labeling_jobs(NameContains="list-c")
    (job,) = reply["LabelingJobSummaryList"]
    asked = labeling_request("list-c", bucket)["HumanTaskConfig"]
    assert job["WorkteamArn"] == asked["WorkteamArn"]
    assert job["PreHumanTaskLambdaArn"].endswith("PRE-BoundingBox")
    assert job["AnnotationConsolidationLambdaArn"].endswith("ACS-BoundingBox")
    assert job["FailureReason"] == (
        f"ClientError: LabelCategoryConfigS3Uri s3://{bucket}/absent.json: there is no such object"
    )
    assert "LabelingJobOutput" not in job


def test_a_team_sees_its_jobs_by_their_reference_codes(rig: Rig, bucket: str):
    team = rig.sagemaker.create_workteam(
        WorkteamName="other-team", Description="d", MemberDefinitions=MEMBERS
    )["WorkteamArn"]
    for name in ("team-1", "team-2"):
        rig.sagemaker.create_labeling_job(**labeling_request(name, bucket, team="other-team"))
        _until(rig, name, "InProgress")
    lists = rig.sagemaker.list_labeling_jobs_for_workteam
    first, second = lists(WorkteamArn=team)["LabelingJobSummaryList"]
    assert first["LabelingJobName"] == "team-1"
    assert first["WorkRequesterAccountId"] == "000000000000"
    assert first["LabelCounters"] == {"HumanLabeled": 0, "PendingHuman": 3, "Total": 3}
    found = lists(WorkteamArn=team, JobReferenceCodeContains=second["JobReferenceCode"][-8:])
    assert [job["LabelingJobName"] for job in found["LabelingJobSummaryList"]] == ["team-2"]
    assert lists(WorkteamArn=team, JobReferenceCodeContains="\0")["LabelingJobSummaryList"] == []
    unknown = team.replace("other-team", "nobody")
    assert refused(lists, WorkteamArn=unknown)[0] == "ResourceNotFound"
    code, _, message = refused(rig.sagemaker.delete_workteam, WorkteamName="other-team")
    assert code == "ValidationException"
    assert "labeling job team-1" in message


def test_only_a_job_that_has_not_ended_can_be_stopped(rig: Rig, bucket: str):
    team = rig.flow().team
    rig.sagemaker.create_labeling_job(**labeling_request("stopped", bucket, team=team))
    # It does not end while somebody has a task of it in hand.
    assert eventually(rig.worker(team).take)
    for _ in range(2):
        assert rig.sagemaker.stop_labeling_job(LabelingJobName="Stopped")
    code, _, _ = refused(rig.sagemaker.stop_labeling_job, LabelingJobName="never")
    assert code == "ResourceNotFound"
    bad = labeling_request("failed", bucket)
    bad["LabelCategoryConfigS3Uri"] = f"s3://{bucket}/input.manifest"
    rig.sagemaker.create_labeling_job(**bad)
    _until(rig, "failed", "Failed")
    code, _, message = refused(rig.sagemaker.stop_labeling_job, LabelingJobName="failed")
    assert (code, "is in status Failed" in message) == ("ValidationException", True)


def test_tags_of_a_job_can_be_changed(rig: Rig, bucket: str):
    request = labeling_request("Tagged", bucket) | {"Tags": [{"Key": "a", "Value": "1"}]}
    arn = rig.sagemaker.create_labeling_job(**request)["LabelingJobArn"]
    rig.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    assert _described(rig, "tagged")["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    many = [{"Key": f"k{n}", "Value": ""} for n in range(49)]
    assert refused(rig.sagemaker.add_tags, ResourceArn=arn, Tags=many)[0] == "ValidationException"
    odd = [{"Key": "a\0", "Value": "1"}]
    assert "other characters" in refused(rig.sagemaker.add_tags, ResourceArn=arn, Tags=odd)[2]
    rig.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "absent"])
    assert rig.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": ""}]
    rig.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["b"])
    assert "Tags" not in _described(rig, "tagged")
    request = labeling_request("Oddly-tagged", bucket) | {"Tags": odd}
    assert "other characters" in refused(rig.sagemaker.create_labeling_job, **request)[2]
    missing = refused(rig.sagemaker.describe_labeling_job, LabelingJobName="oddly-tagged")
    assert missing[0] == "ResourceNotFound", "nothing was made"


def test_a_job_mounted_in_the_local_cloud_shares_the_clouds_tags(rig: Rig):
    cloud = rig.cloud.client("sagemaker")
    bucket, name, team = rig.bucket(), rig.name("in-cloud"), rig.name("cloud-team")
    cloud.create_workteam(WorkteamName=team, Description="d", MemberDefinitions=MEMBERS)
    request = labeling_request(name, bucket, team=team) | {"Tags": [{"Key": "a", "Value": "1"}]}
    arn = cloud.create_labeling_job(**request)["LabelingJobArn"]
    assert cloud.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
    cloud.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}])
    job = eventually(
        lambda: (
            (job := cloud.describe_labeling_job(LabelingJobName=name))["LabelingJobStatus"] == "Failed"
            and job
        )
    )
    assert job["Tags"] == [{"Key": "a", "Value": "2"}]
    assert "there is no such object" in job["FailureReason"]


def test_automated_labeling_needs_sagemaker_and_enough_objects(rig: Rig, bucket: str):
    """The rig is told of no SageMaker; the local cloud is one."""
    arn = "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/object-detection"
    algorithm = {"LabelingJobAlgorithmsConfig": {"LabelingJobAlgorithmSpecificationArn": arn}}
    code, _, message = refused(
        rig.sagemaker.create_labeling_job, **labeling_request("automated", bucket) | algorithm
    )
    assert code == "ValidationException"
    assert "--sagemaker-endpoint" in message

    cloud = rig.cloud.client("sagemaker")
    name, team = rig.name("automated"), rig.name("few")
    cloud.create_workteam(WorkteamName=team, Description="d", MemberDefinitions=MEMBERS)
    cloud.create_labeling_job(**labeling_request(name, bucket, team=team) | algorithm)
    job = eventually(
        lambda: (
            (job := cloud.describe_labeling_job(LabelingJobName=name))["LabelingJobStatus"] == "Failed"
            and job
        )
    )
    assert "1,250 objects" in job["FailureReason"]
    assert "there are 3" in job["FailureReason"]


def test_the_example_of_the_documentation_works_as_it_is_pasted(
    rig: Rig, bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    keys = rig.cloud.keys()
    monkeypatch.setenv("AWS_ENDPOINT_URL", rig.cloud.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", rig.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), keys, strict=True):
        monkeypatch.setenv(name, value)
    team = rig.flow().team
    rig.s3.put_object(Bucket=bucket, Key="parts/one.png", Body=b"picture")
    text = (ROOT / "docs/how-to/labeling-api.md").read_text()
    make, wait = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    _, _, make = make.partition("\n")
    console = InteractiveConsole()

    def paste(lines: str) -> str:
        for line in f"{lines}\n".split("\n"):
            console.push(line)
        told = capsys.readouterr()
        assert "Error" not in told.err, told.err
        return str(told.out)

    arn = paste(f'bucket, folder, team = "{bucket}", "parts/", "{team}"\n{make}').split()[-1]
    assert arn.endswith(":labeling-job/box-r1")
    _until(rig, "box-r1", "InProgress")
    box = {"left": 1, "top": 2, "width": 3, "height": 4, "label": "circle"}
    drawn = {"boundingBoxes": [box], "inputImageProperties": {"width": 10, "height": 10}}
    for _ in range(2):
        worker = rig.worker(team)
        task = eventually(worker.take)
        assert worker.do("answer", task, {"boundingBox": drawn}).status_code == 200
    _until(rig, "box-r1", "Completed")
    line = json.loads(paste(wait).strip().split("\n")[-1])
    assert line["box-metadata"]["class-map"] == {"0": "circle"}
