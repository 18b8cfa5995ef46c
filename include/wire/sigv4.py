"""AWS's signature, version 4: read from a request and computed anew.

Takes a ``Request``, gives a ``Signature``, which says who signed for which service and when, and whether a
secret makes the same signature. Both forms are read: the Authorization header and the query of a presigned
URL. The rules are those of the IAM guide, "Create a signed AWS API request", and of the S3 API reference,
"Authenticating Requests: Using Query Parameters". Whom to let in is the servers' own decision.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from include.wire.messages import AwsError, Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
LONGEST_EXPIRY = 7 * 24 * 3600  # seconds: no key that signs lives longer on AWS

# How far the clocks of a caller and a server may be apart; AWS allows the same.
SKEW = timedelta(minutes=15)

_CREDENTIAL = re.compile(r"([!-.0-~]{1,128})/([0-9]{8})/([a-z0-9-]{1,32})/([a-z0-9-]{1,64})/aws4_request")
_MOMENT = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_IN_HEADER = ("Credential", "SignedHeaders", "Signature")
_IN_QUERY = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")


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
    expires: int | None = None  # seconds; None for a request signed by its header
    token: str | None = None  # the session token of a temporary key

    @classmethod
    def of(cls, request: Request) -> Signature | None:
        """The signature of a request, or None when there is none of version 4.

        Raises ``AwsError`` (400) for a presigned URL that breaks S3's rules: a parameter that is missing,
        twice there or malformed, an expiry that is no number of seconds up to a week.
        """
        presigned = _presigned(request.query)
        authorization = request.headers.get("authorization")
        if not presigned:
            return cls._of_header(authorization or "", request)
        if authorization is not None:
            raise AwsError("InvalidArgument", "Only one auth mechanism allowed: the header or the query", 400)
        return cls._of_query(presigned)

    @classmethod
    def _of_header(cls, authorization: str, request: Request) -> Signature | None:
        algorithm, _, rest = authorization.partition(" ")
        parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        found = _CREDENTIAL.fullmatch(parts.get("Credential", ""))
        if algorithm != ALGORITHM or found is None or set(parts) != set(_IN_HEADER) or rest.count(",") != 2:
            return None
        signed = tuple(parts["SignedHeaders"].split(";"))
        moment, token = request.headers.get("x-amz-date", ""), request.headers.get("x-amz-security-token")
        return cls(found[1], found[2], found[3], found[4], signed, parts["Signature"], moment, token=token)

    @classmethod
    def _of_query(cls, given: list[tuple[str, str]]) -> Signature:
        parts = dict(given)
        if missing := [f"X-Amz-{name}" for name in _IN_QUERY if name not in parts]:
            raise _malformed(f"a presigned URL needs {', '.join(missing)} as well")
        if len(parts) < len(given):
            raise _malformed("a presigned URL states each of its X-Amz- parameters once")
        if parts["Algorithm"] != ALGORITHM:
            raise _malformed(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
        found = _CREDENTIAL.fullmatch(parts["Credential"])
        if found is None:
            raise _malformed("X-Amz-Credential must be KEYID/YYYYMMDD/REGION/SERVICE/aws4_request")
        if not _MOMENT.fullmatch(parts["Date"]) or not parts["Date"].startswith(found[2]):
            raise _malformed("X-Amz-Date must be YYYYMMDDThhmmssZ, on the day that X-Amz-Credential names")
        lasts = parts["Expires"]
        if not re.fullmatch(r"[0-9]{1,9}", lasts) or int(lasts) > LONGEST_EXPIRY:
            raise _malformed(f"X-Amz-Expires must be a number of seconds up to a week, {LONGEST_EXPIRY}")
        signed, value = tuple(parts["SignedHeaders"].split(";")), parts["Signature"]
        moment, token = parts["Date"], parts.get("Security-Token")
        return cls(found[1], found[2], found[3], found[4], signed, value, moment, int(lasts), token)

    def matches(self, request: Request, secret: str) -> bool:
        """Whether this secret signs this request so; S3's clients sign a digest of the body, not the body."""
        given, canonical = self.value.encode(errors="replace"), self._canonical(request)
        # Some clients sign the bytes of a header, others (botocore) its text: both name the same request.
        for coding in ("utf-8", "latin-1"):
            digest = hashlib.sha256(canonical.encode(coding, "replace")).hexdigest()
            text = f"{ALGORITHM}\n{self.moment}\n{self.scope}\n{digest}"
            if hmac.compare_digest(self.sign(secret, text).encode(), given):
                return True
        return False

    def sign(self, secret: str, text: str) -> str:
        """The hexadecimal HMAC of a text under the key that the secret and this signature's scope make."""
        key = f"AWS4{secret}".encode()
        for part in (self.day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    @property
    def scope(self) -> str:
        """What the key is good for: ``20130524/us-east-1/s3/aws4_request``."""
        return f"{self.day}/{self.region}/{self.service}/aws4_request"

    @property
    def signed_at(self) -> datetime | None:
        """When the caller's clock says that it signed, or None when that is no time of AWS's form."""
        # The scope names the day as well: a key derived for another day must not sign for this one.
        if not _MOMENT.fullmatch(self.moment) or not self.moment.startswith(self.day):
            return None
        try:
            return datetime.strptime(self.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None

    def is_timely(self, now: datetime) -> bool:
        """Whether it was signed within ``SKEW`` of now; a presigned URL has its own end instead."""
        if self.signed_at is None:
            return False
        age = now - self.signed_at
        return -SKEW <= age <= (SKEW if self.expires is None else timedelta(seconds=self.expires))

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
            body = UNSIGNED_PAYLOAD if self.expires is not None else stated or digest
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


def _presigned(query: str) -> list[tuple[str, str]]:
    """(name without X-Amz-, value) of a presigned query's own parameters; none when it is not presigned."""
    names = {f"X-Amz-{name}": name for name in (*_IN_QUERY, "Security-Token")}
    found = [(names[name], unquote(value)) for name, value in _query(query) if name in names]
    return found if {"Algorithm", "Credential", "Signature"} & {name for name, _ in found} else []


def _query(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string as they were sent, still encoded."""
    return [(name, value) for name, _, value in (part.partition("=") for part in text.split("&") if part)]


def _malformed(message: str) -> AwsError:
    return AwsError("AuthorizationQueryParametersError", message, 400)
