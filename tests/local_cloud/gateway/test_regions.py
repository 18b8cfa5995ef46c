"""A client of another Region: told so at both ports, and helped by S3's SDK as by AWS."""

from __future__ import annotations

from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.cloud import LocalCloud


def elsewhere(cloud: LocalCloud, service: str, url: str | None = None) -> Any:
    """A client that is set up for another Region."""
    key, secret = cloud.keys()
    return boto3.client(
        service,
        endpoint_url=url or cloud.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(signature_version="s3v4") if service == "s3" else None,
    )


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("sagemaker", "list_training_jobs", {}),
        ("sagemaker-a2i-runtime", "describe_human_loop", {"HumanLoopName": "any"}),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "any", "Body": b""}),
        ("logs", "describe_log_groups", {}),
        ("sqs", "list_queues", {}),
        ("events", "list_rules", {}),
        ("cloudwatch", "list_metrics", {}),
        ("s3", "list_buckets", {}),
    ],
)
def test_a_call_for_another_region_is_refused_with_the_right_one(
    cloud: LocalCloud, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(
        ClientError, match="'eu-west-1' is wrong; expecting 'us-east-1': set AWS_REGION"
    ) as error:
        getattr(elsewhere(cloud, service), operation)(**arguments)
    code = "AuthorizationHeaderMalformed" if service == "s3" else "InvalidSignatureException"
    assert error.value.response["Error"]["Code"] == code


def test_the_review_port_refuses_another_region_too(cloud: LocalCloud) -> None:
    for service, operation, arguments in (
        ("sagemaker", "list_flow_definitions", {}),
        ("sagemaker-a2i-runtime", "describe_human_loop", {"HumanLoopName": "any"}),
    ):
        with pytest.raises(ClientError, match=r"InvalidSignatureException.*us-east-1"):
            getattr(elsewhere(cloud, service, cloud.review_url), operation)(**arguments)


def test_services_without_a_region_answer_everybody(cloud: LocalCloud) -> None:
    assert elsewhere(cloud, "sts").get_caller_identity()["Account"] == "000000000000"
    assert "Roles" in elsewhere(cloud, "iam").list_roles()


def test_the_sdk_of_s3_reads_the_region_and_signs_once_more(cloud: LocalCloud, bucket: str) -> None:
    before = cloud.requests()
    elsewhere(cloud, "s3").head_bucket(Bucket=bucket)
    s3 = elsewhere(cloud, "s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="none")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        elsewhere(cloud, "s3").get_object(Bucket="no-such-bucket-at-all", Key="k")
    # Of an earlier test's job may still come what it stores, but nobody else deletes.
    elsewhere(cloud, "s3").delete_object(Bucket=bucket, Key="k")
    after = cloud.requests()
    assert after["s3:DELETE"] == before.get("s3:DELETE", 0) + 1  # refused ones are not counted


def test_a_presigned_url_of_another_region_names_the_right_one(cloud: LocalCloud, bucket: str) -> None:
    url = elsewhere(cloud, "s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    reply = httpx.get(url)
    assert reply.status_code == 400
    assert "<Code>AuthorizationQueryParametersError</Code>" in reply.text
    assert "<Region>us-east-1</Region>" in reply.text
    assert httpx.head(url).headers["x-amz-bucket-region"] == "us-east-1"


def test_no_bucket_is_made_in_another_region(cloud: LocalCloud, bucket: str) -> None:
    with pytest.raises(
        ClientError, match=r"IllegalLocationConstraintException.*leave it out for 'us-east-1'"
    ):
        cloud.client("s3").create_bucket(
            Bucket=f"{bucket}-2", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    assert cloud.client("s3").get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
