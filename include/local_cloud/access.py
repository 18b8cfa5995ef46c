"""Who may come in: whoever signed the request with a secret of this cloud.

Takes a ``wire.Request``, gives its ``Signature`` or raises ``AwsError`` with AWS's own codes. A web page
open in the same browser, or another user of the machine, knows no secret of ours. Knows ``wire``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from include.local_cloud.credentials import Key
from include.wire import AwsError, Request
from include.wire.sigv4 import Signature

_HINT = "its key is in the file credentials of the cloud's data directory (AWS_SHARED_CREDENTIALS_FILE)"


class Access:
    """``issued`` gives the secret of a temporary key that the cloud's STS gave out, or None."""

    def __init__(self, key: Key, issued: Callable[[str], str | None]) -> None:
        self._key, self._issued = key, issued

    @staticmethod
    def signature(request: Request) -> Signature:
        """What the request says about itself, still to be checked: raises when it is not signed."""
        signature = Signature.of(request)
        if signature is None:
            raise AwsError(
                "AccessDenied", f"The request is not signed (version 4) for this cloud: {_HINT}", 403
            )
        return signature

    def check(self, signature: Signature, request: Request) -> None:
        """Raises ``AwsError`` for an unknown key, a wrong signature, or a presigned URL past its time."""
        is_s3 = signature.service == "s3"
        secret = self.secret(signature.key_id)
        if secret is None:
            code = "InvalidAccessKeyId" if is_s3 else "UnrecognizedClientException"
            raise AwsError(code, f"The access key {signature.key_id} is not of this cloud: {_HINT}", 403)
        if not signature.matches(request, secret):
            code = "SignatureDoesNotMatch" if is_s3 else "InvalidSignatureException"
            raise AwsError(code, "The request signature does not match the one this cloud calculated", 403)
        if not signature.is_timely(datetime.now(UTC)):
            if signature.expires is not None:
                raise AwsError("AccessDenied", "Request has expired", 403)
            code = "RequestTimeTooSkewed" if is_s3 else "InvalidSignatureException"
            raise AwsError(code, "The request was not signed within 15 minutes of this cloud's time", 403)

    def secret(self, key_id: str) -> str | None:
        """The secret of an access key of this cloud, or None."""
        return self._key.secret if key_id == self._key.id else self._issued(key_id)
