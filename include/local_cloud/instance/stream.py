"""What is collected from any thread and sent to the cloud by one of its own, every so often and at the end.

A stream is a context manager: everything that it was given inside has been sent, or given up, when the block
ends. An instance that is interrupted sends nothing more: its job starts again elsewhere, with a new stream.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self

from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.faults import Interrupted


class Stream(ABC):
    """``name`` is the thread's; ``seconds`` go by between two sendings."""

    def __init__(self, cloud: Cloud, name: str, seconds: float) -> None:
        self._cloud, self._seconds = cloud, seconds
        self._guard = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    @abstractmethod
    def _send(self) -> None:
        """Send what has come since the last time; ``_guard`` is for what other threads add to meanwhile."""

    def _run(self) -> None:
        try:
            while not self._ending.wait(self._seconds):
                self._send()
            self._send()
        except Interrupted:
            return
