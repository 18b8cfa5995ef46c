"""Clients that send half, nothing or junk, do not read, or come in crowds: others are served meanwhile."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from include.wire import listening
from tests.support.cloud import LocalCloud, eventually
from tests.support.serving import serving

Address = tuple[str, int]
HOST = b"Host: localhost\r\n"
HALF_HEAD = b"GET /echo HTTP/1.1\r\nHost: loc"
HALF_BODY = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\nabc"
EXPECTING = b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
BIG = 64 << 20


async def echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"bytes": len(body), "headers": sorted(request.headers)})


async def big(_request: Request) -> Response:
    return Response(b"x" * BIG)


async def late(request: Request) -> Response:
    """What takes its time to be made, as a long poll."""
    await asyncio.sleep(float(request.query_params["seconds"]))
    return PlainTextResponse("late")


APP = Starlette(
    routes=[Route("/echo", echo, methods=["GET", "POST"]), Route("/big", big), Route("/late", late)]
)


@pytest.fixture
def server() -> Iterator[Address]:
    with serving(APP) as address:
        yield address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE", "HEAD", "BODY", "UNREAD"):
        monkeypatch.setattr(listening, name, 3.0)


def ask(address: Address, text: bytes) -> bytes:
    """All that the server says until it closes; it is told nothing more."""
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(text)
        return read(client)


def read(client: socket.socket) -> bytes:
    said = bytearray()
    try:
        while part := client.recv(65536):
            said += part
    except ConnectionResetError:
        pass
    return bytes(said)


@contextmanager
def crowd(address: Address, *texts: bytes) -> Iterator[list[socket.socket]]:
    """A connection for each text, which is sent, and then nothing."""
    with ExitStack() as stack:
        clients = []
        for text in texts:
            client = stack.enter_context(socket.create_connection(address, timeout=60))
            clients.append(client)
            try:
                client.sendall(text)
            except ConnectionError:
                continue
        yield clients


@pytest.mark.usefixtures("impatient")
class TestPatience:
    def test_who_stops_in_the_middle_is_told_so_and_who_waits_for_us_is_not(self, server: Address):
        texts = [
            HALF_HEAD,
            HALF_BODY,
            EXPECTING,
            b"",
            b"\r\n" * 50,
            b"GET /echo HTTP/1.1\r\n" + HOST + b"\r\n",
        ]
        slow = b"GET /late?seconds=8 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda text: ask(server, text), [*texts, slow]))
        first_lines = [answer.split(b"\r\n")[0] for answer in said]
        stopped = b"HTTP/1.1 408 Request Timeout"
        assert first_lines[:2] == [stopped, stopped]
        assert first_lines[2] == b"HTTP/1.1 100 Continue"
        assert stopped in said[2]
        assert first_lines[3:] == [b"", b"", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK"]
        assert said[-1].endswith(b"late")

    @pytest.mark.parametrize("text", [HALF_HEAD, HALF_BODY], ids=["head", "body"])
    def test_dripping_is_not_progress(self, server: Address, text: bytes):
        with socket.create_connection(server, timeout=60) as client:
            client.sendall(text)
            gone = threading.Event()

            def drip() -> None:
                while not gone.wait(0.2):
                    client.sendall(b"a")

            dripping = threading.Thread(target=drip)
            dripping.start()
            try:
                assert b"408 Request Timeout" in read(client)
            finally:
                gone.set()
                dripping.join()

    def test_an_upload_that_moves_may_last(self, server: Address):
        parts = 40
        with socket.create_connection(server, timeout=60) as client:
            head = b"POST /echo HTTP/1.1\r\n%bConnection: close\r\nContent-Length: %d\r\n\r\n"
            client.sendall(head % (HOST, parts * 2048))
            for _ in range(parts):
                client.sendall(b"x" * 2048)
                time.sleep(0.2)
            assert b'"bytes":%d' % (parts * 2048) in read(client)

    def test_an_answer_that_nobody_reads_is_given_up(self, server: Address):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(60)
            client.connect(server)
            client.sendall(b"GET /big HTTP/1.1\r\n" + HOST + b"\r\n")
            eventually(lambda: _established(server) == 0)
            assert len(read(client)) < BIG


class TestCrowds:
    def test_the_silent_make_room_and_who_is_being_answered_stays(
        self, server: Address, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(listening, "MOST_CONNECTIONS", 20)
        url = f"http://{server[0]}:{server[1]}"
        with httpx.Client(timeout=60) as early, ThreadPoolExecutor(1) as pool:
            polling = pool.submit(early.get, f"{url}/late?seconds=6")
            eventually(lambda: _established(server) == 1)
            with crowd(server, *[HALF_HEAD, HALF_BODY, EXPECTING, b""] * 25) as clients:
                for _ in range(5):
                    assert httpx.get(f"{url}/echo", timeout=60).status_code == 200
                assert _established(server) <= 20
                for client in clients[:40]:
                    read(client)  # they were closed
            assert polling.result().text == "late"

    def test_when_all_are_being_answered_the_next_is_sent_away(
        self, server: Address, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(listening, "MOST_CONNECTIONS", 5)
        polls = b"GET /late?seconds=600 HTTP/1.1\r\n" + HOST + b"\r\n"
        with crowd(server, *[polls] * 5) as clients:
            eventually(lambda: ask(server, b"").startswith(b"HTTP/1.1 503 "))
            assert len(clients) == 5
        eventually(lambda: b"200 OK" in ask(server, b"GET /echo HTTP/1.0\r\n\r\n"))

    @pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
    def test_more_connections_than_files_keep_nobody_out(self, cloud: LocalCloud, bucket: str):
        """Of the real processes: both of the cloud's ports, with few files left to open."""
        pid = cloud.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        few = len(os.listdir(f"/proc/{pid}/fd")) + 160
        assert 2 * (few // 4) < 160, "so few places that files are left"
        ports = [_address(cloud.endpoint_url), _address(cloud.review_url)]
        try:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, limits[1]))
            with ExitStack() as stack:
                for port in ports:
                    stack.enter_context(crowd(port, *[HALF_HEAD, b""] * 100))

                def is_served() -> bool:
                    try:
                        cloud.client("s3").put_object(Bucket=bucket, Key="key", Body=b"x")
                        health = httpx.get(f"{cloud.review_url}/_nightloop/health", timeout=60)
                    except (ClientError, BotoCoreError, httpx.TransportError):
                        return False  # while the crowd still comes, files may be short for a moment
                    return health.json()["status"] == "ok"

                for _ in range(3):
                    eventually(is_served, within=120)
            assert cloud.process.poll() is None
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


class TestJunk:
    """Against the real processes, both ports alike."""

    @pytest.fixture(params=["cloud", "review"])
    def port(self, cloud: LocalCloud, request: pytest.FixtureRequest) -> Address:
        return _address(cloud.endpoint_url if request.param == "cloud" else cloud.review_url)

    GET = b"GET /_nightloop/health HTTP/1.1\r\n"
    POST = b"POST /worker/session HTTP/1.1\r\n"
    CHUNKED = b"Transfer-Encoding: chunked\r\n"

    def test_what_is_no_request_is_refused(self, port: Address):
        get, post, chunked = self.GET, self.POST, self.CHUNKED
        refused = {
            "400": [
                b"\x16\x03\x01\x02\x00\x01" * 20,
                b"GET\r\n\r\n",
                get + b"\r\n",
                get + HOST + HOST + b"\r\n",
                get + HOST + b"X: a\r\n b\r\n\r\n",
                get + HOST + b"X : a\r\n\r\n",
                get + b"Host: a\nX: b\r\n\r\n",
                get + HOST + b"X: a\x00b\r\n\r\n",
                b"CONNECT localhost:1 HTTP/1.1\r\n" + HOST + b"\r\n",
                post + HOST + chunked + b"Content-Length: 4\r\n\r\n0\r\n\r\n",
                post + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
                post + HOST + b"Content-Length: +4\r\n\r\nabcd",
                post + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
                post + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
                post + HOST + chunked + b"\r\nxyz\r\nabc\r\n0\r\n\r\n",
                b"POST /worker/session HTTP/1.0\r\n" + HOST + chunked + b"\r\n0\r\n\r\n",
            ],
            "431": [
                get + HOST + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
                get + HOST + b"X: " + b"a" * 300_000,
                get + HOST + b"X: a\r\n" * 150 + b"\r\n",
                b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
            ],
            "505": [b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"],
        }
        for status, texts in refused.items():
            for text in texts:
                assert _status(ask(port, text)) == status, text[:100]
        assert _status(ask(port, b"GET /_nightloop/health HTTP/1.0\r\n\r\n")) == "200"

    def test_nobody_is_taken_to_another_protocol(self, port: Address):
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\nSec-WebSocket-Version: 13\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        for protocol in (b"websocket", b"h2c"):
            said = ask(port, self.GET + HOST + upgrade % protocol + key + b"junk")
            assert _status(said) == "200"

    def test_requests_in_a_row_are_answered_in_a_row_and_junk_behind_them_by_none(self, port: Address):
        with socket.create_connection(port, timeout=60) as client:
            client.sendall((self.GET + HOST + b"\r\n") * 20)
            said = b""
            while said.count(b'"ok"}') < 20:  # the bodies too: they may come in pieces of their own
                part = client.recv(65536)
                assert part, said
                said += part
            client.sendall(b"junk\r\n\r\n")
            assert _status(read(client)) in ("400", "")

    def test_who_goes_away_in_the_middle_leaves_no_fault_behind(self, tmp_path: Path):
        signed = b"Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sagemaker/aws4_request, "
        signed += b"SignedHeaders=host, Signature=0\r\nX-Amz-Target: SageMaker.ListHumanLoops\r\n"
        heads = (self.POST, b"POST / HTTP/1.1\r\n" + signed, b"PUT /bucket/key HTTP/1.1\r\n" + signed)
        # A cloud of its own: what other tests have begun may write to the log of theirs.
        with LocalCloud(tmp_path / "cloud") as cloud:
            for port in (_address(cloud.endpoint_url), _address(cloud.review_url)):
                for head in heads:
                    with crowd(port, *[head + HOST + b"Content-Length: 1000\r\n\r\nhalf"] * 5):
                        pass
                assert _status(ask(port, b"GET /_nightloop/health HTTP/1.0\r\n\r\n")) == "200"
        assert "Traceback" not in (tmp_path / "cloud" / "cloud.log").read_text()


def test_a_trailer_is_no_header_and_has_an_end(server: Address):
    head = b"POST /echo HTTP/1.1\r\n" + HOST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = ask(server, head + b"3;name=value\r\nabc\r\n0\r\nX-Amz-Target: late\r\n\r\n")
    assert b'"bytes":3' in said
    assert b"x-amz-target" not in said
    assert _status(ask(server, head + b"3\r\nabc\r\n0\r\nX: " + b"a" * 300_000)) == "431"


def test_half_an_object_is_none(cloud: LocalCloud, bucket: str):
    body = b"x" * 100_000
    host, port = _address(cloud.endpoint_url)
    request = AWSRequest("PUT", f"http://{host}:{port}/{bucket}/half", data=body)
    S3SigV4Auth(cloud.session().get_credentials(), "s3", "us-east-1").add_auth(request)
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection((host, port), timeout=60) as client:
        head = f"PUT /{bucket}/half HTTP/1.1\r\nHost: {host}:{port}\r\n{fields}"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:50_000])
        time.sleep(0.2)
    for _ in range(10):
        assert cloud.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0
        time.sleep(0.1)


def _status(said: bytes) -> str:
    return said.split(b" ", 2)[1].decode() if b" " in said else ""


def _address(url: str) -> Address:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def _established(server: Address) -> int:
    """How many connections to that address are open on the server's side, by the kernel's own list."""
    ours = f"{int.from_bytes(socket.inet_aton(server[0]), 'little'):08X}:{server[1]:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    return sum(row[1] == ours and row[3] == "01" for row in rows)
