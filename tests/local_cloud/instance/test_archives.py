from __future__ import annotations

import resource
from pathlib import Path

import pytest

from include.local_cloud.instance.archives import pack, unpack
from include.local_cloud.instance.faults import ClientFault
from tests.support.archives import ATTACKS, Attack, packed

FILES = {"a.json": b"{}", "deep/weights.safetensors": bytes(range(256)) * 40}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "ml" / "model").mkdir(parents=True)
    return tmp_path / "ml" / "model"


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_what_was_packed_is_unpacked(model: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(packed(FILES))
    unpack(archive, model, "s3://b/model.tar.gz")
    assert files(model) == FILES
    pack(model, archive)
    (tmp_path / "again").mkdir()
    unpack(archive, tmp_path / "again", "s3://b/model.tar.gz")
    assert files(tmp_path / "again") == FILES


def test_an_archive_that_finds_no_room_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    """As on a full disk: here the system lets no file of this process grow beyond a few bytes."""
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(packed(FILES))
    before, most = sorted(tmp_path.rglob("*")), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most[1]))
    try:
        with pytest.raises(ClientFault, match="cannot be unpacked here: File too large"):
            unpack(archive, model, "s3://b/model.tar.gz")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_archive_made_to_do_harm_leaves_nothing_behind(
    attack: Attack, model: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(attack.archive(FILES, tmp_path / "canary"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ClientFault, match=r"^s3://b/model\.tar\.gz is refused as a model archive: ") as error:
        unpack(archive, model, "s3://b/model.tar.gz")
    assert attack.said in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/escaped").exists()
