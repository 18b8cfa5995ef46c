"""Which item each worker's page has fetched ahead: soft hints, by which nobody holds anything.

Kept in this process and for a while only. Where two servers share a database, or a hint is forgotten, two
pages may load the same item; who takes it is decided where tasks are taken.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

_KEPT = timedelta(minutes=10)
_MOST = 500


@dataclass(frozen=True)
class Ahead:
    """The item that a worker would most likely get next. ``hint`` is what ``Tasks.take`` may be given."""

    item_id: int
    hint: str
    item: str
    queue: str


@dataclass(frozen=True)
class AheadInput:
    """What a page is rendered from before its task is taken. ``input`` is JSON text."""

    queue_id: int
    input: str


class Hints:
    """The latest hint of each worker, the newest ``_MOST`` of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hints: dict[str, tuple[int, datetime]] = {}

    def give(self, worker_id: str, item_id: int, now: datetime) -> None:
        with self._lock:
            # The newest last, so that the oldest is the first to go.
            self._hints.pop(worker_id, None)
            self._hints[worker_id] = item_id, now
            while len(self._hints) > _MOST:
                del self._hints[next(iter(self._hints))]

    def drop(self, worker_id: str) -> None:
        with self._lock:
            self._hints.pop(worker_id, None)

    def of_others(self, worker_id: str, now: datetime) -> list[int]:
        """The items that other workers' pages have fetched ahead."""
        with self._lock:
            return [
                item_id
                for worker, (item_id, given) in self._hints.items()
                if worker != worker_id and abs(now - given) < _KEPT
            ]
