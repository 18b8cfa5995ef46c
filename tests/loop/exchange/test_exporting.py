"""A pipeline's labels for other tools: which, under which names and splits, whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.loop.__main__ import main
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.splits import Entry, Split
from include.loop.dataset.build import build
from include.loop.exchange.exporting import Exported, export
from include.loop.exchange.formats import find_format, format_names
from include.loop.exchange.importing import Request, import_data
from include.loop.exchange.known_items import Choice
from include.loop.exchange.sources import open_source
from include.loop.trials.shards import discard
from tests.loop.labelled import INITIAL, line, shard, start
from tests.loop.pictures import patchwork
from tests.loop.place import NIGHT, Place
from tests.loop.terminal import at_terminal

EVERYTHING = Choice()


def manifest(place: Place, out: str, name: str) -> list[dict[str, Any]]:
    with open_source(out, place.storage) as files:
        body = files.read(f"{name}.manifest", 1 << 20)
    return [json.loads(text) for text in body.split(b"\n") if text]


def test_a_batch_goes_out_whole_with_its_history(place: Place, tmp_path: Path) -> None:
    lines = [line(place, f"{number}.jpg", loop=f"loop-{number}", batch=NIGHT) for number in range(3)]
    shard(place, NIGHT, lines)
    for out in (str(tmp_path / "out"), place.storage.uri("exported/night")):
        exported = export(place.workspace, Choice(batch=NIGHT), "ground-truth", out)
        assert (exported.images, exported.problems) == (3, [])
        written = manifest(place, out, "output")
        history = ("source-ref", "loop", "batch", "etag")
        assert [[value[name] for name in history] for value in written] == [
            [value[name] for name in history] for value in lines
        ]
        assert [value["review"] for value in written] == [value["review"] for value in lines]
        with pytest.raises(ConfigurationError, match="already"):
            export(place.workspace, Choice(batch=NIGHT), "ground-truth", out)


def test_a_dataset_goes_out_with_its_splits(place: Place, tmp_path: Path) -> None:
    shard(place, NIGHT, [line(place, f"{number}.jpg") for number in range(8)])
    built = build(place.workspace)
    exported = export(
        place.workspace, Choice(dataset=built.dataset_id), "ground-truth", str(tmp_path / "out")
    )
    held_out = built.validation + built.retention
    assert exported.splits == {"train": built.train, "validation": held_out}
    assert len(manifest(place, str(tmp_path / "out"), "train")) == built.train
    with pytest.raises(ConfigurationError, match=f"no dataset 'x'; there are {built.dataset_id}"):
        export(place.workspace, Choice(dataset="x"), "ground-truth", str(tmp_path / "other"))


def test_everything_is_the_newest_label_of_each_image_and_the_test_sets(
    make_place: Callable[..., Place], tmp_path: Path
) -> None:
    place = make_place(initial=INITIAL, test_sets={"night": "tests/night.manifest"})
    place.storage.write_lines("tests/night.manifest", [line(place, "test.jpg")])
    start(place, 2, 2)
    newer = "2026-11-02T00:00:00.000000"
    shard(place, NIGHT, [line(place, "a.jpg", class_id=0), line(place, "b.jpg")])
    shard(place, "2026-11-02", [line(place, "a.jpg", class_id=1, created=newer)])
    shard(place, "2026-11-03", [line(place, "c.jpg")])
    discard(place.workspace, "2026-11-03", "me", "wrong")
    apart = Entry(
        source="",
        etag="",
        sha256="",
        split=Split.LEFT_OUT,
        why="",
        created="",
        classes=(),
        label=label_of(place, "b.jpg"),
    )
    place.storage.write_lines(layout.split_file(NIGHT), [apart.to_value()])
    exported = export(place.workspace, EVERYTHING, "ground-truth", str(tmp_path / "out"))
    assert exported.splits == {"train": 2, "validation": 2, "test": 1, "no split": 1}
    (only,) = manifest(place, str(tmp_path / "out"), "output")
    assert only["review"]["annotations"][0]["class_id"] == 1
    (problem,) = exported.problems
    assert problem.where.endswith("/b.jpg")


def test_an_image_that_lies_in_two_places_goes_out_once_with_its_newest_label(
    place: Place, tmp_path: Path
) -> None:
    shard(place, NIGHT, [line(place, name, class_id=1) for name in ("a.jpg", "b.jpg")])
    newer = "2026-11-02T00:00:00.000000"
    copy = line(place, "elsewhere.jpg", patchwork("a.jpg"), class_id=0, created=newer)
    shard(place, "2026-11-02", [copy])
    for built in (False, True):  # whether or not the split register knows them
        exported = export(place.workspace, EVERYTHING, "coco", str(tmp_path / f"out-{built}"))
        assert (exported.images, exported.labels) == (2, {"cat": 1, "dog": 1})
        build(place.workspace)


def label_of(place: Place, name: str) -> str:
    from include.loop.core.identity import content_hash
    from include.loop.dataset.split_register import LABEL_CHARS

    return content_hash(line(place, name), length=LABEL_CHARS)


def test_what_a_format_does_not_hold_is_told_and_pictures_are_those_that_were_labelled(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_terminal(place, monkeypatch, tmp_path / "configuration")
    shard(place, NIGHT, [line(place, name) for name in ("a.jpg", "gone.jpg", "replaced.jpg")])
    place.s3.delete_object(Bucket=place.bucket, Key=f"{place.name}/pictures/gone.jpg")
    place.put("pictures/replaced.jpg", patchwork("another"))
    out = tmp_path / "made" / "out"
    assert main(["data", "export", "--to", "coco", "--batch", NIGHT, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "the image is gone" in told
    assert "the image was replaced after it was labelled" in told
    assert [path.name for path in out.rglob("*.jpg")] == ["a.jpg"]
    assert (out / "images" / "pictures" / "a.jpg").read_bytes() == patchwork("a.jpg")
    assert out.stat().st_mode & 0o777 == (tmp_path / "configuration").stat().st_mode & 0o777
    inside = str(out / "images/pictures/a.jpg/b/c")
    assert main(["data", "export", "--to", "recordio", "--all", "--out", inside]) == 1
    assert f"{inside} cannot be written: Not a directory" in capsys.readouterr().err


def test_an_import_that_is_no_batch_is_told_with_where_it_went(
    make_place: Callable[..., Place], tmp_path: Path
) -> None:
    place = make_place(test_sets={"night": "tests/night.manifest"})
    shard(place, NIGHT, [line(place, "a.jpg")])
    export(place.workspace, EVERYTHING, "coco", str(tmp_path / "out"))
    name = import_data(place.workspace, Request(str(tmp_path / "out"), "test:night")).record.name
    with pytest.raises(ConfigurationError, match=f"{name} is no batch: it went into test:night. Take --all"):
        export(place.workspace, Choice(batch=name), "coco", str(tmp_path / "again"))


def test_an_export_that_fails_leaves_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard(place, NIGHT, [line(place, "a.jpg")])
    with pytest.raises(
        ConfigurationError, match="no committed labels of '2026-12-24'; there are those of 2026-11-01"
    ):
        export(place.workspace, Choice(batch="2026-12-24"), "coco", str(tmp_path / "out"))

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    for out in (str(tmp_path / "out"), place.storage.uri("exported/")):
        with pytest.raises(KeyboardInterrupt):
            export(place.workspace, EVERYTHING, "coco", out, progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert not list(place.storage.list("exported/"))


def test_a_format_that_cannot_hold_the_labels_is_refused_at_once(place: Place, tmp_path: Path) -> None:
    shard(place, NIGHT, [line(place, "a.jpg")])
    with pytest.raises(
        ConfigurationError, match="image-folders holds one class for an image, and pets has boxes"
    ):
        export(place.workspace, EVERYTHING, "image-folders", str(tmp_path / "out"))


def test_what_went_out_comes_in_again_under_the_names_it_had(place: Place, tmp_path: Path) -> None:
    lines = [line(place, f"{number}.jpg", class_id=number % 2) for number in range(4)]
    shard(place, NIGHT, lines)
    out = str(tmp_path / "out")
    export(place.workspace, EVERYTHING, "coco", out)
    record = import_data(place.workspace, Request(out, "labels")).record
    assert (record.images, record.labels, record.problems) == (4, {"cat": 2, "dog": 2}, {})
    back: Exported = export(
        place.workspace, Choice(batch=record.name), "ground-truth", str(tmp_path / "back")
    )
    assert back.problems == []
    names = [value["file"] for value in manifest(place, str(tmp_path / "back"), "output")]
    assert sorted(names) == [f"images/pictures/{number}.jpg" for number in range(4)]


def test_every_format_that_holds_the_labels_goes_out_and_comes_in(
    make_place: Callable[..., Place], tmp_path: Path
) -> None:
    """Through both doors whole, archives too: formats are not asked one by one."""
    boxes, classes = make_place(), make_place(task="image-classification", gate={})
    shard(boxes, NIGHT, [line(boxes, f"{number}.jpg", class_id=number % 2) for number in range(4)])
    for number in range(4):
        label = tmp_path / "source" / ("cat", "dog")[number % 2] / f"{number}.jpg"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_bytes(patchwork(f"{number}"))
    imported = import_data(classes.workspace, Request(str(tmp_path / "source"), "labels")).record
    for place, batch, kind in (boxes, NIGHT, "boxes"), (classes, imported.name, "classes"):
        for name in format_names():
            if kind not in find_format(name).holds:
                continue
            out = tmp_path / f"{name}-{kind}"
            told = export(place.workspace, Choice(batch=batch), name, str(out))
            assert (told.images, {item.kind for item in told.problems} - {"unheld"}) == (4, set()), name
            packed = shutil.make_archive(str(out), "zip", out)
            record = import_data(place.workspace, Request(packed, "labels"), keep=False).record
            assert (record.format, record.images, record.problems) == (name, 4, {})
            assert record.labels == {"cat": 2, "dog": 2}, name
