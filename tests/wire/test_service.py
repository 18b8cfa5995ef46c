"""The AWS wire, asked by unmodified boto3 clients over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from include.wire import AwsError, AwsService, Request

STARTED = datetime(2026, 3, 4, 10, 5, 11, 204000, tzinfo=UTC)
FLOW = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/boxes"


class Loops:
    """Keeps what it was asked, and answers with what a test put in."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def start_human_loop(self, params: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(params)
        if params["HumanLoopName"] == "taken":
            raise AwsError("ConflictException", "the name is taken by a loop with other input")
        if params["HumanLoopName"] == "broken":
            raise RuntimeError("a fault of the server's own")
        return {"HumanLoopArn": "arn:aws:sagemaker:us-east-1:000000000000:human-loop/x", "Surprise": 1}

    def describe_human_loop(self, params: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(params)
        return {
            "CreationTime": STARTED,
            "HumanLoopStatus": "InProgress",
            "HumanLoopName": params["HumanLoopName"],
            "HumanLoopArn": "arn:aws:sagemaker:us-east-1:000000000000:human-loop/x",
            "FlowDefinitionArn": FLOW,
        }

    def list_human_loops(self, params: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(params)
        return {"HumanLoopSummaries": [{"HumanLoopName": "a", "CreationTime": STARTED}], "NextToken": None}

    def stop_human_loop(self, params: dict[str, Any]) -> None:
        self.asked.append(params)


class Jobs:
    def describe_training_job(self, params: dict[str, Any]) -> dict[str, Any]:
        raise AwsError("ValidationException", "Requested resource not found.")

    def create_model(self, params: dict[str, Any]) -> dict[str, Any]:
        raise AwsError("ResourceLimitExceeded", "no room")


class Runtime:
    def invoke_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["EndpointName"] == "sick":
            raise AwsError(
                "ModelError", "the model said no", OriginalStatusCode=400, OriginalMessage="not an image"
            )
        return {"Body": params["Body"][::-1], "ContentType": params["ContentType"]}


@pytest.fixture(scope="module")
def loops() -> Loops:
    return Loops()


@pytest.fixture(scope="module")
def endpoint(loops: Loops) -> Iterator[str]:
    services = [
        AwsService("sagemaker", Jobs()),
        AwsService("sagemaker-a2i-runtime", loops),
        AwsService("sagemaker-runtime", Runtime()),
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, path, query, headers, body)
            reply = next(s for s in services if s.matches(request)).reply(request)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_DELETE = _any

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def client(endpoint: str) -> Any:
    def make(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            # Our own checks are under test, so the client's must not catch the mistakes first.
            config=Config(parameter_validation=False, retries={"max_attempts": 1}),
        )

    return make


def start(client: Any, name: str, **more: Any) -> Any:
    return client("sagemaker-a2i-runtime").start_human_loop(
        HumanLoopName=name, FlowDefinitionArn=FLOW, HumanLoopInput={"InputContent": "{}"}, **more
    )


def failure(call: Any, *args: Any, **kwargs: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    response = caught.value.response
    return (
        response["Error"]["Code"],
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Message"],
    )


def test_a_reply_carries_modelled_members_only(client: Any) -> None:
    reply = start(client, "x")
    assert set(reply) == {"HumanLoopArn", "ResponseMetadata"}


def test_path_query_and_times_cross_the_wire_both_ways(client: Any, loops: Loops) -> None:
    a2i = client("sagemaker-a2i-runtime")
    assert a2i.describe_human_loop(HumanLoopName="a-b")["CreationTime"] == STARTED
    a2i.list_human_loops(
        FlowDefinitionArn=FLOW, CreationTimeAfter=STARTED.replace(microsecond=0), MaxResults=7
    )
    assert loops.asked[-1] == {
        "FlowDefinitionArn": FLOW,
        "CreationTimeAfter": STARTED.replace(microsecond=0),
        "MaxResults": 7,
    }


def test_a_literal_path_wins_over_a_label(client: Any, loops: Loops) -> None:
    client("sagemaker-a2i-runtime").stop_human_loop(HumanLoopName="a")
    assert loops.asked[-1] == {"HumanLoopName": "a"}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Upper", "regular expression pattern"),
        ("a" * 64, "length less than or equal to 63"),
        ("a-", "pattern"),
    ],
)
def test_a_broken_constraint_is_named_with_its_place_and_rule(client: Any, name: str, rule: str) -> None:
    code, status, message = failure(start, client, name)
    assert (code, status) == ("ValidationException", 400)
    assert "humanLoopName" in message
    assert rule in message


def test_every_broken_constraint_is_reported_at_once(client: Any) -> None:
    code, _, message = failure(client("sagemaker-a2i-runtime").start_human_loop, HumanLoopName="A")
    assert code == "ValidationException"
    assert message.startswith("3 validation errors detected")
    assert "Value null at 'flowDefinitionArn'" in message


def test_an_enum_is_checked_and_its_values_are_listed(client: Any) -> None:
    _, _, message = failure(start, client, "x", DataAttributes={"ContentClassifiers": ["Nothing"]})
    assert "FreeOfAdultContent" in message


def test_a_wrong_json_type_is_a_serialization_error(client: Any) -> None:
    code, status, _ = failure(client("sagemaker").create_model, ModelName=["a"])
    assert (code, status) == ("SerializationException", 400)


def test_error_codes_bring_their_modelled_status(client: Any) -> None:
    assert failure(start, client, "taken")[:2] == ("ConflictException", 409)
    assert failure(client("sagemaker").describe_training_job, TrainingJobName="x")[:2] == (
        "ValidationException",
        400,
    )


def test_a_fault_of_the_implementation_is_a_500_that_tells_nothing_inside(client: Any) -> None:
    code, status, message = failure(start, client, "broken")
    assert (code, status) == ("InternalFailure", 500)
    assert "fault of the server" not in message


def test_an_operation_that_is_not_implemented_says_so(client: Any) -> None:
    code, status, message = failure(client("sagemaker").list_domains)
    assert (code, status) == ("NotImplementedException", 501)
    assert "ListDomains" in message


def test_a_body_is_handed_through_as_bytes(client: Any) -> None:
    runtime = client("sagemaker-runtime")
    reply = runtime.invoke_endpoint(EndpointName="e", Body=b"\x00abc", ContentType="image/jpeg")
    assert (reply["Body"].read(), reply["ContentType"]) == (b"cba\x00", "image/jpeg")


def test_the_sagemaker_runtime_has_a_word_of_its_own_for_a_bad_request(client: Any) -> None:
    runtime = client("sagemaker-runtime")
    code, status, _ = failure(runtime.invoke_endpoint, EndpointName="a b", Body=b"x")
    assert (code, status) == ("ValidationError", 400)


def test_further_fields_of_an_error_reach_the_client(client: Any) -> None:
    with pytest.raises(ClientError) as caught:
        client("sagemaker-runtime").invoke_endpoint(EndpointName="sick", Body=b"x")
    assert caught.value.response["OriginalStatusCode"] == 400
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_a_service_knows_its_own_requests() -> None:
    a2i = AwsService("sagemaker-a2i-runtime", Loops())
    assert a2i.matches(Request("GET", "/human-loops/a%2Fb"))
    assert a2i.operation(Request("DELETE", "/human-loops/stop")) == "DeleteHumanLoop"
    assert not a2i.matches(Request("GET", "/some-bucket/human-loops"))


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff\xfe"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    reply = AwsService("sagemaker-a2i-runtime", Loops()).reply(Request("POST", "/human-loops", body=body))
    assert reply.status == 400
    assert reply.headers["x-amzn-ErrorType"] == "SerializationException"
