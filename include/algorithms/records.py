"""Channels in RecordIO, as pipes or .rec files: label and image in one record, or image and label in turn.

Gives each record's name and bytes to the algorithm, which makes an example of them or a ``BadRecord`` with
its reason. A .rec record is what im2rec writes: MXNet's header, label values, image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from include import recordio
from include.algorithms.container import ClientError, Container
from include.recordio.records import HEADER

RECORDIO = "application/x-recordio"
IMAGES = ("image/jpeg", "image/png", "application/x-image")
_PAIR_HINT = (
    "Got empty batch from pipe. Please check if the manifest file contains valid batches and the value of "
    "training job parameter AttributeNames matches attributes names in the augmented manifest."
)


@dataclass(frozen=True)
class BadRecord:
    """A record that is left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Packed:
    """A .rec record: one label, or as many values as the flag says (then ``label`` means nothing)."""

    label: float
    values: np.ndarray
    image: bytes


_Example = TypeVar("_Example")


@dataclass(frozen=True)
class Maker(Generic[_Example]):
    """How an algorithm makes an example: of a name, image bytes and the JSON of a label, or of a name and a
    whole .rec record.
    """

    pair: Callable[[str, bytes, bytes], _Example | BadRecord]
    packed: Callable[[str, bytes], _Example | BadRecord]


@dataclass(frozen=True)
class Channel:
    """What is known of a channel: its content type without and with parameters, its mode, its place."""

    name: str
    kind: str
    parameters: dict[str, str]
    is_pipe: bool
    folder: Path

    @property
    def pipe(self) -> Path:
        """The first epoch's pipe: a channel is read once, and kept."""
        return self.folder.with_name(f"{self.name}_0")


def described(container: Container, name: str, purpose: str) -> Channel:
    """The channel of this name; ClientError, naming the ``purpose``, when the job has none."""
    channels: dict[str, Any] = container.configuration("inputdataconfig")
    if name not in channels:
        raise ClientError(f"the channel '{name}' is missing: {purpose}")
    kind, *parameters = (part.strip() for part in str(channels[name].get("ContentType", "")).split(";"))
    pairs = dict(part.partition("=")[::2] for part in parameters)
    is_pipe = channels[name].get("TrainingInputMode", "File") == "Pipe"
    return Channel(name, kind, pairs, is_pipe, container.channel(name))


def unsupported(channel: Channel) -> ClientError:
    mode = "Pipe" if channel.is_pipe else "File"
    return ClientError(
        f"channel '{channel.name}': ContentType {channel.kind!r} in {mode} mode is not supported; use "
        f"{RECORDIO} (Pipe or File) or {', '.join(IMAGES)} (File)"
    )


def of_pipe(channel: Channel, make: Maker[_Example]) -> Iterator[_Example | BadRecord]:
    """The records of a pipe, each once. ClientError when it is no RecordIO, or empty."""
    if not channel.pipe.exists():
        raise ClientError(f"the pipe {channel.pipe} does not exist")
    with channel.pipe.open("rb") as stream:
        yield from _records(channel.pipe.name, recordio.read(stream), make)


def of_files(channel: Channel, make: Maker[_Example]) -> Iterator[_Example | BadRecord]:
    """The records of all .rec files of a channel, in the order of their names. ClientError as above."""
    files = sorted(channel.folder.rglob("*.rec"))
    if not files:
        raise ClientError(f"no .rec file in the channel {channel.name}")
    for path in files:
        with path.open("rb") as stream:
            yield from _records(path.name, recordio.read(stream), make)


def is_packed(record: bytes) -> bool:
    """Whether a record is label and image in one, as im2rec writes it, rather than an image alone."""
    if len(record) < HEADER.size:
        return False
    start = HEADER.size + 4 * HEADER.unpack_from(record)[0]
    return record[start : start + 3] == b"\xff\xd8\xff" or record[start : start + 4] == b"\x89PNG"


def unpacked(record: bytes) -> Packed | None:
    """A .rec record's label and image; None when there is no JPEG or PNG behind a label."""
    if not is_packed(record):
        return None
    count, label, *_ = HEADER.unpack_from(record)
    start = HEADER.size + 4 * count
    return Packed(label, np.frombuffer(record[HEADER.size : start], "<f4"), record[start:])


def _records(source: str, payloads: Iterable[bytes], make: Maker[_Example]) -> Iterator[_Example | BadRecord]:
    """Label and image in one record, or image and label in turn: the first record tells."""
    image: bytes | None = None
    packed: bool | None = None
    count = 0
    try:
        for payload in payloads:
            packed = is_packed(payload) if packed is None else packed
            if packed:
                yield make.packed(f"record {count + 1} of {source}", payload)
                count += 1
            elif image is None:
                image = payload
            else:
                yield make.pair(f"record {count + 1} of {source}{_etag(image)}", image, payload)
                count, image = count + 1, None
    except recordio.RecordIOError as error:
        raise ClientError(
            f"Unable to parse record {count} of {source}. Please make sure input data is in correct recordio "
            f"format: {error}"
        ) from error
    if image is not None:
        yield BadRecord(
            f"record {count + 1} of {source}{_etag(image)}",
            "an image without a label; are there two AttributeNames?",
        )
    if count == 0:
        raise ClientError(_PAIR_HINT)


def _etag(image: bytes) -> str:
    """How to find the image of a pipe's record, whose order may be shuffled: S3 lists ETags beside names."""
    return f" (ETag {hashlib.md5(image, usedforsecurity=False).hexdigest()})"
