"""Answers that nobody who asks a model should have to live with: each is bounded, and hurts no other."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import httpx
import pytest

from include.local_cloud import model_reply

Say = Callable[[bytes], Iterable[bytes]]
_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.fixture
def serve() -> Iterator[Callable[[Say], str]]:
    listeners = []

    def start(say: Say) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        for piece in say(connection.recv(65536)):
                            connection.sendall(piece)
                except OSError:
                    if listener.fileno() < 0:
                        return

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/invocations"

    yield start
    for listener in listeners:
        listener.close()


def ask(url: str, http: httpx.Client | None = None, seconds: float = 60) -> model_reply.ModelReply:
    return model_reply.ask(http or model_reply.client(4), "POST", url, most=1 << 20, seconds=seconds)


def test_an_answer_without_end_is_cut(serve: Callable[[Say], str]) -> None:
    url = serve(lambda _: [_HEAD + b"\r\n", *[bytes(1 << 20)] * 64])
    assert 1 << 20 < len(ask(url).content) < 2 << 20


def test_a_packed_answer_stays_packed(serve: Callable[[Say], str]) -> None:
    packed = gzip.compress(bytes(256 << 20), 1)
    url = serve(lambda _: [_HEAD + b"Content-Encoding: gzip\r\n\r\n" + packed])
    assert len(ask(url).content) < 2 << 20
    assert ask(serve(lambda _: [_HEAD + b"Content-Encoding: gzip\r\n\r\nzz"])).content == b"zz"


def test_an_answer_that_drips_ends_in_time(serve: Callable[[Say], str]) -> None:
    def drip(_asked: bytes) -> Iterator[bytes]:
        yield _HEAD + b"\r\n"
        for _ in range(600):
            yield b"a"
            time.sleep(0.1)

    began = time.monotonic()
    with pytest.raises(httpx.TimeoutException):
        ask(serve(drip), seconds=1)
    assert time.monotonic() - began < 30


def test_no_cookie_of_one_model_reaches_another(serve: Callable[[Say], str]) -> None:
    http = model_reply.client(4)
    ask(serve(lambda _: [_HEAD + b"Set-Cookie: planted=1; Path=/\r\n\r\n"]), http)
    assert b"planted" not in ask(serve(lambda asked: [_HEAD + b"\r\n", asked]), http).content


def test_no_header_is_more_than_a_line_of_latin(serve: Callable[[Say], str]) -> None:
    head = _HEAD + b"Content-Type: a\x01\xe2\x98\x83; charset=hex\r\n\r\nzz"
    reply = ask(serve(lambda _: [head]))
    assert reply.headers["content-type"].encode("latin-1") == b"a?\xe2\x98\x83; charset=hex"
    assert reply.text == "zz"
