"""What an image of one's own answers, in the words of SageMaker's algorithm.

A reader takes a ``Reply`` and gives what that algorithm would have said: for object detection a list of
``[class, score, xmin, ymin, xmax, ymax]`` with sides as shares of the image, for image classification a score
for each class. A reader is one that the task has under a name, or a function of a team's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.loop.config.adapter import SAGEMAKER
from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.core.storage import MOST_BYTES, Storage
from include.pictures import PictureError, read_size

# Of an image; where a JPEG's size lies behind more than these bytes, all of it is read.
_HEAD_BYTES = 64 << 10


@dataclass(frozen=True)
class Reply:
    """``body`` is what the image answered about one picture. ``classes`` are the pipeline's, in order."""

    body: bytes
    picture: str  # its S3 URI, or its name where it has none
    classes: tuple[str, ...]
    look: Callable[[], tuple[int, int]]

    @property
    def size(self) -> tuple[int, int]:
        """The picture's width and height in stored pixels, which costs a look at it. BadRecord or
        FileNotFoundError when nobody can tell.
        """
        return self.look()


Reader = Callable[[Reply], Any]


def find_reader(output: str, named: Mapping[str, Reader], task: str) -> Reader | None:
    """The reader of ``adapter.output``; None where replies are SageMaker's. ConfigurationError when the task
    has none of that name, or a module has no such function.
    """
    if output == SAGEMAKER:
        return None
    if ":" not in output:
        if output not in named:
            raise ConfigurationError(
                f"adapter.output: {output} is none of {task}; it has {', '.join((SAGEMAKER, *named))}, or a "
                "function of your own as package.module:function"
            )
        return named[output]
    module, _, name = output.partition(":")
    try:
        function = getattr(import_module(module), name, None)
    except Exception as error:  # whatever a stranger's module does when it is imported
        raise ConfigurationError(f"adapter.output: {module} cannot be imported: {error!r}") from error
    if not callable(function):
        raise ConfigurationError(f"adapter.output: {module} has no function {name}")
    return _guarded(function, output)


def as_documented(reader: Reader, reply: Reply) -> bytes:
    """The reply as SageMaker's algorithm would have written it. BadRecord when a reader can make nothing of
    it.
    """
    try:
        return json.dumps({"prediction": reader(reply)}, allow_nan=False).encode()
    except BadRecord as error:
        raise BadRecord(f"no prediction: unreadable output ({error})") from None
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise BadRecord(f"no prediction: its reader gave what is no JSON ({error})") from None


def size_in(body: bytes) -> tuple[int, int]:
    """Width and height of a picture whose bytes are at hand."""
    try:
        return read_size(body)
    except PictureError as error:
        raise BadRecord(str(error)) from None


def size_at(storage: Storage, picture: str) -> tuple[int, int]:
    """The same of a stored one, from its first bytes."""
    try:
        return read_size(storage.read(picture, _HEAD_BYTES - 1))
    except PictureError:
        return size_in(storage.read(picture, most=MOST_BYTES))


def _guarded(function: Reader, output: str) -> Reader:
    """A function that is not ours: what it cannot read is a bad reply, and no end of a night."""

    def read(reply: Reply) -> Any:
        try:
            return function(reply)
        except (BadRecord, FileNotFoundError, BotoCoreError, ClientError):
            raise  # of a look at the picture: what S3 refuses for a moment is no fault of the reply
        except Exception as error:
            raise BadRecord(f"{output}: {type(error).__name__}: {error}") from error

    return read
