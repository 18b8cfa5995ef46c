"""What an attacker would try, and the server withstands; signatures and sign-in have tests of their own."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from include.review_server.s3_location import S3Location
from tests.review_server.rig import MEMBERS, Rig, refused
from tests.support.cloud import ROLE


class Listener:
    """A server that nobody should call."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def was_called(self) -> bool:
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.close()


def test_no_url_of_a_caller_or_a_template_is_fetched(rig: Rig, listener: Listener):
    flow, host = rig.flow(), listener.host
    addresses = [
        f"http://{host}/1.jpg",
        f"https://{host}/s3.amazonaws.com/1.jpg",
        f"http://s3.amazonaws.com@{host}/bucket/1.jpg",
        f"s3://{host}/1.jpg",
        f"s3://bucket@{host}/1.jpg",
        f"s3://bucket.{host}/1.jpg",
        f"file://{host}/etc/passwd.jpg",
        "file:///etc/passwd.jpg",
        "http://169.254.169.254/latest/meta-data/1.jpg",
        "http://[::ffff:169.254.169.254]/1.jpg",
    ]
    image = "<img src='{{ task.input.image }}'>{{ task.input.image | grant_read_access }}"
    template = f"<crowd-form>{image}</crowd-form>"
    team = rig.sagemaker.describe_workteam(WorkteamName=flow.team)["Workteam"]["WorkteamArn"]
    ui = rig.sagemaker.create_human_task_ui(HumanTaskUiName=rig.name("ui"), UiTemplate={"Content": template})
    for address in addresses:
        content = json.dumps({"taskObject": address, "image": address})
        if address.startswith("s3://"):
            start = {"FlowDefinitionArn": flow.arn, "HumanLoopInput": {"InputContent": content}}
            code, _, message = refused(rig.a2i.start_human_loop, HumanLoopName=rig.name("loop"), **start)
            assert code == "ValidationException"
            assert "no bucket" in message
        else:
            flow.start(content=content)
        rendered = rig.sagemaker.render_ui_template(
            UiTemplate={"Content": template}, Task={"Input": content}, RoleArn=ROLE
        )
        assert rendered["Errors"]
        code, _, _ = refused(
            rig.sagemaker.create_flow_definition,
            FlowDefinitionName=rig.name("flow"),
            RoleArn=ROLE,
            OutputConfig={"S3OutputPath": address},
            HumanLoopConfig={
                "WorkteamArn": team,
                "HumanTaskUiArn": ui["HumanTaskUiArn"],
                "TaskTitle": "t",
                "TaskDescription": "d",
                "TaskCount": 1,
            },
        )
        assert code == "ValidationException"
    topic = f"arn:aws:sns:us-east-1:000000000000:{host.partition(':')[2]}"
    rig.sagemaker.update_workteam(
        WorkteamName=flow.team, NotificationConfiguration={"NotificationTopicArn": topic}
    )
    worker = rig.worker(flow.team)
    while worker.take(flow):
        worker.answer(flow=flow)
    assert not listener.was_called()


def test_an_address_that_is_none_is_refused_and_no_fault(rig: Rig):
    start = {
        "FlowDefinitionArn": rig.flow().arn,
        "HumanLoopInput": {"InputContent": json.dumps({"image": "s3://[1.jpg"})},
    }
    assert refused(rig.a2i.start_human_loop, HumanLoopName="odd", **start)[:2] == ("ValidationException", 400)


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/../other/1.jpg",
        "s3://bucket/a/../../1.jpg",
        "s3://bucket/./1.jpg",
        "s3://../1.jpg",
        "s3://b/1.jpg",
        "s3://Bucket_/1.jpg",
        "s3:///1.jpg",
        "https://s3.us-east-1.amazonaws.com/bucket/%2e%2e/other",
        "https://example.com/bucket/key",
    ],
)
def test_keys_that_climb_and_buckets_that_are_none_are_refused(text: str):
    with pytest.raises(ValueError, match=r"S3 location|bucket"):
        S3Location.parse(text)


@pytest.mark.parametrize("text", ["s3://bucket/a..b/1.jpg", "s3://bucket/...", "s3://bucket/ü%2f..%2f"])
def test_keys_that_only_look_like_climbing_are_taken_as_they_are(text: str):
    assert S3Location.parse(text).uri == text


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a\0b", "a\r\nset-cookie:x", "a/b", "a" * 64])
def test_loop_names_are_names_and_no_paths(rig: Rig, name: str):
    flow = rig.flow()
    _, status, _ = refused(rig.a2i.describe_human_loop, HumanLoopName=name)
    assert status in (400, 403, 404)
    start = {"FlowDefinitionArn": flow.arn, "HumanLoopInput": {"InputContent": "{}"}}
    code, status, _ = refused(rig.a2i.start_human_loop, HumanLoopName=name, **start)
    assert (code, status) == ("ValidationException", 400)


@pytest.mark.parametrize(
    "path", ["/../api-keys", "/%2e%2e/api-keys", "/api-keys", "/review.db", "/components/../app.py"]
)
def test_no_file_of_the_server_is_served(rig: Rig, path: str):
    raw = httpx.URL(rig.url).copy_with(raw_path=path.encode())
    assert httpx.get(raw).status_code in (403, 404)


def test_guessed_task_ids_are_all_alike_unknown(rig: Rig):
    flow = rig.flow()
    flow.start()
    holder, stranger = rig.worker(flow.team), rig.worker(flow.team)
    task = holder.take(flow)["task_id"]
    assert len(task) == 32, "128 random bits"
    replies = set()
    for guess in (task, secrets.token_hex(16), "0" * 32):
        reply = stranger.http.get(f"/worker/tasks/{guess}")
        replies.add((reply.status_code, reply.text.replace(guess, "TASK")))
    assert {status for status, _ in replies} == {404}
    assert len(replies) == 1, "another's task is like none"
    for odd in ("1", "%00", "' OR 1=1 --", "%f0%9f%92%a3"):
        assert stranger.http.get(f"/worker/tasks/{odd}").status_code == 404


def test_an_image_url_opens_one_object_for_a_quarter_of_an_hour(rig: Rig):
    bucket = rig.bucket()
    for key in ("mine.jpg", "other.jpg"):
        rig.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    template = "<crowd-form>{{ task.input.image | grant_read_access | skip_autoescape }}</crowd-form>"
    task_input = json.dumps({"image": f"s3://{bucket}/mine.jpg"})
    rendered = rig.sagemaker.render_ui_template(
        UiTemplate={"Content": template}, Task={"Input": task_input}, RoleArn=ROLE
    )["RenderedContent"]
    url = rendered[rendered.index("http") :].partition("<")[0].replace("&amp;", "&")
    assert httpx.get(url).content == b"mine.jpg"
    assert int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0]) <= 900
    for altered in (
        url.replace("mine.jpg", "other.jpg"),
        url.replace("X-Amz-Expires=900", "X-Amz-Expires=90000"),
        url.partition("?")[0],
    ):
        assert altered != url
        assert httpx.get(altered).status_code == 403


def test_a_cookie_chosen_by_an_attacker_is_never_signed_in(rig: Rig):
    flow = rig.flow()
    worker = rig.worker(flow.team)
    _, password = rig.review.accounts.reset(worker.name)
    (name,) = (cookie for cookie in worker.http.cookies if "session" in cookie)
    chosen = secrets.token_urlsafe(32)
    reply = httpx.post(
        f"{rig.url}/worker/session",
        json={"name": worker.name, "password": password},
        headers={"cookie": f"{name}={chosen}"},
    )
    assert reply.status_code == 201
    assert reply.cookies[name] != chosen
    fixed = httpx.get(f"{rig.url}/worker/queue", headers={"cookie": f"{name}={chosen}"})
    assert fixed.status_code == 401


def test_a_team_made_by_an_attacker_opens_no_loop_of_another(rig: Rig):
    flow = rig.flow()
    flow.start()
    rig.sagemaker.create_workteam(WorkteamName=rig.name("team"), Description="d", MemberDefinitions=MEMBERS)
    stranger = rig.worker(rig.name("no-such-team"))
    assert stranger.take() is None
    assert (
        stranger.http.post("/worker/tasks", json={"queue": f"flow-definition/{flow.name}"}).status_code == 404
    )
    assert stranger.http.get("/worker/queue").json()["queues"] == []
