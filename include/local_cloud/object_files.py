"""S3 keys as files, so that every key survives a restart.

ministack writes an object to the path its key spells. Two kinds of keys then never reach the disk or come
back wrong: a folder marker ``images/`` beside ``images/1.jpg`` (one path would be a file and a directory),
and keys with empty or dotted parts, or ending in ``.meta.json``. This module gives keys an unambiguous path
and reads them back. Knows ``object_versions`` and ministack's S3 module, of the version pinned in
constraints.txt.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from include.local_cloud.object_versions import listing

_DIRECTORY, _CONTINUED, _EMPTY = "+", "~", "%"
_SIDECARS = (".meta.json", ".tmp")
_PIECE = 200  # file systems allow 255 bytes in a name, S3 allows 1,024 in a key


def install(root: Path) -> None:
    """Make ministack keep its objects below ``root``, and load those that are there."""
    from ministack.services import s3

    s3._list_object_versions = listing(s3)
    files_of = s3._persisted_key_files

    def path_of(bucket: str, key: str, account_id: str | None = None) -> str:
        return str(root / (account_id or s3.get_account_id()) / bucket / to_path(key))

    def keys_of(bucket_path: str, sidecars: bool) -> Iterator[tuple[str, str]]:
        return ((path, to_key(key)) for path, key in files_of(bucket_path, sidecars))

    s3.S3_PERSIST, s3.DATA_DIR = True, str(root)
    s3._object_disk_path, s3._persisted_key_files = path_of, keys_of
    for bucket in sorted(root.glob("[0-9]*/*/")):  # beside them, in .versions, lie what objects once were
        _repair(bucket)
        s3._load_persisted_bucket(bucket.parent.name, bucket.name, str(bucket))


def to_path(key: str) -> str:
    """The relative path of a key: ``images/a.jpg`` → ``images+/a.jpg``. One to one; ``to_key`` is the way
    back.

    A directory ends in ``+``, so it never clashes with an object; a part that is too long goes on after
    ``~``.
    """
    *directories, leaf = (_part(segment) for segment in key.split("/"))
    return "/".join([*(part + _DIRECTORY for part in directories), leaf or _EMPTY])


def to_key(path: str) -> str:
    """The key whose path this is."""
    segments, begun = [], ""
    for name in path.split("/"):
        if name.endswith(_CONTINUED):
            begun += name.removesuffix(_CONTINUED)
            continue
        name = begun + (name if name != _EMPTY else "")
        segments.append(unquote(name.removesuffix(_DIRECTORY)))
        begun = ""
    return "/".join(segments)


def _part(segment: str) -> str:
    text = quote(segment, safe=" =,;@!()'").replace("~", "%7E")
    if text.startswith(".") or text.endswith(_SIDECARS):
        text = text.replace(".", "%2E")
    pieces = [text[i : i + _PIECE] for i in range(0, len(text), _PIECE)] or [""]
    return (_CONTINUED + "/").join(pieces)


def _repair(bucket: Path) -> None:
    """Undo what a kill in the middle of a write left behind."""
    for directory, _, names in os.walk(bucket):
        for name in names:
            path = Path(directory, name)
            if name.endswith(".tmp"):
                path.unlink()
                continue
            sidecar = path.with_name(name + ".meta.json")
            # The body is replaced first, its description second: an older description is of an older body.
            if sidecar.exists() and sidecar.stat().st_mtime_ns < path.stat().st_mtime_ns:
                sidecar.unlink()
