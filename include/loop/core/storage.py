"""The bucket, and the few safe ways to read and write it.

Takes a boto3 S3 client, a bucket and a pipeline's folder; gives bytes, JSON values, JSON Lines and listings.
A *location* is a key below the pipeline's folder (``runs/dt=2026-11-01/batch.json``; layout.py has them all)
or a full S3 URI. What is written once is written with ``If-None-Match: *``, what is replaced with
``If-Match``, so that two runs cannot overwrite each other unseen.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from botocore.exceptions import ClientError

from include.loop.core.errors import BadRecord, ConcurrentWrite, ConfigurationError, Fatal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Item = TypeVar("Item")
Result = TypeVar("Result")

# 412: the condition does not hold. 409: a conditional write to the same key is going on at this moment.
LOST_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
# For work that holds an image each, of up to MOST_BYTES.
THREADS = 8
# For small requests, where nothing but waiting for the answer takes time. No pool of connections is smaller.
THREADS_OF_SMALL_REQUESTS = 32
CONNECTIONS = THREADS_OF_SMALL_REQUESTS + 2
# Items that are begun or done before the reader has taken the first of them, for each thread.
AHEAD = 8
SPOOL_BYTES = 8 * 1024 * 1024
STREAM_BYTES = 1 << 20
PART_BYTES = 16 << 20
# Of JSON. Ours has six levels; Python's own limit depends on who is calling.
DEEPEST = 64
# Of an object of others that is read whole; above it no image can be predicted (MaxPayloadInMB's limit).
MOST_BYTES = 100 << 20
# The longest key of S3.
MOST_KEY_BYTES = 1024
# Of one line of JSON Lines: five times the longest that is ours, a question.
MOST_LINE_BYTES = 16 << 20


@dataclass(frozen=True)
class StoredObject:
    """One listed object: its S3 URI, ETag without quotes, and size in bytes."""

    uri: str
    etag: str
    size: int


@dataclass(frozen=True)
class Storage:
    """Typed access to one bucket, relative to one folder. ``pipeline_sha256``, the hash of the pipeline's
    file, is what records are stamped with.
    """

    s3: S3Client
    bucket: str
    folder: str
    pipeline_sha256: str | None = None

    def uri(self, location: str) -> str:
        bucket, key = self.resolve(location)
        return f"s3://{bucket}/{key}"

    def resolve(self, location: str) -> tuple[str, str]:
        """Bucket and key of a location."""
        if location.startswith("s3://"):
            return split_uri(location)
        return self.bucket, f"{self.folder}/{location}"

    def read(self, location: str, last_byte: int | None = None, *, most: int | None = None) -> bytes:
        """The object's bytes, or its first ``last_byte + 1``. FileNotFoundError when there is none, BadRecord
        when it has more than ``most`` bytes: what others have written may have any size, and is read whole.
        """
        found = self.find(location, last_byte, most=most)
        if found is None:
            raise FileNotFoundError(f"no object at {self.uri(location)}")
        return found[0]

    def find(
        self, location: str, last_byte: int | None = None, *, most: int | None = None
    ) -> tuple[bytes, str] | None:
        """Bytes and ETag, or None when there is no such object; otherwise as ``read``."""
        bucket, key = self.resolve(location)
        part: dict[str, Any] = {} if last_byte is None else {"Range": f"bytes=0-{last_byte}"}
        try:
            reply = self.s3.get_object(Bucket=bucket, Key=key, **part)
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            if error_code(error) == "InvalidRange":  # an empty object has not even a first byte
                return self.find(location)
            raise
        if most is not None and reply["ContentLength"] > most:
            reply["Body"].close()
            raise BadRecord(f"object of {reply['ContentLength']:,} bytes; at most {most:,} are read")
        return reply["Body"].read(), reply["ETag"].strip('"')

    def open(self, location: str, etag: str | None = None) -> BinaryIO:
        """An object as a stream, to be closed by the caller. FileNotFoundError when there is none, and
        ConcurrentWrite when it is no longer the one of this ETag.
        """
        bucket, key = self.resolve(location)
        same: dict[str, Any] = {} if etag is None else {"IfMatch": f'"{etag}"'}
        try:
            body = self.s3.get_object(Bucket=bucket, Key=key, **same)["Body"]
        except ClientError as error:
            if error_code(error) in MISSING:
                raise FileNotFoundError(f"no object at {self.uri(location)}") from None
            if error_code(error) in LOST_RACE:
                raise ConcurrentWrite(f"{self.uri(location)} was replaced meanwhile; try again") from None
            raise
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, body), STREAM_BYTES))

    def exists(self, location: str) -> bool:
        return self.stat(location) is not None

    def stat(self, location: str) -> StoredObject | None:
        """ETag and size of what is there now; None when there is no such object."""
        bucket, key = self.resolve(location)
        try:
            reply = self.s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise
        return StoredObject(f"s3://{bucket}/{key}", reply["ETag"].strip('"'), reply["ContentLength"])

    def modified_at(self, location: str) -> datetime | None:
        """When the object was last written (UTC), or None when there is none."""
        bucket, key = self.resolve(location)
        try:
            return self.s3.head_object(Bucket=bucket, Key=key)["LastModified"]
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise

    def read_json(self, location: str) -> Any:
        """FileNotFoundError when there is no such object, Fatal when it is not JSON."""
        return self.value(location, self.read(location))

    def find_json(self, location: str) -> Any | None:
        found = self.find(location)
        return None if found is None else self.value(location, found[0])

    def find_version(self, location: str) -> tuple[Any | None, str | None]:
        """A JSON value and its ETag, for ``replace``; twice None when there is no such object."""
        found = self.find(location)
        return (None, None) if found is None else (self.value(location, found[0]), found[1])

    def value(self, location: str, body: bytes) -> Any:
        """The JSON value in the bytes of an object of ours; Fatal, with its location, when it is none."""
        try:
            return parse(body)
        except ValueError as error:
            raise Fatal(f"{self.uri(location)} is not JSON as it was written: {error}") from None

    def numbered_lines(self, location: str) -> Iterator[tuple[int, bytes]]:
        """The lines of an object that are not blank, each with its number in the file, streamed.
        FileNotFoundError when there is none.
        """
        bucket, key = self.resolve(location)
        try:
            body = self.s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if error_code(error) in MISSING:
                raise FileNotFoundError(f"no object at {self.uri(location)}") from None
            raise
        lines = enumerate(split_lines(body.iter_chunks(64 * 1024)), start=1)
        return ((number, line) for number, line in lines if line.strip())

    def read_raw_lines(self, location: str) -> Iterator[bytes]:
        """The same without the numbers."""
        return (line for _, line in self.numbered_lines(location))

    def read_lines(self, location: str) -> Iterator[Any]:
        """The values of a JSON Lines object of ours, streamed."""
        return (self.value(location, line) for line in self.read_raw_lines(location))

    def write(self, location: str, body: bytes, content_type: str = "binary/octet-stream") -> None:
        """``content_type`` matters for what a browser is to show."""
        bucket, key = self.resolve(location)
        self.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type)

    def write_stream(self, location: str, pieces: Iterable[bytes]) -> None:
        """Write what comes in pieces, of any length in all, with bounded memory and no file. The object is
        there when all of it is; nothing is when a piece raises an error.
        """
        bucket, key = self.resolve(location)
        stream = io.BufferedReader(_Pieces(iter(pieces)), STREAM_BYTES)
        self.s3.upload_fileobj(stream, bucket, key, Config=_in_parts())

    def write_json(self, location: str, value: Any) -> None:
        self.write(location, dump(value))

    def write_once(self, location: str, body: bytes) -> bool:
        """Write unless something is there; whether this call wrote it."""
        bucket, key = self.resolve(location)
        try:
            self.s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) in LOST_RACE:
                return False
            raise
        return True

    def write_json_once(self, location: str, value: Any) -> Any:
        """Write unless something is there; what is there afterwards."""
        return value if self.write_once(location, dump(value)) else self.read_json(location)

    def replace(self, location: str, body: bytes, etag: str | None) -> None:
        """Replace the object that had this ETag (None: there was none); ConcurrentWrite when it changed
        meanwhile.
        """
        bucket, key = self.resolve(location)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": f'"{etag}"'}
        try:
            self.s3.put_object(Bucket=bucket, Key=key, Body=body, **condition)
        except ClientError as error:
            if error_code(error) in LOST_RACE | MISSING:
                raise ConcurrentWrite(
                    f"{self.uri(location)} was changed by somebody else; read it again"
                ) from None
            raise

    def write_lines(self, location: str, values: Iterable[Any]) -> int:
        """Write JSON Lines through a spooled file, in constant memory; how many lines. Atomic, as S3 puts
        are.
        """
        bucket, key = self.resolve(location)
        count = 0
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
            for value in values:
                spool.write(dump(value) + b"\n")
                count += 1
            spool.seek(0)
            self.s3.upload_fileobj(spool, bucket, key)
        return count

    def list(self, location: str) -> Iterator[StoredObject]:
        """Every object whose key starts with the location, in key order, by pages of 1000."""
        bucket, prefix = self.resolve(location)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                yield StoredObject(f"s3://{bucket}/{item['Key']}", item["ETag"].strip('"'), item["Size"])

    def list_folders(self, location: str) -> Iterator[str]:
        """The names of the folders directly below a location, in order."""
        bucket, prefix = self.resolve(location)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            for item in page.get("CommonPrefixes", ()):
                yield item["Prefix"][len(prefix) :].rstrip("/")


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _in_parts() -> Any:
    from boto3.s3.transfer import TransferConfig

    # S3 takes 10,000 parts of an upload: 160 GB. About ten parts are in memory at once.
    return TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=2)


def split_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text that comes in pieces, without their ends. What is longer than ``MOST_LINE_BYTES``
    is cut there: no record of anybody's is so long, and memory is not theirs to fill.

    JSON Lines end at ``\\n`` and nowhere else (jsonlines.org): a ``\\r`` before it is white space, and U+2028
    and the other ends that ``splitlines`` knows may stand in any name.
    """
    begun: list[bytes] = []
    length = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        if length < MOST_LINE_BYTES:  # joined once, at its end: a file of one line is read in no time too
            begun.append(first)
            length += len(first)
        for line in others:
            yield b"".join(begun)[:MOST_LINE_BYTES]
            begun, length = [line], len(line)
    yield b"".join(begun)[:MOST_LINE_BYTES]


# Made once: to make one takes longer than to write a short value.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def dump(value: Any) -> bytes:
    """One JSON value as bytes that depend on nothing but the value."""
    return _CANONICAL.encode(value).encode()


def parse(body: bytes) -> Any:
    """JSON that anybody may have written. NaN and 1e999 are left to whoever reads the field.

    ValueError for what could not be written again from some deeper stack (absurd nesting, half a character),
    and for a field that is written twice: it has no value that all readers agree on.
    """
    value = _loads(body, object_pairs_hook=_once)
    _check_depth(value)
    if b"\\u" in body or not body.isascii():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def parse_loosely(body: bytes) -> Any:
    """JSON whose parts are of several people, none of whom may spoil the others': fields are to be checked
    one by one. ValueError for what is no JSON at all.
    """
    return _loads(body, parse_int=_integer)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise ValueError(f"nested more than {DEEPEST} levels deep")


def _loads(body: bytes, **hooks: Any) -> Any:
    try:
        return json.loads(body.decode(json.detect_encoding(body)), **hooks)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(digits: str) -> float:
    """Python refuses to read thousands of digits; as infinity they fail the check of their own field."""
    return int(digits) if len(digits) < 1_000 else math.inf


def _once(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(fields)
    if len(value) < len(fields):
        raise ValueError("a field is written twice")
    return value


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int = THREADS
) -> Iterator[Result]:
    """Apply blocking work to items by a few threads, in order, and at most ``AHEAD`` for each thread ahead of
    the reader. The first error ends it, and so does the reader: what has not begun by then is never begun.
    """
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) == threads * AHEAD:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def split_uri(uri: str) -> tuple[str, str]:
    """``s3://bucket/key`` as bucket and key; ConfigurationError for anything else."""
    # Not urlsplit: a key may contain '#' and '?'.
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket or not key:
        raise ConfigurationError(f"not an S3 URI of an object or folder: {uri!r} (s3://bucket/key)")
    return bucket, key


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
