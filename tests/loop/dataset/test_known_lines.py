"""The lines of many manifests are read from one copy, and the manifests have the last word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from benchmarks.counted_s3 import Calls, CountedS3
from include.loop.core import layout
from include.loop.core.copies import LOOSE
from include.loop.core.storage import Storage
from include.loop.dataset.known_lines import find_lines
from include.loop.dataset.split_register import name_label

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NIGHTS = [f"2026-10-{day:02}" for day in range(1, 2 * LOOSE)]


@pytest.fixture
def s3(tmp_path: Path) -> CountedS3:
    return CountedS3(tmp_path, (), Calls())


@pytest.fixture
def storage(s3: CountedS3) -> Storage:
    return Storage(cast("S3Client", s3), "bucket", "pets")


def line(night: str, number: int) -> dict[str, Any]:
    return {"source-ref": f"s3://bucket/{night}/{number}.png", "loop": f"{night}-{number}"}


def write(storage: Storage, night: str, *values: dict[str, Any]) -> None:
    storage.write_lines(layout.labels_manifest(night), values)


def find(storage: Storage, *values: dict[str, Any]) -> list[tuple[str, int]]:
    """Manifest and number of the lines of these labels."""
    places = [*map(layout.labels_manifest, NIGHTS), "datasets/root/train.manifest"]
    found = find_lines(storage, places, {name_label(value) for value in values})
    return sorted((uri, number) for uri, lines in found for number, _ in lines)


def test_lines_of_many_manifests_are_one_request(storage: Storage, s3: CountedS3) -> None:
    for night in NIGHTS:
        write(storage, night, line(night, 1), line(night, 2))
    first = line("root", 1)
    storage.write(
        "datasets/root/train.manifest",
        b"no label\n\n" + b'{"source-ref":"s3://bucket/root/1.png","loop":"root-1"}',
    )
    wanted = [line(NIGHTS[0], 2), line(NIGHTS[-1], 1), first]
    expected = [
        (storage.uri("datasets/root/train.manifest"), 3),
        (storage.uri(layout.labels_manifest(NIGHTS[0])), 2),
        (storage.uri(layout.labels_manifest(NIGHTS[-1])), 1),
    ]
    assert find(storage, *wanted) == expected
    s3.calls.made.clear()
    assert find(storage, *wanted) == expected
    assert s3.calls.made == {"ListObjectsV2": 1, "GetObject": 2}  # the copy, and the first model's own labels


def test_what_changed_since_is_read_itself_and_what_is_gone_is_an_error(
    storage: Storage, s3: CountedS3
) -> None:
    for night in NIGHTS:
        write(storage, night, line(night, 1))
    storage.write("datasets/root/train.manifest", b"")
    find(storage, line(NIGHTS[3], 1))
    write(storage, NIGHTS[3], line(NIGHTS[3], 7), line(NIGHTS[3], 1))
    where = storage.uri(layout.labels_manifest(NIGHTS[3]))
    assert find(storage, line(NIGHTS[3], 1)) == [(where, 2)]
    storage.write(layout.LINES, b"PAR1 but no table")
    assert find(storage, line(NIGHTS[3], 7)) == [(where, 1)]
    s3.path(f"pets/{layout.labels_manifest(NIGHTS[3])}").unlink()
    with pytest.raises(FileNotFoundError, match=NIGHTS[3]):
        find(storage, line(NIGHTS[0], 1))
