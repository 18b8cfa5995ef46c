"""An ASGI application on a free port of this machine, listened to as our servers listen."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from include.wire import listening
from tests.support.cloud import eventually


@contextmanager
def serving(app: listening.App, trusted_proxies: Sequence[str] = ()) -> Iterator[tuple[str, int]]:
    """The address, while it is served by a thread."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = sock.getsockname()
        server = listening.Server(app, trusted_proxies)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            eventually(lambda: server.started)
            yield address
        finally:
            server.should_exit = True
            thread.join(30)
