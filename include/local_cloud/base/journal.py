"""What was asked of a service since its state was last saved, so that a kill -9 forgets nothing and nobody
waits while a whole state is written: for logs and metrics, which grow by the line.

``Journal`` puts itself before the requests of one of ministack's modules: each that changed something is one
line in a file before its client hears so. After a start the lines are asked for again, each at its time; an
orderly stop saves the state, which names the journal that follows it.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_QUESTIONS = ("Describe", "Get", "List", "Filter", "Start", "Stop", "Test")
_MEMBER = "journal"  # of the saved state: the number of the journal that follows it


class Journal:
    """``folder`` holds the journals, ``name`` is the module's; ``save`` writes its state, atomically."""

    def __init__(
        self, module: Any, folder: Path, name: str, save: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._module, self._folder, self._name, self._save = module, folder, name, save
        self._answer, self._clock = module.handle_request, module.time
        self._number = 0
        self._file = -1  # a descriptor

    async def start(self, saved: dict[str, Any] | None) -> None:
        """Repeat what came after ``saved``, the state that was loaded, and write down what comes now."""
        self._number = (saved or {}).get(_MEMBER, 0)
        path = self._path(self._number)
        if path.exists():
            await self._repeat(path)
        for other in self._folder.glob(f"{self._name}-*.jsonl"):
            if other != path:
                other.unlink()  # of a state that was saved since
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._module.handle_request = self._noted

    def stop(self) -> None:
        """Save the state, if anything changed; what is in the journal is in it."""
        changed = os.fstat(self._file).st_size > 0
        os.close(self._file)
        if changed:
            self._save(self._name, self._module.get_state() | {_MEMBER: self._number + 1})

    async def _noted(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Any:
        from ministack.core import responses

        moment = time.time()
        try:
            self._module.time = _at(moment)  # what it stamps now is what a repetition stamps
            reply = await self._answer(method, path, headers, body, query)
        finally:
            self._module.time = self._clock
        operation = headers.get("x-amz-target", "").rpartition(".")[2] or _action(path, body)
        if reply[0] < 300 and not operation.startswith(_QUESTIONS):
            kept = {name: headers[name] for name in ("x-amz-target", "content-type") if name in headers}
            scope = (moment, responses.get_account_id(), responses.get_region())
            line = json.dumps([*scope, method, path, kept, body.decode("latin-1"), query])
            self._append(line.encode() + b"\n")
        return reply

    def _append(self, line: bytes) -> None:
        length = os.fstat(self._file).st_size
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, "no room for a line of the journal")
        except OSError:
            os.ftruncate(self._file, length)  # half a line would hide those that follow it
            raise

    async def _repeat(self, path: Path) -> None:
        from ministack.core import responses

        try:
            with open(path, "rb") as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # the last one, cut by a kill: nobody heard that it was done
                    moment, account, region, method, place, headers, body, query = json.loads(line)
                    self._module.time = _at(moment)
                    with responses.request_scope(account, region):
                        await self._answer(method, place, headers, body.encode("latin-1"), query)
        finally:
            self._module.time = self._clock
        os.truncate(path, _whole(path))

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number}.jsonl"


def _at(moment: float) -> SimpleNamespace:
    """A module ``time`` that stands still, in seconds since 1970."""
    return SimpleNamespace(time=lambda: moment)


def _action(path: str, body: bytes) -> str:
    """The operation by the path of the newest protocol, or by the form of the oldest."""
    if "/operation/" in path:
        return path.rpartition("/operation/")[2]
    return body.decode("latin-1").partition("Action=")[2].partition("&")[0]


def _whole(path: Path) -> int:
    """The length of a file up to the end of its last whole line."""
    data = path.read_bytes()
    return data.rfind(b"\n") + 1
