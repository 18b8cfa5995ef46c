"""What each key of the cloud may do: one frozen table, looked up once a signature is checked.

``Policy.allows`` takes the service that a request is signed for and the request; for S3 the operation is
read off it as S3 itself tells operations apart, for services of one path off its signed target. A bucket or
prefix is not part of a policy: a flow may name any bucket of the team for its tasks and its answers, and only
the review server knows its flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from include.wire import Request


@dataclass(frozen=True)
class Policy:
    """``operations`` has those of each service, and is None where everything is allowed."""

    name: str
    operations: Mapping[str, frozenset[str]] | None

    def allows(self, service: str, request: Request) -> bool:
        if self.operations is None:
            return True
        operation = s3_operation(request) if service == "s3" else _target(request)
        return operation in self.operations.get(service, ())

    @property
    def is_unlimited(self) -> bool:
        return self.operations is None


# The key in the file ``credentials``, and the temporary keys that STS gives for it. No other key reaches STS,
# so no temporary key is worth more than the one that asked for it.
ADMINISTRATOR = Policy("administrator", None)

# The review server inside the cloud, and with it every address that a reviewer's browser is given.
# Its labeling jobs write logs, and have models trained and asked.
REVIEW_SERVER = Policy(
    "review-server",
    {
        service: frozenset(operations.split())
        for service, operations in {
            "s3": "GetObject HeadObject PutObject HeadBucket GetBucketCors GetBucketLocation "
            "CreateMultipartUpload UploadPart CompleteMultipartUpload AbortMultipartUpload "
            "ListMultipartUploads",
            "logs": "CreateLogGroup CreateLogStream PutLogEvents",
            "sagemaker": "CreateTrainingJob DescribeTrainingJob StopTrainingJob CreateTransformJob "
            "DescribeTransformJob StopTransformJob CreateModel DescribeModel AddTags",
        }.items()
    },
)

# (method, whether there is a key, what the query asks) → operation. What is not here, no limited key may do.
_S3 = {
    ("GET", True, ""): "GetObject",
    ("HEAD", True, ""): "HeadObject",
    ("PUT", True, ""): "PutObject",
    ("HEAD", False, ""): "HeadBucket",
    ("GET", False, "cors"): "GetBucketCors",
    ("GET", False, "location"): "GetBucketLocation",
    ("POST", True, "uploads"): "CreateMultipartUpload",
    ("PUT", True, "partNumber uploadId"): "UploadPart",
    ("POST", True, "uploadId"): "CompleteMultipartUpload",
    ("DELETE", True, "uploadId"): "AbortMultipartUpload",
    ("GET", False, "prefix uploads"): "ListMultipartUploads",
}
_SIGNATURE = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
_SAYS_NOTHING = {"x-id", *(f"X-Amz-{name}" for name in _SIGNATURE)}


def s3_operation(request: Request) -> str | None:
    """The operation of a path-style S3 request, or None when it is none of the plain ones."""
    bucket, _, key = request.path.removeprefix("/").partition("/")
    names = [name for name, _ in parse_qsl(request.query, keep_blank_values=True)]
    asked = [name for name in names if name not in _SAYS_NOTHING and not name.startswith("response-")]
    if not bucket or "x-amz-copy-source" in request.headers:
        return None
    return _S3.get((request.method, key != "", " ".join(sorted(asked))))


def _target(request: Request) -> str | None:
    """The operation of a request to a service that tells operations apart by a header alone."""
    # A path could name an operation of another API of the same service.
    return request.headers.get("x-amz-target", "").rpartition(".")[2] if request.path == "/" else None
