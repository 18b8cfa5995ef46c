"""Many small objects are read as one copy, and the objects themselves have the last word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from benchmarks.counted_s3 import Calls, CountedS3
from include.loop.core.copies import LOOSE, read_all
from include.loop.core.storage import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COPY = "ledger/notes.parquet"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(cast("S3Client", CountedS3(tmp_path, (), Calls())), "bucket", "pets")


def calls(storage: Storage) -> Calls:
    return cast(CountedS3, storage.s3).calls


def read(storage: Storage, keep: bool = False) -> dict[str, bytes]:
    found = read_all(storage, storage.list("notes/"), COPY, keep)
    return {item.uri.rpartition("/")[2]: body for item, body in found}


def write(storage: Storage, count: int) -> dict[str, bytes]:
    notes = {f"{number:03}": f"note {number}".encode() for number in range(count)}
    for name, body in notes.items():
        storage.write(f"notes/{name}", body)
    return notes


def test_many_objects_are_one_request_and_what_changed_since_is_read_itself(storage: Storage) -> None:
    notes = write(storage, 3 * LOOSE)
    assert read(storage) == notes
    assert not storage.exists(COPY)  # who only looks writes nothing
    assert read(storage, keep=True) == notes
    storage.write("notes/001", b"another one by now")
    storage.write("notes/900", b"new")
    cast(CountedS3, storage.s3).path("pets/notes/002").unlink()
    calls(storage).made.clear()
    found = read(storage)
    assert calls(storage).made == {"ListObjectsV2": 1, "GetObject": 3}
    expected = notes | {"001": b"another one by now", "900": b"new"}
    del expected["002"]
    assert found == expected
    assert list(found) == sorted(expected)  # as S3 lists them


@pytest.mark.parametrize("damage", [b"", b"PAR1 but no table"])
def test_a_lost_or_broken_copy_loses_nothing_and_is_written_anew(storage: Storage, damage: bytes) -> None:
    notes = write(storage, 2 * LOOSE)
    read(storage, keep=True)
    storage.write(COPY, damage)
    assert read(storage, keep=True) == notes
    calls(storage).made.clear()
    assert read(storage) == notes
    assert calls(storage).made["GetObject"] == 1


def test_few_objects_need_no_copy(storage: Storage) -> None:
    notes = write(storage, LOOSE - 1)
    assert read(storage, keep=True) == notes
    assert not storage.exists(COPY)
