"""``data``: manifests are counted, looked into, checked and divided, on this machine or in S3."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from include import recordio
from include.loop.__main__ import main
from include.loop.core.storage import dump
from tests.loop.manifests.lines import boxes, write
from tests.loop.place import Place, labelled
from tests.loop.terminal import at_terminal


def said(capsys: pytest.CaptureFixture, *command: str, status: int = 0) -> str:
    assert main(["data", *command]) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.out + captured.err


def test_a_file_is_shown_counted_and_explained_without_any_cloud(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    place = write(tmp_path / "m", [boxes("s3://b/\x1b[2J.jpg", 0, 1), boxes("s3://b/2.jpg")])
    shown = said(capsys, "show", place, "--limit", "1")
    assert shown.startswith('line 1\n{"source-ref": "s3://b/\\u001b[2J.jpg"')
    assert said(capsys, "count", place) == (
        "2 lines\n"
        "box: 2 labelled\n"
        "  class 0    helmet                   1 in 1 images\n"
        "  class 1    vest                     1 in 1 images\n"
        "  1 images show nothing; the fullest shows 2\n"
    )
    assert said(capsys, "attributes", place) == (
        "source-ref               the source, in all 2 lines\n"
        "box                      groundtruth/object-detection, in all 2 lines\n"
        'AttributeNames: ["source-ref", "box"]\n'
    )
    counted = json.loads(said(capsys, "count", place, "--json"))
    assert counted["labels"]["box"]["classes"]["1"] == {"names": ["vest"], "count": 1, "images": 1}
    told = json.loads(said(capsys, "attributes", place, "--json"))
    assert told["attribute_names"] == ["source-ref", "box"]
    assert "no such file" in said(capsys, "count", str(tmp_path / "x"), status=1).lower()


def test_records_and_their_list_are_shown_in_words(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "a.lst").write_text("7\t2\t5\t1.0\t0.1\t0.2\t0.5\t0.6\tday/7.jpg\n9\t2.0\tday/9.jpg\n")
    stream = io.BytesIO()
    for index, label in ((7, (2.0, 5.0, 1.0, 0.1, 0.2, 0.5, 0.6)), (9, 2.0)):
        recordio.write(stream, recordio.pack(recordio.Record(index, label, b"jpeg")))
    (tmp_path / "a.rec").write_bytes(stream.getvalue() + b"junk at the end")
    shown = said(capsys, "show", str(tmp_path / "a.lst"))
    assert "index 7, day/7.jpg; 1 object: class 1 at 0.1000 0.2000 0.5000 0.6000" in shown
    shown = said(capsys, "show", str(tmp_path / "a.rec"))
    assert "index 9, image of 4 bytes; class 2" in shown
    told = said(capsys, "show", str(tmp_path / "a.rec"), "--limit", "9", status=1)
    assert "does not start with the magic number" in told


def test_what_is_no_manifest_is_told_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture):
    stream = io.BytesIO()
    recordio.write(stream, recordio.pack(recordio.Record(7, 2.0, b"jpeg")))
    (tmp_path / "a.rec").write_bytes(stream.getvalue())
    coco = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [], "categories": []}
    for name, indent in (("line", None), ("pretty", 1)):
        (tmp_path / f"{name}.json").write_text(json.dumps(coco, indent=indent))
    (tmp_path / "folder/cat").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder/cat/1.jpg").write_bytes(b"x")
    for command, name, message in (
        ("count", "a.rec", "reads as recordio. `data show` tells of its records, and `data import "),
        ("count", "line.json", "is no augmented manifest: it reads as coco. `data import "),
        ("show", "pretty.json", "it reads as coco. "),
        ("split", "folder", "it reads as image-folders. "),
        ("show", "empty", "is a folder, and a manifest is one file"),
    ):
        assert message in said(capsys, command, str(tmp_path / name), status=1)


def test_a_manifest_in_s3_is_divided_and_checked_before_it_is_trained_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path)
    lines: list[Any] = [labelled(place.put(f"in/{n}.jpg", b"x"), class_id=n % 2) for n in range(10)]
    place.storage.write_lines("in/all.manifest", lines)
    uri = place.storage.uri("in/all.manifest")
    told = said(capsys, "split", uri, "--by", "shuffle", "--label", "review", "--seed", "3")
    train, validation = (place.storage.uri(f"in/all-{part}.manifest") for part in ("train", "validation"))
    assert told == (
        f"{train}: 8 lines, of which 0 show nothing\n{validation}: 2 lines, of which 0 show nothing\n"
    )
    again = ["split", uri, "--by", "shuffle", "--label", "review", "--seed"]
    assert said(capsys, *again, "3") == told
    refused = said(capsys, *again, "4", status=1)
    assert f"{train} is there already, with other lines: perhaps of another division. --replace" in refused
    said(capsys, *again, "4", "--replace")
    both = [*place.storage.read_lines(train), *place.storage.read_lines(validation)]
    assert sorted(map(dump, both)) == sorted(map(dump, lines))
    told = said(capsys, "check", train)
    assert told.startswith("8 lines: 8 can be learned, 0 would be refused\n  cat  ")

    lines[0] |= {"source-ref": place.storage.uri("in/gone.jpg")}
    lines[1]["review-metadata"]["class-map"] = {"1": "bird"}
    lines[2] = lines[3]
    place.storage.write_lines("in/all.manifest", lines)
    told = said(capsys, "check", uri, status=1)
    assert "10 lines: 8 can be learned, 2 would be refused" in told
    assert f"  line 1: there is no image {place.storage.uri('in/gone.jpg')}\n" in told
    assert "  line 2: class_id 1 is 'bird' in the line's class-map, but 'dog' in the pipeline\n" in told
    assert "  1 lines are of an image that an earlier line has" in told
    assert "9 can be learned" in said(capsys, "check", uri, "--no-images", status=1)
    assert "label_attribute is review" not in said(capsys, "check", uri, "--label", "x", status=1)


def test_a_manifest_of_another_label_is_told_the_pipelines(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path)
    manifest = write(tmp_path / "m", [boxes("s3://b/1.jpg", 0)])
    told = said(capsys, "check", manifest, "--no-images", status=1)
    assert "The pipeline's label_attribute is review. `data attributes` says what" in told
    assert "This is about pipeline pets, the environment's default: --pipeline NAME names another." in told
    named = said(capsys, "check", manifest, "--no-images", "--pipeline", "pets", status=1)
    assert "the environment's default" not in named


@pytest.mark.parametrize("text", ["0", "1", "0.123", "much"])
def test_a_share_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        main(["data", "split", "m", "--share", text])
    assert "must be between 0.01 and 0.99, in hundredths" in capsys.readouterr().err
