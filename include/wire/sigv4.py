"""AWS's signature, version 4: read from a request and computed anew.

Takes a ``Request``, gives a ``Signature``, which says who signed for which service and when, and whether a
secret makes the same signature. Both forms are read: the Authorization header and the query of a presigned
URL. The rules are those of the IAM guide, "Create a signed AWS API request". Whom to let in is the servers'
own decision.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from include.wire.messages import Request

ALGORITHM = "AWS4-HMAC-SHA256"
_CREDENTIAL = re.compile(r"([^/\s]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")
_UNSIGNED = "UNSIGNED-PAYLOAD"

# How far the clocks of a caller and a server may be apart; AWS allows the same.
SKEW = timedelta(minutes=15)


@dataclass(frozen=True)
class Signature:
    """What a request says about itself; ``matches`` is the proof."""

    key_id: str
    day: str
    region: str
    service: str
    headers: tuple[str, ...]
    value: str
    moment: str
    expires: int | None  # seconds; None for a request signed by its header

    @classmethod
    def of(cls, request: Request) -> Signature | None:
        """The signature of a request, or None when there is none of version 4."""
        authorization = request.headers.get("authorization", "")
        if authorization.startswith(ALGORITHM):
            parts = dict(
                part.strip().partition("=")[::2] for part in authorization[len(ALGORITHM) :].split(",")
            )
            moment, expires = request.headers.get("x-amz-date", ""), None
        else:
            query = {name: unquote(value) for name, value in _query(request.query)}
            if query.get("X-Amz-Algorithm") != ALGORITHM:
                return None
            parts = {
                name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")
            }
            moment, lasts = query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", "")
            expires = int(lasts) if lasts.isdecimal() else 0
        found = _CREDENTIAL.fullmatch(parts.get("Credential", ""))
        if found is None:
            return None
        signed = tuple(parts.get("SignedHeaders", "").split(";"))
        return cls(
            found[1], found[2], found[3], found[4], signed, parts.get("Signature", ""), moment, expires
        )

    def matches(self, request: Request, secret: str) -> bool:
        """Whether this secret signs this request so; S3's clients sign a digest of the body, not the body."""
        text = "\n".join(
            (
                ALGORITHM,
                self.moment,
                f"{self.day}/{self.region}/{self.service}/aws4_request",
                hashlib.sha256(self._canonical(request).encode()).hexdigest(),
            )
        )
        key = f"AWS4{secret}".encode()
        for part in (self.day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), self.value)

    @property
    def signed_at(self) -> datetime | None:
        """When the caller's clock says that it signed, or None when that is no time of AWS's form."""
        try:
            signed_at = datetime.strptime(self.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None
        # The scope names the day as well: a key derived for another day must not sign for this one.
        return signed_at if self.moment.startswith(self.day) else None

    def is_timely(self, now: datetime) -> bool:
        """Whether it was signed within ``SKEW`` of now; a presigned URL has its own end instead."""
        if self.signed_at is None:
            return False
        if self.expires is None:
            return abs(now - self.signed_at) <= SKEW
        return self.signed_at - SKEW <= now <= self.signed_at + timedelta(seconds=self.expires)

    def unsigned_headers(self, request: Request) -> list[str]:
        """The headers that decide what the request does and that the signature does not cover."""
        decisive = {"host"} | {name for name in request.headers if name.startswith("x-amz-")}
        return sorted(decisive - set(self.headers))

    def _canonical(self, request: Request) -> str:
        is_s3 = self.service == "s3"
        # S3 signs the path as it is sent, every other service encodes it once more.
        path = request.path if is_s3 else quote(request.path, safe="/~")
        pairs = sorted(pair for pair in _query(request.query) if pair[0] != "X-Amz-Signature")
        headers = [f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in self.headers]
        digest = hashlib.sha256(request.body).hexdigest()
        if is_s3:
            # The digest that a header states is S3's to compare with the body, which is not here.
            stated = request.headers.get("x-amz-content-sha256")
            body = _UNSIGNED if self.expires is not None else stated or digest
        else:
            body = digest
        return "\n".join(
            (
                request.method,
                path,
                "&".join(f"{name}={value}" for name, value in pairs),
                "".join(headers),
                ";".join(self.headers),
                body,
            )
        )


def _query(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string as they were sent, still encoded."""
    return [(name, value) for name, _, value in (part.partition("=") for part in text.split("&") if part)]
