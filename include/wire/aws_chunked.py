"""A body in S3's ``aws-chunked`` form: decoded as it comes, each chunk checked against the signature.

``Decoder`` takes the pieces of a body in any division, gives the object's own bytes, and raises ``AwsError``
(400 or 403) at the first thing that is not as it was signed. The rules are those of the S3 API reference,
"Transferring Payload in Multiple Chunks" and "including trailing headers".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from include.wire.messages import AwsError
from include.wire.sigv4 import Signature

UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = f"{SIGNED}-TRAILER"
FORMS = (UNSIGNED, SIGNED, SIGNED_TRAILER)  # as x-amz-content-sha256 names them

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?")
_LONGEST_LINE = 1024
_MOST_TRAILERS = 8
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


@dataclass(frozen=True)
class Seal:
    """Who signed the request: what the chunks of a signed form are checked with."""

    signature: Signature
    secret: str


class Decoder:
    """``form`` is one of ``FORMS``; ``announced`` are the trailing headers that the request promised.

    ``trailers`` are those that came, once ``is_done``. Only checksums may come: any other header there would
    decide what the request does without being signed.
    """

    def __init__(self, form: str, announced: frozenset[str], seal: Seal) -> None:
        self._seal = None if form == UNSIGNED else seal
        self._announced = announced
        self._previous = seal.signature.value
        self._expected: str | None = None  # the signature of the chunk that is being read
        self._chunk = hashlib.sha256()
        self._waiting = bytearray()
        self._missing = 0  # bytes of the chunk that are still to come
        self._read: Callable[[bytearray], bool] = self._read_size
        self.trailers: dict[str, str] = {}
        self.is_done = False

    def feed(self, piece: bytes) -> bytes:
        """The object's bytes that this piece completes."""
        self._waiting += piece
        out = bytearray()
        while not self.is_done and self._read(out):
            pass
        if self.is_done and self._waiting:
            raise _malformed("there is more after the last chunk")
        return bytes(out)

    def _read_size(self, _out: bytearray) -> bool:
        line = self._line()
        if line is None:
            return False
        found = _SIZE.fullmatch(line)
        if found is None:
            raise _malformed("a chunk must begin with its size in hexadecimal and its signature")
        self._expected = found[2].decode() if found[2] else None
        self._missing = int(found[1], 16)
        self._chunk = hashlib.sha256()
        if self._missing:
            self._read = self._read_data
        else:
            self._check_chunk()
            self._read = self._read_trailer
        return True

    def _read_data(self, out: bytearray) -> bool:
        data = bytes(self._waiting[: self._missing])
        del self._waiting[: len(data)]
        self._chunk.update(data)
        self._missing -= len(data)
        out += data
        if self._missing == 0:
            self._read = self._read_end_of_data
        return self._missing == 0

    def _read_end_of_data(self, _out: bytearray) -> bool:
        if len(self._waiting) < 2:
            return False
        if self._line() != b"":
            raise _malformed("a chunk is longer than it says")
        self._check_chunk()
        self._read = self._read_size
        return True

    def _read_trailer(self, _out: bytearray) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            name, colon, value = line.decode("latin-1").partition(":")
            name = name.strip().lower()
            if not colon or name in self.trailers or len(self.trailers) == _MOST_TRAILERS:
                raise _malformed("the trailing headers must be lines of name:value, each name once")
            self.trailers[name] = value.strip()
            return True
        self._check_trailers()
        self.is_done = True
        return True

    def _line(self) -> bytes | None:
        """The next line without its end, or None when it is not here yet."""
        end = self._waiting.find(b"\r\n", 0, _LONGEST_LINE)
        if end < 0:
            if len(self._waiting) >= _LONGEST_LINE:
                raise _malformed(f"a line of the framing is longer than {_LONGEST_LINE} bytes")
            return None
        line = bytes(self._waiting[:end])
        del self._waiting[: end + 2]
        return line

    def _check_chunk(self) -> None:
        empty = hashlib.sha256().hexdigest()
        self._check(self._expected, "AWS4-HMAC-SHA256-PAYLOAD", f"{empty}\n{self._chunk.hexdigest()}")

    def _check_trailers(self) -> None:
        given = self.trailers.pop(_TRAILER_SIGNATURE, None)
        if set(self.trailers) != self._announced:
            raise _malformed(
                f"the trailing headers must be those of x-amz-trailer: {sorted(self._announced)}"
            )
        if other := [name for name in self.trailers if not name.startswith("x-amz-checksum-")]:
            raise _malformed(f"only checksums may be trailing headers, not {', '.join(other)}")
        if self.trailers:
            text = "".join(f"{name}:{value}\n" for name, value in sorted(self.trailers.items()))
            self._check(given, "AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(text.encode("latin-1")).hexdigest())

    def _check(self, given: str | None, kind: str, digests: str) -> None:
        if self._seal is None:
            return
        signature = self._seal.signature
        text = f"{kind}\n{signature.moment}\n{signature.scope}\n{self._previous}\n{digests}"
        expected = signature.sign(self._seal.secret, text)
        if not hmac.compare_digest(expected.encode(), (given or "").encode("latin-1")):
            raise AwsError("SignatureDoesNotMatch", "a part of the body is not what was signed", 403)
        self._previous = expected


def _malformed(message: str) -> AwsError:
    return AwsError("IncompleteBody", f"The aws-chunked body is malformed: {message}", 400)
