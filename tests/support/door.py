"""A request to the local cloud as an attacker would send it: signed by botocore, then changed at will.

``Door.sign`` gives the headers that a client sends, ``Door.presign`` an address, ``Door.ask`` sends method,
target and headers as they are, without any tidying up, and ``Door.raw`` bytes.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.cloud import LocalCloud

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
_SECONDS = 60


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Door:
    """``key`` signs: the cloud's own (the administrator's) when left out."""

    def __init__(self, cloud: LocalCloud, key: tuple[str, str] | None = None) -> None:
        self._keys = Credentials(*(key or cloud.keys()))
        self.host = urlsplit(cloud.endpoint_url).netloc

    def sign(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        service: str = "s3",
    ) -> dict[str, str]:
        """The headers of a signed request, ``headers`` and Host among them."""
        given = {"Host": self.host, **(headers or {})}
        url = f"http://{given['Host']}{target}"
        request = AWSRequest(method=method, url=url, data=body, headers=given)
        # S3 over https may leave the body unsigned; over http botocore signs it, as here.
        request.context["payload_signing_enabled"] = True
        authority = S3SigV4Auth if service == "s3" else SigV4Auth
        authority(self._keys, service, "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def presign(
        self,
        target: str,
        method: str = "GET",
        *,
        seconds: int = 600,
        service: str = "s3",
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """The target (path and query) of a presigned URL."""
        request = AWSRequest(method=method, url=f"http://{self.host}{target}", headers=headers)
        authority = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
        authority(self._keys, service, "us-east-1", expires=seconds).add_auth(request)
        return str(request.url).removeprefix(f"http://{self.host}")

    def ask(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Reply:
        """Send it, with Host and Content-Length added when ``headers`` have none."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in pairs}
        if "host" not in names:
            pairs.append(("Host", self.host))
        if body and not {"content-length", "transfer-encoding"} & names:
            pairs.append(("Content-Length", str(len(body))))
        connection = http.client.HTTPConnection(self.host, timeout=_SECONDS)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            connection.endheaders(body)
            reply = connection.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, **rest: bytes | str
    ) -> Reply:
        """Sign and send."""
        signed = self.sign(method, target, headers, **rest)  # type: ignore[arg-type]
        return self.ask(method, target, signed, rest.get("body", b""))  # type: ignore[arg-type]

    def raw(self, sent: bytes) -> bytes:
        """Everything that comes back before the server closes, or nothing more comes for a second."""
        host, port = self.host.split(":")
        received = b""
        with socket.create_connection((host, int(port)), timeout=_SECONDS) as connection:
            connection.sendall(sent)
            try:
                while piece := connection.recv(65536):
                    received += piece
                    connection.settimeout(1)
            except TimeoutError:
                pass
        return received

    def sign_streaming(self, method: str, target: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request whose ``X-Amz-Content-SHA256`` is stated, not made from a body."""
        request = AWSRequest(method=method, url=f"http://{self.host}{target}", headers=headers)
        request.context["stated"] = headers["X-Amz-Content-SHA256"]
        _Stated(self._keys, "s3", "us-east-1").add_auth(request)
        return dict(request.headers.items())


class _Stated(S3SigV4Auth):
    def payload(self, request: AWSRequest) -> str:
        return str(request.context["stated"])
