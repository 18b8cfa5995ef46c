"""How a server listens: uvicorn, with clients that must keep sending and reading, and never hold every place.

Takes an ASGI application and gives a ``Server``, for the review server and the local cloud alike.

A connection waits for its client while a request is coming, while an answer is not read, and between
requests. That wait is bounded by progress, never in total: an upload may last for hours if it moves, and how
long an answer takes to be made (a long poll) is not the client's time. When all places are taken, who has
been silent for longest makes room: a crowd of idle or half-sent connections keeps nobody out.
"""

from __future__ import annotations

import asyncio
import enum
import resource
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import uvicorn
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

App = Callable[..., Awaitable[None]]

# Seconds without progress. botocore keeps a connection for a minute; closing it earlier makes it stumble.
IDLE, HEAD, BODY, UNREAD = 90.0, 30.0, 60.0, 60.0
SLOWEST_BODY = 1024  # bytes a second, in the long run: each gives a second of patience back
LARGEST_HEAD = 64 * 1024
MOST_HEADERS = 100
MOST_CONNECTIONS = 1000


class Server(uvicorn.Server):
    """A uvicorn server for one listening socket.

    ``trusted_proxies`` are addresses and networks (CIDR) of proxies in front: only what they say in
    X-Forwarded-For, read from the right as far as they are trusted, and in X-Forwarded-Proto counts.
    """

    def __init__(self, app: App, trusted_proxies: Sequence[str] = (), lifespan: str = "auto") -> None:
        super().__init__(
            uvicorn.Config(
                _without_disconnects(app),
                http=_Connection,
                ws="none",
                lifespan=lifespan,  # type: ignore[arg-type]
                access_log=False,
                log_level="warning",
                timeout_keep_alive=int(IDLE),
                timeout_graceful_shutdown=5,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
            )
        )

    async def on_tick(self, counter: int) -> bool:
        """uvicorn's pulse, ten times a second."""
        if counter % 10 == 0:
            for connection in _all(self.server_state.connections):
                # A second however long it was: when this machine was too busy, no client is to blame.
                connection.grow_impatient(1.0)
        return await super().on_tick(counter)


class _Phase(enum.Enum):
    """What the parser expects of the client next."""

    BETWEEN = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class _Refused(Exception):
    """Raised inside the parser, which gives up the connection."""


class _Connection(HttpToolsProtocol):
    """One connection, with what is left of the patience for its client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._phase = _Phase.BETWEEN
        self._patience = IDLE
        self._heard = self.loop.time()
        self._unread = 0  # bytes of the answer that the client had not taken at the last look
        self._loose = 0  # bytes since the last that were worth something
        self._status = HTTPStatus.BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # The head and the body of an answer are two writes, and the second would wait 40 ms for the client's
        # acknowledgement of the first. asyncio sees to it only where a socket names its protocol.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > _most_connections():
            self._make_room()

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        self._loose += len(data)
        if self._phase is _Phase.BODY and not self.cycle.response_complete:
            self._patience = min(BODY, self._patience + len(data) / SLOWEST_BODY)
        super().data_received(data)
        # A head, or the trailer of a body, that does not end.
        if (
            self._phase is not _Phase.BETWEEN
            and self._loose > LARGEST_HEAD
            and not self.transport.is_closing()
        ):
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def grow_impatient(self, seconds: float) -> None:
        """So much time has passed; give the connection up when its client has used all it had."""
        unread, self._unread = self._unread, self.transport.get_write_buffer_size()
        if unread > self._unread:
            self._patience, self._heard = UNREAD, self.loop.time()
        elif self._is_clients_turn():
            self._patience -= seconds
            if self._patience <= 0:
                self._give_up()

    def _make_room(self) -> None:
        """More connections than places: end the one whose client is silent for longest, or else this one."""
        staying = [c for c in _all(self.connections) if not c.transport.is_closing() or c._unread]
        waiting = [c for c in staying if c is not self and c._is_clients_turn()]
        if waiting:
            min(waiting, key=lambda connection: connection._heard)._give_up()
        elif len(staying) > _most_connections():
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    def _is_clients_turn(self) -> bool:
        if self._unread or self._is_answered():
            return True
        asked_for = not (self.flow.read_paused or self.cycle.waiting_for_100_continue)
        return self._phase is _Phase.BODY and asked_for

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        unread = self.transport.is_closing() or self.transport.get_write_buffer_size()
        if unread or self._phase is _Phase.BETWEEN:
            # Closing would wait until the client has read what it does not read.
            self.transport.abort()
            self._unread = 0
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _refuse(self, status: HTTPStatus) -> None:
        """Say why, unless that would be taken for the answer to another request, and close."""
        of_this_request = self._phase is _Phase.BODY and not self.cycle.response_started
        if not self.pipeline and (self._is_answered() or of_this_request):
            reason = status.phrase.encode()
            head = b"HTTP/1.1 %d %b\r\ncontent-type: text/plain\r\n" % (status, reason)
            length = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(reason)
            self.transport.write(head + length + reason)
        self.transport.close()

    # What the parser tells.

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._status)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase, self._patience = _Phase.HEAD, HEAD

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is _Phase.BODY:
            return  # a trailer: it must not pass for a header that somebody has checked
        if len(self.headers) == MOST_HEADERS:
            self._reject(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        names = [name for name, _ in self.headers]
        version = self.parser.get_http_version()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > LARGEST_HEAD:
            self._reject(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if version not in ("1.0", "1.1"):
            self._reject(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        # RFC 9112, 3.2 and 6.1: which host is meant, and where the body ends, must not be a matter of taste.
        if names.count(b"host") > 1 or (version == "1.1" and b"host" not in names):
            self._reject(HTTPStatus.BAD_REQUEST)
        if version == "1.0" and b"transfer-encoding" in names:
            self._reject(HTTPStatus.BAD_REQUEST)
        super().on_headers_complete()
        self._phase, self._patience, self._loose = _Phase.BODY, BODY, 0
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # to nothing that we speak; the parser reads no further

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._phase, self._patience, self._loose = _Phase.BETWEEN, UNREAD, 0

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._patience, self._heard = (HEAD if self._phase is _Phase.BODY else IDLE), self.loop.time()

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for another protocol goes on with this one."""

    def _reject(self, status: HTTPStatus) -> None:
        self._status = status
        raise _Refused(status)


def _all(connections: Iterable[Any]) -> list[_Connection]:
    """The connections of uvicorn's own record, which are all of our class."""
    return list(connections)


def _most_connections() -> int:
    """A quarter of the files that this process may open: two ports share it with databases and jobs."""
    return min(MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)


def _without_disconnects(app: App) -> App:
    """A client that goes away in the middle of its request is no fault of the application."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except ClientDisconnect:
            return

    return serve
