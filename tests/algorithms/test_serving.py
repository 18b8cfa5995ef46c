"""As many images are answered at once as there are processors, and no more."""

from __future__ import annotations

import asyncio
from threading import Barrier, Lock

import httpx
import pytest
from starlette.responses import Response

from include.algorithms import serving
from include.algorithms.serving import application

AT_ONCE = 48  # more than the threads that Starlette's own requests share


def test_requests_are_answered_side_by_side_one_for_each_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "AT_ONCE", AT_ONCE)
    together, lock = Barrier(AT_ONCE, timeout=60), Lock()
    running: list[int] = [0]

    def answer(body: bytes, accept: str) -> Response:
        with lock:
            running.append(running[-1] + 1)
        together.wait()  # no answer before all of them are asked
        together.wait()
        with lock:
            running.append(running[-1] - 1)
        return Response(body)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application(answer))
        async with httpx.AsyncClient(transport=transport, base_url="http://model") as model:
            posts = (
                model.post("/invocations", content=b"%d" % n, headers={"content-type": "image/png"})
                for n in range(3 * AT_ONCE)
            )
            return await asyncio.gather(*posts)

    replies = asyncio.run(ask())
    assert [reply.content for reply in replies] == [b"%d" % n for n in range(3 * AT_ONCE)]
    assert max(running) == AT_ONCE
