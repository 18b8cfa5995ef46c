"""S3 keys as files, so that every key survives a restart.

ministack writes an object to the path its key spells. Two kinds of keys then never reach the disk or come
back wrong: a folder marker ``images/`` beside ``images/1.jpg`` (one path would be a file and a directory),
and keys with empty or dotted parts, or ending in ``.meta.json``. This module gives keys an unambiguous path
and reads them back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote

from include.local_cloud.base.object_versions import listing

_DIRECTORY, _CONTINUED, _EMPTY = "+", "~", "%"
_SIDECARS = (".meta.json", ".tmp")
# Written, and not yet in their place: the two files of an object, or a new description of an old body.
_BODY, _DESCRIPTION, _ALONE = ".body.tmp", ".description.tmp", ".alone.tmp"
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
    s3._persist_object = partial(_persist, s3)
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


def _persist(s3: ModuleType, bucket: str, key: str, record: dict[str, Any]) -> None:
    """Write an object's two files, its body and its description, so that a kill leaves the old ones or the
    new ones.

    Both are written aside before the first is moved: ``_repair`` moves the second when a kill came between.
    (ministack writes one after the other, and their times do not tell whether they belong together: two
    writes within a tick of the file system's clock have the same.) Raises OSError when the disk is full, for
    the client to hear of it.
    """
    path = Path(s3._object_disk_path(bucket, key))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    described = s3._object_meta_from_record(record) | s3._key_history_meta(bucket, key) | {"key": key}
    sidecar, description = _aside(path, _SIDECARS[0]), json.dumps(described).encode()
    contents = {sidecar: (_ALONE, description)}
    if (body := record.get("body")) is not None:  # else the body that is there stays
        contents = {path: (_BODY, body), sidecar: (_DESCRIPTION, description)}
    try:
        for ending, content in contents.values():
            descriptor = os.open(_aside(path, ending), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
    except OSError:
        for ending, _ in contents.values():
            _aside(path, ending).unlink(missing_ok=True)
        raise
    for target, (ending, _) in contents.items():
        os.replace(_aside(path, ending), target)
    record["body"] = None  # it is read from the file from now on


def _aside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _repair(bucket: Path) -> None:
    """Undo or finish what a kill in the middle of a write left behind."""
    for directory, _, names in os.walk(bucket):
        for name in names:
            if not name.endswith(_DESCRIPTION):
                continue
            path = Path(directory, name.removesuffix(_DESCRIPTION))
            if not _aside(path, _BODY).exists():  # it was moved, and the description was whole before that
                os.replace(_aside(path, _DESCRIPTION), _aside(path, _SIDECARS[0]))
        for name in names:
            if name.endswith(".tmp"):
                Path(directory, name).unlink(missing_ok=True)
