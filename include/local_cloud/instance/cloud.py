"""S3 as an instance sees it: over HTTP, and patient while the cloud is being restarted.

Takes bucket, key and paths; gives bytes and files. What is missing or refused is a ``ClientFault`` in the
words of the failure reason. A connection that is refused is tried again for as long as the watch allows.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
)

from include.local_cloud.credentials import load_or_create
from include.local_cloud.instance.faults import ClientFault
from include.local_cloud.instance.watch import Watch
from include.local_cloud.settings import REGION

T = TypeVar("T")


def split_uri(uri: str) -> tuple[str, str]:
    """``s3://bucket/key`` → ("bucket", "key")."""
    if not uri.startswith("s3://") or not uri[5:].partition("/")[0]:
        raise ClientFault(f"{uri!r} is not an S3 URI: s3://bucket/key is expected")
    bucket, _, key = uri[5:].partition("/")
    return bucket, key


class Cloud:
    """The clients of one instance. Thread-safe."""

    def __init__(self, data: Path, watch: Watch) -> None:
        self._data, self._watch = data, watch
        self._clients: dict[str, BaseClient] = {}
        # One for all clients: what botocore reads for the first, it need not read for the others. Only one
        # thread at a time may make a client of it.
        self._session, self._making = boto3.session.Session(), threading.Lock()

    def read(self, uri: str, most: int | None = None) -> bytes:
        """An object's bytes; of one that has more than ``most``, just one more than those."""
        bucket, key = split_uri(uri)

        def get(s3: Any) -> bytes:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"]
            begun: bytes = b"" if most is None else body.read(most + 1)
            if most is not None and len(begun) > most:
                body.close()
                return begun
            return begun + body.read()  # to the end: only there botocore sees that a connection was cut

        return self.call("s3", get, uri)

    def write(self, uri: str, body: bytes, content_type: str) -> None:
        bucket, key = split_uri(uri)
        self.call(
            "s3", lambda s3: s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type), uri
        )

    def download(self, uri: str, path: Path) -> None:
        """Raises ``ClientFault`` also when no file can have this path, or the disk is full."""
        bucket, key = split_uri(uri)

        def stream(s3: Any) -> None:
            with open(path, "wb") as file:
                for part in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
                    file.write(part)

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.call("s3", stream, uri)
        except OSError as error:
            raise ClientFault(f"{uri} cannot be stored as a file: {error.strerror}") from error
        except ValueError as error:  # a NUL in the key
            raise ClientFault(f"{uri!r} cannot be stored as a file: {error}") from error

    def upload(self, path: Path, uri: str) -> None:
        bucket, key = split_uri(uri)
        self.call("s3", lambda s3: s3.upload_file(str(path), bucket, key), uri)

    def delete(self, uri: str) -> None:
        bucket, key = split_uri(uri)
        self.call("s3", lambda s3: s3.delete_object(Bucket=bucket, Key=key), uri)

    def keys(self, uri: str) -> Iterator[str]:
        """The URIs of all objects whose key starts with the one in ``uri``, folder markers left out."""
        bucket, prefix = split_uri(uri)
        place = {"Bucket": bucket, "Prefix": prefix}
        while True:
            page = self.call("s3", partial(_list_objects, **place), uri)
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    yield f"s3://{bucket}/{item['Key']}"
            if not page.get("IsTruncated"):
                return
            place["ContinuationToken"] = page["NextContinuationToken"]

    def call(self, service: str, request: Callable[[Any], T], what: str) -> T:
        """Make a request; ``what`` names the object in the failure reason."""
        while True:
            client = self._client(service)
            try:
                return request(client)
            except ClientError as error:
                detail = error.response["Error"]
                raise ClientFault(f"{what}: {detail['Code']}, {detail['Message']}") from error
            except S3UploadFailedError as error:
                raise ClientFault(str(error)) from error
            except (HTTPClientError, ConnectionError, IncompleteReadError):
                # The cloud is down for a moment, or for good: the watch knows how long is too long.
                with self._making:
                    if self._clients.get(service) is client:  # and not one that was made anew by now
                        del self._clients[service]
                self._watch.look()
                self._watch.sleep(0.5)
            except (BotoCoreError, ValueError) as error:  # such as a key that is no text
                raise ClientFault(f"{what!r}: {error}") from error

    def _client(self, service: str) -> BaseClient:
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> BaseClient:
        # Read anew each time: a cloud that was restarted may listen on another port.
        key = load_or_create(self._data)
        client: BaseClient = self._session.client(
            service,
            region_name=REGION,
            endpoint_url=json.loads((self._data / "endpoints.json").read_text())["cloud"],
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            config=Config(
                max_pool_connections=32,
                # Left to itself botocore puts its name together anew for every request.
                user_agent="nightloop-instance",
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": 3},
                s3={"addressing_style": "path"},
            ),
        )
        return client


def _list_objects(s3: Any, **place: str) -> dict[str, Any]:
    page: dict[str, Any] = s3.list_objects_v2(**place)
    return page
