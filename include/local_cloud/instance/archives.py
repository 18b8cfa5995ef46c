"""Model archives: ``model.tar.gz`` out of a directory, and safely back into one."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from include.algorithms.archives import BadArchive, members, unzipped
from include.local_cloud.instance import files
from include.local_cloud.instance.faults import ClientFault


def pack(directory: Path, archive: Path) -> None:
    """All regular files of a directory, at the archive's root. The same files give the same bytes but for
    their times.
    """
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:  # weights hardly compress: fast is right
        for found in files.regular(directory):
            info = tarfile.TarInfo(found.name)
            info.size, info.mtime = found.state.st_size, int(found.state.st_mtime)
            with open(found.path, "rb") as file:
                tar.addfile(info, file)


def unpack(archive: Path, directory: Path, name: str) -> None:
    """The archive's files in place of the (empty) directory, all of them or none. ``name`` is for the
    message of the ``ClientFault`` that a bad archive raises.

    An archive is refused where SageMaker would leave it to the container to be harmed: not everywhere are
    there walls around what reads the files.
    """
    staging = directory.with_name(f"{directory.name}.unpacking")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        for member in members(archive):
            path = staging / member.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "xb") as file:
                for chunk in member.chunks:
                    file.write(chunk)
    except BadArchive as error:
        shutil.rmtree(staging)
        raise ClientFault(f"{name} is refused as a model archive: {error}") from error
    except OSError as error:
        shutil.rmtree(staging)
        raise ClientFault(f"{name} cannot be unpacked here: {error.strerror}") from error
    directory.rmdir()
    os.rename(staging, directory)


def gunzip(packed: BinaryIO, name: str, most: int | None = None) -> Iterator[bytes]:
    """The content of a gzip file in chunks, not many more than ``most`` bytes. ``name`` is for the message of
    the ``ClientFault`` that a damaged one raises, or one that unpacks to too much.
    """
    size = 0
    try:
        for chunk in unzipped(packed):
            yield chunk
            size += len(chunk)
            if most is not None and size > most:
                return
    except BadArchive as error:
        raise ClientFault(f"{name} cannot be unpacked: {error}") from error


def is_empty(directory: Path) -> bool:
    """Whether there is nothing to pack."""
    return next(files.regular(directory), None) is None
