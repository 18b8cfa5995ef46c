"""``data import`` at a terminal: what it prints, and what it wants to be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.loop.__main__ import main
from include.loop.commands.progress import Progress
from include.loop.core.records.imports import Import
from tests.loop.exchange.test_importing import Source, line
from tests.loop.place import Place
from tests.loop.terminal import at_terminal

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def source(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    at_terminal(place, monkeypatch, tmp_path / "configuration")
    (tmp_path / "set").mkdir()
    return Source(tmp_path / "set")


def test_an_import_reports_what_it_brought_and_what_is_next(
    place: Place, source: Source, capsys: Capture
) -> None:
    source.write(line("a.jpg", [(0, -9, 1, 20, 9), (1, 5, 5, 0, 5)]), line("b\x1b.jpg", [(1, 9, 9, 9, 9)]))
    (source.root / "set" / "b\x1b.jpg").write_bytes(b"no picture")
    command = ["data", "import", str(source.root), "--images", str(source.root), "--as", "labels"]
    assert main([*command, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "would be" in planned
    assert "Nothing was written" in planned
    assert not list(place.storage.list(""))
    assert main(command) == 0
    told = capsys.readouterr().out
    name = told.split(":")[0]
    assert "images      1 (1 copied, 0 referenced in S3)" in told
    assert "labels      cat 0, dog 1" in told
    assert "mended      1 labels that were changed" in told
    assert "refused     1 images" in told
    assert "set/b?.jpg: " in told  # no control character reaches the terminal
    assert f"as batch {name}" in told
    dag = f"incremental_training__{place.name}"
    assert told.splitlines()[-2:] == [f"  airflow dags {word} {dag}" for word in ("unpause", "trigger")]
    assert main([*command, "--json"]) == 0
    record = Import.from_value(json.loads(capsys.readouterr().out))
    assert (record.name, record.problems) == (name, {"dropped": 1, "mended": 1, "refused": 1})


def test_numbers_without_names_take_them_from_a_list(
    place: Place, source: Source, tmp_path: Path, capsys: Capture
) -> None:
    nameless = {"box-metadata": {"type": "groundtruth/object-detection"}}
    source.write(line("a.jpg", [(2, 1, 1, 9, 9)], **nameless))
    command = ["data", "import", str(source.root), "--images", str(source.root), "--as", "labels"]
    assert main(command) == 1
    assert "say the names with --classes FILE" in capsys.readouterr().err
    none = place.storage.uri("none.txt")
    assert main([*command, "--classes", none]) == 1
    assert f"error: --classes: {none} cannot be read: no object at" in capsys.readouterr().err
    names = tmp_path / "labels.txt"
    names.write_text("1:cat\n0:fox\n2:dog\n")
    assert main([*command, "--classes", str(names)]) == 0
    assert "cat 0, dog 1" in capsys.readouterr().out
    for text, why in ("0:cat\n2:dog", "must be 0 to 1"), ("cat\ncat", "each once"), ("", "must name classes"):
        names.write_text(text)
        assert main([*command, "--classes", str(names)]) == 1
        assert why in capsys.readouterr().err


def test_a_source_of_no_format_or_of_two_is_asked_about(source: Source, capsys: Capture) -> None:
    command = ["data", "import", str(source.root), "--as", "labels"]
    (source.root / "notes.md").write_text("nothing")
    assert main(command) == 1
    assert "looks like none of the formats" in capsys.readouterr().err
    source.write(line("a.jpg"), pictures=False)
    (source.root / "train.rec").write_bytes(b"")
    assert main(command) == 1
    assert "can be read as ground-truth or recordio: say which with --format" in capsys.readouterr().err


def test_an_import_that_is_stopped_says_so_and_leaves_nothing_but_pictures(
    place: Place, source: Source, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(progress: Progress, done: int, total: int | None) -> None:
        if total:  # the labels are read, and a picture is written
            raise KeyboardInterrupt

    source.write(line("a.jpg"), line("b.jpg"))
    monkeypatch.setattr(Progress, "__call__", stop)
    assert main(["data", "import", str(source.root), "--images", str(source.root), "--as", "labels"]) == 130
    assert "nothing was imported. Repeat the command" in capsys.readouterr().err
    pictures = place.storage.uri("imported/")
    assert [item.uri for item in place.storage.list("") if not item.uri.startswith(pictures)] == []
