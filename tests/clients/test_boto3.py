"""boto3's and aiobotocore's further manners: resources, waiters, and what SDKs add to an upload unasked."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from tests.local_cloud.control.test_endpoints import make_config
from tests.support.cloud import LocalCloud
from tests.support.sagemaker import make_model, training_request, transform_request

SIZES = {"CRC32": 4, "SHA256": 32}  # bytes
QUICK = {"Delay": 1, "MaxAttempts": 120}


def resource(cloud: LocalCloud, service: str) -> Any:
    return cloud.session().resource(service, endpoint_url=cloud.endpoint_url)


def test_s3_by_resources_and_collections(cloud: LocalCloud, bucket: str, tmp_path: Path) -> None:
    s3 = resource(cloud, "s3")
    place = s3.Bucket(bucket)
    (tmp_path / "file").write_bytes(b"from a file")
    place.upload_file(str(tmp_path / "file"), "a/file")
    s3.Object(bucket, "a/b c+ü").put(Body=b"v", Metadata={"who": "me"}, StorageClass="STANDARD_IA")
    for number in range(5):
        place.put_object(Key=f"b/{number}", Body=b"")
    assert [item.key for item in place.objects.filter(Prefix="a/")] == ["a/b c+ü", "a/file"]
    assert [item.key for item in place.objects.page_size(2).limit(4)][-1] == "b/1"
    assert len(list(place.objects.page_size(3).pages())) == 3
    thing = s3.Object(bucket, "a/b c+ü")
    assert (thing.content_length, thing.metadata, thing.storage_class) == (1, {"who": "me"}, "STANDARD_IA")
    s3.Object(bucket, "copy").copy_from(CopySource={"Bucket": bucket, "Key": "a/b c+ü"})
    assert s3.Object(bucket, "copy").get()["Body"].read() == b"v"
    s3.Object(bucket, "a/file").download_file(str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"from a file"
    assert place in list(s3.buckets.all())
    upload = s3.Object(bucket, "parts").initiate_multipart_upload()
    part = upload.Part(1).upload(Body=b"p")
    assert [item.part_number for item in upload.parts.all()] == [1]
    upload.complete(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    place.objects.all().delete()
    assert list(place.objects.all()) == []
    place.delete()
    place.wait_until_not_exists()


def test_queues_roles_and_metrics_by_resources(cloud: LocalCloud, bucket: str) -> None:
    queue = resource(cloud, "sqs").create_queue(QueueName=bucket)
    for number in range(12):
        queue.send_message(MessageBody=f"{number}")
    seen: set[str] = set()
    while messages := queue.receive_messages(MaxNumberOfMessages=10):
        for message in messages:
            assert message.body not in seen
            seen.add(message.body)
            message.delete()
    assert len(seen) == 12
    queue.delete()
    iam = resource(cloud, "iam")
    role = iam.create_role(RoleName=bucket, AssumeRolePolicyDocument="{}")
    assert role in list(iam.roles.all())
    role.delete()
    now = datetime.now(UTC)
    metric = resource(cloud, "cloudwatch").Metric(bucket, "loss")
    metric.put_data(MetricData=[{"MetricName": "loss", "Value": value, "Timestamp": now} for value in (1, 3)])
    found = metric.get_statistics(
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=60,
        Statistics=["Average"],
    )
    assert [point["Average"] for point in found["Datapoints"]] == [2.0]


def test_every_waiter_that_applies_here(cloud: LocalCloud, bucket: str) -> None:
    sagemaker, s3, name = cloud.client("sagemaker"), cloud.client("s3"), bucket
    s3.put_object(Bucket=bucket, Key="in/1", Body=b"x")
    model = make_model(cloud, bucket, f"{name}-m")
    sagemaker.create_training_job(**training_request(f"{name}-good", bucket))
    sagemaker.create_training_job(**training_request(f"{name}-bad", bucket, HyperParameters={"do": "fail"}))
    sagemaker.create_transform_job(**transform_request(f"{name}-t", bucket, model))
    config = make_config(cloud, bucket, f"{name}-c")
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    waits: list[tuple[str, dict[str, str]]] = [
        ("training_job_completed_or_stopped", {"TrainingJobName": f"{name}-good"}),
        ("transform_job_completed_or_stopped", {"TransformJobName": f"{name}-t"}),
        ("endpoint_in_service", {"EndpointName": name}),
        ("endpoint_deleted", {"EndpointName": name}),
    ]
    for waiter, arguments in waits:
        if waiter == "endpoint_deleted":
            sagemaker.delete_endpoint(EndpointName=name)
        sagemaker.get_waiter(waiter).wait(**arguments, WaiterConfig=QUICK)
    with pytest.raises(WaiterError, match="terminal failure"):
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName=f"{name}-bad", WaiterConfig=QUICK
        )
    others = set(sagemaker.waiter_names) - {waiter for waiter, _ in waits}
    assert {other.partition("_")[0] for other in others} == {"image", "notebook", "processing"}
    s3.get_waiter("bucket_exists").wait(Bucket=bucket)
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="in/1")
    s3.get_waiter("object_not_exists").wait(Bucket=bucket, Key="none")
    s3.get_waiter("bucket_not_exists").wait(Bucket=f"{bucket}-none")
    cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    cloud.client("iam").get_waiter("role_exists").wait(RoleName=name)


def test_aiobotocore_pages_and_waits(cloud: LocalCloud, bucket: str) -> None:
    """The clients of Airflow's triggerer."""
    key, secret = cloud.keys()
    s3 = cloud.client("s3")
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"some/{number}", Body=b"x")
    cloud.client("sagemaker").create_training_job(**training_request(f"{bucket}-aio", bucket))
    settings: dict[str, Any] = {
        "endpoint_url": cloud.endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": key,
        "aws_secret_access_key": secret,
    }

    async def look() -> list[str]:
        session = get_session()
        async with session.create_client("s3", **settings) as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, PaginationConfig={"PageSize": 2}
            )
            keys = [item["Key"] async for page in pages for item in page["Contents"]]
        async with session.create_client(
            "sagemaker", **settings, config=AioConfig(max_pool_connections=2)
        ) as sm:
            await sm.get_waiter("training_job_completed_or_stopped").wait(
                TrainingJobName=f"{bucket}-aio", WaiterConfig=QUICK
            )
        async with session.create_client("logs", **settings) as logs:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{bucket}-aio/"
            )
            lines = [event["message"] async for page in pages for event in page["events"]]
        assert lines[0] == "started"
        return keys

    assert asyncio.run(look()) == [f"some/{number}" for number in range(5)]


ODD_KEYS = (
    "a b+c/ü&<>.bin",
    "x%2Fy",
    "q?r=1#z",
    "folder//double",
    "~'(x)*!",
    "/leading",
    "trailing/",
    ".",
    "..",
)


@pytest.mark.parametrize("suffix", ["", ".with.dots"])
@pytest.mark.parametrize("checksums", ["when_supported", "when_required"])
def test_any_key_in_any_bucket_with_and_without_checksums(
    cloud: LocalCloud, bucket: str, suffix: str, checksums: str
) -> None:
    s3 = cloud.session().client(
        "s3",
        endpoint_url=cloud.endpoint_url,
        config=Config(request_checksum_calculation=checksums, response_checksum_validation=checksums),
    )
    if suffix:
        s3.create_bucket(Bucket=bucket + suffix)
    for key in ODD_KEYS:
        s3.put_object(Bucket=bucket + suffix, Key=key, Body=key.encode())
        found = s3.get_object(Bucket=bucket + suffix, Key=key)
        assert found["Body"].read() == key.encode()
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket + suffix)["Contents"]] == sorted(
        ODD_KEYS
    )


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_the_checksum_of_an_object_of_several_parts(cloud: LocalCloud, bucket: str, algorithm: str) -> None:
    s3, data = cloud.client("s3"), b"0123456789" * 600_000
    s3.upload_fileobj(
        io.BytesIO(data),
        bucket,
        "k",
        ExtraArgs={"ChecksumAlgorithm": algorithm},
        Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20),
    )
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found["Body"].read() == data
    assert found[f"Checksum{algorithm}"]
    wrong = {f"Checksum{algorithm}": base64.b64encode(b"x" * SIZES[algorithm]).decode()}
    with pytest.raises(ClientError, match=r"checksum|BadDigest"):
        s3.put_object(Bucket=bucket, Key="other", Body=b"y", **wrong)


def test_what_is_stored_compressed_comes_back_as_it_was(cloud: LocalCloud, bucket: str) -> None:
    s3, packed = cloud.client("s3"), gzip.compress(b"text" * 1_000)
    s3.put_object(Bucket=bucket, Key="k", Body=packed, ContentEncoding="gzip", ContentType="text/plain")
    found = s3.get_object(Bucket=bucket, Key="k")
    assert (found["Body"].read(), found["ContentEncoding"]) == (packed, "gzip")


def test_conditions_and_ranges(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789", IfNoneMatch="*")["ETag"]

    def code(call: Any, **arguments: Any) -> str:
        with pytest.raises(ClientError) as error:
            call(Bucket=bucket, Key="k", **arguments)
        return str(error.value.response["Error"]["Code"])

    assert code(s3.put_object, Body=b"x", IfNoneMatch="*") == "PreconditionFailed"
    assert code(s3.put_object, Body=b"x", IfMatch='"other"') == "PreconditionFailed"
    assert code(s3.get_object, IfMatch='"other"') == "PreconditionFailed"
    assert code(s3.get_object, IfNoneMatch=tag) == "304"
    written = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert code(s3.get_object, IfModifiedSince=written) == "304"
    assert code(s3.get_object, Range="bytes=10-") == "InvalidRange"
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=tag)["Body"].read() == b"0123456789"
    for asked, answer, said in (
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ):
        found = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert (found["Body"].read(), found["ContentRange"]) == (answer, said)
    s3.put_object(Bucket=bucket, Key="k", Body=b"new", IfMatch=tag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"
