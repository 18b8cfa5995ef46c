"""How the servers listen, on a real socket, in asyncio's own loop as the local cloud does."""

from __future__ import annotations

import asyncio
import socket
from threading import Thread

import httpx
from starlette.responses import PlainTextResponse

from include.wire.listening import Server


def test_an_answers_body_does_not_wait_until_its_head_is_acknowledged() -> None:
    server = Server(PlainTextResponse("body"), lifespan="off")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            host, port = listener.getsockname()
            with httpx.Client(trust_env=False) as client:
                assert client.get(f"http://{host}:{port}").text == "body"
                [connection] = server.server_state.connections
                sock = connection.transport.get_extra_info("socket")
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        finally:
            server.should_exit = True
            thread.join()
