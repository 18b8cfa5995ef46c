"""Whose template is rendered next: one of a kind at a time, so that nobody waits behind another's queue.

Takes the name of a group, gives its turn when a place is free. Within a group the first come is first; among
groups each has one that waits, so a template that is slow for a hundred workers delays the others by one
turn. It waits without a thread, and knows nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from include.review_server.errors import RenderBusy

# Longer than a template may take, shorter than a person waits before loading the page again.
PATIENCE_SECONDS = 60


@dataclass
class _Group:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Turns:
    """Turns at a number of places. For one event loop."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._groups: dict[str, _Group] = {}

    @asynccontextmanager
    async def turn(self, group: str) -> AsyncIterator[None]:
        """Wait for the group's turn and hold it. ``RenderBusy`` when it does not come in a minute."""
        ours = self._groups.setdefault(group, _Group())
        ours.users += 1
        try:
            await _acquire(ours.lock)
            try:
                await _acquire(self._places)
                try:
                    yield
                finally:
                    self._places.release()
            finally:
                ours.lock.release()
        finally:
            ours.users -= 1
            if not ours.users:
                del self._groups[group]


async def _acquire(lock: asyncio.Lock | asyncio.Semaphore) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await lock.acquire()
    except TimeoutError:
        raise RenderBusy("the server is busy with other tasks' pages: reload this one in a moment") from None
