"""One answer of a model's server, read within limits: whoever serves a model is behind walls, and may answer
anything, without end, a byte a minute, or a gibibyte packed into one mebibyte.

Takes a URL and a request, gives status, content and the two headers that callers see. Keeps no cookies: all
models are asked at one host.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx


@dataclass(frozen=True)
class ModelReply:
    """``content`` has more than the ``most`` that was asked for when the answer was too long."""

    status: int
    content: bytes
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.content[:16_384].decode(errors="replace")


def client(connections: int, idle_seconds: float = 2.0) -> httpx.Client:
    """A client for ``ask``; threads may share it."""
    limits = httpx.Limits(max_connections=connections, keepalive_expiry=idle_seconds)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.Client(limits=limits, cookies=no_cookies, trust_env=False)


def ask(
    http: httpx.Client,
    method: str,
    url: str,
    *,
    most: int,
    seconds: float,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> ModelReply:
    """Raises ``httpx.TransportError``; a ``TimeoutException`` also when the whole takes too long."""
    until = time.monotonic() + seconds
    given = {"Accept-Encoding": "identity", **(headers or {})}
    with http.stream(method, url, content=content, headers=given, timeout=seconds) as reply:
        body = bytearray()
        for piece in reply.iter_raw():
            body += piece
            if len(body) > most:
                break
            if time.monotonic() > until:
                raise httpx.ReadTimeout("the answer does not end")
        told = {name.decode("latin-1").lower(): _one_line(value) for name, value in reply.headers.raw}
        return ModelReply(reply.status_code, bytes(body), told)


def _one_line(value: bytes) -> str:
    return re.sub(r"[^\t -~\x80-\xff]", "?", value.decode("latin-1"))
