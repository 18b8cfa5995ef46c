"""The three values that cross the wire: a request, a reply, and the error that becomes a reply.

They carry raw HTTP and nothing of any server or framework, so that the same service can be mounted anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One HTTP request as it arrived.

    ``path`` is the raw, still percent-encoded path: a name may contain an encoded slash. ``query`` is the raw
    query string without its question mark. ``headers`` have lower-case names.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """One HTTP reply: a status, headers, and the bytes of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AwsError(Exception):
    """An error as an AWS service reports it.

    ``code`` is what boto3 shows in ``error.response["Error"]["Code"]``. ``status`` is the HTTP status; left
    out, the service model decides, and 400 stands where the model is silent. ``fields`` are further modelled
    members of the error, such as ``OriginalStatusCode`` of a ``ModelError``.
    """

    def __init__(self, code: str, message: str, status: int | None = None, **fields: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields
