"""Ordinary S3 clients get everything through the cloud's doors that they sign for."""

from __future__ import annotations

import asyncio
import io
import random
from pathlib import Path

import httpx
from boto3.s3.transfer import TransferConfig

from tests.local_cloud.test_aws_tools import aws
from tests.support.cloud import LocalCloud

_PART = 5 << 20  # the smallest that S3 allows


def test_boto3_uploads_in_parts_copies_reads_ranges_and_deletes(cloud: LocalCloud, bucket: str) -> None:
    s3, data = cloud.client("s3"), random.Random(1).randbytes(2 * _PART + 7)
    in_parts = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=2)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big", Config=in_parts)
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy", Config=in_parts)
    s3.copy_object(Bucket=bucket, Key="ünï c+p y", CopySource={"Bucket": bucket, "Key": "big"})
    for key in ("big", "copy", "ünï c+p y"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == data
    assert s3.get_object(Bucket=bucket, Key="big", Range="bytes=3-9")["Body"].read() == data[3:10]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [item["Key"] for page in pages for item in page["Contents"]] == ["big", "copy", "ünï c+p y"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "big"}, {"Key": "copy"}]})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_boto3_keeps_what_describes_an_object(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    said = {
        "ContentType": "image/jpeg",
        "ContentDisposition": 'inline; filename="ü.jpg"',
        "Metadata": {"a": "b  c"},
    }
    for algorithm in ("CRC32", "SHA256", "SHA1"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"pixels", ChecksumAlgorithm=algorithm, **said)
        found = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert found["ContentType"] == "image/jpeg"
        assert f"Checksum{algorithm}" in found
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b=2")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2"},
    ]


def test_presigned_urls_say_how_an_object_is_shown(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="a b/ü+1.csv", Body=b"1;2", ContentType="application/octet-stream")
    shown = {
        "ResponseContentType": "text/csv",
        "ResponseContentDisposition": 'attachment; filename="a b.csv"',
    }
    named = {"Bucket": bucket, "Key": "a b/ü+1.csv"}
    reply = httpx.get(s3.generate_presigned_url("get_object", Params=named | shown))
    assert (reply.content, reply.headers["content-type"]) == (b"1;2", "text/csv")
    assert reply.headers["content-disposition"] == 'attachment; filename="a b.csv"'
    assert (
        httpx.get(s3.generate_presigned_url("get_object", Params=named), headers={"Range": "bytes=1-"}).text
        == ";2"
    )
    reply = httpx.head(s3.generate_presigned_url("head_object", Params=named))
    assert (reply.status_code, reply.headers["content-length"]) == (200, "3")
    two_lines = {"ResponseContentDisposition": "inline\r\nSet-Cookie: a=b"}
    assert httpx.get(s3.generate_presigned_url("get_object", Params=named | two_lines)).status_code == 400


def test_a_temporary_key_presigns_too(cloud: LocalCloud, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="k", Body=b"v")
    role = cloud.client("iam").create_role(RoleName=bucket, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    s3 = cloud.session().client(
        "s3",
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert httpx.get(url).content == b"v"
    assert httpx.get(url.replace("X-Amz-Security-Token", "X-Amz-Other")).status_code == 403


def test_the_aws_command_line_uploads_in_parts_and_presigns(
    cloud: LocalCloud, bucket: str, tmp_path: Path
) -> None:
    data = random.Random(2).randbytes((8 << 20) + 1)  # it cuts what is larger than 8 MiB
    (tmp_path / "big").write_bytes(data)
    aws(cloud, "s3", "cp", str(tmp_path / "big"), f"s3://{bucket}/big")
    aws(cloud, "s3", "cp", f"s3://{bucket}/big", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data
    url = aws(cloud, "s3", "presign", f"s3://{bucket}/big", "--expires-in", "60").strip()
    assert httpx.get(url).content == data


def test_aiobotocore_reads_and_writes(cloud: LocalCloud, bucket: str) -> None:
    """The triggerer's client, and s3fs's."""
    from aiobotocore.session import get_session

    key_id, secret = cloud.keys()

    async def write_and_read() -> bytes:
        async with get_session().create_client(
            "s3",
            endpoint_url=cloud.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
        ) as s3:
            await s3.put_object(Bucket=bucket, Key="k", Body=b"v" * 100000)
            reply = await s3.get_object(Bucket=bucket, Key="k")
            async with reply["Body"] as stream:
                return bytes(await stream.read())

    assert asyncio.run(write_and_read()) == b"v" * 100000
