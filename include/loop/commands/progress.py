"""How far a long step is, on standard error: on one line of a terminal, now and then in a log."""

from __future__ import annotations

import sys
import time

_SECONDS = 2  # between two words to a terminal; a log gets them less often
_LOG_SECONDS = 10


class Progress:
    """Called with how many images (or ``what`` else) are done, and of how many if that is known."""

    def __init__(self, what: str = "images") -> None:
        self._what = what
        self._shows = sys.stderr.isatty()
        self._last = time.monotonic()
        self._open = False

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._last < (_SECONDS if self._shows else _LOG_SECONDS):
            return
        self._last, self._open = now, self._shows
        text = f"{done:,} of {total:,} {self._what}" if total else f"{done:,} {self._what}"
        print(text, end="\r" if self._shows else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line; other words follow."""
        if self._open:
            print(file=sys.stderr)
            self._open = False
