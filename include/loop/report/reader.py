"""Records as the report reads them: what is missing is nothing, what is damaged is noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from include.loop.core.errors import BadRecord, Fatal
from include.loop.core.records.base import Line, Record
from include.loop.core.storage import Storage

Kind = TypeVar("Kind", bound=Record)
LineKind = TypeVar("LineKind", bound=Line)
Value = TypeVar("Value")
# What says that an object is not what the loop wrote.
DAMAGED = (BadRecord, Fatal, ValueError)


class Reader:
    """``problems`` say what could not be read."""

    def __init__(self, storage: Storage, problems: list[str]) -> None:
        self._storage, self.problems = storage, problems

    def find(self, kind: type[Kind], *names: str | int) -> Kind | None:
        return self._read(lambda: kind.find(self._storage, *names))

    def of_bytes(self, kind: type[Kind], location: str, body: bytes) -> Kind | None:
        """In the bytes of an object that was read."""
        return self._read(lambda: kind.of_bytes(self._storage, location, body))

    def lines(self, kind: type[LineKind], *names: str | int) -> list[LineKind]:
        """All of them or, where one is damaged, none."""
        return self._read(lambda: list(kind.read_all(self._storage, *names))) or []

    def values(self, location: str) -> list[dict[str, Any]]:
        """The lines of a manifest."""
        return self._read(lambda: list(self._storage.read_lines(location))) or []

    def _read(self, read: Callable[[], Value]) -> Value | None:
        try:
            return read()
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            self.problems.append(str(error))
            return None
