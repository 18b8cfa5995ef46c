"""One set of files read from everywhere that people keep them; and archives made to do harm."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from include.loop.core.errors import BadRecord, ConfigurationError
from include.loop.exchange import archives
from include.loop.exchange.files import check_name
from include.loop.exchange.sources import open_source
from tests.loop.place import Place

FILES = {"labels/a.xml": b"<a/>", "images/a.jpg": b"picture" * 1000, "readme": b"x"}
# What a Mac adds to an archive, and writes to a drive of another system.
MAC = {"__MACOSX/images/._a.jpg": b"\0\5\x16\7", "images/._a.jpg": b"\0\5\x16\7"}


def make_folder(root: Path) -> str:
    for name, body in (FILES | MAC).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    return str(root)


def make_zip(root: Path) -> str:
    with zipfile.ZipFile(root / "set.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, body in (FILES | MAC).items():
            packed.writestr(name, body)
    return str(root / "set.zip")


def make_tar(root: Path, name: str = "set.tar", mode: str = "w") -> str:
    with tarfile.open(root / name, mode) as packed:  # type: ignore[call-overload]
        for inner, body in (FILES | MAC).items():
            info = tarfile.TarInfo(f"./{inner}")
            info.size = len(body)
            packed.addfile(info, io.BytesIO(body))
    return str(root / name)


def make_gz(root: Path) -> str:
    return make_tar(root, "set.tar.gz", "w:gz")


def make_two_gz(root: Path) -> str:
    """A gzip file in two members, as parallel packers write it."""
    body = Path(make_tar(root)).read_bytes()
    (root / "two.tgz").write_bytes(gzip.compress(body[:700]) + gzip.compress(body[700:]))
    return str(root / "two.tgz")


@pytest.mark.parametrize("make", [make_folder, make_zip, make_tar, make_gz, make_two_gz])
@pytest.mark.parametrize("in_s3", [False, True])
def test_the_same_files_are_read_from_everywhere(
    make: Callable[[Path], str], in_s3: bool, place: Place, tmp_path: Path
) -> None:
    there = make(tmp_path)
    if in_s3 and make is make_folder:
        for name, body in (FILES | MAC).items():
            place.put(f"set/{name}", body)
        place.put("set/../outside", b"no path could be this key")
        there = place.storage.uri("set")
    elif in_s3:
        there = place.put(Path(there).name, Path(there).read_bytes())
    with open_source(there, place.storage) as files:
        assert list(files.names()) == sorted(FILES)
        assert {name: files.read(name, 7000) for name in FILES} == FILES
        with files.open("images/a.jpg") as stream:
            assert stream.read(10) + stream.read() == FILES["images/a.jpg"]
        with pytest.raises(BadRecord, match="at most 6,999"):
            files.read("images/a.jpg", 6999)
        with pytest.raises(FileNotFoundError):
            files.read("images/b.jpg", 1)
        with pytest.raises(BadRecord, match="leads out"):
            files.read("../set.zip", 1)
        assert files.place.startswith(there)


def test_one_file_is_a_source_with_those_that_share_its_stem(place: Place, tmp_path: Path) -> None:
    for name in ("train.rec", "train.idx", "training.rec"):
        (tmp_path / name).write_bytes(b"x")
        place.put(f"set/{name}", b"x")
    for there in (str(tmp_path / "train.rec"), place.storage.uri("set/train.rec")):
        with open_source(there, place.storage) as files:
            assert files.names() == ["train.idx", "train.rec"]
            assert files.read("training.rec", 1) == b"x"  # pictures that labels name lie beside them


def test_no_link_is_followed_out_of_a_folder_and_no_pipe_waited_for(place: Place, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "set"
    root.mkdir()
    (root / "a.jpg").write_bytes(b"a")
    (root / "inside.jpg").symlink_to("a.jpg")
    (root / "out.jpg").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.jpg")
    with open_source(str(root), place.storage) as files:
        assert files.names() == ["a.jpg", "inside.jpg"]
        for name, why in (("out.jpg", "leads out"), ("folder/secret", "leads out"), ("pipe.jpg", "regular")):
            with pytest.raises(BadRecord, match=why):
                files.read(name, 10)


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return packed.getvalue()


def linked() -> bytes:
    info = zipfile.ZipInfo("a.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return zipped((info, b"/etc/passwd"))


def tarred(info: tarfile.TarInfo) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(info)
    return packed.getvalue()


def tar_link() -> bytes:
    info = tarfile.TarInfo("a.jpg")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return tarred(info)


def overlapping() -> bytes:
    """The directory lists one member many times under other names (what makes the smallest bombs)."""
    body = zipped(("a", os.urandom(2000)))
    where = body.index(b"PK\1\2")
    entry = body[where : body.index(b"PK\5\6")]
    entries = b"".join(entry[:-1] + bytes([letter]) for letter in b"abcdefgh")
    end = bytearray(body[body.index(b"PK\5\6") :])
    end[8:10] = end[10:12] = (8).to_bytes(2, "little")
    end[12:16] = len(entries).to_bytes(4, "little")
    return body[:where] + entries + bytes(end)


HOSTILE = {
    "bomb.zip": (lambda: zipped(("zeros", bytes(16 << 20))), "a bomb"),
    "bomb.tar.gz": (lambda: gzip.compress(bytes(16 << 20), 1), "a bomb"),
    "overlapping.zip": (overlapping, "overlap"),
    "outside.zip": (lambda: zipped(("../../etc/cron.d/x", b"x")), "leads out"),
    "absolute.tar": (lambda: tarred(tarfile.TarInfo("/etc/x")), "leads out"),
    "twice.zip": (lambda: zipped(("a/b", b"x"), ("./a/b", b"y")), "twice"),
    "link.zip": (linked, "is a link"),
    "link.tar": (tar_link, "is a link"),
    "cut.zip": (lambda: zipped(("a", b"x" * 100))[:-10], "no sound archive"),
    "cut.tar.gz": (lambda: gzip.compress(tarred(tarfile.TarInfo("a")))[:-20], "cut off"),
    "none.tar": (lambda: b"not a tar at all", "no sound archive"),
    "empty.tar": (lambda: bytes(10240), "no file in it"),
    "many.zip": (lambda: zipped(*((f"{number}", b"") for number in range(12))), "more than 10 members"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_by_name_and_reason(
    name: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 10)
    monkeypatch.setattr(archives, "_FREE", 1 << 20)
    make, why = HOSTILE[name]
    (tmp_path / name).write_bytes(make())
    with (
        pytest.raises(ConfigurationError, match=why) as caught,
        open_source(str(tmp_path / name), place.storage),
    ):
        pass
    assert name in str(caught.value)


def test_damage_inside_a_member_costs_that_member_only(place: Place, tmp_path: Path) -> None:
    body = zipped(("a", b"first" * 10), ("b", b"second" * 10), method=zipfile.ZIP_STORED)
    (tmp_path / "set.zip").write_bytes(body.replace(b"firstfirst", b"fIrstfirst", 1))
    with open_source(str(tmp_path / "set.zip"), place.storage) as files:
        with pytest.raises(BadRecord, match=r"a is no sound archive.*CRC"):
            files.read("a", 100)
        assert files.read("b", 100) == b"second" * 10


@pytest.mark.parametrize("place_name", ["/nowhere", "s3://", "s3://bucket", "set.7z", "s3://{}/nothing"])
def test_a_place_with_nothing_to_read_is_named(place: Place, place_name: str) -> None:
    there = place_name.format(place.bucket)
    with pytest.raises(ConfigurationError, match=there), open_source(there, place.storage):
        pass


@pytest.mark.parametrize("name", ["", "/a", "a//b", "a/../b", ".", "a/", "a\0b", "x" * 1025])
def test_names_that_no_file_of_a_source_has(name: str) -> None:
    with pytest.raises(BadRecord):
        check_name(name)
