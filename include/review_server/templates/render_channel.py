"""What the server and a process that renders say to each other: JSON with its length before it, on a socket.

Takes and gives JSON values; nothing that arrives is ever run. Both sides know this module, and it knows
nobody.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

# A page of 16 MiB, its quotes and line ends escaped; a loop's input and a template are far smaller.
LARGEST_MESSAGE = 40 * 1024 * 1024
_AT_ONCE = 1024 * 1024


class Gone(Exception):
    """The other side has ended, or said what is no message."""


class Late(Exception):
    """The other side did not answer before the deadline."""


class Channel:
    """One end of the conversation. ``deadline`` is by ``time.monotonic``; None waits as long as it takes."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    def send(self, message: dict[str, Any], deadline: float | None = None) -> None:
        """Hand a message over. ``ValueError`` when it is larger than ``LARGEST_MESSAGE``."""
        # A lone surrogate cannot be sent, and no browser could show it: it becomes a question mark.
        text = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        if len(text) > LARGEST_MESSAGE:
            raise ValueError(f"{len(text):,} bytes; a message has at most {LARGEST_MESSAGE:,}")
        try:
            self._until(deadline)
            self._socket.sendall(len(text).to_bytes(4) + text)
        except TimeoutError:
            raise Late from None
        except OSError as error:
            raise Gone from error

    def receive(self, deadline: float | None = None) -> dict[str, Any]:
        """The next message."""
        size = int.from_bytes(self._exactly(4, deadline))
        if size > LARGEST_MESSAGE:
            raise Gone(f"a message of {size:,} bytes")
        try:
            message = json.loads(self._exactly(size, deadline))
        except (ValueError, RecursionError) as error:
            raise Gone("no JSON") from error
        if not isinstance(message, dict):
            raise Gone("no JSON object")
        return message

    def close(self) -> None:
        self._socket.close()

    def _exactly(self, size: int, deadline: float | None) -> bytes:
        parts: list[bytes] = []
        while size:
            try:
                self._until(deadline)
                part = self._socket.recv(min(size, _AT_ONCE))
            except TimeoutError:
                raise Late from None
            except OSError as error:
                raise Gone from error
            if not part:
                raise Gone("the end")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _until(self, deadline: float | None) -> None:
        if deadline is None:
            self._socket.settimeout(None)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
