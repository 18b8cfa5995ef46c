"""A source's files, wherever they lie: in a folder, below an S3 prefix, or inside an archive.

Formats read through ``Files`` only, so that one rule holds for all of them: no name leaves the source, no
file is read without a bound, and an archive cannot unpack to more than is allowed. folders.py and archives.py
are the kinds there are, sources.py chooses one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from include.loop.core.errors import BadRecord

MOST_FILES = 2_000_000  # of one source: Open Images, the largest public one, has 1.9 million pictures
MOST_NAME_BYTES = 1024
# Of a file with labels that is read whole: COCO's largest has 450 MB.
MOST_LABEL_BYTES = 1 << 30


class Files(Protocol):
    """Names are relative to the source, with slashes, whatever the system; they are sorted. Several threads
    may read at once.
    """

    @property
    def place(self) -> str:
        """What a message calls the source: a path or an S3 URI."""

    def names(self) -> Sequence[str]:
        """Every file of the source, those of folders below it too; not what Macs add (``is_of_mac``). For a
        source that is one file: that file and those beside it that have its name with other endings
        (``train.rec``, ``train.idx``).
        """

    def read(self, name: str, most: int) -> bytes:
        """A whole file. FileNotFoundError when there is none, BadRecord when it has more than ``most`` bytes
        or its name leads out of the source.
        """

    def open(self, name: str) -> BinaryIO:
        """A file as a stream, to be closed by the caller; the same errors, but for its size. It can seek,
        but for an object of S3.
        """

    def uri(self, name: str) -> str | None:
        """The S3 URI of a file that lies in S3."""

    def close(self) -> None:
        """Let go of what is held open; nothing can be read after it."""


def check_name(name: str) -> str:
    """The name itself. BadRecord when it could not be one of a source: labels say such names, and archives
    have them.
    """
    shown = repr(name if len(name) <= 80 else name[:80] + "…")
    if not name or name.endswith("/") or any(part in {"", ".", ".."} for part in name.split("/")):
        raise BadRecord(f"the file name {shown} leads out of the source, or is none")
    if "\0" in name or len(name.encode(errors="surrogateescape")) > MOST_NAME_BYTES:
        raise BadRecord(f"the file name {shown} is longer than {MOST_NAME_BYTES} bytes, or cannot be one")
    return name


def is_passed_over(part: str) -> bool:
    """Whether a file or folder of this name is no data: hidden, or what Macs add to archives."""
    return part.startswith(".") or part == "__MACOSX"


def is_of_mac(name: str) -> bool:
    """Whether it is a Mac's file of another one's attributes, under a name as of a second picture."""
    *folders, last = name.split("/")
    return last.startswith("._") or "__MACOSX" in folders


def with_stem_of(file: str, names: Sequence[str]) -> list[str]:
    """Those names that are the file's, or differ from it in their endings only."""
    stem = file.rpartition(".")[0] or file
    return [name for name in names if name == file or name.startswith(f"{stem}.")]
