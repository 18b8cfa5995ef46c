"""The background of the review server: a thread for each job, which does it whenever there is work.

A job is a function that does a bounded piece of work in its own transaction and returns whether more is
waiting. One that waits, for an S3 that does not answer, holds none of the others up: leases end in time
whatever becomes of outputs. The worker knows nothing of what the jobs do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from include.review_server.errors import DatabaseAway

log = logging.getLogger(__name__)

Job = Callable[[], bool]
_Thing = TypeVar("_Thing")

# Deadlines by the clock are seen within these times even when nobody wakes the worker. Soon after there was
# work more of it is likely; a server at which nothing happens looks less often, because ten jobs that look
# twice a second take a twenty-fifth of a core for nothing.
_LOOK_SECONDS = 0.5
_LONGEST_LOOK = 2.0

# A job with a fault in it is tried again after 1, 2, 4 … seconds, and never more than a minute later; one
# that misses its database sooner, because that comes back whole.
_LONGEST_PAUSE = 60.0
_DATABASE_PAUSE = 2.0

# No job's piece of work takes so long when everything it needs answers or fails by its own timeout.
_HANGS_SECONDS = 120.0

_STOP_SECONDS = 30.0


def in_turn(things: Iterable[_Thing], step: Callable[[_Thing], bool]) -> bool:
    """A job's piece of work for each of these; whether more is waiting.

    A fault with one of them is raised when all have had their turn: else it would hold up the others for as
    long as it lasts, and these belong to other people.
    """
    more, fault = False, None
    for thing in things:
        try:
            more = step(thing) or more
        except DatabaseAway:
            raise
        except Exception as error:
            fault = fault or error
    if fault is not None:
        raise fault
    return more


class BackgroundWorker:
    """Runs jobs until it is stopped."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._lanes = [_Lane(job) for job in jobs]
        self._stopping = threading.Event()

    def start(self) -> None:
        if not self.is_alive:
            self._stopping.clear()
            for lane in self._lanes:
                lane.start(self._stopping)

    def wake(self) -> None:
        """There is something to do now."""
        for lane in self._lanes:
            lane.wanted.set()

    def stop(self) -> None:
        """Finish the pieces of work in hand and end; what hangs is left, as a kill would leave it."""
        self._stopping.set()
        self.wake()
        deadline = time.monotonic() + _STOP_SECONDS
        for lane in self._lanes:
            lane.join(deadline - time.monotonic())

    @property
    def failing(self) -> list[str]:
        """The jobs that cannot be done at present, and why; the others go on."""
        return [f"{lane.name}: {problem}" for lane in self._lanes if (problem := lane.problem)]

    @property
    def ill(self) -> dict[str, bool]:
        """Of each job, whether it cannot be done at present."""
        return {lane.name: bool(lane.problem) or not lane.is_alive for lane in self._lanes}

    @property
    def is_alive(self) -> bool:
        """Whether jobs are being done: a server whose background has died must say that it is ill."""
        return all(lane.is_alive for lane in self._lanes)


class _Lane:
    """One job and its thread."""

    def __init__(self, job: Job) -> None:
        self.name = str(getattr(job, "__qualname__", job))
        self.wanted = threading.Event()
        self._job = job
        self._thread: threading.Thread | None = None
        self._began: float | None = None
        self._fault = ""
        self._pause = 0.0

    def start(self, stopping: threading.Event) -> None:
        if not self.is_alive:
            self._thread = threading.Thread(
                target=self._run, args=(stopping,), name=f"review-{self.name}", daemon=True
            )
            self._thread.start()

    def join(self, patience: float) -> None:
        if self._thread is not None:
            self._thread.join(max(patience, 0))
            self._thread = None

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def problem(self) -> str | None:
        began = self._began
        if began is not None and (since := time.monotonic() - began) > _HANGS_SECONDS:
            return f"has not come back for {since:.0f} seconds"
        return self._fault or None

    def _run(self, stopping: threading.Event) -> None:
        look = _LOOK_SECONDS
        while not stopping.is_set():
            woken = self.wanted.wait(look)
            self.wanted.clear()
            look = _LOOK_SECONDS if woken else min(2 * look, _LONGEST_LOOK)
            while not stopping.is_set() and self._done():
                look = _LOOK_SECONDS
            # Not to be woken before: what is faulty would be tried at the rate of the callers.
            stopping.wait(self._pause)

    def _done(self) -> bool:
        """One piece of work; whether more is waiting."""
        self._began = time.monotonic()
        try:
            more = self._job()
        except DatabaseAway as away:
            # Every job is a transaction of its own: it is simply tried again. The database has logged it.
            self._failed(f"the database {away.why}", _DATABASE_PAUSE)
            return False
        except Exception as error:
            # The border of the background: a fault in a job must not end its thread. Health tells of it
            # until the job succeeds.
            log.exception("job %s has a fault", self.name)
            # Health is open to all, and an error's text may name paths and buckets.
            self._failed(f"{type(error).__name__}: see the server's log", _LONGEST_PAUSE)
            return False
        finally:
            self._began = None
        if self._fault:
            log.info("job %s is done again", self.name)
        self._fault, self._pause = "", 0.0
        return more

    def _failed(self, fault: str, longest: float) -> None:
        self._fault, self._pause = fault, min(max(1.0, 2 * self._pause), longest)
