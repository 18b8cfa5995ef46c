"""One Region: whoever signs for another is told so, as AWS tells a client that came to the wrong endpoint.

Served alike, a client of another Region would miss what it looks for: the log group, the queue and the ARNs
of its jobs are of this cloud's Region. S3's SDKs read the Region out of the refusal and sign again by
themselves. Takes a ``Signature``, raises ``AwsError``; keeps buckets from being made elsewhere. Knows
``settings``, ``wire`` and ministack's S3 module, of the version pinned in constraints.txt.
"""

from __future__ import annotations

from typing import Any

from include.local_cloud.settings import REGION
from include.wire import AwsError
from include.wire.sigv4 import Signature

# Their names and keys are the same in every Region.
_GLOBAL = ("iam", "sts")
_SET = f"set AWS_REGION={REGION}, as the file config of the cloud's data directory does (AWS_CONFIG_FILE)"


def check_region(signature: Signature) -> None:
    """Raises ``AwsError`` unless the request is signed for the Region of this cloud."""
    if signature.region == REGION or signature.service in _GLOBAL:
        return
    wrong = f"the region {signature.region!r} is wrong; expecting {REGION!r}: {_SET}"
    if signature.service != "s3":
        message = f"Credential should be scoped to a valid region: {wrong}"
        raise AwsError("InvalidSignatureException", message, 403)
    if signature.expires is None:
        code, what = "AuthorizationHeaderMalformed", "authorization header is malformed"
    else:
        code, what = "AuthorizationQueryParametersError", "X-Amz-Credential parameter is malformed"
    raise AwsError(code, f"The {what}; {wrong}", 400, Region=REGION)


def keep_buckets_here(s3: Any) -> None:
    """Let ministack's S3 make buckets in this Region only, and look for none of them elsewhere."""

    def refused(name: str, constraint: str | None, _: str) -> Any:
        if constraint is None:
            return None
        message = f"the location constraint {constraint!r} is not this cloud's: leave it out for {REGION!r}"
        return s3._error("IllegalLocationConstraintException", message, 400, f"/{name}")

    s3._location_constraint_error = refused
    s3._check_bucket_region = lambda *_, **__: None  # of what another version let be made elsewhere
