"""``data pack``: from other tools' labels to a RecordIO file, and nothing half."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from include import recordio
from include.loop.__main__ import main
from include.loop.exchange import packing

XML = """<annotation><filename>{name}.jpg</filename>
<size><width>200</width><height>100</height><depth>3</depth></size>{objects}</annotation>"""
OBJECT = """<object><name>{}</name><difficult>0</difficult>
<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"""


def picture(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (200, 100), (shade, 90, 30)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Three images: two objects, of which one has no area; nothing; one object."""
    root = tmp_path / "VOCdevkit" / "VOC2007"
    objects = {
        "000001": [("dog", 21, 11, 120, 60), ("cat", 50, 50, 10, 90)],
        "000002": [],
        "000005": [("cat", 1, 1, 200, 100)],
    }
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for shade, (name, some) in enumerate(objects.items()):
        text = "".join(OBJECT.format(*one) for one in some)
        (root / "Annotations" / f"{name}.xml").write_text(XML.format(name=name, objects=text))
        (root / "JPEGImages" / f"{name}.jpg").write_bytes(picture(shade))
    (root / "ImageSets/Main/trainval.txt").write_text("000001\n000002\n000005\n")
    (root / "ImageSets/Main/test.txt").write_text("000005\n")
    return root.parent


def records(path: Path) -> list[recordio.Record]:
    with path.open("rb") as stream:
        found = [placed.record for placed in recordio.read_records(stream)]
    return [one for one in found if isinstance(one, recordio.Record)]


def test_a_devkit_becomes_one_file_with_a_list_beside_it(voc: Path, tmp_path: Path, capsys):
    out = tmp_path / "made" / "train.rec"
    assert main(["data", "pack", str(voc), "--sets", "trainval", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    tmp_path = out.parent
    assert told.startswith(
        f"{out}: 2 records of objects\n"
        "  class 0    cat                      1\n"
        "  class 1    dog                      1\n"
        "  label_width has to be 7 or more\n1 dropped\n1 unheld\n"
    )
    assert "there is nothing on the image" in told
    assert (tmp_path / "train.lst").read_text() == (
        "0\t2\t5\t1.0000\t0.1000\t0.1000\t0.6000\t0.6000\tVOC2007/JPEGImages/000001.jpg\n"
        "1\t2\t5\t0.0000\t0.0000\t0.0000\t1.0000\t1.0000\tVOC2007/JPEGImages/000005.jpg\n"
    )
    assert (tmp_path / "train.classes.txt").read_text() == "cat\ndog\n"
    before = {path.name: path.read_bytes() for path in tmp_path.glob("train.*")}
    assert before.keys() == {"train.rec", "train.lst", "train.idx", "train.classes.txt"}
    (tmp_path / "names").write_text("dog\ncat\n")
    command = ["data", "pack", str(voc), "--sets", "trainval", "--out", str(out)]
    assert main(command) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.glob("train.*")} == before
    assert main([*command, "--classes", str(tmp_path / "names")]) == 0
    assert [one.label[2] for one in records(out) if isinstance(one.label, tuple)] == [0, 1]


def test_a_list_is_packed_number_by_number_with_the_very_bytes_of_its_images(voc: Path, tmp_path, capsys):
    """As MXNet's prepare_dataset writes it, with a difficult object's column; without --images beside it."""
    label = (2, 6, 11, 0.0344, 0.132, 0.9781, 0.948, 1)
    columns = "\t".join(f"{number:g}" for number in label)
    (voc / "val.lst").write_text(
        f"7\t{columns}\tVOC2007/JPEGImages/000001.jpg\n8\t2\t5\tVOC2007/JPEGImages/000002.jpg\n"
        "9\t3.000000\tVOC2007/JPEGImages/gone.jpg\nno list\n10\t1\t../../etc/passwd\n"
    )
    out = tmp_path / "val.rec"
    assert main(["data", "pack", str(voc / "val.lst"), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "2 records of objects" in told
    assert "1 with nothing on them, which SageMaker's algorithm cannot read" in told
    assert "3 refused" in told
    assert "leads out of the source" in told
    first, second = records(out)
    assert (first.id, first.image) == (7, picture(0))
    assert first.label == pytest.approx(label)
    assert (second.id, second.label, second.image) == (8, (2, 5), picture(1))
    assert (tmp_path / "val.idx").read_text() == f"7\t0\n8\t{out.read_bytes().rindex(recordio.MAGIC_BYTES)}\n"


@pytest.mark.parametrize(
    ("source", "out", "message"),
    [
        ("empty.lst", "a.rec", "there is nothing in it that can be packed: line 1: no file"),
        ("missing.lst", "a.rec", "there is no list"),
        ("empty.lst", "a.bin", "ends with .rec"),
        ("empty.lst", "empty.lst/a.rec", "cannot be written: "),
        ("VOCdevkit", "VOCdevkit/d.rec", "d.rec is a folder, and a file of this name belongs there"),
        ("bad", "a.rec", "there is nothing in it that can be packed: cat/1.jpg: "),
        ("VOCdevkit/VOC2007/JPEGImages", "a.rec", "looks like none of the formats"),
    ],
)
def test_what_cannot_be_packed_leaves_nothing(voc: Path, tmp_path: Path, source, out, message, capsys):
    (tmp_path / "empty.lst").write_text("1\t1\tgone.jpg\n")
    (voc / "d.rec").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "bad" / name).mkdir(parents=True)
        (tmp_path / "bad" / name / "1.jpg").write_bytes(b"no picture")
    before = sorted(tmp_path.rglob("*"))
    assert main(["data", "pack", str(tmp_path / source), "--out", str(tmp_path / out)]) == 1
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_one_that_is_stopped_leaves_the_file_that_was_there(voc: Path, tmp_path: Path, monkeypatch, capsys):
    out = tmp_path / "a.rec"
    out.write_bytes(b"before")

    def stop(body: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(packing, "read_size", stop)
    (voc / "a.lst").write_text("1\t1\tVOC2007/JPEGImages/000001.jpg\n")
    assert main(["data", "pack", str(voc / "a.lst"), "--out", str(out)]) == 130
    assert "Stopped: nothing was written" in capsys.readouterr().err
    assert out.read_bytes() == b"before"
    assert {path.name for path in tmp_path.iterdir()} == {"VOCdevkit", "a.rec"}
