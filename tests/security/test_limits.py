"""How much a stranger may send: every route of both servers has its limit, and JSON is bounded in depth and
number. Nothing that is refused stops the server, and nothing of it is a fault of ours (500).
"""

from __future__ import annotations

import base64
import json
import socket
import time
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from itsdangerous import URLSafeSerializer

from include.review_server.bodies import CONTROL_BODY, LARGEST_BODY, SMALL_BODY
from include.wire.strictjson import DEEPEST, MOST_CONTAINERS
from tests.review_server.rig import Rig, refused
from tests.support.cloud import ROLE, LocalCloud

_MEBIBYTE = 1024 * 1024
_DEEP = "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)
# What a stranger may write where a value is expected, as JSON text.
_HOSTILE = {
    "deep": _DEEP,
    "deep beyond Python's recursion": "[" * 1_900 + "]" * 1_900,
    "never closed": '{"a":' * 500,
    "NaN": "NaN",
    "infinity": "-Infinity",
    "half a character": '"\\ud800"',
}
_MANY = f"[{'[],' * MOST_CONTAINERS}0]"


def _refusal_of_a_head(url: str, path: str, *headers: str, body: bytes = b"") -> int:
    """The status of the reply to a request whose body never ends."""
    host = urlsplit(url).netloc
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: application/json", *headers, "", ""]
    with socket.create_connection((str(urlsplit(url).hostname), int(urlsplit(url).port or 0)), 60) as client:
        client.sendall("\r\n".join(lines).encode() + body)
        return int(client.recv(4096).split()[1])


def _signed(
    cloud: LocalCloud, url: str, target: str, body: bytes, service: str = "sagemaker"
) -> httpx.Response:
    """The reply to a signed call with a body that no client would write. ``target`` may be a path."""
    headers = {"content-type": "application/x-amz-json-1.1"}
    address = url + target if target.startswith("/") else url + "/"
    if not target.startswith("/"):
        headers["x-amz-target"] = target
    request = AWSRequest("POST", address, data=body, headers=headers)
    SigV4Auth(cloud.session().get_credentials(), service, "us-east-1").add_auth(request)
    return httpx.post(address, content=body, headers=dict(request.headers.items()), timeout=60)


@pytest.mark.parametrize("path", ["/worker/session", "/worker/invitation"])
def test_without_a_session_a_large_body_is_refused_unread(rig: Rig, path: str):
    assert _refusal_of_a_head(rig.url, path, f"content-length: {11 * _MEBIBYTE}") == 413
    # One chunk says no more than its own length; the others never come.
    chunk = b"%x\r\n%s\r\n" % (SMALL_BODY + 1, b" " * (SMALL_BODY + 1))
    assert _refusal_of_a_head(rig.url, path, "transfer-encoding: chunked", body=chunk) == 413
    reply = httpx.post(
        f"{rig.url}{path}", content=_MANY.encode(), headers={"content-type": "application/json"}
    )
    assert reply.status_code == 413


@pytest.mark.parametrize("path", ["/worker/session", "/worker/invitation"])
@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE)
def test_without_a_session_hostile_json_is_a_bad_request(rig: Rig, path: str, text: str):
    for body in (text, f'{{"name": {text}, "password": "x"}}', f'{{"token": "x", "password": {text}}}'):
        reply = httpx.post(f"{rig.url}{path}", content=body, headers=_json())
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]["message"]


@pytest.mark.parametrize("target", ["/human-loops", "SageMaker.CreateHumanTaskUi"])
def test_without_a_known_key_no_body_is_read(rig: Rig, target: str):
    signed = (
        "authorization: AWS4-HMAC-SHA256 Credential=AKIAUNKNOWN/20260101/us-east-1/sagemaker/aws4_request, "
        "SignedHeaders=host, Signature=0"
    )
    path = target if target.startswith("/") else "/"
    named = [] if target.startswith("/") else [f"x-amz-target: {target}"]
    for headers in (named, [*named, signed]):
        assert _refusal_of_a_head(rig.url, path, f"content-length: {_MEBIBYTE}", *headers) == 403


def test_with_a_session_only_an_answer_may_be_large(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    worker = rig.worker(flow.team)
    padded = json.dumps({"queue": "x" * SMALL_BODY})
    assert worker.http.post("/worker/tasks", content=padded, headers=_json()).status_code == 413
    task = worker.take(flow)
    address = f"/worker/tasks/{task['task_id']}"
    for content in (_DEEP, _MANY, "9" * 5_000, "NaN"):
        body = f'{{"answer_content": {{"a": {content}}}}}'
        reply = worker.http.post(f"{address}/answer", content=body, headers=_json())
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "BadAnswer")

    def endless() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // _MEBIBYTE + 1):
            yield b" " * _MEBIBYTE

    assert worker.http.post(f"{address}/answer", content=endless(), headers=_json()).status_code == 413
    picture = "x" * (LARGEST_BODY - _MEBIBYTE)
    body = f'{{"answer_content": {{"picture": "{picture}", "half": "\\ud800"}}}}'
    assert worker.http.post(f"{address}/answer", content=body, headers=_json()).status_code == 200
    assert flow.output(name)["humanAnswers"][0]["answerContent"] == {"picture": picture, "half": "\ud800"}


def _json() -> dict[str, str]:
    return {"content-type": "application/json"}


_CALLS = {
    "control": ("SageMaker.CreateHumanTaskUi", "sagemaker"),
    "runtime": ("/human-loops", "sagemaker"),
    "logs": ("Logs_20140328.PutLogEvents", "logs"),
    "queues": ("AmazonSQS.SendMessage", "sqs"),
    "events": ("AWSEvents.PutEvents", "events"),
}


@pytest.mark.parametrize("call", _CALLS)
def test_a_callers_hostile_json_is_refused_by_both_servers(rig: Rig, cloud: LocalCloud, call: str):
    target, service = _CALLS[call]
    urls = [cloud.endpoint_url] + ([rig.url] if service == "sagemaker" else [])
    for url in urls:
        for name, text in [*_HOSTILE.items(), ("many", _MANY), ("digits", "9" * 5_000)]:
            reply = _signed(cloud, url, target, f'{{"HumanLoopName": {text}}}'.encode(), service)
            assert reply.status_code == 400, (url, name, reply.text)
            assert "SerializationException" in reply.text, (url, name, reply.text)


def test_a_control_plane_call_has_two_mebibytes_at_most(rig: Rig, cloud: LocalCloud):
    large = b'{"x": "%s"}' % (b"x" * CONTROL_BODY)
    assert _signed(cloud, rig.url, "SageMaker.CreateHumanTaskUi", large).status_code == 413
    assert _signed(cloud, cloud.endpoint_url, "Logs_20140328.PutLogEvents", large, "logs").status_code == 413
    # The largest that AWS allows, with every character escaped, is taken.
    name = rig.name("ui")
    content = "é" * 128_000
    rig.sagemaker.create_human_task_ui(HumanTaskUiName=name, UiTemplate={"Content": content})
    rig.sagemaker.delete_human_task_ui(HumanTaskUiName=name)


@pytest.mark.parametrize("text", [_DEEP, "9" * 5_000, "NaN", "{"])
def test_a_loops_input_that_is_too_much_is_a_validation_error(rig: Rig, text: str):
    start = {"FlowDefinitionArn": rig.flow().arn, "HumanLoopInput": {"InputContent": text}}
    code, status, message = refused(rig.a2i.start_human_loop, HumanLoopName=rig.name("loop"), **start)
    assert (code, status) == ("ValidationException", 400)
    assert "InputContent" in message


def test_what_is_too_much_for_an_operation_is_refused_by_it(rig: Rig):
    template = {"UiTemplate": {"Content": "<p>x</p>"}, "RoleArn": ROLE}
    assert refused(rig.sagemaker.render_ui_template, Task={"Input": _DEEP}, **template)[1] == 400
    assert refused(rig.sagemaker.list_human_task_uis, MaxResults=10**30)[1] == 400


@pytest.mark.parametrize("token", ["[" * 3_000 + "]" * 3_000, "5", '["Name", ["x"], "y"]', "null", "{}"])
def test_a_forged_page_token_is_refused(cloud: LocalCloud, token: str):
    forged = base64.urlsafe_b64encode(token.encode()).decode()
    code, status, _ = refused(cloud.client("sagemaker").list_training_jobs, NextToken=forged)
    assert (code, status) == ("ValidationException", 400)


def test_an_owners_form_is_bounded(rig: Rig):
    owner = rig.worker(rig.name("team"))
    rig.review.accounts.add(owner.name, None, owner=True)
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"&".join([b"a=1"] * 1_000), b"template=" + b"x" * CONTROL_BODY):
        for page in ("check", "preview"):
            reply = owner.http.post(f"/owner/templates/{page}", content=body, headers=form)
            assert reply.status_code == 400


def test_who_signs_a_ticket_of_ones_own_gets_no_more_by_it(rig: Rig):
    """A frame's ticket is signed with what its person knows: what it unpacks to must not cost the server."""
    worker = rig.worker(rig.name("team"))
    serializer = URLSafeSerializer(worker.http.headers["x-csrf-token"], salt="nightloop frame")
    packed = base64.urlsafe_b64encode(zlib.compress(b"[" + b"0," * 5_000_000 + b"0]", 9)).rstrip(b"=")
    tickets = [serializer.dumps(value) for value in ([1], [1, "x"], None, {"a": 1}, ["no", 1e300])]
    tickets += [serializer.make_signer().sign(payload).decode() for payload in (b"YWJj", b"." + packed)]
    # By the processor's time: a busy machine takes as long as it likes.
    began = time.process_time()
    assert [worker.http.get(f"/frame/{ticket}").status_code for ticket in tickets] == [403] * len(tickets)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01"])
def test_a_time_that_is_none_is_a_bad_request(rig: Rig, since: str):
    worker = rig.worker(rig.name("team"))
    assert worker.http.get("/worker/done", params={"since": since}).status_code == 400
