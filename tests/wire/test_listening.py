"""How our servers write: an answer in two pieces is not held back between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from include.wire import listening


async def _application(scope: object, receive: object, send: object) -> None:
    """Answers nothing: only the connection is looked at."""


def test_a_connection_sends_each_write_at_once() -> None:
    async def delays() -> list[int]:
        async with asyncio.timeout(60):
            return await connections()

    async def connections() -> list[int]:
        with socket.socket() as listener:  # as our servers make it: no protocol named
            listener.bind(("127.0.0.1", 0))
            server = listening.Server(_application, lifespan="off")
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0)
            _, writer = await asyncio.open_connection(*listener.getsockname())
            while not server.server_state.connections:
                await asyncio.sleep(0)
            found = [
                connection.transport.get_extra_info("socket").getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_NODELAY
                )
                for connection in listening._all(server.server_state.connections)
            ]
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            server.should_exit = True
            await serving
            return found

    assert asyncio.run(delays()) == [1]
