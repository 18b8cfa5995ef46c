from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import DETECTION_IMAGE, LocalCloud, eventually
from tests.support.sagemaker import channel, log_of, trained, training_request, unpacked

GROUP = "/aws/sagemaker/TrainingJobs"


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    detail = error.value.response["Error"]
    return detail["Code"], detail["Message"]


def test_a_job_leaves_artifacts_metrics_transitions_and_a_log(cloud: LocalCloud, bucket: str) -> None:
    s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
    s3.put_object(Bucket=bucket, Key="in/a/1.txt", Body=b"one")
    name = f"{bucket}-job"
    sagemaker.create_training_job(
        **training_request(
            name,
            bucket,
            InputDataConfig=[channel("train", f"s3://{bucket}/in/")],
            HyperParameters={"epochs": "1"},
            Environment={"ECHO": "hello"},
            Tags=[{"Key": "pipeline", "Value": "digits"}],
        )
    )

    job = trained(cloud, name)

    assert "LabelingJobArn" not in job
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    uri = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://{bucket}/models/{name}/output/model.tar.gz"
    seen = json.loads(unpacked(cloud, uri)["seen.json"])
    assert seen["seen"] == {"train": {"a/1.txt": 3}}
    assert seen["hyperparameters"] == {"epochs": "1"}
    assert unpacked(cloud, uri.replace("model.tar", "output.tar")) == {"notes.txt": b"notes"}
    transitions = job["SecondaryStatusTransitions"]
    # It is Pending too while earlier tests' jobs have all places.
    assert [item["Status"] for item in transitions if item["Status"] != "Pending"] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert all(item["StatusMessage"] and item["StartTime"] <= item["EndTime"] for item in transitions)
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("score", 0.75)
    assert job["TrainingEndTime"] >= job["TrainingStartTime"] >= job["CreationTime"]
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] >= 1
    assert log_of(cloud, GROUP, f"{name}/algo-1-") == ["started", "score=0.5", "score=0.75"]
    assert sagemaker.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"] == [
        {"Key": "pipeline", "Value": "digits"}
    ]


def test_a_failed_container_gives_its_reason_and_keeps_its_metrics(cloud: LocalCloud, bucket: str) -> None:
    name = f"{bucket}-job"
    cloud.client("sagemaker").create_training_job(
        **training_request(name, bucket, HyperParameters={"do": "fail", "reason": "no boxes in the data"})
    )

    job = trained(cloud, name)

    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no boxes in the data, exit code: 3"
    assert job["FinalMetricDataList"][0]["Value"] == pytest.approx(0.1)
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == ""

    def told() -> list[str]:
        """What the cloud's own log says of it: a line when it began, one when it ended."""
        return [line for line in (cloud.data / "cloud.log").read_text().splitlines() if name in line]

    eventually(lambda: len(told()) == 2)
    begin, end = told()
    assert re.search(f" INFO .*: training-job {name} starts$", begin)
    assert re.search(
        rf" INFO .*: training-job {name} ended after \d+ s: Failed: {job['FailureReason']}$", end
    )


def test_a_long_reason_is_cut_and_a_container_that_was_killed_says_so(cloud: LocalCloud, bucket: str) -> None:
    sagemaker = cloud.client("sagemaker")
    for name, settings in (("long", {"do": "fail", "reason": "x" * 2000}), ("dead", {"do": "die"})):
        sagemaker.create_training_job(
            **training_request(f"{bucket}-{name}", bucket, HyperParameters=settings)
        )

    reason = trained(cloud, f"{bucket}-long")["FailureReason"]
    assert len(reason) == 1024
    assert reason.endswith("x, exit code: 3")
    assert trained(cloud, f"{bucket}-dead")["FailureReason"] == "AlgorithmError: started, killed by signal 9"


def test_missing_data_is_the_clients_error(cloud: LocalCloud, bucket: str) -> None:
    cloud.client("sagemaker").create_training_job(
        **training_request(f"{bucket}-job", bucket, InputDataConfig=[channel("train", f"s3://{bucket}/no/")])
    )
    job = trained(cloud, f"{bucket}-job")
    assert job["FailureReason"].startswith(
        f'ClientError: No S3 objects found under S3 URL "s3://{bucket}/no/"'
    )


@pytest.mark.parametrize("do", ["sleep", "ignore-sigterm"])
def test_a_stopped_job_keeps_what_it_has(cloud: LocalCloud, bucket: str, do: str) -> None:
    """SIGTERM first; a container that does not listen is killed when the grace period is over."""
    sagemaker, name = cloud.client("sagemaker"), f"{bucket}-job"
    sagemaker.create_training_job(**training_request(name, bucket, HyperParameters={"do": do}))
    eventually(lambda: "sleeping" in log_of(cloud, GROUP, f"{name}/"))

    sagemaker.stop_training_job(TrainingJobName=name)
    stopping = sagemaker.describe_training_job(TrainingJobName=name)
    job = trained(cloud, name)

    assert stopping["TrainingJobStatus"] in ("Stopping", "Stopped")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert unpacked(cloud, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"half.txt": b"half done"}
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.stop_training_job(TrainingJobName=name)


def test_a_job_out_of_time_is_stopped(cloud: LocalCloud, bucket: str) -> None:
    name = f"{bucket}-job"
    cloud.client("sagemaker").create_training_job(
        **training_request(
            name,
            bucket,
            HyperParameters={"do": "sleep"},
            StoppingCondition={"MaxRuntimeInSeconds": 1},
        )
    )
    job = trained(cloud, name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_requests_that_sagemaker_refuses(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, name = cloud.client("sagemaker"), f"{bucket}-job"
    create = sagemaker.create_training_job
    sound = training_request(name, bucket)
    create(**sound)

    with pytest.raises(ClientError) as error:
        create(**sound)
    assert refusal(error)[0] == "ResourceInUse"
    assert "must be unique within an AWS account and region" in refusal(error)[1]

    specification = sound["AlgorithmSpecification"]
    unknown = specification | {"TrainingImage": "1.dkr.ecr.us-east-1.amazonaws.com/xgboost:1"}
    built_in = specification | {"TrainingImage": DETECTION_IMAGE}
    manifest = channel("train", f"s3://{bucket}/m", "AugmentedManifestFile", AttributeNames=["source-ref"])
    for changes, code, said in (
        (
            {"AlgorithmSpecification": unknown},
            "ValidationException",
            "It has blobs, fake, image-classificati",
        ),
        ({"AlgorithmSpecification": built_in}, "ValidationException", "override the metric definitions"),
        ({"InputDataConfig": [manifest]}, "ValidationException", "needs InputMode Pipe"),
        ({"InputDataConfig": [manifest | {"InputMode": "Pipe"}] * 2}, "ValidationException", "unique"),
        ({"EnableManagedSpotTraining": True}, "ValidationException", "MaxWaitTimeInSeconds"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 432_001}},
            "ResourceLimitExceeded",
            "Longest run time",
        ),
        (
            {"AlgorithmSpecification": specification | {"MetricDefinitions": [{"Name": "a", "Regex": "("}]}},
            "ValidationException",
            "Metric a has no regex",
        ),
        (
            {
                "AlgorithmSpecification": specification
                | {"MetricDefinitions": [{"Name": "a", "Regex": "a{99999999999}"}]}
            },
            "ValidationException",
            "Metric a has no regex",
        ),
        ({"InputDataConfig": [channel("..", f"s3://{bucket}/m")]}, "ValidationException", "no name of"),
        (
            {
                "InputDataConfig": [
                    channel("a", f"s3://{bucket}/m") | {"InputMode": "Pipe"},
                    channel("a_0", f"s3://{bucket}/m"),
                ]
            },
            "ValidationException",
            "a Pipe channel's epoch",
        ),
        *(
            (
                {"CheckpointConfig": {"S3Uri": f"s3://{bucket}/c", "LocalPath": f"/opt/ml/{path}"}},
                "ValidationException",
                "must be a directory of its own",
            )
            for path in ("model.tar.gz", "a\0b", "x" * 256)
        ),
        ({"TrainingJobName": "-no"}, "ValidationException", "regular expression"),
    ):
        with pytest.raises(ClientError) as error:
            create(**sound | {"TrainingJobName": f"{name}-2"} | changes)
        assert refusal(error)[0] == code
        assert said in refusal(error)[1]


def test_a_missing_job_is_a_validation_exception(cloud: LocalCloud) -> None:
    """Airflow's provider tells a missing job by this code."""
    with pytest.raises(ClientError) as error:
        cloud.client("sagemaker").describe_training_job(TrainingJobName="no-such-job")
    assert refusal(error) == ("ValidationException", "Requested resource not found.")


def test_jobs_beyond_the_limit_wait_their_turn(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, gate = cloud.client("sagemaker"), cloud.gate(bucket)
    settings = {"do": "sleep", "until": gate.name}
    names = [f"{bucket}-{number}" for number in range(5)]
    for name in names:
        sagemaker.create_training_job(**training_request(name, bucket, HyperParameters=settings))

    try:
        waiting = trained(cloud, names[-1], "Pending")
    finally:
        gate.touch()  # else they keep all places for ever

    assert "3 jobs run at once" in waiting["SecondaryStatusTransitions"][-1]["StatusMessage"]
    assert [trained(cloud, name)["TrainingJobStatus"] for name in names] == ["Completed"] * 5


def test_lists_are_paged_sorted_and_filtered(cloud: LocalCloud, bucket: str) -> None:
    sagemaker = cloud.client("sagemaker")
    before = datetime.now(UTC)
    names = [f"{bucket}-{letter}" for letter in "cab"]
    for name in names:
        sagemaker.create_training_job(
            **training_request(name, bucket, HyperParameters={"do": "fail"} if name.endswith("a") else {})
        )
    for name in names:
        trained(cloud, name)

    def listed(**filters: object) -> list[str]:
        pages = sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains=bucket, PaginationConfig={"PageSize": 2}, **filters
        )
        return [job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]]

    assert listed() == names
    assert listed(SortOrder="Descending") == names[::-1]
    assert listed(SortBy="Name") == sorted(names)
    assert listed(SortBy="Status", SortOrder="Descending")[0] == names[1]
    assert listed(StatusEquals="Failed") == [names[1]]
    assert listed(CreationTimeBefore=before) == []
    assert listed(CreationTimeAfter=before) == names
    # As documented, the status filter works on a page that was already cut.
    page = sagemaker.list_training_jobs(NameContains=bucket, StatusEquals="Failed", MaxResults=1)
    assert page["TrainingJobSummaries"] == []
    assert page["NextToken"]
    with pytest.raises(ClientError, match="NextToken"):
        sagemaker.list_training_jobs(NextToken="nonsense")


@pytest.mark.parametrize("key", ["a%00b/c", "a.gz"])
def test_an_object_that_no_file_can_be_fails_its_job_once(cloud: LocalCloud, bucket: str, key: str) -> None:
    s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
    s3.put_object(Bucket=bucket, Key=f"in/{unquote(key)}", Body=gzip.compress(b"x"))
    s3.put_object(Bucket=bucket, Key="in/a/b", Body=b"x")
    changes = {"InputDataConfig": [channel("train", f"s3://{bucket}/in/") | {"CompressionType": "Gzip"}]}
    sagemaker.create_training_job(**training_request(f"{bucket}-job", bucket, **changes))
    assert trained(cloud, f"{bucket}-job")["FailureReason"].startswith("ClientError: ")
