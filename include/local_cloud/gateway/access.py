"""Who may come in: whoever signed the request with a secret of this cloud, for what that key may do.

Takes a ``wire.Request``, gives its ``Signature`` or raises ``AwsError`` with AWS's own codes. A web page
open in the same browser, or another user of the machine, knows no secret of ours; a reviewer has presigned
addresses, and those do exactly what was signed.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from include.local_cloud.credentials import Key, Temporary
from include.local_cloud.gateway.policies import ADMINISTRATOR, Policy
from include.local_cloud.gateway.regions import check_region
from include.wire import AwsError, Request
from include.wire.sigv4 import Signature

_HINT = "its key is in the file credentials of the cloud's data directory (AWS_SHARED_CREDENTIALS_FILE)"


class Access:
    """``keys`` are the cloud's own; ``issued`` gives a temporary key that its STS gave out, or None."""

    def __init__(self, keys: Mapping[Key, Policy], issued: Callable[[str], Temporary | None]) -> None:
        self._keys = {key.id: (key.secret, policy) for key, policy in keys.items()}
        self._issued = issued

    @staticmethod
    def signature(request: Request) -> Signature:
        """What the request says about itself, still to be checked: raises when it is not signed."""
        signature = Signature.of(request)
        if signature is None:
            raise AwsError(
                "AccessDenied", f"The request is not signed (version 4) for this cloud: {_HINT}", 403
            )
        return signature

    def check(self, signature: Signature, request: Request) -> str:
        """The secret that signed exactly this request, lately, with a key that may do what it asks.

        Raises ``AwsError`` (403) otherwise. The body of an S3 request is not looked at here.
        """
        is_s3 = signature.service == "s3"
        invalid = "SignatureDoesNotMatch" if is_s3 else "InvalidSignatureException"
        _check_presigned(signature, request)
        check_region(signature)
        secret, policy = self._look_up(signature)
        if unsigned := signature.unsigned_headers(request):
            message = (
                f"There were headers present in the request which were not signed: {', '.join(unsigned)}"
            )
            raise AwsError("AccessDenied" if is_s3 else invalid, message, 403)
        if not signature.matches(request, secret):
            raise AwsError(invalid, "The request signature does not match the one this cloud calculated", 403)
        if not signature.is_timely(datetime.now(UTC)):
            if signature.expires is not None:
                raise AwsError("AccessDenied", "Request has expired", 403)
            code = "RequestTimeTooSkewed" if is_s3 else invalid
            raise AwsError(code, "The request was not signed within 15 minutes of this cloud's time", 403)
        if not policy.allows(signature.service, request):
            code = "AccessDenied" if is_s3 else "AccessDeniedException"
            raise AwsError(code, f"The key of the {policy.name} may not do this", 403)
        return secret

    def caller_secret(self, key_id: str) -> str | None:
        """The secret of a key that may call SageMaker and A2I (at the review server's port), or None."""
        if key_id in self._keys:
            secret, policy = self._keys[key_id]
            return secret if policy.is_unlimited else None
        issued = self._issued(key_id)
        return issued.secret if issued else None

    def _look_up(self, signature: Signature) -> tuple[str, Policy]:
        """The secret and the policy of the key that a request names."""
        if signature.key_id in self._keys:
            return self._keys[signature.key_id]
        issued = self._issued(signature.key_id)
        if issued is None:
            code = "InvalidAccessKeyId" if signature.service == "s3" else "UnrecognizedClientException"
            message = f"The access key {signature.key_id} is not of this cloud, or has expired: {_HINT}"
            raise AwsError(code, message, 403)
        if not hmac.compare_digest((signature.token or "").encode(errors="replace"), issued.token.encode()):
            code = "InvalidToken" if signature.service == "s3" else "UnrecognizedClientException"
            raise AwsError(code, "A temporary key needs its session token with every request", 403)
        return issued.secret, ADMINISTRATOR


def _check_presigned(signature: Signature, request: Request) -> None:
    """A presigned URL is made to be handed on: it may read one object and nothing else."""
    if signature.expires is None:
        return
    if signature.service != "s3" or request.method not in ("GET", "HEAD"):
        message = "a presigned URL may GET and HEAD in S3: sign the header of this request"
        raise AwsError("AccessDenied", message, 403)
