"""Files inside a zip or tar archive, read where they lie: nothing is extracted under a name of its own.

Takes an archive from anybody. BadRecord at the first thing that a data set has no use for: paths that lead
out, links, devices, encrypted members, the same name twice, more members or bytes than one can honestly
hold. Sizes are claims until they were read: what comes out of a member is never more than it claims.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, TypeVar, cast

from include.loop.core.errors import BadRecord
from include.loop.exchange.files import MOST_FILES, check_name, is_of_mac

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
PACKED_OTHERWISE = (".tar.xz", ".tar.bz2", ".txz", ".tbz2", ".7z", ".rar", ".tar.zst")

MOST_UNPACKED = 256 << 30  # bytes; of pictures, that is Open Images' half
MOST_RATIO = 100  # unpacked to packed: pictures hardly compress, and labels not by so much
_FREE = 64 << 20  # bytes that any archive may unpack to, whatever the ratio
_MOST_HEADER = 1 << 20  # of tar's own records: long names and the like
_CHUNK = 1 << 20

Member = TypeVar("Member")


def open_archive(path: Path, place: str) -> ZipFiles | TarFiles:
    """The archive as files. ``place`` is what messages call it; its ending says which kind it is, for a tar
    file may end with a zip file. BadRecord when it must not be used.
    """
    with _explained(place):
        return ZipFiles(path, place) if place.lower().endswith(".zip") else TarFiles(path, place)


class _Members:
    """What both kinds share: the names, checked."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._sorted: list[str] = []

    def names(self) -> Sequence[str]:
        return self._sorted

    def uri(self, name: str) -> str | None:
        return None


class ZipFiles(_Members):
    """A zip archive."""

    def __init__(self, path: Path, place: str) -> None:
        super().__init__(place)
        self._zip = zipfile.ZipFile(path)
        try:
            self._members = self._checked(path.stat().st_size)
        except BaseException:
            self._zip.close()
            raise
        self._sorted = sorted(self._members)

    def _checked(self, packed: int) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        infos = self._zip.infolist()
        _check_count(len(infos))
        # A member that lies over others in the file would be counted once and unpacked many times.
        if sum(info.compress_size for info in infos) > packed:
            raise BadRecord("its members overlap: a zip bomb")
        _check_size(sum(info.file_size for info in infos), packed)
        for info in infos:
            if info.is_dir():
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in {0, stat.S_IFREG}:
                raise BadRecord(f"the member {info.filename!r:.100} is a link, or no regular file")
            if info.flag_bits & 1:
                raise BadRecord(f"the member {info.filename!r:.100} is encrypted")
            _add(members, info.filename, info)
        return members

    def read(self, name: str, most: int) -> bytes:
        with self.open(name) as file:
            body = file.read(most + 1)
        if len(body) > most:
            raise BadRecord(f"file of more than {most:,} bytes; at most {most:,} are read")
        return body

    def open(self, name: str) -> BinaryIO:
        if check_name(name) not in self._members:
            raise FileNotFoundError(f"no file {name} in {self.place}")
        with _explained(name):
            return cast(
                BinaryIO, io.BufferedReader(_Unzipped(name, self._zip.open(self._members[name])), _CHUNK)
            )

    def close(self) -> None:
        self._zip.close()


class TarFiles(_Members):
    """A tar archive. One in gzip is unpacked as a whole into a file without a name, for pictures are read in
    any order, and gzip would begin anew for each.
    """

    def __init__(self, path: Path, place: str) -> None:
        super().__init__(place)
        self._file = _plain(path)
        try:
            self._members = self._checked()
        except BaseException:
            self._file.close()
            raise
        self._sorted = sorted(self._members)

    def _checked(self) -> dict[str, _Extent]:
        members: dict[str, _Extent] = {}
        whole = os.fstat(self._file.fileno()).st_size
        with tarfile.open(fileobj=_Headers(self._file), mode="r:") as tar:  # type: ignore[call-overload]
            for count, info in enumerate(tar, 1):
                _check_count(count)
                tar.members = []  # it would keep every header
                if info.isdir():
                    continue
                if not info.isreg() or info.issparse():
                    raise BadRecord(f"the member {info.name!r:.100} is a link, or no regular file")
                if info.offset_data + info.size > whole:
                    raise BadRecord(f"the member {info.name!r:.100} is cut off")
                _add(members, info.name, _Extent(info.offset_data, info.size))
        if not members:
            raise BadRecord("there is no file in it")
        return members

    def read(self, name: str, most: int) -> bytes:
        extent = self._extent(name)
        if extent.size > most:
            raise BadRecord(f"file of {extent.size:,} bytes; at most {most:,} are read")
        return os.pread(self._file.fileno(), extent.size, extent.start)

    def open(self, name: str) -> BinaryIO:
        raw = _Part(self._file.fileno(), self._extent(name))
        return cast(BinaryIO, io.BufferedReader(raw, _CHUNK))

    def _extent(self, name: str) -> _Extent:
        if check_name(name) not in self._members:
            raise FileNotFoundError(f"no file {name} in {self.place}")
        return self._members[name]

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where a member's bytes lie in a tar file."""

    start: int
    size: int


class _Part(io.RawIOBase):
    """One member of a tar file as a stream that does not move the file's own position."""

    def __init__(self, descriptor: int, extent: _Extent) -> None:
        self._descriptor, self._extent, self._at = descriptor, extent, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        left = max(0, self._extent.size - self._at)
        body = os.pread(self._descriptor, min(len(buffer), left), self._extent.start + self._at)
        buffer[: len(body)] = body
        self._at += len(body)
        return len(body)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._extent.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at


class _Unzipped(io.RawIOBase):
    """One member of a zip archive as a stream; damage shows when it is read."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name, self._file = name, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        with _explained(self._name):
            body = self._file.read(len(buffer))
        buffer[: len(body)] = body
        return len(body)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _explained(self._name):
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


class _Headers:
    """A tar file as tarfile reads its headers, none of which may fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_HEADER:
            raise BadRecord(f"it has a header of {size:,} bytes")
        return self._file.read(size)


def _plain(path: Path) -> BinaryIO:
    """The tar file itself, or what is in its gzip."""
    packed = open(path, "rb")  # noqa: SIM115
    if packed.read(2) != b"\x1f\x8b":
        packed.seek(0)
        return packed
    with packed:
        size = packed.seek(0, os.SEEK_END)
        packed.seek(0)
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            for chunk in _unzipped(packed):
                unpacked.write(chunk)
                _check_size(unpacked.tell(), size)
        except BaseException:
            unpacked.close()
            raise
        unpacked.seek(0)
        return cast(BinaryIO, unpacked)


def _unzipped(packed: BinaryIO) -> Iterator[bytes]:
    """The content of a gzip file, its members one after another. Not gzip's own reader, which takes a name in
    a header byte by byte however long it is.
    """
    unzip, waiting = zlib.decompressobj(16 + zlib.MAX_WBITS), b""
    while waiting or (waiting := packed.read(_CHUNK)):
        if unzip.eof:
            waiting = waiting.lstrip(b"\0")  # padding of tapes
            if not waiting:
                continue
            unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
        yield unzip.decompress(waiting, _CHUNK)
        waiting = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    if not unzip.eof:
        raise BadRecord("it is cut off: its data end too early")


def _add(members: dict[str, Member], name: str, member: Member) -> None:
    path = name.removeprefix("./")
    check_name(path)
    if not path.isprintable():
        raise BadRecord(f"the name of the member {name!r:.100} has characters that cannot be printed")
    if path in members:
        raise BadRecord(f"it has the member {name!r:.100} twice")
    if not is_of_mac(path):
        members[path] = member


def _check_count(count: int) -> None:
    if count > MOST_FILES:
        raise BadRecord(f"it has more than {MOST_FILES:,} members")


def _check_size(unpacked: int, packed: int) -> None:
    if unpacked > MOST_UNPACKED:
        raise BadRecord(f"it unpacks to more than {MOST_UNPACKED >> 30} GiB")
    if unpacked > _FREE + MOST_RATIO * packed:
        raise BadRecord(f"it unpacks to more than {MOST_RATIO} times its packed size: a bomb")


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Whatever the archive's bytes do to its reader is the archive's fault, and named."""
    try:
        yield
    except BadRecord as error:
        raise BadRecord(f"{what}: {error}") from None
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,  # a way of packing that Python does not know
        RuntimeError,
        OverflowError,
        ValueError,
    ) as error:
        raise BadRecord(f"{what} is no sound archive: {error or type(error).__name__}") from None
