"""Tensors are read as torch.save wrote them, and a file that asks for anything else is refused."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct

import numpy as np
import pytest

from include.algorithms.pretrained.torch_file import NotTensors, read

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
NUMBERS = np.arange(12, dtype=np.float32)
STORED = struct.pack("<q", 12) + NUMBERS.tobytes()
STORAGE = ("storage", "FloatStorage", "7", "cpu", 12, None)


class Global:
    """Pickled as a name that the reader has to look up, called with some arguments."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments


class Pickler(pickle._Pickler):  # Python's own, which can be told to write names that are not here
    def persistent_id(self, found):
        return found if isinstance(found, tuple) and found[:1] == ("storage",) else None

    def save(self, found, save_persistent_id=True):
        if not isinstance(found, Global):
            return super().save(found, save_persistent_id)
        self.write(pickle.GLOBAL + f"{found.module}\n{found.name}\n".encode())
        self.save(found.arguments)
        self.write(pickle.REDUCE)


def pickled(content):
    file = io.BytesIO()
    Pickler(file, protocol=2).dump(content)
    return file.getvalue()


def tensor(offset, shape, strides):
    return Global("torch._utils", "_rebuild_tensor_v2", STORAGE, offset, shape, strides, False, None)


def saved(tensors, storage=STORED, magic=MAGIC):
    header = [pickled(part) for part in (magic, VERSION, {"little_endian": True})]
    return io.BytesIO(b"".join([*header, pickled(tensors), pickled(["7"]), storage]))


def test_tensors_have_their_numbers_in_row_order_whatever_their_strides_are():
    found = read(
        saved(
            collections.OrderedDict(
                rows=tensor(0, (3, 4), (4, 1)), turned=tensor(0, (4, 3), (1, 4)), one=tensor(5, (), ())
            )
        )
    )
    np.testing.assert_array_equal(found["rows"], NUMBERS.reshape(3, 4))
    np.testing.assert_array_equal(found["turned"], NUMBERS.reshape(3, 4).T)
    assert found["one"] == 5


def test_what_no_tensor_needs_is_never_executed(tmp_path):
    mark = tmp_path / "executed"
    with pytest.raises(NotTensors, match=r"asks for os\.mkdir"):
        read(saved({"a": Global("os", "mkdir", os.fspath(mark))}))
    assert not mark.exists()


@pytest.mark.parametrize(
    "file",
    [
        saved({}, magic=1),
        saved({"a": tensor(0, (3, 4), (4, 1))}, storage=STORED[:-1]),
        saved({"a": tensor(0, (3, 4), (4, 1))}, storage=struct.pack("<q", -1)),
        saved({"a": tensor(1, (3, 4), (4, 1))}),
        saved({"a": tensor(0, (3, 4), (4, -1))}),
        saved({"a": tensor(-1, (1,), (1,))}),
        saved({"a": "a word"}),
        saved(["a list"]),
        io.BytesIO(b"PK\x03\x04 the newer format is a zip"),
        io.BytesIO(b""),
    ],
)
def test_a_damaged_file_is_refused(file):
    with pytest.raises(NotTensors):
        read(file)
