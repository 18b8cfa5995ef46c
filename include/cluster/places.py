"""Addresses and paths of a container, as they are on this machine: the one place that translates them.

A service's host and port become 127.0.0.1 and a port of the settings; a path of the container becomes that
path below the directory that the process has for its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from include.cluster.settings import ClusterSettings
from include.stack.settings import Port, StackError

_LOCAL = ("localhost", "127.0.0.1")
_ADDRESS = re.compile(r"(https?://|redis://|@)([a-z][\w-]*|127\.0\.0\.1)(?::(\d+))?(?=[/,\"'\s]|$)")


def ports(settings: ClusterSettings) -> dict[str, tuple[int, Port]]:
    """Which service listens on which port of its container, and where it does so here."""
    return {
        "postgres": (5432, settings.postgres),
        "redis": (6379, settings.redis),
        "airflow-apiserver": (8080, settings.airflow),
        "review": (4567, settings.review),
    }


@dataclass(frozen=True)
class Places:
    """Translates for one process of a service. `paths` are the folders and files of its container."""

    service: str
    root: Path
    ports: Mapping[str, tuple[int, Port]]
    paths: Iterable[str]

    def text(self, text: str) -> str:
        """A value of the environment, or a word of a command. StackError for the address of no service."""
        translated = _ADDRESS.sub(self._address, text)
        if self.service in self.ports:
            there, here = self.ports[self.service]
            translated = {
                "--host=0.0.0.0": "--host=127.0.0.1",
                f"--port={there}": f"--port={here.number}",
            }.get(translated, translated)
        longest_first = sorted(map(re.escape, self.paths), key=len, reverse=True)
        path = rf"(?<![\w./-])(?:{'|'.join(longest_first)})(?![\w.-])"
        return re.sub(path, lambda match: f"{self.root}{match[0]}", translated)

    def path(self, path: str) -> Path:
        """A path of the container."""
        return self.root / path.lstrip("/")

    def _address(self, match: re.Match[str]) -> str:
        before, host, port = match.groups()
        name = self.service if host in _LOCAL else host
        known = self.ports.get(name)
        if known and port in (None, str(known[0])):
            return f"{before}127.0.0.1:{known[1].number}"
        if host in _LOCAL:  # somebody else's port: as it is
            return match[0]
        allowed = ", ".join(f"{service}:{number}" for service, (number, _) in self.ports.items())
        raise StackError(
            f"service {self.service}: {match[0]!r} leads to no service that listens; there are {allowed}"
            " (include/cluster/places.py)"
        )
