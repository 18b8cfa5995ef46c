"""Lines that tell a person where the demo is: numbered stages, elapsed time, what happens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Progress:
    """Prints as the demo goes and remembers how long each stage took.

    `seconds` is in order of first appearance; a stage that comes again adds up, as those of the batches do.
    """

    def __init__(self, stages: int) -> None:
        self._stages = stages
        self._begun = 0
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, key: str, title: str) -> Iterator[None]:
        """One stage: its title when it begins, its duration when it ends well."""
        began = time.monotonic()
        self._begun += 1
        print(f"\n{self._clock()}  {self._begun}/{self._stages}  {title}", flush=True)
        yield
        took = time.monotonic() - began
        self.seconds[key] = round(self.seconds.get(key, 0.0) + took, 1)
        self.say(f"done in {took:.0f} s")

    def say(self, line: str) -> None:
        print(f"{self._clock()}       {line}", flush=True)

    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._started

    def _clock(self) -> str:
        minutes, seconds = divmod(int(self.elapsed()), 60)
        return f"{minutes:3d}:{seconds:02d}"
