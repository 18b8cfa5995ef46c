"""Model archives made to do harm, each with the words of its refusal.

``attack.archive(sound, canary)`` is a ``model.tar.gz`` with the given sound files and one thing that is
wrong; where that thing is code, running it would create the directory ``canary``.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Add = Callable[[tarfile.TarFile, Path], None]


def packed(files: Mapping[str, bytes], add: Add | None = None, canary: Path = Path()) -> bytes:
    """A gzip-compressed tar of these files, and of whatever ``add`` puts behind them."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for name, content in files.items():
            _file(tar, name, content)
        if add is not None:
            add(tar, canary)
    return body.getvalue()


class _Canary:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self._path),)


def pickled(canary: Path) -> bytes:
    """A pickle that makes the directory ``canary`` when it is loaded."""
    return pickle.dumps(_Canary(canary))


@dataclass(frozen=True)
class Attack:
    name: str
    said: str
    add: Add = lambda tar, canary: None
    spoil: Callable[[bytes], bytes] = lambda archive: archive

    def archive(self, sound: Mapping[str, bytes], canary: Path) -> bytes:
        return self.spoil(packed(sound, self.add, canary))


def _file(tar: tarfile.TarFile, name: str, content: bytes = b"evil") -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _special(name: str, kind: bytes, target: str = "") -> Add:
    def add(tar: tarfile.TarFile, canary: Path) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        tar.addfile(info)

    return add


def _named(*names: str) -> Add:
    def add(tar: tarfile.TarFile, canary: Path) -> None:
        for name in names:
            _file(tar, name)

    return add


def _pickle(name: str) -> Add:
    return lambda tar, canary: _file(tar, name, pickled(canary))


def _torch(tar: tarfile.TarFile, canary: Path) -> None:
    """As PyTorch writes it: a zip without compression whose first entry is a pickle."""
    import zipfile

    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(canary))
    _file(tar, "weights.bin", body.getvalue())


def _bomb(tar: tarfile.TarFile, canary: Path) -> None:
    """Zeros, believed at first because of what lies behind them and hardly compresses."""
    _file(tar, "zeros", bytes(64 << 20))
    _file(tar, "noise", random.Random(0).randbytes(1 << 20))


def _claim(size: int) -> Add:
    """One member that says it is large, and is not there."""

    def add(tar: tarfile.TarFile, canary: Path) -> None:
        info = tarfile.TarInfo("large")
        info.size = size
        assert tar.fileobj is not None
        tar.fileobj.write(info.tobuf())

    return add


def _large_header(tar: tarfile.TarFile, canary: Path) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "x" * (1 << 20)}
    tar.addfile(info)


def _many(tar: tarfile.TarFile, canary: Path) -> None:
    for number in range(1_025):
        tar.addfile(tarfile.TarInfo(f"{number}"))


def _damaged_header(archive: bytes) -> bytes:
    body = bytearray(gzip.decompress(archive))
    last = body.rindex(b"second")
    body[last] ^= 0xFF  # the check sum of this header is wrong now: tarfile takes it for the end
    return gzip.compress(bytes(body))


def _flipped(archive: bytes) -> bytes:
    """One wrong bit in the check sum at the end: the data themselves still unpack."""
    return archive[:-8] + bytes([archive[-8] ^ 1]) + archive[-7:]


def _header(kind: bytes, content: bytes, name: str = "h") -> bytes:
    """A header of headers, as pax and GNU's tar write them, with its content."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def _raw(*headers: bytes) -> Callable[[bytes], bytes]:
    """An archive of these headers and one empty file behind them."""
    return lambda archive: gzip.compress(b"".join(headers) + tarfile.TarInfo("x").tobuf() + bytes(1024))


def _pax(**records: str) -> Add:
    """A member with these pax records; ``GNU_sparse_map`` is written with dots."""

    def add(tar: tarfile.TarFile, canary: Path) -> None:
        info = tarfile.TarInfo("x")
        info.pax_headers = {name.replace("_", "."): value for name, value in records.items()}
        tar.addfile(info)

    return add


_NO_TAR = "it holds no sound tar archive"
_NESTED = 3_000  # headers of headers: more than a recursion can follow

ATTACKS = (
    Attack("a path upwards", "the member '../escaped' leads out of the archive", _named("../escaped")),
    Attack("a path upwards inside", "'a/../../escaped' leads out", _named("a/../../escaped")),
    Attack("an absolute path", "'/tmp/escaped' leads out of the archive", _named("/tmp/escaped")),
    Attack("a symlink", "is a link, to '/etc/passwd'", _special("s", tarfile.SYMTYPE, "/etc/passwd")),
    Attack("a symlink inside", "is a link, to 'x'", _special("s", tarfile.SYMTYPE, "x")),
    Attack("a hard link", "is a link, to '/etc/passwd'", _special("h", tarfile.LNKTYPE, "/etc/passwd")),
    Attack("a device", "'d' is neither a regular file nor", _special("d", tarfile.CHRTYPE)),
    Attack("a disk", "'d' is neither a regular file nor", _special("d", tarfile.BLKTYPE)),
    Attack("a pipe", "'p' is neither a regular file nor", _special("p", tarfile.FIFOTYPE)),
    Attack("a bomb", "more than 100 times its packed size: a bomb", _bomb),
    Attack("a claim", "it claims ", _claim(1 << 32)),
    Attack("a large claim", "it unpacks to more than 8 GiB", _claim(1 << 40)),
    Attack("a large header", "it has a header of ", _large_header),
    Attack("many members", "it has more than 1024 members", _many),
    Attack("a name twice", "the member 'a' twice", _named("a", "a")),
    Attack(
        "a name twice, spelt otherwise", "the member 'A/e\u0301' twice", _named("a/\u00e9", "./A/e\u0301")
    ),
    Attack("a file for a directory", "or a file where a directory is", _named("a", "a/b")),
    Attack("a directory for a file", "or a file where a directory is", _named("a/b", "a")),
    Attack("a pickle", "'w.pkl' is a pickle, which runs code", _pickle("w.pkl")),
    Attack("a torch file", "'w.PT' is a pickle, which runs code", _pickle("w.PT")),
    Attack("a pickle as params", "'m.params' holds a pickle", _pickle("m.params")),
    Attack("a pickle as safetensors", "'w.safetensors' holds a pickle", _pickle("w.safetensors")),
    Attack("a torch file under another name", "'weights.bin' holds a pickle", _torch),
    Attack("an overlong name", "is too long", _named("x" * 256)),
    Attack("an overlong path", "is too long", _named("/".join(["xyz"] * 257))),
    Attack("a name that turns round", "cannot be printed", _named("gnp.\u202eexe")),
    Attack("a name that is no text", "cannot be printed", _named("\udcff\udcfe")),
    Attack("a name with a line", "cannot be printed", _named("a\nb")),
    Attack("cut off", "it is cut off", spoil=lambda archive: archive[: len(archive) // 2]),
    Attack("a wrong check sum", "its compressed data are damaged", spoil=_flipped),
    Attack(
        "a damaged header",
        "a header is damaged or cut off",
        _named("first", "second", "third"),
        _damaged_header,
    ),
    Attack("a sparse map of words", _NO_TAR, _pax(GNU_sparse_map="1,2,x")),
    Attack("a sparse size of words", _NO_TAR, _pax(GNU_sparse_size="abc")),
    Attack("a sparse file without a map", _NO_TAR, _pax(GNU_sparse_major="1", GNU_sparse_minor="0")),
    Attack("a sparse file", "'s' is neither a regular file nor", _special("s", tarfile.GNUTYPE_SPARSE)),
    Attack("a size below zero", "it has a header of -5 bytes", _pax(size="-5")),
    Attack("a size of 4,000 digits", "it unpacks to more than 8 GiB", _pax(size="9" * 4_000)),
    Attack("a path with an end in it", "cannot be printed", _pax(path="a\0b")),
    Attack("a path of nothing", "it has a file without a name", _pax(path="")),
    Attack(
        "a path for all that follow",
        "'../escaped' leads out of the archive",
        spoil=_raw(_header(b"g", b"19 path=../escaped\n")),
    ),
    Attack("pax upon pax", _NO_TAR, spoil=_raw(_header(b"x", b"6 a=b\n") * _NESTED)),
    Attack("long names upon long names", _NO_TAR, spoil=_raw(_header(b"L", b"a\0") * _NESTED)),
    Attack("a record of great length", _NO_TAR, spoil=_raw(_header(b"x", b"9" * 20 + b" a=b\n"))),
    Attack("a length of 5,000 digits", _NO_TAR, spoil=_raw(_header(b"x", b"1" * 5_000 + b" a=b\n"))),
    Attack(
        "bytes behind its end", "its compressed data are damaged", spoil=lambda archive: archive + b"more"
    ),
    Attack(
        "a second half that is a bomb",
        "more than 100 times its packed size",
        spoil=lambda archive: archive + gzip.compress(bytes(64 << 20)),
    ),
    Attack(
        "a header without an end",
        "it is cut off",
        spoil=lambda archive: b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * (8 << 20),
    ),
    Attack("no tar", "it holds no sound tar archive", spoil=lambda archive: gzip.compress(b"no tar" * 200)),
    Attack("no gzip", "it is not compressed with gzip", spoil=lambda archive: gzip.decompress(archive)),
    Attack("nothing", "it is not compressed with gzip", spoil=lambda archive: b""),
)
