"""Files in a folder of this machine, and below an S3 prefix."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord
from include.loop.core.storage import MISSING, Storage, error_code
from include.loop.exchange.files import MOST_FILES, check_name, is_of_mac, with_stem_of

_BUFFER = 1 << 20


class Folder:
    """A folder of this machine. ``only`` is the file that the source is, when it is one file.

    No link is followed out of the folder: whoever hands over a data set must not choose what else of this
    machine is read.
    """

    def __init__(self, root: Path, only: str | None = None) -> None:
        self._root, self._only = root.resolve(), only
        self.place = str(root / only if only else root)

    def names(self) -> Sequence[str]:
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        if self._only is not None:
            beside = [item.name for item in self._root.iterdir() if self._inside(item.name)]
            return sorted(with_stem_of(self._only, beside))
        found: list[str] = []
        for folder, folders, files in os.walk(self._root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inner = Path(folder).relative_to(self._root)
            found += (name for file in files if self._inside(name := (inner / file).as_posix()))
            if len(found) > MOST_FILES:
                raise BadRecord(f"{self.place} has more than {MOST_FILES:,} files")
        return sorted(found)

    def read(self, name: str, most: int) -> bytes:
        with self.open(name) as file:
            body = file.read(most + 1)
        if len(body) > most:
            raise BadRecord(f"file of more than {most:,} bytes; at most {most:,} are read")
        return body

    def open(self, name: str) -> BinaryIO:
        path = self._root / check_name(name)
        if not path.resolve().is_relative_to(self._root):
            raise BadRecord(f"{name} is a link that leads out of {self._root}")
        try:
            # Without blocking: a pipe would be waited for without end.
            file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(f"no file {path}") from None
        except OSError as error:
            raise BadRecord(f"{name} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise BadRecord(f"{name} is not a regular file")
        return file

    def uri(self, name: str) -> str | None:
        return None

    def folder(self) -> Folder | None:
        """All of the folder, when the source is one file of it."""
        return Folder(self._root) if self._only else None

    def close(self) -> None:
        pass

    def _inside(self, name: str) -> bool:
        """Whether it is a file with a usable name that no link leads out of the folder to."""
        path = self._root / name
        try:
            check_name(name).encode()  # names that are no UTF-8 fit into no manifest
            if is_of_mac(name) or not path.is_file():
                return False
            return not path.is_symlink() or path.resolve().is_relative_to(self._root)
        except (BadRecord, UnicodeEncodeError, OSError):
            return False


class S3Prefix:
    """What lies below ``s3://bucket/prefix/``. ``only`` is the object that the source is, when it is one.

    A key is not a path: keys that no path could be (``a//b``, ``../a``) are passed over.
    """

    def __init__(self, storage: Storage, prefix: str, only: str | None = None) -> None:
        self._storage, self._prefix, self._only = storage, prefix, only
        self.place = prefix + (only or "")

    def names(self) -> Sequence[str]:
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        stem = (self._only.rpartition(".")[0] or self._only) if self._only else ""
        found: list[str] = []
        for item in self._storage.list(self._prefix + stem):
            name = item.uri[len(self._prefix) :]
            try:
                check_name(name)
            except BadRecord:
                continue
            if not is_of_mac(name):
                found.append(name)
            if len(found) > MOST_FILES:
                raise BadRecord(f"{self.place} has more than {MOST_FILES:,} objects")
        return sorted(with_stem_of(self._only, found) if self._only else found)

    def read(self, name: str, most: int) -> bytes:
        return self._storage.read(self._prefix + check_name(name), most=most)

    def open(self, name: str) -> BinaryIO:
        bucket, key = self._storage.resolve(self._prefix + check_name(name))
        try:
            body = self._storage.s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if error_code(error) in MISSING:
                raise FileNotFoundError(f"no object at s3://{bucket}/{key}") from None
            raise
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, body), _BUFFER))

    def uri(self, name: str) -> str | None:
        return self._prefix + check_name(name)

    def folder(self) -> S3Prefix | None:
        """All that lies beside it, when the source is one object."""
        return S3Prefix(self._storage, self._prefix) if self._only else None

    def close(self) -> None:
        pass
