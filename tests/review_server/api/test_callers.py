"""API callers prove themselves: every refusal here would be a way in without the check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from include.review_server.api import callers
from tests.review_server.rig import Flow, MovableClock, Rig, refused

_INVALID = (403, "InvalidSignatureException")


@pytest.fixture(scope="module")
def flow(rig: Rig) -> Flow:
    return rig.flow()


@pytest.fixture
def clock(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[MovableClock]:
    """The clock that signatures are held against; tests move it: on a busy machine a call takes seconds."""
    moving = MovableClock()
    monkeypatch.setattr(rig.review.callers, "_clock", moving)
    with moving.stopped():
        yield moving


class _Signer(SigV4Auth):
    """botocore's signer with a clock of its own."""

    def __init__(self, rig: Rig, at: datetime, service: str, region: str) -> None:
        super().__init__(Credentials(*rig.cloud.keys()), service, region)
        self._at = at.strftime("%Y%m%dT%H%M%SZ")

    def sign(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._at
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))


class Caught:
    """A signed request, as someone on the way could catch and change it."""

    def __init__(
        self,
        rig: Rig,
        method: str,
        path: str,
        body: object = None,
        at: datetime | None = None,
        service: str = "sagemaker",
        region: str = "us-east-1",
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        request = AWSRequest(method=method, url=rig.url + path, data=content)
        _Signer(rig, at or datetime.now(UTC), service, region).sign(request)
        self.method, self.url, self.content = method, rig.url + path, content
        self.headers = dict(request.headers.items())

    def send(self, **changes: Any) -> httpx.Response:
        values = {"method": self.method, "url": self.url, "content": self.content, "headers": self.headers}
        return httpx.request(**(values | changes))


def _refusal(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["__type"]


def test_a_caught_request_passes_only_as_it_was_signed(rig: Rig, flow: Flow):
    name, other = flow.start(), flow.start()
    caught = Caught(rig, "GET", f"/human-loops/{name}")
    assert caught.send().json()["HumanLoopName"] == name
    assert _refusal(caught.send(url=f"{rig.url}/human-loops/{other}")) == _INVALID
    assert _refusal(caught.send(url=f"{caught.url}?a=1")) == _INVALID
    assert _refusal(caught.send(method="DELETE")) == _INVALID
    assert _refusal(caught.send(headers=caught.headers | {"host": "other"})) == _INVALID


def test_another_body_than_the_signed_one_is_refused_whatever_a_header_says(rig: Rig, flow: Flow):
    victim, wanted = flow.start(), flow.start()
    caught = Caught(rig, "POST", "/human-loops/stop", {"HumanLoopName": wanted})
    body = json.dumps({"HumanLoopName": victim}).encode()
    assert _refusal(caught.send(content=body)) == _INVALID
    stated = caught.headers | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    assert _refusal(caught.send(content=body, headers=stated)) == _INVALID
    assert flow.loop(victim)["HumanLoopStatus"] == "InProgress"


def test_an_operation_that_the_signature_does_not_cover_is_refused(rig: Rig):
    caught = Caught(rig, "POST", "/", {})
    reply = caught.send(headers=caught.headers | {"X-Amz-Target": "SageMaker.ListFlowDefinitions"})
    assert _refusal(reply) == _INVALID
    assert "x-amz-target" in reply.json()["message"]


@pytest.mark.parametrize(("service", "region"), [("s3", "us-east-1"), ("sagemaker", "eu-west-1")])
def test_a_signature_for_another_service_or_region_is_refused(
    rig: Rig, flow: Flow, service: str, region: str
):
    reply = Caught(rig, "GET", f"/human-loops/{flow.start()}", service=service, region=region).send()
    assert _refusal(reply) == _INVALID
    assert "us-east-1/sagemaker" in reply.json()["message"]


def test_unknown_keys_and_wrong_secrets_are_refused(rig: Rig):
    for key_id, code in (
        ("AKIAGUESSED", "UnrecognizedClientException"),
        (rig.cloud.keys()[0], "InvalidSignatureException"),
    ):
        client = boto3.client(
            "sagemaker-a2i-runtime",
            endpoint_url=rig.url,
            region_name="us-east-1",
            aws_access_key_id=key_id,
            aws_secret_access_key="guessed",
        )
        assert refused(client.describe_human_loop, HumanLoopName="x")[:2] == (code, 403)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a", "AWS4-ECDSA-P256-SHA256 x"],
)
def test_what_is_not_signed_is_refused(rig: Rig, header: str):
    reply = httpx.get(f"{rig.url}/human-loops/x", headers={"authorization": header})
    assert _refusal(reply) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize("minutes", [-14.9, 0, 14.9])
def test_clocks_may_differ_by_a_quarter_of_an_hour(rig: Rig, flow: Flow, clock: MovableClock, minutes: float):
    name = flow.start()
    at = clock() + timedelta(minutes=minutes)
    assert Caught(rig, "GET", f"/human-loops/{name}", at=at).send().status_code == 200


@pytest.mark.parametrize("minutes", [-15.1, 15.1, 24 * 60])
def test_and_not_by_more(rig: Rig, flow: Flow, clock: MovableClock, minutes: float):
    name = flow.start()
    at = clock() + timedelta(minutes=minutes)
    reply = Caught(rig, "GET", f"/human-loops/{name}", at=at).send()
    assert _refusal(reply) == _INVALID
    assert "clock" in reply.json()["message"]


def test_a_write_that_is_sent_again_later_is_refused_and_does_nothing(
    rig: Rig, flow: Flow, clock: MovableClock
):
    name = flow.start(content={"n": 1})
    stop = Caught(rig, "POST", "/human-loops/stop", {"HumanLoopName": name}, clock())
    assert stop.send().status_code == 200
    # The client's own retry, signed within the same second: the first reply may have been lost.
    assert stop.send().status_code == 200
    rig.a2i.delete_human_loop(HumanLoopName=name)
    flow.start(name, {"n": 2})
    clock.advance(callers._AGAIN_SECONDS + 1)
    reply = stop.send()
    assert _refusal(reply) == _INVALID
    assert "sign every call anew" in reply.json()["message"]
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"
    # Still refused at the end of its window, and for its age after that.
    clock.advance(14 * 60)
    assert "sign every call anew" in stop.send().json()["message"]
    clock.advance(60)
    assert "clock" in stop.send().json()["message"]


def test_a_signature_from_the_future_is_remembered_until_it_is_too_old(
    rig: Rig, flow: Flow, clock: MovableClock
):
    at = clock() + timedelta(minutes=14)
    stop = Caught(rig, "POST", "/human-loops/stop", {"HumanLoopName": flow.start()}, at=at)
    loops = [flow.start() for _ in range(2)]
    assert stop.send().status_code == 200
    for name in loops:
        clock.advance(14 * 60)
        # Another write sweeps the table.
        assert Caught(rig, "POST", "/human-loops/stop", {"HumanLoopName": name}, clock()).send().is_success
        assert "sign every call anew" in stop.send().json()["message"]


def test_a_question_may_be_asked_again(rig: Rig, flow: Flow, clock: MovableClock):
    caught = Caught(rig, "GET", f"/human-loops/{flow.start()}")
    assert caught.send().status_code == 200
    clock.advance(60)
    assert caught.send().status_code == 200


def _presigned(rig: Rig, method: str, path: str, expires: int) -> str:
    request = AWSRequest(method=method, url=rig.url + path)
    keys = Credentials(*rig.cloud.keys())
    SigV4QueryAuth(keys, "sagemaker", "us-east-1", expires=expires).add_auth(request)
    return str(request.url)


def test_a_presigned_url_is_no_api_call(rig: Rig, flow: Flow):
    """Presigned URLs are made to be handed on: who has one is not the one who signed."""
    name = flow.start()
    for method in ("GET", "DELETE"):
        reply = httpx.request(method, _presigned(rig, method, f"/human-loops/{name}", 60))
        assert _refusal(reply) == _INVALID
        assert "sign the header" in reply.json()["message"]
    reply = httpx.get(_presigned(rig, "GET", f"/human-loops/{name}", 7 * 24 * 3600 + 1))
    assert _refusal(reply) == (400, "AuthorizationQueryParametersError")
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"


def test_an_oversize_body_is_given_up(rig: Rig):
    signed = Caught(rig, "POST", "/human-loops", {})

    def endless() -> Iterator[bytes]:
        for _ in range(17):
            yield b"x" * 1024 * 1024

    reply = signed.send(content=endless())
    assert (reply.status_code, reply.json()["__type"]) == (413, "RequestEntityTooLargeException")
