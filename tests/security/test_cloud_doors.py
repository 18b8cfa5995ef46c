"""The local cloud's own port: whoever has one presigned address, or one key, gets that and nothing else.

Every attack here was a way in, or would be one without the check that it names. Attacks that need a key use
it to sign something harmless and send something else; those of a key holder sign what they send.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from include.local_cloud import credentials
from include.local_cloud.gateway.policies import REVIEW_SERVER
from tests.support.cloud import LocalCloud
from tests.support.door import Door

_STS = "AWSSecurityTokenServiceV20110615"
_JSON = {"Content-Type": "application/x-amz-json-1.1"}


@pytest.fixture
def door(cloud: LocalCloud) -> Door:
    return Door(cloud)


@pytest.fixture(scope="module")
def album(cloud: LocalCloud) -> str:
    """A bucket with a picture that may be shown and an object that may not."""
    bucket = cloud.make_bucket("album of the doors")
    cloud.client("s3").put_object(Bucket=bucket, Key="a.jpg", Body=b"pixels")
    cloud.client("s3").put_object(Bucket=bucket, Key="secret", Body=b"loot")
    return bucket


@pytest.fixture
def files(door: Door, album: str) -> Iterator[str]:
    """The album, which is as it was afterwards."""
    yield album
    assert door.call("GET", f"/{album}/a.jpg").body == b"pixels"
    assert door.call("GET", f"/{album}/secret").body == b"loot"
    listed = re.findall("<Key>([^<]*)", door.call("GET", f"/{album}?list-type=2").text)
    assert listed == ["a.jpg", "secret"]


@pytest.fixture
def review_key(cloud: LocalCloud) -> tuple[str, str]:
    """What the review server inside the cloud signs with."""
    key = credentials.derived(credentials.load_or_create(cloud.data), REVIEW_SERVER.name)
    return key.id, key.secret


def client(cloud: LocalCloud, service: str, key: tuple[str, ...], url: str | None = None) -> Any:
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    return boto3.client(
        service,
        endpoint_url=url or cloud.endpoint_url,
        region_name="us-east-1",
        config=Config(signature_version="s3v4") if service == "s3" else None,
        **dict(zip(names, key, strict=False)),
    )


def denied(call: Any, *codes: str, **arguments: Any) -> None:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
    assert error.value.response["Error"]["Code"] in codes


# A presigned address


@pytest.mark.parametrize(
    "target",
    [
        f"{_STS}.GetSessionToken",
        f"{_STS}.AssumeRole",
        "SageMaker.CreateTrainingJob",
        "AmazonSQS.CreateQueue",
        "Logs_20140328.DescribeLogGroups",
        "IAMService.CreateUser",
    ],
)
def test_an_image_address_is_no_key_to_other_services(door: Door, files: str, target: str) -> None:
    """The critical hole: one header more, and a reviewer's image address gave out an administrator's key."""
    for kind in ("application/x-amz-json-1.1", "application/x-www-form-urlencoded"):
        address = door.presign(f"/{files}/a.jpg")
        reply = door.ask("GET", address, {"X-Amz-Target": target, "Content-Type": kind})
        assert reply.status == 403
        assert "AccessKeyId" not in reply.text
        assert "x-amz-target" in reply.text, "it says which header was not signed"


@pytest.mark.parametrize(
    "name",
    [
        "x-amz-copy-source", "x-amz-acl", "x-amz-tagging", "x-amz-meta-a", "x-amz-security-token",
        "x-amz-content-sha256", "x-amz-date", "x-amz-server-side-encryption", "X-AMZ-Request-Route",
    ],
)  # fmt: skip
def test_no_unsigned_header_of_amazons_comes_along(door: Door, files: str, name: str) -> None:
    reply = door.ask("GET", door.presign(f"/{files}/a.jpg"), {name: f"/{files}/secret"})
    assert (reply.status, name.lower() in reply.text) == (403, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "PUT"),
        ("X-Forwarded-Host", "sts.amazonaws.com"),
        ("X-Forwarded-Prefix", "/_ministack/reset"),
        ("X-Original-URL", "/_ministack/reset"),
        ("X-Rewrite-URL", "/secret"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Smithy-Protocol", "rpc-v2-cbor"),
        ("Upgrade", "websocket"),
    ],
)
def test_headers_that_other_servers_obey_change_nothing(
    door: Door, files: str, name: str, value: str
) -> None:
    reply = door.ask("GET", door.presign(f"/{files}/a.jpg"), {name: value})
    assert (reply.status, reply.body) == (200, b"pixels")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "HEAD"])
def test_an_address_to_read_is_none_to_write(door: Door, files: str, method: str) -> None:
    for target in (f"/{files}/a.jpg", f"/{files}"):
        assert door.ask(method, door.presign(target), body=b"" if method == "HEAD" else b"x").status == 403


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_nobody_presigns_a_write(door: Door, files: str, method: str) -> None:
    reply = door.ask(method, door.presign(f"/{files}/new", method), body=b"x")
    assert (reply.status, "GET and HEAD" in reply.text) == (403, True)


@pytest.mark.parametrize("service", ["sts", "iam", "sagemaker", "sqs", "logs"])
def test_only_s3_takes_presigned_addresses(door: Door, service: str) -> None:
    target = "/?Action=GetSessionToken&Version=2011-06-15"
    reply = door.ask("GET", door.presign(target, service=service))
    assert (reply.status, "AccessKeyId" in reply.text) == (403, False)


@pytest.mark.parametrize(
    "added",
    [
        "x=1", "uploads", "versionId=null", "response-content-type=text/html",
        "x-amz-copy-source=/b/secret", "acl", "Action=GetSessionToken", "X-Amz-Security-Token=x",
        "x-amz-expires=1",
    ],
)  # fmt: skip
def test_nothing_is_added_to_an_address(door: Door, files: str, added: str) -> None:
    address = door.presign(f"/{files}/a.jpg")
    assert door.ask("GET", f"{address}&{added}").status == 403
    assert door.ask("GET", address.replace("?", f"?{added}&")).status == 403


@pytest.mark.parametrize("name", ["Expires", "Date", "Credential", "Signature", "SignedHeaders", "Algorithm"])
def test_each_parameter_is_there_once(door: Door, files: str, name: str) -> None:
    address = door.presign(f"/{files}/a.jpg")
    value = re.search(f"X-Amz-{name}=([^&]*)", address)
    assert value is not None
    reply = door.ask("GET", f"{address}&X-Amz-{name}={value[1]}")
    assert (reply.status, "AuthorizationQueryParametersError" in reply.text) == (400, True)
    reply = door.ask("GET", address.replace(f"X-Amz-{name}=", "X-Amz-Other="))
    assert reply.status in (400, 403)


def test_an_address_lasts_a_week_at_most(door: Door, files: str) -> None:
    week = 7 * 24 * 3600
    assert door.ask("GET", door.presign(f"/{files}/a.jpg", seconds=week)).status == 200
    for seconds in (week + 1, 10**9, 10**40, -1):
        reply = door.ask("GET", door.presign(f"/{files}/a.jpg", seconds=seconds))
        assert (reply.status, "AuthorizationQueryParametersError" in reply.text) == (400, True), seconds
    assert "expired" in door.ask("GET", door.presign(f"/{files}/a.jpg", seconds=0)).text


@pytest.mark.parametrize(
    ("name", "value"),
    [("Expires", value) for value in ("", "1e3", "0x10", "+5", "%D9%A3", "9" * 5000, "NaN", "-0", "%00")]
    + [("Date", value) for value in ("", "yesterday", "99991231T235959Z", "00010101T000000Z", "2" * 9000)]
    + [("Date", "%D9%A2%D9%A0%D9%A2%D9%A6%D9%A0%D9%A1%D9%A0%D9%A1T000000Z"), ("Date", "20261399T000000Z")]
    + [("Signature", value) for value in ("", "%C3%A9" * 32, "%ED%A0%80", "%00", "0" * 30000)]
    + [("Credential", value) for value in ("", "a/b/c/d/e", "%C3%A9/20260101/us-east-1/s3/aws4_request")]
    + [("Credential", "A/00000000/us-east-1/s3/aws4_request"), ("Credential", "%ED%A0%80")]
    + [("SignedHeaders", value) for value in ("", "%ED%A0%80", ";" * 1000, "HOST", "host;host", "x-amz-date")]
    + [("Algorithm", value) for value in ("", "AWS4-ECDSA-P256-SHA256", "none", "%C3%A9")],
    ids=lambda value: value[:20],
)  # fmt: skip
def test_absurd_parameters_are_refused_as_such(door: Door, files: str, name: str, value: str) -> None:
    address = re.sub(f"X-Amz-{name}=[^&]*", f"X-Amz-{name}={value}", door.presign(f"/{files}/a.jpg"))
    reply = door.ask("GET", address)
    if name in ("Signature", "SignedHeaders"):
        assert reply.status == 403
        assert re.search("<Code>(SignatureDoesNotMatch|AccessDenied)<", reply.text)
    else:
        assert (reply.status, "AuthorizationQueryParametersError" in reply.text) == (400, True)


def test_a_key_id_is_text_in_an_answer(cloud: LocalCloud) -> None:
    for key_id in ("<Code>x</Code>", "<b>", "]]>"):
        reply = Door(cloud, (key_id.replace("/", ""), "x")).call("GET", "/b/k")
        assert (reply.status, "InvalidAccessKeyId" in reply.text) == (403, True)
        assert key_id.replace("/", "") not in reply.text


# What was signed is what is served


def test_a_signed_request_is_for_one_host(door: Door, files: str) -> None:
    signed = door.sign("GET", f"/{files}/secret")
    for host in ("evil.example", f"{files}.localhost", "sts.amazonaws.com", door.host + ".", ""):
        assert door.ask("GET", f"/{files}/secret", signed | {"Host": host}).status in (400, 403)
    address = door.presign(f"/{files}/secret")
    assert door.ask("GET", address, {"Host": "evil.example"}).status == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "evil.example"),
        ("X-Amz-Target", f"{_STS}.GetSessionToken"),
        ("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"),
        ("X-Amz-Date", "20260101T000000Z"),
        ("Authorization", "AWS4-HMAC-SHA256 x"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ],
)
def test_no_header_that_decides_is_there_twice(door: Door, files: str, name: str, value: str) -> None:
    given = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
    for service, method, target in (("s3", "GET", f"/{files}/secret"), ("sqs", "POST", "/")):
        signed = list(door.sign(method, target, given, b"", service).items())
        for headers in ([*signed, (name, value)], [(name, value), *signed]):
            reply = door.ask(method, target, headers)
            if (name, service) == ("X-Amz-Content-SHA256", "sqs"):
                assert reply.status == 403, "it is there once, and not signed"
            else:
                assert reply.status == 400
                assert name == "Host" or f"{name.lower()} may be there once" in reply.text


def test_one_way_of_signing_at_a_time(door: Door, files: str) -> None:
    address = door.presign(f"/{files}/a.jpg")
    reply = door.ask("GET", address, door.sign("GET", address))
    assert (reply.status, "Only one auth mechanism" in reply.text) == (400, True)


@pytest.mark.parametrize(
    "target",
    [
        "//{0}/secret",
        "/./{0}/secret",
        "/../{0}/secret",
        "/{0}%2Fsecret",
        "/{0}/../{0}/secret",
        "/{0}/%2e%2e/{0}/secret",
        "/{0}/..%2f..%2f..%2f..%2fcredentials",
        "/%2e%2e/%2e%2e/credentials",
        "/..%5c..%5ccredentials",
        "/{0}/a.jpg/../secret",
        "/{0}/secret/",
        "/{0}/secret%00",
        "/{0}//secret",
        "/{0}/%ff",
        "/{0}/%ED%A0%80",
        "/{0}/%E2%88%95secret",
        "/" + "b" * 9000,
        "/{0}/" + "k" * 9000,
        "/{0}?prefix=%ED%A0%80",
        "/{0}?list-type=2&max-keys=%D9%A3x",
        "/{0}/none?partNumber=%00&uploadId=x",
    ],
    ids=lambda value: value[:30],
)
def test_a_path_is_a_bucket_and_a_key_by_the_letter(door: Door, files: str, target: str) -> None:
    """No way of writing leads to another object, to a file of the cloud, or to an error of the server."""
    path = target.format(files)
    for method in ("GET", "HEAD", "DELETE"):
        reply = door.call(method, path)
        assert reply.status in (200, 204, 400, 403, 404, 405, 409), (method, reply)
        assert method != "GET" or reply.status != 200, reply
        assert b"loot" not in reply.body
        assert b"aws_secret_access_key" not in reply.body
    renamed = door.presign(f"/{files}/a.jpg").replace(f"/{files}/a.jpg", path.partition("?")[0])
    assert door.ask("GET", renamed).status in (400, 403)


@pytest.mark.parametrize(
    "key", ["../../../../out", "%2e%2e/%2e%2e/%2e%2e/out", "..%2f..%2f..%2fout", "./out"]
)
def test_an_object_stays_where_objects_are(cloud: LocalCloud, door: Door, bucket: str, key: str) -> None:
    def others() -> set[Path]:
        return {path for path in cloud.data.parent.rglob("*out*") if cloud.data / "s3" not in path.parents}

    before = others()
    assert door.call("PUT", f"/{bucket}/{key}", body=b"x").status == 200
    assert others() == before


@pytest.mark.parametrize("target", ["/{0}/%ff", "/{0}/%ED%A0%80", "/{0}/x?tagging=%ff"])
def test_two_addresses_are_never_one_object(door: Door, files: str, target: str) -> None:
    """Bytes that are no text would all become the same replacement character."""
    for method in ("PUT", "GET"):
        reply = door.call(method, target.format(files))
        assert (reply.status, "InvalidURI" in reply.text) == (400, True)


# Every service gets its own requests, and no other


@pytest.mark.parametrize(
    "path",
    [
        "/_ministack/reset", "/_ministack/config", "/_ministack/health", "/_ministack/ready", "/health",
        "/_localstack/health", "/_localstack/state/reset", "/_ministack/rds/iam-auth", "/_aws/sqs/messages",
        "/_aws/ses", "/_ministack/cfn-signal/x", "/_ministack/cfn-response/x", "/_ministack/eks-auth/x",
        "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ab", "/v20180820/mrap/instances", "/iceberg/v1/config",
        "/v2/email/identities", "/v2/", "/Execute", "/_alb/x/", "/oauth2/userInfo",
        "/WriteGetObjectResponse", "/2015-03-31/functions", "/_aws/lambda-urls/x/",
        "/restapis/x/y/_user_request_/", "/v1/apis/x/graphql",
        "/latest/meta-data/iam/security-credentials/", "/_ministack/lambda-code/x", "/model/x/invoke",
    ],
)  # fmt: skip
def test_ministacks_own_doors_are_not_there(door: Door, files: str, path: str) -> None:
    """Its administration, its hundred other services and its data planes answer nobody, not even a key."""
    s3_says = "NoSuchBucket|InvalidURI|MethodNotAllowed|InvalidBucketName|MalformedXML"
    for service, says in (("s3", s3_says), ("logs", "InvalidAction|Unknown|Validation")):
        for method, body in (("GET", b""), ("POST", b"{}")):
            reply = door.call(method, path, _JSON, body=body, service=service)
            assert reply.status in (400, 403, 404, 405), (service, method, reply)
            assert re.search(says, reply.text)
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert door.ask(method, path).status == 403


@pytest.mark.parametrize("host", ["sts.localhost", "iam.us-east-1.amazonaws.com", "x.execute-api.localhost"])
@pytest.mark.parametrize("signed_for", ["s3", "sqs", "events", "logs"])
def test_nothing_but_the_signature_says_which_service_is_meant(
    door: Door, signed_for: str, host: str
) -> None:
    for target, body, headers in (
        ("/", b"{}", _JSON | {"X-Amz-Target": f"{_STS}.GetSessionToken"}),
        ("/", b"{}", _JSON | {"X-Amz-Target": "IAMService.ListUsers"}),
        ("/?Action=GetSessionToken&Version=2011-06-15", b"", {}),
        ("/?Action=ListUsers&Version=2010-05-08", b"", {}),
        (
            "/",
            b"Action=GetSessionToken&Version=2011-06-15",
            {"Content-Type": "application/x-www-form-urlencoded"},
        ),
        ("/service/sts/operation/GetSessionToken", b"", {"Smithy-Protocol": "rpc-v2-cbor"}),
    ):
        for name in (door.host, host):
            reply = door.call("POST", target, headers | {"Host": name}, body=body, service=signed_for)
            assert reply.status in (400, 403, 404, 405, 415), reply
            assert "AccessKeyId" not in reply.text
            assert "<Users" not in reply.text


@pytest.mark.parametrize(
    "service", ["sns", "lambda", "dynamodb", "secretsmanager", "ecs", "s3-object-lambda", "x"]
)
def test_what_nobody_needs_is_not_mounted(door: Door, service: str) -> None:
    reply = door.call("POST", "/", _JSON, body=b"{}", service=service)
    assert (reply.status, json.loads(reply.body)["__type"]) == (501, "NotImplementedException")


def test_a_signature_for_one_service_opens_no_other(door: Door) -> None:
    for signed_for, named in (("sqs", "iam"), ("s3", "sts"), ("sagemaker", "s3")):
        signed = door.sign("POST", "/?Action=ListUsers", {}, b"", signed_for)
        signed["Authorization"] = signed["Authorization"].replace(f"/{signed_for}/", f"/{named}/")
        assert door.ask("POST", "/?Action=ListUsers", signed).status == 403


def test_a_web_socket_is_no_way_in(door: Door) -> None:
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    sent = f"GET / HTTP/1.1\r\nHost: {door.host}\r\n{upgrade}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
    assert door.raw(sent.encode().replace(b"Connection: Upgrade", b"Connection: Upgrade, close")).startswith(
        b"HTTP/1.1 403 "
    )


# A key does what its policy says


def test_the_review_servers_key_reads_and_writes_objects(
    cloud: LocalCloud, files: str, review_key: tuple[str, str]
) -> None:
    s3 = client(cloud, "s3", review_key)
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    cloud.client("s3").put_bucket_cors(Bucket=files, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_object(Bucket=files, Key="a.jpg")["Body"].read() == b"pixels"
    assert s3.head_object(Bucket=files, Key="a.jpg")["ContentLength"] == 6
    assert s3.get_bucket_cors(Bucket=files)["CORSRules"][0]["AllowedMethods"] == ["GET"]
    s3.get_bucket_location(Bucket=files)
    s3.head_bucket(Bucket=files)
    s3.put_object(Bucket=files, Key="out/output.json", Body=b"{}", ContentType="application/json")
    cloud.client("s3").delete_object(Bucket=files, Key="out/output.json")
    parts = {"Bucket": files, "Key": "out/output.manifest"}
    parts["UploadId"] = s3.create_multipart_upload(**parts)["UploadId"]
    s3.upload_part(**parts, PartNumber=1, Body=b"{}")
    (found,) = s3.list_multipart_uploads(Bucket=files, Prefix="out/output.manifest")["Uploads"]
    assert found["UploadId"] == parts["UploadId"]
    s3.abort_multipart_upload(**parts)
    address = s3.generate_presigned_url("get_object", Params={"Bucket": files, "Key": "a.jpg"})
    assert Door(cloud).ask("GET", "/" + address.split("/", 3)[3]).body == b"pixels"


def test_and_nothing_else(cloud: LocalCloud, files: str, review_key: tuple[str, str]) -> None:
    s3 = client(cloud, "s3", review_key)
    here = {"Bucket": files, "Key": "a.jpg"}
    for call, arguments in (
        (s3.list_buckets, {}),
        (s3.list_objects_v2, {"Bucket": files}),
        (s3.list_object_versions, {"Bucket": files}),
        (s3.get_bucket_policy, {"Bucket": files}),
        (s3.put_bucket_policy, {"Bucket": files, "Policy": "{}"}),
        (s3.put_bucket_cors, {"Bucket": files, "CORSConfiguration": {"CORSRules": []}}),
        (s3.create_bucket, {"Bucket": "of-the-reviewers"}),
        (s3.delete_bucket, {"Bucket": files}),
        (s3.delete_object, here),
        (s3.delete_objects, {"Bucket": files, "Delete": {"Objects": [{"Key": "a.jpg"}]}}),
        (s3.copy_object, {**here, "CopySource": f"{files}/secret"}),
        (s3.put_object_acl, {**here, "ACL": "public-read"}),
        (s3.put_object_tagging, {**here, "Tagging": {"TagSet": []}}),
        (s3.get_object_tagging, here),
        (s3.list_parts, {**here, "UploadId": "u"}),
        (s3.upload_part_copy, {**here, "CopySource": f"{files}/secret", "PartNumber": 1, "UploadId": "u"}),
    ):
        denied(call, "AccessDenied", **arguments)


def test_the_review_servers_key_opens_no_other_service(
    cloud: LocalCloud, review_key: tuple[str, str]
) -> None:
    role, flow = (
        f"arn:aws:{name}"
        for name in ("iam::000000000000:role/any", "sagemaker:us-east-1:000000000000:flow-definition/f")
    )
    for service, operation, arguments in (
        ("sts", "get_session_token", {}),
        ("sts", "assume_role", {"RoleArn": role, "RoleSessionName": "me"}),
        ("sts", "get_caller_identity", {}),
        ("iam", "create_user", {"UserName": "me"}),
        ("iam", "create_access_key", {}),
        ("sqs", "list_queues", {}),
        ("events", "list_rules", {}),
        ("logs", "describe_log_groups", {}),
        ("logs", "delete_log_group", {"logGroupName": "/aws/sagemaker/TrainingJobs"}),
        ("sagemaker", "list_training_jobs", {}),
        ("sagemaker", "delete_model", {"ModelName": "m"}),
        ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b"x"}),
        ("sagemaker-a2i-runtime", "list_human_loops", {"FlowDefinitionArn": flow}),
    ):
        call = getattr(client(cloud, service, review_key), operation)
        denied(call, "AccessDeniedException", **arguments)
    for service, operation in (("sagemaker", "list_flow_definitions"), ("sagemaker", "list_workteams")):
        at_review = client(cloud, service, review_key, cloud.review_url)
        denied(getattr(at_review, operation), "UnrecognizedClientException")


def test_but_it_writes_the_log_of_a_labeling_job_and_has_models_trained(
    cloud: LocalCloud, files: str, review_key: tuple[str, str]
) -> None:
    logs, place = client(cloud, "logs", review_key), {"logGroupName": f"/of/{files}", "logStreamName": "a"}
    logs.create_log_group(logGroupName=place["logGroupName"])
    logs.create_log_stream(**place)
    logs.put_log_events(**place, logEvents=[{"timestamp": 1_000, "message": "m"}])
    # A path of another API does not change what the header's operation is allowed for.
    target = {"X-Amz-Target": "SageMaker.DescribeModel"}
    door = Door(cloud, review_key)
    assert door.call("POST", "/", target, body=b'{"ModelName": "none"}', service="sagemaker").status == 400
    assert door.call("POST", "/human-loops", target, body=b"{}", service="sagemaker").status == 403


def test_a_templates_addresses_are_signed_with_the_review_servers_key(
    cloud: LocalCloud, files: str, review_key: tuple[str, str]
) -> None:
    rendered = cloud.client("sagemaker").render_ui_template(
        UiTemplate={"Content": "<img src='{{ task.input.image | grant_read_access }}'>"},
        Task={"Input": json.dumps({"image": f"s3://{files}/a.jpg"})},
        RoleArn="arn:aws:iam::000000000000:role/any",
    )
    content = rendered["RenderedContent"].replace("&amp;", "&")
    address = re.search("src='http://[^/]*([^']*)'", content)
    assert address is not None, content
    assert f"X-Amz-Credential={review_key[0]}%2F" in address[1]
    assert Door(cloud).ask("GET", address[1]).body == b"pixels"


def test_temporary_keys_need_their_token_and_end(cloud: LocalCloud, door: Door, files: str) -> None:
    given = cloud.client("sts").get_session_token()["Credentials"]
    key, secret, token = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    assert client(cloud, "s3", (key, secret, token)).get_object(Bucket=files, Key="secret")
    for wrong in ((key, secret), (key, secret, token[:-1]), (key, secret, "é")):
        reply = Door(cloud, (wrong[0], wrong[1])).call(
            "GET", f"/{files}/secret", {"x-amz-security-token": wrong[2]} if len(wrong) > 2 else {}
        )
        assert reply.status == 403
    # boto3 keeps to AWS's quarter of an hour; a second is enough here.
    reply = door.call("POST", "/?Action=GetSessionToken&DurationSeconds=0", service="sts")
    short = [
        re.search(f"<{name}>([^<]*)", reply.text)
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    ]
    parts = tuple(found[1] for found in short if found)
    denied(client(cloud, "s3", parts).get_object, "InvalidAccessKeyId", Bucket=files, Key="secret")
    denied(client(cloud, "sagemaker", parts, cloud.review_url).list_workteams, "UnrecognizedClientException")


def test_a_session_policy_is_not_silently_ignored(cloud: LocalCloud, files: str) -> None:
    policy = {"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}], "Version": "2012-10-17"}
    role = cloud.client("iam").create_role(RoleName=files, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="me", Policy=json.dumps(policy))
    values = given["Credentials"]
    key = (values["AccessKeyId"], values["SecretAccessKey"], values["SessionToken"])
    denied(client(cloud, "s3", key).get_object, "AccessDenied", Bucket=files, Key="secret")


# Browsers ask first


def test_a_preflight_is_answered_by_the_buckets_rules_and_does_nothing(
    cloud: LocalCloud, door: Door, files: str
) -> None:
    cloud.client("s3").delete_bucket_cors(Bucket=files)
    asks = {"Origin": "http://portal", "Access-Control-Request-Method": "GET"}
    assert door.ask("OPTIONS", f"/{files}/a.jpg", asks).status == 403
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["http://portal"]}
    cloud.client("s3").put_bucket_cors(Bucket=files, CORSConfiguration={"CORSRules": [rule]})
    reply = door.ask("OPTIONS", f"/{files}/a.jpg", asks)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "http://portal")
    for changed in ({"Origin": "http://evil"}, {"Access-Control-Request-Method": "PUT"}):
        assert door.ask("OPTIONS", f"/{files}/a.jpg", asks | changed).status == 403
    for path in ("/_ministack/reset", "/", f"/{files}/secret", "//x", "/%ff", "*"):
        headers = asks | {"X-HTTP-Method-Override": "DELETE", "X-Amz-Target": f"{_STS}.GetSessionToken"}
        reply = door.ask("OPTIONS", path, headers, b"{}")
        assert reply.status in (200, 400, 403)
        assert b"AccessKeyId" not in reply.body

    for origin, allowed in (("http://portal", "http://portal"), ("http://evil", None)):
        reply = door.ask("GET", door.presign(f"/{files}/a.jpg"), {"Origin": origin})
        assert (reply.body, reply.headers.get("access-control-allow-origin")) == (b"pixels", allowed)


# The wire below


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 4\r\nContent-Length: 100",
        b"Content-Length: 4, 100",
        b"Content-Length: +4",
        b"Content-Length: -4",
        b"Content-Length: 0x4",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 4\r\nTransfer-Encoding: chunked",
    ],
)
def test_a_request_hides_no_other(door: Door, files: str, framing: bytes) -> None:
    """Two lengths, or one that is none: the rest is never taken for a request of its own."""
    host = door.host.encode()
    hidden = b"0\r\n\r\nGET /_nightloop/health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    for target in (b"/x", door.presign(f"/{files}/a.jpg").encode()):
        received = door.raw(
            b"POST " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + framing + b"\r\n\r\n" + hidden
        )
        assert received.count(b"HTTP/1.1 ") <= 1
        assert b'"status": "ok"' not in received
        assert not received or re.match(rb"HTTP/1.1 4\d\d ", received)


@pytest.mark.parametrize(
    "name", ["Authorization", "Host", "X-Amz-Date", "X-Amz-Target", "Content-Type", "Cookie"]
)
@pytest.mark.parametrize("text", [b"\xed\xa0\x80", b"\xff\xfe", "é٣".encode(), b"\x80" * 2000, b"a\tb"])
def test_text_that_is_none_is_refused(door: Door, files: str, name: str, text: bytes) -> None:
    """Lone surrogates, bytes that are no UTF-8, digits of other scripts: errors of the caller."""
    for service, path in (("s3", f"/{files}/secret"), ("logs", "/")):
        headers = door.sign("POST", path, _JSON | {"X-Amz-Target": "Logs_20140328.X"}, b"", service)
        lines = [f"{key}: {value}".encode() for key, value in headers.items() if key != name]
        for value in (text, headers.get(name, "").encode() + text):
            head = b"\r\n".join([b"POST %s HTTP/1.1" % path.encode(), *lines, name.encode() + b": " + value])
            received = door.raw(head + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            assert re.match(rb"HTTP/1.1 4\d\d ", received), received[:200]
            assert b"loot" not in received


@pytest.mark.parametrize(
    "target", [b"/\xed\xa0\x80", b"/b/\xff", b"/b/k?\xed\xa0\x80=1", b"/b/k?x=%ED%A0%80", b"/b\x7f"]
)
def test_a_target_that_is_no_text_is_refused(door: Door, target: bytes) -> None:
    for head in (b"GET " + target, b"GET " + target + b"&X-Amz-Signature=\xed\xa0\x80", b"OPTIONS " + target):
        received = door.raw(
            head + b" HTTP/1.1\r\nHost: " + door.host.encode() + b"\r\nConnection: close\r\n\r\n"
        )
        assert re.match(rb"HTTP/1.1 4\d\d ", received), received[:200]
