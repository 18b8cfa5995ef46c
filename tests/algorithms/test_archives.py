"""What a sound archive gives, what a spoilt one never does, and how little a bomb costs."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.algorithms.archives import BadArchive, members
from tests.support.archives import ATTACKS, packed

FILES = {"a.json": b"{}", "weights/é.safetensors": bytes(range(256)) * 300, "empty": b""}
SOUND = packed(FILES)


def read(archive: bytes) -> dict[str, bytes]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(archive)
        file.flush()
        return {str(member.path): b"".join(member.chunks) for member in members(Path(file.name))}


def test_a_sound_archive_gives_its_files() -> None:
    assert read(SOUND) == FILES


def test_an_archive_of_a_whole_directory_gives_its_files(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "x").write_bytes(b"x")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "in", ".")
    assert read((tmp_path / "a.tar.gz").read_bytes()) == {"deep/x": b"x"}


def test_an_archive_in_several_parts_and_with_zeros_behind_it_gives_its_files() -> None:
    """As parallel compressors write it, and tapes."""
    plain = gzip.decompress(SOUND)
    parts = [gzip.compress(plain[at : at + 5_000]) for at in range(0, len(plain), 5_000)]
    assert read(b"".join(parts) + bytes(1_000)) == FILES


@pytest.mark.parametrize("length", [640, 896, 1152, 1408])
def test_safetensors_that_begin_like_a_pickle_are_none(length: int) -> None:
    """The length of their header comes first, as eight bytes: 640 is 80 02 00 …"""
    content = length.to_bytes(8, "little") + b"{}".ljust(length)
    assert read(packed({"w.safetensors": content})) == {"w.safetensors": content}


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_an_archive_made_to_do_harm_is_refused(attack, tmp_path: Path) -> None:
    with pytest.raises(BadArchive) as error:
        read(attack.archive(FILES, tmp_path / "canary"))
    assert attack.said in str(error.value)


def test_a_bomb_is_given_up_early(tmp_path: Path) -> None:
    """4 GiB of zeros in 4 MB: what is given up after 100 times the bytes read so far costs a moment."""
    part = gzip.compress(bytes(64 << 20), 9)
    header = tarfile.TarInfo("zeros")
    header.size = 7 << 30
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(header.tobuf()) + part * 64 + b"\x1f\x8b" + bytes(80 << 20))
    began, sizes = time.process_time(), []
    with pytest.raises(BadArchive, match="a bomb"):
        sizes += [len(chunk) for member in members(bomb) for chunk in member.chunks]
    assert time.process_time() - began < 5


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_is_changed_in_it_an_archive_is_refused_or_has_only_files(data: st.DataObject) -> None:
    tar = bytearray(gzip.decompress(SOUND))
    headers = [start for start in range(0, len(tar), 512) if tar[start + 257 : start + 262] == b"ustar"]
    for _ in range(data.draw(st.integers(1, 4))):
        header = data.draw(st.sampled_from(headers))
        place = header + data.draw(st.integers(0, 511))
        tar[place] = data.draw(st.integers(0, 255))
    try:
        found = read(gzip.compress(_summed(bytes(tar))))
    except BadArchive:
        return
    assert all(not Path(name).is_absolute() and ".." not in Path(name).parts for name in found)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, len(SOUND) - 1), st.integers(1, 255))
def test_a_byte_that_was_changed_on_the_way_is_noticed(place: int, change: int) -> None:
    """But for gzip's own header, whose time and flags change nothing that comes out."""
    spoilt = bytearray(SOUND)
    spoilt[place] ^= change
    with contextlib.suppress(BadArchive):
        assert read(bytes(spoilt)) == FILES


def _summed(tar: bytes) -> bytes:
    """With check sums that are right again, so that changes of a header get through to what reads it."""
    body = bytearray(tar)
    for start in range(0, len(body) - 511, 512):
        block = body[start : start + 512]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            body[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(body)
