"""Who sends a request, and for which service: read from AWS's signature, version 4.

Takes an ASGI scope, gives a ``Caller`` or raises ``AwsError``. Requests without a signature, and those of
another access key, are refused: a web page open in the same browser, or another user of the machine, is no
caller of this cloud. Knows ``credentials``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from include.local_cloud.credentials import Key
from include.local_cloud.messages import Message
from include.wire import AwsError

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True)
class Caller:
    """The access key id that signed a request, and the service it signed for (``s3``, ``sagemaker``, …)."""

    key_id: str
    service: str


class Access:
    """Lets in who holds the key of this cloud, or one that its STS gave out (``issued``)."""

    def __init__(self, key: Key, issued: Callable[[str], bool]) -> None:
        self._key, self._issued = key, issued

    def caller(self, scope: Message) -> Caller:
        found = _CREDENTIAL.search(_credential(scope))
        if found is None:
            raise AwsError(
                "AccessDenied",
                "the request is not signed (signature version 4): point AWS_SHARED_CREDENTIALS_FILE and "
                "AWS_CONFIG_FILE at the credentials and config files in the cloud's data directory",
                403,
            )
        if found[1] != self._key.id and not self._issued(found[1]):
            code = "InvalidAccessKeyId" if found[4] == "s3" else "UnrecognizedClientException"
            raise AwsError(
                code,
                f"the access key {found[1]} is not of this cloud; its key is in the credentials file "
                "of its data "
                "directory",
                403,
            )
        return Caller(found[1], found[4])


def _credential(scope: Message) -> str:
    headers = dict(scope["headers"])
    if authorization := headers.get(b"authorization", b"").decode("latin-1"):
        return authorization
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return "Credential=" + query.get("X-Amz-Credential", [""])[0]
