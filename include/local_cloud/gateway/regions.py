"""One Region: whoever signs for another is told so, as AWS tells a client that came to the wrong endpoint.

Served alike, a client of another Region would miss what it looks for: the log group, the queue and the ARNs
of its jobs are of this cloud's Region. S3's SDKs read the Region out of the refusal and sign again by
themselves. Takes a ``Signature``, raises ``AwsError``.
"""

from __future__ import annotations

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
