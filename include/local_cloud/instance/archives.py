"""Model archives: ``model.tar.gz`` out of a directory, and safely back into one.

Knows nobody.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path

from include.local_cloud.instance.faults import ClientFault

MAX_UNPACKED = 8 << 30
MAX_MEMBERS = 100_000


def pack(directory: Path, archive: Path) -> None:
    """All files of a directory, at the archive's root. The same files give the same bytes but for their
    times.
    """
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:  # weights hardly compress: fast is right
        for path in sorted(directory.rglob("*")):
            tar.add(path, arcname=str(path.relative_to(directory)), recursive=False)


def unpack(archive: Path, directory: Path, name: str) -> None:
    """Unpack with the filter that refuses links and paths out of the directory; ``name`` is for the
    message.
    """
    size = count = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                size, count = size + member.size, count + 1
                if size > MAX_UNPACKED or count > MAX_MEMBERS:
                    raise ClientFault(
                        f"{name} unpacks to more than {MAX_UNPACKED >> 30} GiB or {MAX_MEMBERS} files"
                    )
                tar.extract(member, directory, filter="data")
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ClientFault(f"{name} is not a model archive (tar, gzip): {error}") from error


def is_empty(directory: Path) -> bool:
    return next(directory.rglob("*"), None) is None
