from __future__ import annotations

import json
from hashlib import sha256

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import LocalCloud
from tests.support.names import DOTTED, MEETING, ODD, long_name
from tests.support.sagemaker import log_of, make_model, transform_request, transformed

GROUP = "/aws/sagemaker/TransformJobs"


def outputs(cloud: LocalCloud, bucket: str) -> dict[str, dict]:
    s3 = cloud.client("s3")
    found = s3.list_objects_v2(Bucket=bucket, Prefix="out/").get("Contents", [])
    return {
        item["Key"]: json.loads(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
        for item in found
    }


def fill(cloud: LocalCloud, bucket: str, **objects: bytes) -> None:
    for key, body in objects.items():
        cloud.client("s3").put_object(Bucket=bucket, Key=f"in/{key.replace('__', '/')}", Body=body)


def test_each_object_becomes_one_out(cloud: LocalCloud, bucket: str) -> None:
    fill(cloud, bucket, a=b"one", deep__b=b"three")
    model = make_model(cloud, bucket, f"{bucket}-m", ECHO="from the model")
    name = f"{bucket}-t"
    labeling_job = "arn:aws:sagemaker:us-east-1:000000000000:labeling-job/birds"
    tags = [{"Key": "nightloop:labeling-job", "Value": labeling_job}]
    cloud.client("sagemaker").create_transform_job(**transform_request(name, bucket, model), Tags=tags)

    job = transformed(cloud, name)

    assert job["LabelingJobArn"] == labeling_job, "a tag says for which labeling job it was made"
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TransformEndTime"] >= job["TransformStartTime"] >= job["CreationTime"]
    found = outputs(cloud, bucket)
    assert sorted(found) == ["out/a.out", "out/deep/b.out"]
    answer = found["out/deep/b.out"]
    assert answer["bytes"] == 5
    assert answer["content_type"] == "application/x-image"
    assert answer["accept"] == "application/json"
    assert answer["model"] == ["weights.bin"]
    assert answer["environment"] == "from the model"


def test_a_bad_object_fails_the_job_and_spoils_nothing_else(cloud: LocalCloud, bucket: str) -> None:
    fill(cloud, bucket, a=b"one", b=b"bad", c=b"three")
    model, name = make_model(cloud, bucket, f"{bucket}-m"), f"{bucket}-t"
    cloud.client("sagemaker").create_transform_job(**transform_request(name, bucket, model))

    job = transformed(cloud, name)

    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(
        f"ClientError: 1 of 3 objects have no output, the first is s3://{bucket}"
    )
    assert "unable to decode the image" in job["FailureReason"]
    assert sorted(outputs(cloud, bucket)) == ["out/a.out", "out/c.out"]
    assert any(f"{bucket}/in/b: Bad HTTP status" in line for line in log_of(cloud, GROUP, name))


def test_a_manifest_names_the_objects_and_a_name_may_be_any_text(cloud: LocalCloud, bucket: str) -> None:
    # The keys of their outputs have all of the bytes that S3 takes, and one more.
    names, too_long = [*MEETING, *ODD, *DOTTED, long_name(1016)], long_name(1017)
    s3 = cloud.client("s3")
    for name in (*names, too_long, "no"):
        s3.put_object(Bucket=bucket, Key=f"in/{name}", Body=name.encode())
    manifest = [{"prefix": f"s3://{bucket}/in/"}, too_long, *names]
    s3.put_object(Bucket=bucket, Key="list.json", Body=json.dumps(manifest).encode())
    model, name = make_model(cloud, bucket, f"{bucket}-m"), f"{bucket}-t"
    request = transform_request(name, bucket, model, MaxConcurrentTransforms=2)
    request["TransformInput"]["DataSource"]["S3DataSource"] = {
        "S3DataType": "ManifestFile",
        "S3Uri": f"s3://{bucket}/list.json",
    }
    cloud.client("sagemaker").create_transform_job(**request)

    reason = transformed(cloud, name)["FailureReason"]
    assert reason.startswith(f"ClientError: 1 of {len(names) + 1} objects have no output")
    assert "the key of its output would have 1,025 bytes; S3 takes 1,024" in reason
    found = {key: answer["sha256"] for key, answer in outputs(cloud, bucket).items()}
    assert found == {f"out/{name}.out": sha256(name.encode()).hexdigest() for name in names}


def test_a_model_that_dies_leaves_the_outputs_it_gave(cloud: LocalCloud, bucket: str) -> None:
    fill(cloud, bucket, a=b"one", b=b"crash after an answer")
    model, name = make_model(cloud, bucket, f"{bucket}-m"), f"{bucket}-t"
    once = {"MaxConcurrentTransforms": 2, "ModelClientConfig": {"InvocationsMaxRetries": 0}}
    cloud.client("sagemaker").create_transform_job(**transform_request(name, bucket, model, **once))

    job = transformed(cloud, name)

    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: 1 of 2")
    assert sorted(outputs(cloud, bucket)) == ["out/a.out"]


def test_an_object_over_the_payload_limit_has_no_output(cloud: LocalCloud, bucket: str) -> None:
    fill(cloud, bucket, a=b"one", b=b"x" * (2 << 20))
    model, name = make_model(cloud, bucket, f"{bucket}-m"), f"{bucket}-t"
    cloud.client("sagemaker").create_transform_job(**transform_request(name, bucket, model, MaxPayloadInMB=1))
    assert "its bytes exceed MaxPayloadInMB (1 MB)" in transformed(cloud, name)["FailureReason"]
    assert sorted(outputs(cloud, bucket)) == ["out/a.out"]


def test_a_model_is_asked_as_much_at_once_as_the_request_says_however_much_is_read_ahead(
    cloud: LocalCloud, bucket: str
) -> None:
    fill(cloud, bucket, **{f"k{number}": b"slow" for number in range(6)})
    model, name = make_model(cloud, bucket, f"{bucket}-m"), f"{bucket}-t"
    request = transform_request(name, bucket, model, MaxConcurrentTransforms=3)
    cloud.client("sagemaker").create_transform_job(**request)
    assert transformed(cloud, name)["TransformJobStatus"] == "Completed"
    assert max(answer["at_once"] for answer in outputs(cloud, bucket).values()) <= 3


def test_a_model_that_does_not_come_up_fails_the_job(cloud: LocalCloud, bucket: str) -> None:
    fill(cloud, bucket, a=b"one")
    model, name = make_model(cloud, bucket, f"{bucket}-m", ECHO="broken"), f"{bucket}-t"
    cloud.client("sagemaker").create_transform_job(**transform_request(name, bucket, model))
    reason = transformed(cloud, name)["FailureReason"]
    assert reason == "AlgorithmError: The model server ended with exit code 1: cannot load the model"


def test_requests_that_sagemaker_refuses(cloud: LocalCloud, bucket: str) -> None:
    sagemaker = cloud.client("sagemaker")
    model, name = make_model(cloud, bucket, f"{bucket}-m"), f"{bucket}-t"
    sound = transform_request(name, bucket, model)
    augmented = transform_request(name, bucket, model)
    augmented["TransformInput"]["DataSource"]["S3DataSource"]["S3DataType"] = "AugmentedManifestFile"
    for request, said in (
        (sound | {"ModelName": "no-such-model"}, "Could not find model"),
        (augmented, "not for batch transform"),
        (sound | {"MaxConcurrentTransforms": 20, "MaxPayloadInMB": 6}, "at most 100"),
        (sound | {"BatchStrategy": "MultiRecord"}, "needs SplitType"),
    ):
        with pytest.raises(ClientError, match=said) as error:
            sagemaker.create_transform_job(**request)
        assert error.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError) as error:
        sagemaker.describe_transform_job(TransformJobName="no-such-job")
    assert error.value.response["Error"]["Code"] == "ValidationException"

    sagemaker.create_transform_job(**sound)
    with pytest.raises(ClientError) as error:
        sagemaker.create_transform_job(**sound)
    assert error.value.response["Error"]["Code"] == "ResourceInUse"
    transformed(cloud, name)
    (listed,) = sagemaker.list_transform_jobs(NameContains=bucket)["TransformJobSummaries"]
    assert listed["TransformJobName"] == name


def test_a_stopped_job_stores_no_output(cloud: LocalCloud, bucket: str) -> None:
    fill(cloud, bucket, **{f"k{number}": b"slow" for number in range(30)})
    sagemaker, model, name = (
        cloud.client("sagemaker"),
        make_model(cloud, bucket, f"{bucket}-m"),
        f"{bucket}-t",
    )
    sagemaker.create_transform_job(**transform_request(name, bucket, model))
    sagemaker.stop_transform_job(TransformJobName=name)
    assert transformed(cloud, name)["TransformJobStatus"] == "Stopped"
    assert outputs(cloud, bucket) == {}
