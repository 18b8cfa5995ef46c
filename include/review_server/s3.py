"""S3 as the review plane needs it: write an output, look at a bucket, sign a URL for a worker's browser.

A thin layer over boto3, for real S3 and for any endpoint that speaks it. It knows nothing of loops. No lock
is held while S3 is asked, and whoever waits for a bucket that does not answer (``reach``) waits some seconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.review_server.reach import Reach
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings

# What can go wrong on the way to S3 and may go right later.
S3_ERRORS = (BotoCoreError, ClientError)

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
        self._cors_seen: dict[str, float] = {}

    def put_json(self, location: S3Location, text: str, kms_key_id: str | None) -> None:
        """Write a JSON object. Raises one of ``S3_ERRORS``."""
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}
        with self.reach.used(f"bucket {location.bucket}"):
            self._client.put_object(
                Bucket=location.bucket,
                Key=location.key,
                Body=text.encode(),
                ContentType="application/json",
                **encryption,
            )

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

    def signed_url(self, location: S3Location) -> str:
        """A URL by which a browser may GET the object for a quarter of an hour. May raise ``S3_ERRORS``."""
        params = {"Bucket": location.bucket, "Key": location.key}
        url: str = self._client.generate_presigned_url("get_object", Params=params, ExpiresIn=_SIGNED_SECONDS)
        return url

    def _allows_reading(self, rule: dict[str, Any]) -> bool:
        origins = rule.get("AllowedOrigins", [])
        return "GET" in rule.get("AllowedMethods", []) and ("*" in origins or self._origin in origins)


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
