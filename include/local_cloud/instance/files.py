"""Files that a container wrote, read by a process outside of its walls.

A container can put a link or a pipe where a file is expected, and can do so while somebody reads. So nothing
here follows a link or waits for a writer: paths go from directory to directory by descriptors, and whoever
takes a file gets it open.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DEPTH = 200  # directories below each other: a key of S3 has 1,024 bytes
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Found:
    """A regular file: its path below the directory, and the same file open as ``path`` until the next is
    asked for.
    """

    name: str
    path: str
    state: os.stat_result


def regular(directory: Path) -> Iterator[Found]:
    """The regular files below a directory, in order; links, pipes and what vanishes meanwhile are left
    out, and so are names that are no text: S3 has no key for them.
    """
    for root, folders, names, descriptor in os.fwalk(directory, follow_symlinks=False):
        folders.sort()
        if len(Path(root).parts) - len(directory.parts) >= _DEPTH:
            folders.clear()
        for name in sorted(names):
            below = os.path.relpath(os.path.join(root, name), directory)
            with contextlib.suppress(OSError, UnicodeEncodeError):
                below.encode()
                yield from _opened(below, name, descriptor)


def remove(directory: Path) -> None:
    """Remove a directory with whatever a container has put there: no depth and no mode keeps it."""
    for _ in range(2):
        _run("rm", "-rf", "--", str(directory))
        if not directory.exists():
            return
        _run("chmod", "-R", "u+rwX", "--", str(directory))
    raise OSError(f"{directory} cannot be removed")


def head(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; none when there is no such file."""
    with contextlib.suppress(OSError):
        for found in _opened(path.name, str(path), None):
            with open(found.path, "rb") as file:
                return file.read(size)
    return b""


def _run(*command: str) -> None:
    subprocess.run(command, stderr=subprocess.DEVNULL)  # noqa: S603 -- tools of the system, on our paths


def _opened(below: str, name: str, folder: int | None) -> Iterator[Found]:
    descriptor = os.open(name, _OPEN, dir_fd=folder)
    try:
        state = os.fstat(descriptor)
        if stat.S_ISREG(state.st_mode):
            yield Found(below, f"/dev/fd/{descriptor}", state)
    finally:
        os.close(descriptor)
