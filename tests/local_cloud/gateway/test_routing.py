from __future__ import annotations

import json
import stat
import subprocess
import sys

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.cloud import ROOT, LocalCloud


def test_the_two_files_are_all_that_an_aws_tool_needs(cloud: LocalCloud, bucket: str) -> None:
    """AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE and ``boto3.Session()``: S3, SageMaker and STS answer."""
    program = (
        "import boto3; s = boto3.Session();"
        f"s.client('s3').put_object(Bucket={bucket!r}, Key='k', Body=b'v');"
        "s.client('sagemaker').list_training_jobs();"
        "print(s.client('sts').get_caller_identity()['Account'], s.region_name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=cloud.env(), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["000000000000", "us-east-1"]
    assert cloud.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    for name in ("credentials", "config"):
        assert stat.S_IMODE((cloud.data / name).stat().st_mode) == 0o600


def test_both_ports_tell_that_they_are_well(cloud: LocalCloud) -> None:
    for url in (cloud.endpoint_url, cloud.review_url):
        reply = httpx.get(f"{url}/_nightloop/health")
        assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


def test_strangers_are_refused(cloud: LocalCloud, bucket: str) -> None:
    """No signature, or the signature of another key: neither reads an object nor starts a job."""
    cloud.client("s3").put_object(Bucket=bucket, Key="k", Body=b"v")
    assert httpx.get(f"{cloud.endpoint_url}/{bucket}/k").status_code == 403
    assert httpx.post(f"{cloud.endpoint_url}/_ministack/reset").status_code == 403
    settings = {"endpoint_url": cloud.endpoint_url, "region_name": "us-east-1"}
    anonymous = boto3.client("s3", config=Config(signature_version=UNSIGNED), **settings)
    with pytest.raises(ClientError, match="AccessDenied"):
        anonymous.get_object(Bucket=bucket, Key="k")
    other = {"aws_access_key_id": "AKIAOTHER", "aws_secret_access_key": "x"} | settings
    guessed = {"aws_access_key_id": cloud.keys()[0], "aws_secret_access_key": "x"} | settings
    for call, code in (
        (boto3.client("s3", **other).list_buckets, "InvalidAccessKeyId"),
        (boto3.client("sagemaker", **other).list_models, "UnrecognizedClientException"),
        (boto3.client("s3", **guessed).list_buckets, "SignatureDoesNotMatch"),
        (boto3.client("sagemaker", **guessed).list_models, "InvalidSignatureException"),
        (boto3.client("logs", **guessed).describe_log_groups, "InvalidSignatureException"),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["Error"]["Code"] == code


def test_a_presigned_url_opens_one_object(cloud: LocalCloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="a b/ü.jpg", Body=b"pixels")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü.jpg"})
    assert "X-Amz-Signature" in url
    assert httpx.get(url).content == b"pixels"
    assert httpx.put(url, content=b"other").status_code == 403
    assert httpx.get(url.replace("%C3%BC", "x")).status_code == 403
    old = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=0)
    assert "Request has expired" in httpx.get(old).text


@pytest.mark.parametrize("name", ["human-loops", "endpoints"])
def test_buckets_may_be_named_like_paths_of_other_services(cloud: LocalCloud, name: str) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="x/invocations", Body=b"v")
    assert s3.get_object(Bucket=name, Key="x/invocations")["Body"].read() == b"v"


def test_what_is_not_implemented_says_so(cloud: LocalCloud) -> None:
    for call, said in (
        (cloud.client("sagemaker").list_notebook_instances, "ListNotebookInstances is not implemented here"),
        (cloud.client("dynamodb").list_tables, "the local cloud has no service 'dynamodb'"),
    ):
        with pytest.raises(ClientError, match=said) as error:
            call()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_requests_are_counted_by_operation(cloud: LocalCloud) -> None:
    before = cloud.requests().get("ListModels", 0)
    for _ in range(3):
        cloud.client("sagemaker").list_models()
    assert cloud.requests()["ListModels"] == before + 3


def test_tags_are_added_listed_and_removed(cloud: LocalCloud) -> None:
    sagemaker, arn = cloud.client("sagemaker"), "arn:aws:sagemaker:us-east-1:000000000000:model/tagged"
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "3"}])
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["b"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "3"}]


def test_the_command_explains_itself_and_binds_loopback_only() -> None:
    command = [sys.executable, "-m", "include.local_cloud"]
    helped = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "AWS_SHARED_CREDENTIALS_FILE" in helped.stdout
    refused = subprocess.run(
        [*command, "--data", "/nowhere", "--host", "0.0.0.0"], cwd=ROOT, capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert "invalid choice: '0.0.0.0'" in refused.stderr


def test_endpoints_json_names_both_ports(cloud: LocalCloud) -> None:
    urls = json.loads((cloud.data / "endpoints.json").read_text())
    assert urls == {"cloud": cloud.endpoint_url, "review": cloud.review_url}


def test_temporary_credentials_of_an_assumed_role_open_the_cloud(cloud: LocalCloud, bucket: str) -> None:
    """Airflow's connections with a role_arn work this way."""
    role = cloud.client("iam").create_role(RoleName=bucket, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="airflow")["Credentials"]
    s3 = boto3.client(
        "s3",
        endpoint_url=cloud.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")


def test_human_review_answers_on_both_ports(cloud: LocalCloud) -> None:
    """The A2I runtime and its control plane are the review server's; the cloud's port has them as well."""
    for url in (cloud.endpoint_url, cloud.review_url):
        settings = {"endpoint_url": url}
        sagemaker = cloud.session().client("sagemaker", **settings)
        loops = cloud.session().client("sagemaker-a2i-runtime", **settings)
        before = cloud.requests()
        assert sagemaker.list_flow_definitions()["FlowDefinitionSummaries"] is not None
        with pytest.raises(ClientError) as error:
            loops.describe_human_loop(HumanLoopName="no-such-loop")
        assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"
        after = cloud.requests()
        for operation in ("ListFlowDefinitions", "DescribeHumanLoop"):
            assert after[operation] == before.get(operation, 0) + 1
        stranger = boto3.client(
            "sagemaker-a2i-runtime",
            region_name="us-east-1",
            aws_access_key_id="AKIAOTHER",
            aws_secret_access_key="x",
            **settings,
        )
        with pytest.raises(ClientError, match="UnrecognizedClientException"):
            stranger.describe_human_loop(HumanLoopName="any")


def test_a_refused_upload_leaves_its_client_a_usable_connection(cloud: LocalCloud, bucket: str) -> None:
    """S3's SDKs wait with the body until they are asked for it; refused, they never send it."""
    key, _ = cloud.keys()
    settings = {"endpoint_url": cloud.endpoint_url, "region_name": "us-east-1"}
    wrong = boto3.client("s3", aws_access_key_id=key, aws_secret_access_key="x", **settings)
    for _ in range(3):
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            wrong.put_object(Bucket=bucket, Key="k", Body=b"v" * 100_000)


@pytest.mark.parametrize(
    ("kind", "target", "body", "code"),
    [
        ("application/cbor", {}, b"\xa0", 415),
        (
            "application/x-amz-json-1.0",
            {"X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData"},
            b"{half",
            400,
        ),
    ],
)
def test_metrics_that_nobody_can_read_are_not_taken_for_stored(
    cloud: LocalCloud, kind: str, target: dict[str, str], body: bytes, code: int
) -> None:
    request = AWSRequest(
        "POST",
        f"{cloud.endpoint_url}/service/GraniteServiceVersion20100801/operation/PutMetricData",
        headers={"Content-Type": kind} | target,
        data=body,
    )
    SigV4Auth(cloud.session().get_credentials(), "monitoring", "us-east-1").add_auth(request)
    reply = httpx.post(request.url, headers=dict(request.headers), content=body)
    assert reply.status_code == code, reply.text
    assert reply.json()["message"]


def test_a_large_request_may_be_compressed(cloud: LocalCloud, bucket: str) -> None:
    """SDKs send more than 10 KiB of metrics so, and CBOR is what an object may be and a request may not."""
    data = [{"MetricName": f"{bucket}-{number}", "Value": number} for number in range(300)]
    cloud.client("cloudwatch", request_min_compression_size_bytes=128).put_metric_data(
        Namespace=bucket, MetricData=data
    )
    pages = cloud.client("cloudwatch").get_paginator("list_metrics").paginate(Namespace=bucket)
    assert sum(len(page["Metrics"]) for page in pages) == 300
    cloud.client("s3").put_object(Bucket=bucket, Key="k", Body=b"\xa0", ContentType="application/cbor")
