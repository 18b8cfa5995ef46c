"""Model archives: ``model.tar.gz`` out of a directory, and safely back into one.

Knows ``include.algorithms.archives``, which reads them.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from include.algorithms.archives import BadArchive, members
from include.local_cloud.instance.faults import ClientFault


def pack(directory: Path, archive: Path) -> None:
    """All files of a directory, at the archive's root. The same files give the same bytes but for their
    times.
    """
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:  # weights hardly compress: fast is right
        for path in sorted(directory.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(directory)), recursive=False)


def unpack(archive: Path, directory: Path, name: str) -> None:
    """The archive's files in place of the (empty) directory, all of them or none. ``name`` is for the
    message of the ``ClientFault`` that a bad archive raises.

    There is no container around what reads the files here: an archive is refused where SageMaker would
    leave it to the container to be harmed.
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
    directory.rmdir()
    os.rename(staging, directory)


def is_empty(directory: Path) -> bool:
    return next(directory.rglob("*"), None) is None
