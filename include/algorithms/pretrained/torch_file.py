"""Tensors out of a file that torch.save has written in its old format: without torch, and nothing executed.

The file is a row of pickles: three of a header, one with the names of the tensors, one with the order of the
storages; then the numbers of each storage. The unpickler makes an ordered dictionary and remembers where a
tensor's numbers lie; whatever else a pickle asks for is refused.
"""

from __future__ import annotations

import collections
import pickle
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_NUMBERS: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class NotTensors(ValueError):
    """The file holds something else than tensors in the old format of torch.save."""


@dataclass(frozen=True)
class _View:
    """A tensor: where in which storage its numbers lie. Its strides count: few of them are in row order."""

    storage: tuple[Any, ...]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(file: BinaryIO) -> dict[str, np.ndarray]:
    """The tensors by name, in row order. Raises NotTensors."""
    try:
        if (_load(file), _load(file)) != (_MAGIC, _VERSION):
            raise NotTensors("it is not in the old format of torch.save")
        _load(file)
        views = _load(file)
        storages = {key: _storage(file, views.values(), key) for key in _load(file)}
        return {name: _array(view, storages[view.storage[2]]) for name, view in views.items()}
    except NotTensors:
        raise
    except (
        pickle.UnpicklingError,
        EOFError,
        struct.error,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        raise NotTensors(f"it cannot be read: {error!r}") from error


def _storage(file: BinaryIO, views: Any, key: str) -> np.ndarray:
    (kind,) = {view.storage[1] for view in views if view.storage[2] == key}
    (count,) = struct.unpack("<q", file.read(8))
    content = file.read(count * _NUMBERS[kind].itemsize)
    if len(content) != count * _NUMBERS[kind].itemsize:
        raise EOFError("it ends in the middle of a tensor")
    return np.frombuffer(content, _NUMBERS[kind])


def _array(view: _View, storage: np.ndarray) -> np.ndarray:
    steps = [stride * storage.itemsize for stride in view.strides]
    last = view.offset + sum((size - 1) * step for size, step in zip(view.shape, view.strides, strict=True))
    if min((view.offset, *view.strides, *view.shape)) < 0 or last >= len(storage):
        raise NotTensors("a tensor lies outside of its numbers")
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, steps).copy()


def _load(file: BinaryIO) -> Any:
    return _Unpickler(file).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if module == "torch" and name in _NUMBERS:
            return name
        raise NotTensors(f"it asks for {module}.{name}, which no tensor needs")

    def persistent_load(self, identity: Any) -> Any:
        return identity


def _view(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(tuple(storage), int(offset), tuple(map(int, shape)), tuple(map(int, strides)))
