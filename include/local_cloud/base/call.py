"""One request to one base service, without ministack's own router.

That router asks the path, the host, ``x-amz-target`` and ``Action`` which of its hundred services is meant,
and it answers its own administration (``/_ministack/reset``) before it asks. Here the service that a request
was signed for gets it and no other can. Takes a ``wire.Request``, gives ministack's (status, headers, body);
knows ministack, of the version pinned in constraints.txt.
"""

from __future__ import annotations

import logging
import re
import uuid
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, unquote

from include.wire import AwsError, Request
from include.wire.sigv4 import Signature

Answer = tuple[int, dict[str, Any], Any]

log = logging.getLogger(__name__)


async def answer(module: ModuleType, signature: Signature, request: Request) -> Answer:
    """What the service says. Raises ``AwsError`` for a request that no client of AWS would make."""
    from ministack.core import responses

    responses.set_request_account_id(signature.key_id)  # a temporary key is of the account of its role
    responses.set_request_region(signature.region)
    path, query, headers = _path(request), _query(request), _headers(request)
    is_s3, method = signature.service == "s3", request.method
    try:
        status, reply, content = await module.handle_request(method, path, headers, request.body, query)
    except (ValueError, OverflowError, SyntaxError) as error:  # a number, a date, JSON or XML that is none
        log.warning("%s refused %s %s: %s", signature.service, method, path, error)
        code = "InvalidArgument" if is_s3 else "ValidationException"
        raise AwsError(code, f"a value of the request is malformed: {error}", 400) from error
    except Exception as error:
        log.exception("%s failed at %s %s", signature.service, method, path)
        raise AwsError("InternalError", "see the log of the local cloud", 500) from error
    if any(re.search("[\r\n\0]", str(value)) for value in reply.values()):
        raise AwsError("InvalidArgument", "a header of the reply would have more than one line", 400)
    responses.fix_error_content_type(signature.service, status, reply)
    responses.fix_success_content_type(signature.service, status, reply)
    reply.setdefault("x-amzn-RequestId", str(uuid.uuid4()))
    if is_s3:
        if method == "HEAD" and module.is_standard_object_request("HEAD", path, headers, query):
            status, reply, content = module.format_head_response(path, headers, (status, reply, content))
        reply |= module.cors_response_headers(_bucket(path), method, headers)
    return status, reply, content


def preflight(s3: ModuleType, request: Request) -> Answer:
    """What a bucket's CORS rules say to a browser that asks before it sends a request of another site."""
    path = _path(request)
    status, reply, content = s3.cors_preflight(_bucket(path), path[1:].partition("/")[2], _headers(request))
    return status, reply, content


def _bucket(path: str) -> str:
    return path[1:].partition("/")[0]


def _path(request: Request) -> str:
    return _text(request.path)


def _query(request: Request) -> dict[str, list[str]]:
    try:
        query = parse_qs(request.query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise AwsError("InvalidURI", "the query is not UTF-8", 400) from None
    # The signature is checked here, with keys that ministack does not know.
    return {name: values for name, values in query.items() if name.lower() != "x-amz-signature"}


def _headers(request: Request) -> dict[str, str]:
    from ministack.core.sigv4 import decode_header_value

    return {name: decode_header_value(value.encode("latin-1")) for name, value in request.headers.items()}


def _text(encoded: str) -> str:
    try:
        return unquote(encoded, errors="strict")
    except ValueError:
        raise AwsError("InvalidURI", "the path is not UTF-8", 400) from None
