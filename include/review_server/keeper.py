"""The background of the review server: one thread that does the chores whenever there is something to do.

A chore is a function that does a bounded piece of work in its own transaction and returns whether more is
waiting. The keeper knows nothing of what the chores do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

log = logging.getLogger(__name__)

Chore = Callable[[], bool]

# Deadlines by the clock are seen within this time even when nobody wakes the keeper.
_TICK_SECONDS = 0.5

# A chore with a fault in it is tried again after 1, 2, 4 … seconds, and never more than a minute later.
_LONGEST_PAUSE = 60.0


class Keeper:
    """Runs chores until it is stopped."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = chores
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._faults: dict[Chore, _Fault] = {}

    def start(self) -> None:
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="review-keeper", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """There is something to do now."""
        self._wanted.set()

    def stop(self) -> None:
        """Finish the chore in hand and end."""
        if self._thread is not None:
            self._stopping.set()
            self._wanted.set()
            self._thread.join()
            self._thread = None

    @property
    def failing(self) -> list[str]:
        """The chores that cannot be done at present, and why; the others go on."""
        return [f"{_name(chore)}: {fault.error}" for chore, fault in list(self._faults.items())]

    @property
    def is_alive(self) -> bool:
        """Whether chores are being done: a server whose keeper has died must say that it is ill."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait(_TICK_SECONDS)
            self._wanted.clear()
            more = True
            while more and not self._stopping.is_set():
                # Every chore gets its turn, whatever the others found.
                more = sum(self._done(chore) for chore in self._chores) > 0

    def _done(self, chore: Chore) -> bool:
        fault = self._faults.get(chore)
        if fault and time.monotonic() < fault.again_at:
            return False
        try:
            more = chore()
        except (DBAPIError, PoolTimeoutError) as error:
            # The database may be away for a while (a restart of PostgreSQL, a full disk): every chore is a
            # transaction of its own, so the next tick simply tries again.
            log.error("chore %s failed, will try again: %s", _name(chore), error)
            return False
        except Exception as error:
            # The border of the background: a fault in one chore must not end the thread that does them all.
            # Health tells of it until the chore succeeds.
            pause = min(2 * fault.pause, _LONGEST_PAUSE) if fault else 1.0
            self._faults[chore] = _Fault(repr(error)[:500], pause, time.monotonic() + pause)
            log.exception("chore %s has a fault, next try in %.0f s", _name(chore), pause)
            return False
        self._faults.pop(chore, None)
        return more


@dataclass(frozen=True)
class _Fault:
    error: str
    pause: float
    again_at: float


def _name(chore: Chore) -> str:
    return str(getattr(chore, "__qualname__", chore))
