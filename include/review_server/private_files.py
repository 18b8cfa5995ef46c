"""Files with secrets in them: readable by their owner alone from the first moment on, never half written."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)


def write(path: Path, text: str) -> None:
    """Replace the file as a whole, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written beside and moved: a reader sees the old text or the new one.
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(path)


def read(path: Path) -> str:
    """The file's text. ``PermissionError`` when others than its owner may read it as well."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise PermissionError(f"{path} has mode {mode:04o} and holds secrets: chmod 600 {path}")
    return path.read_text()


def make(path: Path) -> None:
    """Make an empty file of mode 0600, in a directory of mode 0700, where there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def tighten(directory: Path, *names: str) -> None:
    """Take away what others may do with the directory and these files in it, and say so in the log.

    A directory that is plainly not for this server alone (of another owner, for everybody like /tmp, where
    the user stands or lives) stays as it is; the files in it are tightened all the same.
    """
    for path in [*(directory / name for name in names), directory]:
        if not path.exists():
            continue
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if not mode & 0o077:
            continue
        if status.st_uid != os.geteuid() or (path == directory and _is_shared(path, mode)):
            log.warning("%s has mode %04o: others may look into it", path, mode)
            continue
        path.chmod(mode & 0o700)
        log.warning("%s had mode %04o; now only its owner may use it", path, mode)


def _is_shared(directory: Path, mode: int) -> bool:
    places = (Path.cwd(), Path.home())
    return bool(mode & stat.S_ISVTX) or any(place.is_relative_to(directory.resolve()) for place in places)
