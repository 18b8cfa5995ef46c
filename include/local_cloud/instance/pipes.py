"""Pipe mode: a channel as a series of FIFOs, one per epoch, each made before the one ahead of it is read.

Takes a channel of the request; a thread per channel streams its objects, or the attributes of an augmented
manifest's lines (``…-ref`` as the bytes of the object, others as JSON), wrapped in RecordIO when the
channel says so. A container may stop reading whenever it likes.
"""

from __future__ import annotations

import errno
import json
import os
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from include import recordio
from include.local_cloud.instance import archives, channels
from include.local_cloud.instance.channels import Channel
from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.faults import ClientFault, Interrupted

_AHEAD = 32  # records fetched before they are asked for
_FETCHERS = 4
_POLL = 0.01

Item = str | bytes  # the URI of an object that is still to be fetched, or the bytes of a record


class Pipe:
    """One Pipe channel. ``fault`` is what went wrong in its thread, if anything did."""

    def __init__(self, cloud: Cloud, channel: Channel, directory: Path) -> None:
        self._cloud, self._directory = cloud, directory
        self.name: str = channel["ChannelName"]
        self.fault: Exception | None = None
        self._seed: int | None = channel.get("ShuffleConfig", {}).get("Seed")
        self._wrapped = channel.get("RecordWrapperType", "None") == "RecordIO"
        self._gzip = channel.get("CompressionType") == "Gzip"
        self._groups = self._plan(channel["DataSource"]["S3DataSource"])
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pipe-{self.name}", daemon=True)
        self._make(0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def _plan(self, source: dict[str, Any]) -> list[list[Item]]:
        """What is streamed each epoch: groups of records that belong together. Faults in a manifest show
        up here.
        """
        if source["S3DataType"] != "AugmentedManifestFile":
            return [[uri] for uri, _ in channels.objects(self._cloud, source)]
        return list(_records(source["S3Uri"], self._cloud.read(source["S3Uri"]), source["AttributeNames"]))

    def _run(self) -> None:
        epoch = 0
        try:
            while not self._ending.is_set():
                self._make(epoch + 1)
                self._serve(epoch)
                epoch += 1
        except Interrupted:
            return
        except Exception as error:  # the border of a thread: whatever it is, the job must hear of it
            self.fault = error

    def _serve(self, epoch: int) -> None:
        path = self._path(epoch)
        descriptor = self._opened(path)
        if descriptor is None:
            return
        groups = self._groups
        if self._seed is not None:
            groups = random.Random(self._seed + epoch).sample(groups, len(groups))  # noqa: S311 -- repeatable
        try:
            with os.fdopen(descriptor, "wb", buffering=1 << 16) as stream:
                try:
                    for record in self._fetched(groups):
                        self._write(stream, record)
                except ClientFault as fault:
                    # Closing the pipe now would look like the end of the epoch: a job that learns from less.
                    self.fault = fault
                    self._ending.wait()
        except BrokenPipeError:
            pass  # the container has read enough of this epoch
        path.unlink()

    def _opened(self, path: Path) -> int | None:
        """The FIFO once somebody reads from it; None when the container has ended."""
        while not self._ending.is_set():
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:  # nobody has opened it for reading yet
                    raise
                self._ending.wait(_POLL)
                continue
            os.set_blocking(descriptor, True)
            return descriptor
        return None

    def _fetched(self, groups: Sequence[Sequence[Item]]) -> Iterator[bytes]:
        """The records in order, fetched a little ahead of the reader."""
        waiting: list[Future[bytes]] = []
        with ThreadPoolExecutor(_FETCHERS) as pool:
            try:
                for group in groups:
                    for item in group:
                        waiting.append(pool.submit(self._fetch, item))
                        if len(waiting) >= _AHEAD:
                            yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                for future in waiting:
                    future.cancel()

    def _fetch(self, item: Item) -> bytes:
        if isinstance(item, bytes):
            return item
        body = self._cloud.read(item)
        return b"".join(archives.gunzip(BytesIO(body), item)) if self._gzip else body

    def _write(self, stream: BinaryIO, record: bytes) -> None:
        if self._ending.is_set():
            raise BrokenPipeError
        if self._wrapped:
            recordio.write(stream, record)
        else:
            stream.write(record)

    def _path(self, epoch: int) -> Path:
        return self._directory / f"{self.name}_{epoch}"

    def _make(self, epoch: int) -> None:
        if not self._path(epoch).exists():
            os.mkfifo(self._path(epoch), 0o600)


def _records(uri: str, text: bytes, attributes: Sequence[str]) -> Iterator[list[Item]]:
    """One group per line of an augmented manifest, one item per attribute. Raises ``ClientFault`` with
    the line. Lines end at a line feed only; U+2028 and the like may stand in a key.
    """
    found = False
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line.strip():
            continue
        found = True
        try:
            entry = json.loads(line.decode("utf-8"))  # of a key with another letter in it there is no object
            values = [(name, entry[name]) for name in attributes]
        except (ValueError, TypeError, RecursionError) as error:
            raise ClientFault(f"line {number} of {uri} is not a JSON object: {error}") from None
        except KeyError as error:
            raise ClientFault(
                f"line {number} of {uri} has no attribute {error}; AttributeNames are {', '.join(attributes)}"
            ) from None
        yield [
            str(value) if name.endswith("-ref") else json.dumps(value).encode("utf-8")
            for name, value in values
        ]
    if not found:
        raise ClientFault(f"{uri} has no lines")
