"""A source's files, wherever they lie: in a folder, below an S3 prefix, or inside an archive.

Formats read through ``Files`` only, so that one rule holds for all of them: no name leaves the source, no
file is read without a bound, and an archive cannot unpack to more than is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol


class Files(Protocol):
    """Names are relative to the source, with slashes, whatever the system; they are sorted."""

    @property
    def place(self) -> str:
        """What a message calls the source: a path or an S3 URI."""

    def names(self) -> Sequence[str]:
        """Every file of the source, those of folders below it too."""

    def read(self, name: str, most: int) -> bytes:
        """A whole file. FileNotFoundError when there is none, BadRecord when it has more than ``most`` bytes
        or its name leads out of the source.
        """

    def open(self, name: str) -> BinaryIO:
        """A file as a stream, to be closed by the caller; the same errors, but for its size."""

    def uri(self, name: str) -> str | None:
        """The S3 URI of a file that lies in S3."""
