"""S3 as the review plane needs it: write an output, look at a bucket, sign a URL for a worker's browser.

A thin layer over boto3, for real S3 and for any endpoint that speaks it. It knows nothing of loops. No lock
is held while S3 is asked, and whoever waits for a bucket that does not answer (``reach``) waits some seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import chain
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.review_server.reach import Reach
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings

# What can go wrong on the way to S3 and may go right later.
S3_ERRORS = (BotoCoreError, ClientError)

# S3 takes 5 MiB to 5 GiB, and ten thousand of them.
_PART_BYTES = 8 * 1024 * 1024

_SIGNED_SECONDS = 900
_CORS_TRUSTED_SECONDS = 600
_IMAGE = re.compile(r"\.(jpe?g|png|gif|webp|bmp)$", re.IGNORECASE)


class ObjectStore:
    """One account's S3."""

    def __init__(self, settings: ReviewSettings) -> None:
        self._client = _client(settings, connect_timeout=3, read_timeout=10, attempts=2)
        # For whoever waits for the reply; the outbox, which nobody waits for, may be more patient.
        self._quick_client = _client(settings, connect_timeout=2, read_timeout=4, attempts=1)
        self.reach = Reach("S3")
        self._origin = settings.public_url.rstrip("/")
        self._endpoint = settings.s3_endpoint_url.rstrip("/") if settings.s3_endpoint_url else None
        self._cors_seen: dict[str, float] = {}

    @property
    def client(self) -> Any:
        """The boto3 client itself, for code of the operator's own."""
        return self._client

    def put_json(self, location: S3Location, text: str, kms_key_id: str | None) -> None:
        """Write a JSON object. Raises one of ``S3_ERRORS``."""
        self.put_bytes(location, text.encode(), "application/json", kms_key_id)

    def put_bytes(self, location: S3Location, body: bytes, kind: str, kms_key_id: str | None) -> None:
        """Write an object of a content type. Raises one of ``S3_ERRORS``."""
        with self.reach.used(f"bucket {location.bucket}"):
            self._client.put_object(
                Bucket=location.bucket,
                Key=location.key,
                Body=body,
                ContentType=kind,
                **_encryption(kms_key_id),
            )

    def put_lines(
        self, location: S3Location, lines: Iterable[str], kind: str, kms_key_id: str | None
    ) -> None:
        """Write an object of lines, in parts as they come: memory holds one part. Raises ``S3_ERRORS``.

        Readers see the object that was there before until the last part is in.
        """
        parts = _parts(lines)
        first, second = next(parts, b""), next(parts, None)
        if second is None:
            self.put_bytes(location, first, kind, kms_key_id)
            return
        with self.reach.used(f"bucket {location.bucket}"):
            self._put_parts(location, chain([first, second], parts), kind, kms_key_id)

    def _put_parts(
        self, location: S3Location, parts: Iterable[bytes], kind: str, kms_key_id: str | None
    ) -> None:
        name = {"Bucket": location.bucket, "Key": location.key}
        self._abort_unfinished(location)
        upload = name | {
            "UploadId": self._client.create_multipart_upload(
                **name, ContentType=kind, **_encryption(kms_key_id)
            )["UploadId"]
        }
        done = []
        try:
            for number, body in enumerate(parts, 1):
                tag = self._client.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
                done.append({"PartNumber": number, "ETag": tag})
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
        except BaseException:
            with suppress(*S3_ERRORS):
                self._client.abort_multipart_upload(**upload)
            raise

    def _abort_unfinished(self, location: S3Location) -> None:
        """Parts that a killed server left behind are paid for, and seen by nobody."""
        try:
            listed = self._client.list_multipart_uploads(Bucket=location.bucket, Prefix=location.key)
        except ClientError:
            return  # looking is not allowed to everyone who may write
        for upload in listed.get("Uploads", []):
            if upload["Key"] == location.key:
                with suppress(ClientError):
                    self._client.abort_multipart_upload(
                        Bucket=location.bucket, Key=location.key, UploadId=upload["UploadId"]
                    )

    def get(self, location: S3Location, most: int) -> bytes:
        """A small object. ``ValueError`` when it has more than ``most`` bytes; raises ``S3_ERRORS`` too."""
        with self.reach.used(f"bucket {location.bucket}"):
            body = self._client.get_object(Bucket=location.bucket, Key=location.key)["Body"]
            with closing(body):
                content: bytes = body.read(most + 1)
        if len(content) > most:
            raise ValueError(f"{location.uri} has more than {most:,} bytes")
        return content

    def version(self, location: S3Location) -> tuple[str, int]:
        """The ETag of an object and its size in bytes. Raises one of ``S3_ERRORS``."""
        with self.reach.used(f"bucket {location.bucket}"):
            head = self._client.head_object(Bucket=location.bucket, Key=location.key)
        return head["ETag"], head["ContentLength"]

    def get_piece(self, location: S3Location, etag: str, start: int, most: int) -> bytes:
        """At most so many bytes from ``start`` on, which is inside of the object.

        Raises one of ``S3_ERRORS``: status 412 when the object is no more the one of that ETag.
        """
        with self.reach.used(f"bucket {location.bucket}"):
            body = self._client.get_object(
                Bucket=location.bucket,
                Key=location.key,
                IfMatch=etag,
                Range=f"bytes={start}-{start + most - 1}",
            )["Body"]
            with closing(body):
                piece: bytes = body.read(most)
        return piece

    def bucket_problem(self, bucket: str) -> str | None:
        """Why nothing can be written to the bucket, or None. Raises one of ``S3_ERRORS`` when S3 is away."""
        try:
            with self.reach.used(f"bucket {bucket}"):
                self._quick_client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return f"bucket {bucket} does not exist"
            # 403: looking is not allowed, writing may be. 5xx: later.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise
        return None

    def cors_problem(self, bucket: str) -> str | None:
        """Why a browser may not read the bucket's images, or None (also when that cannot be told)."""
        if time.monotonic() < self._cors_seen.get(bucket, 0):
            return None
        try:
            with self.reach.used(f"bucket {bucket}"):
                rules = self._quick_client.get_bucket_cors(Bucket=bucket)["CORSRules"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchBucket":
                return f"bucket {bucket} does not exist"
            # Without the permission to look, AWS itself would only find out in the worker's browser.
            rules = [] if code == "NoSuchCORSConfiguration" else None
        except BotoCoreError:
            rules = None
        if rules is None:
            return None
        if any(self._allows_reading(rule) for rule in rules):
            self._cors_seen[bucket] = time.monotonic() + _CORS_TRUSTED_SECONDS
            return None
        return (
            f"bucket {bucket} has no CORS rule that allows GET from {self._origin}: "
            "workers' browsers could not show its images. Put one with PutBucketCors "
            '({"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]})'
        )

    def read(self, location: S3Location, most: int) -> bytes | None:
        """An object's bytes; None when it is not there, or has more than ``most``. Raises ``S3_ERRORS``."""
        try:
            with self.reach.used(f"bucket {location.bucket}"):
                found = self._client.get_object(Bucket=location.bucket, Key=location.key)
                with found["Body"] as body:
                    content: bytes = body.read(most + 1)
        except ClientError as error:
            # 403: whoever may not list a bucket is told that of what is not there.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
                return None
            raise
        return content if len(content) <= most else None

    def signed_url(self, location: S3Location) -> str:
        """A URL by which a browser may GET the object for a quarter of an hour. May raise ``S3_ERRORS``."""
        params = {"Bucket": location.bucket, "Key": location.key}
        url: str = self._client.generate_presigned_url("get_object", Params=params, ExpiresIn=_SIGNED_SECONDS)
        return url

    def location_of(self, url: str) -> S3Location | None:
        """The object that an address of this S3 names, signed or not; None for any other address."""
        address = url.partition("#")[0].partition("?")[0]
        try:
            if self._endpoint is None:
                location = S3Location.of_object(address)
            elif address.startswith(f"{self._endpoint}/"):
                location = S3Location.of_object(f"s3://{unquote(address.removeprefix(f'{self._endpoint}/'))}")
            else:
                return None
            # What is signed for the object here has the same host and path, or it is not ours.
            return location if self.signed_url(location).partition("?")[0] == address else None
        except (ValueError, *S3_ERRORS):
            return None

    def _allows_reading(self, rule: dict[str, Any]) -> bool:
        origins = rule.get("AllowedOrigins", [])
        return "GET" in rule.get("AllowedMethods", []) and ("*" in origins or self._origin in origins)


def _encryption(kms_key_id: str | None) -> dict[str, str]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}


def _parts(lines: Iterable[str]) -> Iterator[bytes]:
    """The lines, each with its end, in pieces of the size of a part."""
    part = bytearray()
    for line in lines:
        part += line.encode() + b"\n"
        if len(part) >= _PART_BYTES:
            yield bytes(part)
            part.clear()
    if part:
        yield bytes(part)


def _client(settings: ReviewSettings, connect_timeout: int, read_timeout: int, attempts: int) -> Any:
    return boto3.session.Session(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        region_name=settings.region,
    ).client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        config=Config(
            # Version 4 is the only signature whose expiry every S3 checks.
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_pool_connections=16,
            retries={"total_max_attempts": attempts, "mode": "standard"},
        ),
    )


def image_buckets(value: Any) -> set[str]:
    """The buckets of every ``s3://`` image that a loop's input names, wherever in it.

    ``ValueError`` names an image whose address no worker's browser could be given.
    """
    texts = (text for text in _strings(value) if text.startswith("s3://") and _IMAGE.search(text))
    return {S3Location.parse(text).bucket for text in texts}


def _strings(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
