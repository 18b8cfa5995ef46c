"""Model archives (``model.tar.gz``) read as what they are: files from somewhere, perhaps made to do harm.

Takes the path of an archive; gives its regular files one by one, each as chunks of bytes, and raises
``BadArchive`` at the first thing that a model has no use for: paths that lead out, links, devices, names
that cannot be read, the same file twice, pickles, more bytes than such an archive can honestly hold. Nothing
is written, loaded or unpickled here. Used by the detector and by the local cloud.
"""

from __future__ import annotations

import os
import tarfile
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MAX_UNPACKED = 8 << 30  # bytes
MAX_MEMBERS = 1_024
MAX_RATIO = 100  # unpacked to packed: weights hardly compress, and text not by so much
_FREE = 32 << 20  # bytes that any archive may unpack to, whatever the ratio
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say: with the header and the check sum of gzip
_CHUNK = 64 << 10  # bytes read at once; no header of tar's may be larger
_MAX_NAME = 255  # bytes of one part, what file systems allow
_MAX_PATH = 1024  # bytes
_CUT_OFF = "it is cut off: its data end too early"
_INSTEAD = "keep weights as safetensors"
_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".joblib", ".dill"}


class BadArchive(ValueError):
    """The archive must not be used; the text says what is wrong with it, without its name."""


@dataclass(frozen=True)
class Member:
    """One regular file; ``chunks`` are gone when the next member is asked for."""

    path: PurePosixPath
    size: int
    chunks: Iterator[bytes]


def members(archive: Path) -> Iterator[Member]:
    """The regular files of an archive, in its order. Ends only when all of it was read and found sound.

    Raises ``BadArchive``; what was taken from the archive until then must not be used.
    """
    with open(archive, "rb") as packed, _explained():
        if packed.read(2) != b"\x1f\x8b":
            raise BadArchive("it is not compressed with gzip: a model archive is a tar file in gzip")
        stream = _Stream(packed)
        taken = _Paths()
        with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
            for count, info in enumerate(tar, 1):
                if count > MAX_MEMBERS:
                    raise BadArchive(f"it has more than {MAX_MEMBERS} members")
                path = _checked(info, taken)
                if path is not None:
                    chunks = _content(stream, info, path)
                    yield Member(path, info.size, chunks)
                    for _ in chunks:  # looked at even when nobody wants them
                        pass
        stream.finish()


def unzipped(packed: BinaryIO) -> Iterator[bytes]:
    """The content of a gzip file in chunks. Raises ``BadArchive`` when it is damaged, or unpacks to more than
    it can honestly hold.
    """
    with _explained():
        stream = _Stream(packed)
        while chunk := stream.read(_CHUNK):
            yield chunk


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except EOFError:
        raise BadArchive(_CUT_OFF) from None
    except zlib.error as error:
        raise BadArchive(f"its compressed data are damaged: {error}") from None
    except BadArchive:
        raise
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        # Numbers that are none, and headers of headers of headers: tarfile leaves those to who calls it.
        raise BadArchive(f"it holds no sound tar archive: {error}") from None


class _Stream:
    """The unpacked bytes as tarfile reads them: forwards only, little at once, and not without end.

    Bytes are counted as they come out, since sizes in headers are only claims.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed, self._packed_size = packed, packed.seek(0, os.SEEK_END)
        packed.seek(0)
        self._unzip, self._waiting = zlib.decompressobj(_GZIP), b""
        self._position = 0
        self._last = b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise BadArchive(f"it has a header of {size} bytes")
        parts, left = [], size
        while left and (part := self._unpacked(left)):
            parts.append(part)
            left -= len(part)
        self._last = b"".join(parts)
        self._position += len(self._last)
        self.expect(0)
        return self._last

    def _unpacked(self, most: int) -> bytes:
        """Some of the next bytes; none at the end. Not gzip's reader: that goes through the name in a header
        byte by byte, however long it is.
        """
        while True:
            if self._unzip.eof:  # of one member: another one may follow, or zeros
                rest = self._unzip.unused_data
                while not (rest := rest.lstrip(b"\0")):
                    if not (rest := self._packed.read(_CHUNK)):
                        return b""
                self._unzip, self._waiting = zlib.decompressobj(_GZIP), rest
            part = self._unzip.decompress(self._waiting, most)
            self._waiting = self._unzip.unconsumed_tail
            if part:
                return part
            if not self._unzip.eof and not self._waiting:
                self._waiting = self._packed.read(_CHUNK)
                if not self._waiting:
                    raise EOFError

    def seek(self, position: int) -> None:
        if position < self._position:
            raise BadArchive("its headers lead backwards")
        while self._position < position:
            if not self.read(min(_CHUNK, position - self._position)):
                raise EOFError

    def tell(self) -> int:
        return self._position

    def expect(self, size: int) -> None:
        """Raises when there are too many bytes already, or would be with so many more."""
        unpacked = self._position + size
        if unpacked > MAX_UNPACKED:
            raise BadArchive(f"it unpacks to more than {MAX_UNPACKED >> 30} GiB")
        if unpacked > _FREE + MAX_RATIO * self._packed_size:
            raise BadArchive(f"it claims {unpacked} bytes, more than {MAX_RATIO} times its packed size")
        # What came out is held against what was read for it: a bomb is known long before its end.
        if self._position > _FREE + MAX_RATIO * self._packed.tell():
            raise BadArchive(f"it unpacks to more than {MAX_RATIO} times its packed size: a bomb")

    def finish(self) -> None:
        """Read on to the end: the check sum stands there, and a damaged header looks like an end to
        tarfile.
        """
        if any(self._last):
            raise BadArchive("it holds no sound tar archive: a header is damaged or cut off")
        while self.read(_CHUNK):
            pass


class _Paths:
    """The paths seen so far, told apart as the most forgetful file system would."""

    def __init__(self) -> None:
        self._files: set[PurePosixPath] = set()
        self._folders: set[PurePosixPath] = set()

    def add(self, path: PurePosixPath, is_folder: bool) -> None:
        folded = PurePosixPath(unicodedata.normalize("NFKC", str(path)).casefold())
        above = set(folded.parents)
        if folded in self._files or above & self._files or (not is_folder and folded in self._folders):
            raise BadArchive(f"it has the member {_shown(path)} twice, or a file where a directory is")
        self._folders |= above | ({folded} if is_folder else set())
        if not is_folder:
            self._files.add(folded)


def _checked(info: tarfile.TarInfo, taken: _Paths) -> PurePosixPath | None:
    """The path of a regular file, None for a directory. Raises for everything else."""
    path, shown = PurePosixPath(info.name), _shown(info.name)
    if not info.name.isprintable():  # control characters, text in two directions, bytes that are no UTF-8
        raise BadArchive(f"the name of the member {shown} has characters that cannot be printed")
    too_long = len(info.name.encode()) > _MAX_PATH
    if too_long or any(len(part.encode()) > _MAX_NAME for part in path.parts):
        raise BadArchive(f"the name of the member {shown} is too long")
    if path.is_absolute() or ".." in path.parts:
        raise BadArchive(f"the member {shown} leads out of the archive")
    if info.issym() or info.islnk():
        raise BadArchive(f"the member {shown} is a link, to {_shown(info.linkname)}")
    if info.isdir():
        taken.add(path, is_folder=True)
        return None
    if not info.isreg() or info.issparse():
        raise BadArchive(f"the member {shown} is neither a regular file nor a directory")
    if not path.name:
        raise BadArchive("it has a file without a name")
    taken.add(path, is_folder=False)
    if path.suffix.lower() in _PICKLES:
        raise BadArchive(f"the member {shown} is a pickle, which runs code when it is loaded: {_INSTEAD}")
    return path


def _content(stream: _Stream, info: tarfile.TarInfo, path: PurePosixPath) -> Iterator[bytes]:
    """Read from the stream itself, which stands behind the member's header."""
    stream.expect(info.size)
    with _explained():
        stream.seek(info.offset_data)
    left, first = info.size, True
    while left:
        with _explained():  # it is the taker of the chunks who reads here
            chunk = stream.read(min(_CHUNK, left))
        if not chunk:
            raise BadArchive(_CUT_OFF)
        if first and _is_pickle(chunk):
            raise BadArchive(
                f"the member {_shown(path)} holds a pickle, which runs code when it is loaded: {_INSTEAD}"
            )
        left, first = left - len(chunk), False
        yield chunk


def _is_pickle(head: bytes) -> bool:
    """A pickle of protocol 2 or later, bare or in the zip that PyTorch writes.

    A safetensors file whose header has 640 bytes begins with the same two bytes, and goes on with zeros,
    which are no opcode.
    """
    bare = head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5") and head[2:3] != b"\0"
    return bare or (head[:4] == b"PK\x03\x04" and b"/data.pkl" in head)


def _shown(name: object) -> str:
    text = str(name)
    return repr(text if len(text) <= 80 else text[:80] + "…")
