"""The lines of a manifest wherever it lies, and new manifests put in place whole.

Takes a path or an S3 URI; S3 is asked for only where the place is in S3, so that a file needs no credentials.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from include.loop.core.errors import ConfigurationError
from include.loop.core.storage import SPOOL_BYTES, Storage, split_lines

Connect = Callable[[], Storage]

_PIECE = 64 * 1024


def is_in_s3(place: str) -> bool:
    return place.startswith("s3://")


def numbered_lines(place: str, connect: Connect) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, each with its number in the file. A line feed at the end of the last line
    begins no other. ConfigurationError when there is no such file.
    """
    if is_in_s3(place):
        try:
            yield from connect().numbered_lines(place)
        except FileNotFoundError as error:
            raise ConfigurationError(str(error)) from None
        return
    with _opened(place) as file:
        for number, line in enumerate(split_lines(iter(lambda: file.read(_PIECE), b"")), start=1):
            if line.strip():
                yield number, line


def open_place(place: str, connect: Connect) -> BinaryIO:
    """The bytes of a file as a stream, to be closed by the caller. ConfigurationError when there is none."""
    if not is_in_s3(place):
        return _opened(place)
    try:
        return connect().open(place)
    except FileNotFoundError as error:
        raise ConfigurationError(str(error)) from None


def is_other(file: IO[bytes], place: str, connect: Connect) -> bool:
    """Whether there is something at a place, and it is not what the file has."""
    there = connect().exists(place) if is_in_s3(place) else Path(place).exists()
    if not there:
        return False
    file.seek(0)
    with closing(open_place(place, connect)) as other:
        while (ours := file.read(_PIECE)) == other.read(_PIECE):
            if not ours:
                return False
    return True


def with_suffix(place: str, part: str, folder: str | None = None) -> str:
    """``a/output.manifest`` as ``a/output-PART.manifest``, or as that name in another folder."""
    parent, slash, name = place.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    name = f"{stem}-{part}.{suffix}" if dot and stem else f"{name}-{part}"
    return f"{parent}{slash}{name}" if folder is None else f"{folder.rstrip('/')}/{name}"


@contextmanager
def drafts(places: Sequence[str], connect: Connect) -> Iterator[list[IO[bytes]]]:
    """Files to write to, which come to their places when all of them are complete, and never in part."""
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)) for _ in places]
        yield list(files)
        beside = [_copy(file, place, stack) for place, file in zip(places, files, strict=True)]
        for place, file, copy in zip(places, files, beside, strict=True):
            if copy is None:
                storage = connect()
                file.seek(0)
                storage.s3.upload_fileobj(file, *storage.resolve(place))
        for place, copy in zip(places, beside, strict=True):
            if copy is not None:
                os.replace(copy, place)


def _copy(file: IO[bytes], place: str, stack: ExitStack) -> str | None:
    """A whole copy beside its place, gone afterwards unless it was moved; None where the place is in S3."""
    if is_in_s3(place):
        return None
    path = Path(place)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        stack.callback(Path(name).unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb") as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's is for its owner alone
    except OSError as error:
        raise ConfigurationError(f"{place} cannot be written: {error.strerror}") from None
    return name


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _opened(place: str) -> BinaryIO:
    try:
        return open(place, "rb")
    except OSError as error:
        raise ConfigurationError(f"{place} cannot be read: {error.strerror}") from None
