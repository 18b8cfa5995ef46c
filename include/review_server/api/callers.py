"""Who may call the API: whoever signs with one of the configured keys, now, for this Region, and once.

Takes a ``wire.Request`` and lets it pass or raises ``AwsError`` with AWS's own codes. It knows the signature
(``include.wire.sigv4``), where secrets are looked up, and the table of signatures seen.

A signature holds for fifteen minutes, so whoever catches a request could send it again. Calls that change
something are therefore remembered by their signature. botocore signs by the second: its own retry, and the
same call made twice, may carry the very same signature. Hence the rule: the same signature is accepted for
``_AGAIN_SECONDS`` after it was first seen, when nothing can have changed that a repetition would undo, and
refused from then on. Questions (Describe, List, Render) change nothing and may be asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import SeenSignature
from include.wire import AwsError, Request
from include.wire.sigv4 import SKEW, Signature

_AGAIN_SECONDS = 5
_SERVICE = "sagemaker"
_QUESTIONS = ("Describe", "List", "Render")


class Callers:
    """The check of every AWS call. ``secret_of`` gives the secret of an access key id, or None."""

    def __init__(
        self, database: Database, clock: Clock, region: str, secret_of: Callable[[str], str | None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._secret_of = secret_of

    def claimed(self, request: Request) -> tuple[Signature, str]:
        """What the request says of itself, still to be checked, and the secret of the key that it names.

        It need not have its body yet. Raises ``AwsError`` (403) when it is not signed, or by an unknown key.
        """
        signature = Signature.of(request)
        if signature is None:
            raise AwsError("MissingAuthenticationTokenException", "the request is not signed (SigV4)", 403)
        secret = self._secret_of(signature.key_id)
        if secret is None:
            raise AwsError(
                "UnrecognizedClientException",
                f"the access key {signature.key_id} is none of this server's: `api-keys list` shows them",
                403,
            )
        return signature, secret

    def check(self, request: Request, operation: str) -> None:
        """Raises ``AwsError`` (403) unless a known key signed exactly this request, lately."""
        signature, secret = self.claimed(request)
        if (signature.service, signature.region) != (_SERVICE, self._region):
            raise _invalid(f"the credential must be scoped to {self._region}/{_SERVICE}")
        if signature.expires is not None:
            # Meant to be handed on, as the addresses of pictures are; a caller signs its own calls.
            raise _invalid("the API takes no presigned URL: sign the header of this call")
        if unsigned := signature.unsigned_headers(request):
            raise _invalid(f"these headers must be signed: {', '.join(unsigned)}")
        if not signature.matches(request, secret):
            raise _invalid("the signature does not match the one that this server calculated")
        if not signature.is_timely(self._clock()):
            raise _invalid(
                f"signed at {signature.moment}, which is not within {SKEW} of this server's "
                f"{self._clock():%Y%m%dT%H%M%SZ}: look at the clock"
            )
        if not operation.startswith(_QUESTIONS):
            self._check_first_time(signature)

    def _check_first_time(self, signature: Signature) -> None:
        now = self._clock()
        sha256 = hashlib.sha256(signature.value.encode()).hexdigest()
        try:
            with self._database.write() as session:
                # Skew counts twice: signed a quarter of an hour ahead, timely for half an hour.
                session.execute(delete(SeenSignature).where(SeenSignature.seen_at < now - 2 * SKEW))
                session.add(SeenSignature(sha256=sha256, seen_at=now))
        except IntegrityError:
            with self._database.read() as session:
                first = session.get(SeenSignature, sha256)
            if first and now - first.seen_at > timedelta(seconds=_AGAIN_SECONDS):
                raise _invalid(
                    f"this signature was used {now - first.seen_at} ago: sign every call anew"
                ) from None


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidSignatureException", message, 403)
