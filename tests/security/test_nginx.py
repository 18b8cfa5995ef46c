"""The review server behind nginx, configured as the documentation says: the very text is taken from there."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from include.review_server.bodies import LARGEST_BODY
from include.review_server.people.throttle import OF_A_NAME_FROM_A_NETWORK
from tests.review_server.rig import Rig, refused
from tests.support.cloud import ROOT, LocalCloud, eventually
from tests.support.serving import serving

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

UPSTREAM = "http://127.0.0.1:4567"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{server}
}}
"""


@dataclass
class Front:
    """A running nginx."""

    port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def client(self, local_address: str = "127.0.0.1") -> httpx.Client:
        verify = ssl.create_default_context(cafile=str(self.certificate))
        return httpx.Client(
            base_url=self.url,
            timeout=60,
            transport=httpx.HTTPTransport(verify=verify, local_address=local_address),
        )

    def ask(self, text: bytes, patience: float = 1.0) -> bytes:
        """All that is said until the connection is closed, or nothing more comes for so many seconds."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        said = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(text)
            try:
                while part := client.recv(65536):
                    said += part
                    client.settimeout(patience)
            except TimeoutError:
                assert said, "nothing in a minute"
        return said


Nginx = Callable[[str], AbstractContextManager[Front]]


def documented() -> str:
    """The server block of the documentation, wherever it stands now."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    blocks = [
        block
        for page in pages
        for block in re.findall(r"^ *server \{\n(?:.*\n)*?^ *\}\n(?! *\})", page.read_text(), re.MULTILINE)
        if f"proxy_pass {UPSTREAM};" in block
    ]
    assert len(blocks) == 1, "one place says how nginx is set up"
    return blocks[0]


@pytest.fixture
def nginx(tmp_path: Path) -> Nginx:
    @contextmanager
    def nginx(upstream: str) -> Iterator[Front]:
        assert NGINX, "no nginx: .ci/system-packages installs it"
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        front = Front(port, _certificate(tmp_path))
        changes = {
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/ssl/review.pem": str(front.certificate),
            "/etc/ssl/review.key": str(tmp_path / "key.pem"),
            UPSTREAM: upstream,
        }
        server = documented()
        for before, after in changes.items():
            assert server.count(before) == 1, before
            server = server.replace(before, after)
        user = "user root;" if os.getuid() == 0 else ""
        config = tmp_path / "nginx.conf"
        config.write_text(MAIN.format(folder=tmp_path, server=server, user=user))
        command = [NGINX, "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(config)]
        with subprocess.Popen(command) as process:
            try:
                eventually(lambda: _answers(port) or process.poll() is not None)
                assert process.poll() is None, (tmp_path / "error.log").read_text()
                yield front
            finally:
                process.terminate()
                process.wait(30)

    return nginx


class TestReviewServer:
    def test_signed_calls_pass_unchanged(self, rig: Rig, cloud: LocalCloud, nginx: Nginx):
        flow = rig.flow()
        loops = [flow.start() for _ in range(3)]
        with nginx(rig.url) as front:
            config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
            a2i, sagemaker = (
                cloud.session().client(
                    service,
                    endpoint_url=front.url,
                    region_name="us-east-1",
                    verify=str(front.certificate),
                    config=config,
                )
                for service in ("sagemaker-a2i-runtime", "sagemaker")
            )
            assert sagemaker.describe_flow_definition(FlowDefinitionName=flow.name)["FlowDefinitionArn"]
            assert a2i.describe_human_loop(HumanLoopName=loops[0])["HumanLoopStatus"] == "InProgress"
            pages = a2i.get_paginator("list_human_loops").paginate(
                FlowDefinitionArn=flow.arn, PaginationConfig={"PageSize": 1}
            )
            names = [loop["HumanLoopName"] for page in pages for loop in page["HumanLoopSummaries"]]
            assert sorted(names) == sorted(loops)
            # Encoded and doubled characters arrive as they were signed: refused for what they say.
            for name in ("a b", "ä", "a%2Fb", "a//b", "a+b", "a;b"):
                code, status, _ = refused(a2i.describe_human_loop, HumanLoopName=name)
                assert status in (400, 404), (name, code)
                assert "Signature" not in code

    def test_people_are_counted_by_the_address_that_nginx_saw(self, rig: Rig, nginx: Nginx):
        name, free = rig.name("member"), OF_A_NAME_FROM_A_NETWORK.free
        _, password = rig.review.accounts.add(name, "team")
        with (
            nginx(rig.url) as front,
            front.client() as attacker,
            front.client("127.0.0.2") as person,
            rig.clock.stopped(),
        ):
            guesses = [
                attacker.post(
                    "/worker/session",
                    json={"name": name, "password": "wrong"},
                    headers={"x-forwarded-for": f"203.0.113.{number}", "x-real-ip": "203.0.113.1"},
                ).status_code
                for number in range(free + 1)
            ]
            assert guesses == [401] * free + [429]
            reply = person.post("/worker/session", json={"name": name, "password": password})
            assert reply.status_code == 201
            assert all("Secure" in cookie for cookie in reply.headers.get_list("set-cookie"))

    def test_bodies_have_one_limit(self, rig: Rig, nginx: Nginx):
        limit = re.search(r"client_max_body_size +(\d+)m;", documented())
        assert limit is not None
        assert int(limit[1]) << 20 == LARGEST_BODY
        flow = rig.flow()
        worker = rig.worker(flow.team)
        with nginx(rig.url) as front, front.client() as client:
            headers = {
                "x-csrf-token": worker.http.headers["x-csrf-token"],
                "content-type": "application/json",
                "cookie": "; ".join(f"{name}={value}" for name, value in worker.http.cookies.items()),
            }
            body = b'{"answer_content":{"a":"%b"}}'
            for size, status in ((LARGEST_BODY - 1000, 404), (LARGEST_BODY + 1000, 413)):
                content = body % (b"x" * size)
                reply = client.post("/worker/tasks/none/answer", content=content, headers=headers)
                assert reply.status_code == status

    def test_a_false_host_is_named_in_no_answer(self, rig: Rig, nginx: Nginx):
        with nginx(rig.url) as front:
            for path in (b"/", b"/sign-in", b"/worker/session", b"/portal", b"//evil.example/"):
                request = b"GET %b HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n" % path
                said = front.ask(request)
                assert said.startswith(b"HTTP/1.1 ")
                assert b"Location: http" not in said.replace(b"location", b"Location")
                assert b"evil" not in said.replace(b"next=", b"")
            for host in (b"a b", b"a/b", b"", b"a\r\nHost: b"):
                said = front.ask(b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % host)
                assert said.split(b" ", 2)[1] == b"400", host


class TestFraming:
    SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

    def test_no_request_hides_in_another(self, nginx: Nginx):
        seen: list[str] = []

        async def record(request: Request) -> Response:
            await request.body()
            seen.append(request.url.path)
            return PlainTextResponse("seen")

        app = Starlette(routes=[Route("/{path:path}", record, methods=["GET", "POST"])])
        hidden = self.SMUGGLED
        length, chunked = b"Content-Length: %d\r\n", b"Transfer-Encoding: chunked\r\n"
        heads = [
            length % 4 + chunked,
            chunked + length % 4,
            length % 0 + length % len(hidden),
            length % 0 + b"Content-Length : %d\r\n" % len(hidden),
            b"Content-Length: 0\r\n Content-Length: %d\r\n" % len(hidden),
            b"Content-Length: 0, %d\r\n" % len(hidden),
            b"Content-Length: +0\r\n",
            b"Transfer-Encoding: xchunked\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Transfer-Encoding : chunked\r\n" + length % 0,
            b"Transfer-Encoding:\x0bchunked\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            b"X: a\nContent-Length: 0\n",
            b"X: a\r\n\tb\r\nContent-Length: 0\r\n",
            b"Content\x00-Length: 0\r\n",
        ]
        bodies = [
            hidden,
            b"0\r\n\r\n" + hidden,
            b"0;a=b\nx\r\n\r\n" + hidden,
            b"1\r\na\r\n0\r\nX: y\r\n\r\n" + hidden,
        ]
        with serving(app, ["127.0.0.1"]) as (_, port), nginx(f"http://127.0.0.1:{port}") as front:
            for head in heads:
                for body in bodies:
                    text = b"POST /first HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + body
                    # What nginx itself takes for a second request is one, with an answer. Nothing else is.
                    for patience in (1, 30):
                        seen.clear()
                        answers = front.ask(text, patience).count(b"HTTP/1.1 200")
                        if len(seen) <= answers:
                            break
                    assert len(seen) <= answers, (head, body)
            for body in (b"4;ext=1\r\nabcd\r\n0\r\n\r\n", b"0\r\nX-Amz-Target: a\r\n\r\n"):
                seen.clear()
                front.ask(b"POST /first HTTP/1.1\r\nHost: a\r\n" + chunked + b"\r\n" + body)
                assert seen == ["/first"]

    def test_other_forms_and_protocols_lead_nowhere_else(self, nginx: Nginx):
        async def tell(request: Request) -> Response:
            assert request.client is not None
            return PlainTextResponse(f"{request.url.path} {request.headers['host']} {request.client.host}")

        app = Starlette(routes=[Route("/{path:path}", tell, methods=["GET", "POST"])])
        upgrade = b"Connection: Upgrade\r\nUpgrade: %b\r\nSec-WebSocket-Version: 13\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        with serving(app, ["127.0.0.1"]) as (_, port), nginx(f"http://127.0.0.1:{port}") as front:
            said = front.ask(b"GET https://evil.example/here HTTP/1.1\r\nHost: a\r\n\r\n")
            assert said.endswith(b"/here a 127.0.0.1")
            for protocol in (b"websocket", b"h2c"):
                said = front.ask(b"GET /here HTTP/1.1\r\nHost: a\r\n" + upgrade % protocol + key + b"\r\n")
                assert said.startswith(b"HTTP/1.1 200 ")
            for other in (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
                assert b" 200 " not in front.ask(other)
            lies = b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\nX_Forwarded_For: 8.8.8.8\r\n"
            lies += b"Forwarded: for=9.9.9.9\r\nX-Forwarded-Proto: ftp\r\n"
            assert front.ask(b"GET /here HTTP/1.1\r\nHost: a\r\n" + lies + b"\r\n").endswith(b"a 127.0.0.1")


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def _certificate(folder: Path) -> Path:
    """A certificate of our own for 127.0.0.1; its key is beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "review.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "certificate.pem"
