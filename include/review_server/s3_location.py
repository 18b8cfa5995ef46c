"""Where an object is: a bucket and a key, read from the texts that callers, templates and settings write.

Takes text, gives a value or a ``ValueError`` for whoever wrote it. It knows nobody, so that the process that
renders templates can read locations without bringing an S3 client along.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# A key has at most 1,024 bytes, each three characters when an address encodes it; then host and bucket.
_LONGEST = 4_096


@dataclass(frozen=True)
class S3Location:
    """A bucket and a key (or a prefix)."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> S3Location:
        """From ``s3://bucket/key``, or from S3's two kinds of https addresses. ``ValueError`` otherwise.

        Only bucket and key are taken from the text: what is asked is always the configured S3. Keys with
        ``.`` or ``..`` as a part are refused, because browsers and servers disagree about what they name.
        """
        if len(text) > _LONGEST:
            raise ValueError(f"{text[:60]!r}… is no S3 location: it has more than {_LONGEST:,} characters")
        location = cls._parse(text)
        if not _BUCKET.fullmatch(location.bucket):
            raise ValueError(f"{text!r} names no bucket: {location.bucket!r} is no bucket's name")
        if {".", ".."} & set(location.key.split("/")):
            raise ValueError(f"{text!r} is not an S3 location: its key has . or .. as a part")
        return location

    @classmethod
    def of_object(cls, text: str) -> S3Location:
        """The same for a text that must name an object: a bucket alone is refused."""
        location = cls.parse(text)
        if not location.key:
            raise ValueError(f"{text!r} names a bucket and no object in it: write s3://bucket/key")
        return location

    @classmethod
    def _parse(cls, text: str) -> S3Location:
        parts = urlsplit(text)
        path = parts.path.removeprefix("/")
        if parts.scheme == "s3" and parts.netloc:
            # Keys may hold ? and #, which are not separators in an S3 URI.
            return cls(parts.netloc, text.removeprefix(f"s3://{parts.netloc}").removeprefix("/"))
        host = parts.netloc
        if parts.scheme in ("http", "https") and re.fullmatch(r"s3[.-][a-z0-9.-]*amazonaws\.com", host):
            bucket, _, key = path.partition("/")
            if bucket:
                return cls(bucket, unquote(key))
        virtual = re.fullmatch(r"(.+)\.s3[.-][a-z0-9.-]*amazonaws\.com", host)
        if parts.scheme in ("http", "https") and virtual:
            return cls(virtual[1], unquote(path))
        raise ValueError(f"{text!r} is not an S3 location: write s3://bucket/key")

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def below(self, *parts: str) -> S3Location:
        """The location of a key under this prefix."""
        return S3Location(self.bucket, "/".join([p for p in [self.key.rstrip("/")] if p] + list(parts)))
