"""Whether the server can do its work now, and what is wrong in words: database, disk, background, S3.

Takes questions that may hang (each is asked in a thread of its own, one at a time, and waited for five
seconds) and facts that are known already. Gives a list of sentences, empty when all is well. What it says is
for everybody, so it names no path, host or account.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

_PATIENCE_SECONDS = 5.0  # what a busy machine may take to write four KiB
# Whoever asks more often gets the same answer: health is open to all, and looking costs a write.
_FRESH_SECONDS = 1.0
# SQLite needs room for its log of writes before it can make room.
_LEAST_FREE = 16 * 1024 * 1024

Question = Callable[[], str | None]


class Health:
    """``looked_into`` are questions by what they are about; ``known`` are lists of problems."""

    def __init__(
        self, looked_into: dict[str, Question], known: Sequence[Callable[[], Sequence[str]]]
    ) -> None:
        self._looks = [_Look(about, question) for about, question in looked_into.items()]
        self._known = known

    async def failing(self) -> list[str]:
        """What is wrong, in about five seconds at most."""
        looked = await asyncio.gather(*(look.problem() for look in self._looks))
        return [*filter(None, looked), *(problem for known in self._known for problem in known())]


class _Look:
    """One question, asked by at most one thread however many want to know."""

    def __init__(self, about: str, question: Question) -> None:
        self._about, self._question = about, question
        self._answer: Future[str | None] | None = None
        self._asked_at = 0.0

    async def problem(self) -> str | None:
        now = time.monotonic()
        if self._answer is None or (self._answer.done() and now - self._asked_at > _FRESH_SECONDS):
            self._answer, self._asked_at = Future(), now
            # A daemon: what hangs must not keep the process from ending.
            threading.Thread(
                target=self._ask, args=(self._answer,), name=f"health-{self._about}", daemon=True
            ).start()
        done, _ = await asyncio.wait([asyncio.wrap_future(self._answer)], timeout=_PATIENCE_SECONDS)
        if not done:
            return f"{self._about} has not answered for {time.monotonic() - self._asked_at:.0f} seconds"
        problem = self._answer.result()
        return f"{self._about} {problem}" if problem else None

    def _ask(self, answer: Future[str | None]) -> None:
        try:
            answer.set_result(self._question())
        except Exception as error:
            # The border of a question: what it did not foresee is a problem too.
            answer.set_result(f"cannot be looked at: {type(error).__name__}")


def disk_problem(directory: Path) -> str | None:
    """Why nothing more can be stored in the directory, or None. Writes a little to find out."""
    if not directory.exists():
        return None
    try:
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    if free < _LEAST_FREE:
        return f"is nearly full: {free // 1024} KiB are free"
    return None
