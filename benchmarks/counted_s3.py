"""S3 answered in the process that asks: objects as files of a folder, and images that exist by their number.

Takes a folder, the images that are to be there without being stored, and a latency; gives what the loop calls
of a boto3 S3 client, and counts its requests. The folder keeps what was written, so that one process goes on
where another has ended, and nothing of it is in memory. Every answer takes the latency in which S3 would have
been waited for; the processor time of answering is kept apart (``Calls``).

It is no S3: no signatures, no policies, no versions, no multipart (an upload counts as one request), one
bucket, and no HTTP, so what boto3 itself spends is not in it: 0.6 ms a request of A2I and 1.1 ms one of S3.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

PAGE = 1000
STORED = datetime(2026, 11, 1, tzinfo=UTC)


class Calls:
    """Requests by operation, the seconds of latency that each takes, and the processor seconds that answering
    took, which are not the caller's.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.made: Counter[str] = Counter()
        self.latency, self.answering = latency, 0.0
        self._lock = threading.Lock()

    @contextmanager
    def one(self, operation: str) -> Iterator[None]:
        """A request: counted, delayed, and its answer timed."""
        if self.latency:
            time.sleep(self.latency)
        began = time.thread_time()
        try:
            yield
        finally:
            spent = time.thread_time() - began
            with self._lock:
                self.made[operation] += 1
                self.answering += spent


@dataclass(frozen=True)
class Fabricated:
    """``count`` objects that are made when they are read: ``<prefix><number><suffix>``, seven digits each."""

    prefix: str
    suffix: str
    count: int
    body: Callable[[int], bytes]

    def number(self, key: str) -> int | None:
        """Which one has this key; None when there is none."""
        found = re.fullmatch(f"{re.escape(self.prefix)}([0-9]{{7}}){re.escape(self.suffix)}", key)
        return int(found[1]) if found and int(found[1]) < self.count else None

    def listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        """What a listing tells of them, without making them: all are said to have the size of the first."""
        if self.prefix.startswith(prefix):
            size = len(self.body(0))
            for number in range(self.count):
                yield _entry(f"{self.prefix}{number:07}{self.suffix}", self.etag(number), size)

    def etag(self, number: int) -> str:
        return hashlib.md5(f"{self.prefix}{number}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Mirrored:
    """Objects of a transform job: ``<folder><name>.out`` for each line of a file of names, in key order; each
    has the same bytes as all of its kind would (``body`` of the name).
    """

    folder: str
    names: Path
    body: Callable[[str], bytes]

    def listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        if self.folder.startswith(prefix):
            with self.names.open() as lines:
                for line in lines:
                    yield _entry(f"{self.folder}{line.rstrip()}.out", "0" * 32, 64)


class CountedS3:
    """The methods of a boto3 S3 client that the loop calls."""

    def __init__(self, folder: Path, fabricated: tuple[Fabricated, ...], calls: Calls) -> None:
        self.folder, self.fabricated, self.calls = folder, fabricated, calls
        self.mirrored: list[Mirrored] = []
        self.computed: list[Callable[[str], bytes | None]] = []
        self._lock = threading.Lock()

    # ---- what the loop calls

    def get_object(
        self, *, Bucket: str, Key: str, Range: str | None = None, IfMatch: str | None = None
    ) -> dict[str, Any]:
        with self.calls.one("GetObject"):
            path = self.path(Key)
            body: Body | FileBody
            if path.is_file():
                body, size, etag = FileBody(path), path.stat().st_size, _etag(path)
            elif made := self._made(Key):
                content, etag = made[0](), made[1]
                body, size = Body(content), len(content)
            else:
                raise failure("NoSuchKey", 404, "GetObject")
            if IfMatch is not None and IfMatch.strip('"') != etag:
                raise failure("PreconditionFailed", 412, "GetObject")
            if Range is not None:
                content = body.read(int(Range.rpartition("-")[2]) + 1)
                body, size = Body(content), len(content)
            return {"Body": body, "ETag": f'"{etag}"', "ContentLength": size}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        with self.calls.one("HeadObject"):
            path = self.path(Key)
            if path.is_file():
                size, etag = path.stat().st_size, _etag(path)
            elif made := self._made(Key):
                size, etag = len(made[0]()), made[1]
            else:
                raise failure("404", 404, "HeadObject")
            return {"ETag": f'"{etag}"', "ContentLength": size, "LastModified": STORED}

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str = "",
        IfNoneMatch: str | None = None,
        IfMatch: str | None = None,
    ) -> dict[str, Any]:
        with self.calls.one("PutObject"), self._lock:
            path = self.path(Key)
            there = _etag(path) if path.is_file() else None
            if (IfNoneMatch and there) or (IfMatch and IfMatch.strip('"') != there):
                raise failure("PreconditionFailed", 412, "PutObject")
            return {"ETag": f'"{self._write(path, Body)}"'}

    def upload_fileobj(self, stream: Any, bucket: str, key: str, **_: Any) -> None:
        with self.calls.one("PutObject"), self._lock:
            self._write(self.path(key), stream.read())

    def list_objects_v2(self, *, Bucket: str, Prefix: str, StartAfter: str = "") -> dict[str, Any]:
        """One page, from behind a key on."""
        with self.calls.one("ListObjectsV2"):
            behind = (item for item in self._listed(Prefix) if item["Key"] > StartAfter)
            found = list(islice(behind, PAGE + 1))
            return {"Contents": found[:PAGE], "IsTruncated": len(found) > PAGE}

    def get_paginator(self, operation: str) -> CountedS3:
        if operation != "list_objects_v2":
            raise NotImplementedError(operation)
        return self

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str | None = None) -> Iterator[dict[str, Any]]:
        """Pages of a thousand, each read when it is asked for."""
        found = self._folders(Prefix) if Delimiter else self._listed(Prefix)
        kind = "CommonPrefixes" if Delimiter else "Contents"
        ahead: list[dict[str, Any]] = []
        while True:
            with self.calls.one("ListObjectsV2"):
                ahead += islice(found, PAGE + 1 - len(ahead))
            yield {kind: ahead[:PAGE]}
            ahead = ahead[PAGE:]
            if not ahead:
                return

    # ---- below

    def read(self, key: str) -> bytes:
        """The bytes of a written object, for who answers beside it; nothing is counted."""
        return self.path(key).read_bytes()

    def _made(self, key: str) -> tuple[Callable[[], bytes], str] | None:
        for some in self.fabricated:
            if (number := some.number(key)) is not None:
                return (lambda: some.body(number)), some.etag(number)  # noqa: B023 (called at once)
        for outputs in self.mirrored:
            if key.startswith(outputs.folder) and key.endswith(".out"):
                return (lambda: outputs.body(key[len(outputs.folder) : -4])), "0" * 32  # noqa: B023
        for compute in self.computed:
            if (body := compute(key)) is not None:
                return (lambda: body), "0" * 32
        return None

    def _folders(self, prefix: str) -> Iterator[dict[str, Any]]:
        for path in sorted(self.path(prefix).glob("*")):
            if path.is_dir():
                yield {"Prefix": f"{prefix}{unquote(path.name)}/"}

    def _listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Each kind in key order; nothing of the loop's is listed with two kinds below one prefix."""
        families: list[Fabricated | Mirrored] = [*self.fabricated, *self.mirrored]
        for some in families:
            yield from some.listed(prefix)
        for place, folders, names in os.walk(self.path(prefix.rpartition("/")[0])):
            folders.sort()
            for path in sorted(Path(place, name) for name in names):
                key = unquote(str(path.relative_to(self.folder)))
                if key.startswith(prefix):
                    yield _entry(key, _etag(path), path.stat().st_size)

    def _write(self, path: Path, body: bytes) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = self.folder / ".half"
        half.write_bytes(body)
        half.replace(path)
        return _etag(path)

    def path(self, key: str) -> Path:
        return self.folder / quote(key, safe="/=")


class Body(io.BytesIO):
    """botocore's StreamingBody, as far as it is read."""

    def iter_chunks(self, chunk_size: int = 1024) -> Iterator[bytes]:
        while chunk := self.read(chunk_size):
            yield chunk


class FileBody(io.FileIO):
    """The same of a file, which is read no further than the caller reads."""

    iter_chunks = Body.iter_chunks


def failure(code: str, status: int, operation: str) -> ClientError:
    """The error as boto3 raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},
        operation,
    )


def _entry(key: str, etag: str, size: int) -> dict[str, Any]:
    return {"Key": key, "ETag": f'"{etag}"', "Size": size}


def _etag(path: Path) -> str:
    """Another one for every content that was written: a new file each."""
    stat = path.stat()
    return f"{stat.st_ino:x}{stat.st_mtime_ns:x}"
