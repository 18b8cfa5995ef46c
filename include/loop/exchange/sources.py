"""From the place that a person names to its files: a folder, an archive, one file, or any of them in S3."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import Storage
from include.loop.exchange.archives import ENDINGS, PACKED_OTHERWISE, open_archive
from include.loop.exchange.files import Files
from include.loop.exchange.folders import Folder, S3Prefix

# Of an archive in S3, which is brought here whole: it is read in any order.
MOST_ARCHIVE_BYTES = 256 << 30


@contextmanager
def open_source(place: str, storage: Storage) -> Iterator[Files]:
    """The files at a path or an S3 URI. ConfigurationError when nothing is there, or nothing that can be
    read.
    """
    with ExitStack() as stack:
        if place.lower().endswith(PACKED_OTHERWISE):
            raise ConfigurationError(f"{place}: archives are read as {', '.join(ENDINGS)}; unpack it first")
        try:
            files = _in_s3(place, storage, stack) if place.startswith("s3://") else _here(place)
        except BadRecord as error:
            raise ConfigurationError(str(error)) from None
        yield stack.enter_context(closing(files))


def beside(files: Files) -> Files | None:
    """The folder that a source of one file lies in, where its pictures may be; None for all others."""
    return files.folder() if isinstance(files, Folder | S3Prefix) else None


def _here(place: str) -> Files:
    path = Path(place).expanduser()
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise ConfigurationError(f"there is no folder or file {place}")
    if place.lower().endswith(ENDINGS):
        return open_archive(path, place)
    return Folder(path.parent, path.name)


def _in_s3(place: str, storage: Storage, stack: ExitStack) -> Files:
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise ConfigurationError(f"not an S3 URI of a folder or object: {place!r} (s3://bucket/folder/)")
    found = storage.stat(place) if not key.endswith("/") else None
    if found is None:
        prefix = place if place.endswith("/") else f"{place}/"
        if next(iter(storage.list(prefix)), None) is None:
            raise ConfigurationError(f"there is no object {place}, and none below {prefix}")
        return S3Prefix(storage, prefix)
    if not place.lower().endswith(ENDINGS):
        folder, _, name = place.rpartition("/")
        return S3Prefix(storage, f"{folder}/", name)
    if found.size > MOST_ARCHIVE_BYTES:
        raise BadRecord(f"{place} has {found.size:,} bytes; at most {MOST_ARCHIVE_BYTES:,} are read")
    copy = stack.enter_context(tempfile.NamedTemporaryFile())  # noqa: SIM115
    storage.s3.download_fileobj(bucket, key, copy)
    copy.flush()
    return open_archive(Path(copy.name), place)
