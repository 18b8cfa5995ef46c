"""Files with secrets in them: readable by their owner alone from the first moment on, never half written."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Replace the file as a whole, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
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
