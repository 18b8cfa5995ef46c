"""Real boto3 clients whose requests are answered before they are sent.

Takes the counted S3 and A2I (counted_s3.py, counted_services.py), gives clients of both: requests are built,
signed and read by boto3 as ever, and answered at the point where they would go to the network. What is left
out is the network itself: no sockets, no pool of connections, no TLS.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.counted_s3 import CountedS3
from benchmarks.counted_services import CountedReview
from include.loop.nightly import human_loops

Reply = tuple[int, dict[str, str], bytes]


class Answered:
    """Makes the clients; every one of them is answered by the same two services."""

    def __init__(self, s3: CountedS3, review: CountedReview) -> None:
        self._s3, self._review = s3, review
        self._operations: dict[str, Callable[[AWSPreparedRequest], Reply]] = {
            "GetObject": self._get_object,
            "HeadObject": self._head_object,
            "PutObject": self._put_object,
            "ListObjectsV2": self._list_objects,
            "StartHumanLoop": lambda request: _json(review.start_human_loop(**json.loads(_body(request)))),
            "DescribeHumanLoop": lambda request: _json(
                review.describe_human_loop(HumanLoopName=_path(request).rpartition("/")[2])
            ),
            "ListHumanLoops": self._list_loops,
        }

    def client(self, service: str, **settings: Any) -> Any:
        """A client of ``s3`` or ``sagemaker-a2i-runtime``, with these settings of botocore's Config."""
        made: Any = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url="http://127.0.0.1:9",
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",  # noqa: S106 -- nobody looks at it
            config=Config(request_checksum_calculation="when_required", **settings),
        )
        made.meta.events.register("before-send", self._answer)
        return made

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        try:
            status, headers, body = self._operations[event_name.rpartition(".")[2]](request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            headers = {"x-amzn-errortype": code}
            body = b"" if request.method == "HEAD" else f"<Error><Code>{code}</Code></Error>".encode()
        return AWSResponse(request.url, status, headers, _Raw(body))

    def _get_object(self, request: AWSPreparedRequest) -> Reply:
        given = {"Range": "Range", "If-Match": "IfMatch"}
        told = {
            name: _text(request.headers[header])
            for header, name in given.items()
            if header in request.headers
        }
        found = self._s3.get_object(**_place(request), **told)
        headers = {"ETag": found["ETag"], "Content-Length": str(found["ContentLength"])}
        return 200, headers, found["Body"].read()

    def _head_object(self, request: AWSPreparedRequest) -> Reply:
        found = self._s3.head_object(**_place(request))
        return 200, {"ETag": found["ETag"], "Content-Length": str(found["ContentLength"])}, b""

    def _put_object(self, request: AWSPreparedRequest) -> Reply:
        given = {"If-None-Match": "IfNoneMatch", "If-Match": "IfMatch"}
        told = {
            name: _text(request.headers[header])
            for header, name in given.items()
            if header in request.headers
        }
        found = self._s3.put_object(**_place(request), Body=_body(request), **told)
        return 200, {"ETag": found["ETag"]}, b""

    def _list_objects(self, request: AWSPreparedRequest) -> Reply:
        asked = _query(request)
        pages = self._s3.paginate(Bucket="", Prefix=asked.get("prefix", ""), Delimiter=asked.get("delimiter"))
        told = "".join(_listed(pages))
        return 200, {}, f"<ListBucketResult>{told}</ListBucketResult>".encode()

    def _list_loops(self, request: AWSPreparedRequest) -> Reply:
        asked = _query(request)
        size = int(asked.get("MaxResults", human_loops.PAGE_SIZE))
        return _json(self._review.list_human_loops(MaxResults=size, NextToken=asked.get("NextToken", "0")))


class _Raw(io.BytesIO):
    """What urllib3 gives for a body, as far as botocore reads it."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def _listed(pages: Iterator[dict[str, Any]]) -> Iterator[str]:
    for page in pages:
        for item in page.get("Contents", ()):
            key, etag = escape(item["Key"]), escape(item["ETag"])
            yield f"<Contents><Key>{key}</Key><ETag>{etag}</ETag><Size>{item['Size']}</Size></Contents>"
        for item in page.get("CommonPrefixes", ()):
            yield f"<CommonPrefixes><Prefix>{escape(item['Prefix'])}</Prefix></CommonPrefixes>"


def _json(value: dict[str, Any]) -> Reply:
    return 200, {"Content-Type": "application/json"}, json.dumps(value, default=_moment).encode()


def _moment(value: datetime) -> str:
    return value.isoformat()


def _path(request: AWSPreparedRequest) -> str:
    return unquote(urlsplit(request.url).path)


def _place(request: AWSPreparedRequest) -> dict[str, str]:
    _, bucket, key = _path(request).split("/", 2)
    return {"Bucket": bucket, "Key": key}


def _query(request: AWSPreparedRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


def _body(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body
    if hasattr(body, "read"):
        body = body.read()
    return body if isinstance(body, bytes) else (body or "").encode()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
