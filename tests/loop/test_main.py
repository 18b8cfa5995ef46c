"""Commands say what they did, or what was wrong and what there is instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.loop import layout
from include.loop.__main__ import main
from tests.loop.labelled import line, shard
from tests.loop.place import NIGHT, Place
from tests.loop.terminal import at_terminal


def test_a_nights_labels_are_discarded_with_a_reason(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path)
    shard(place, NIGHT, [line(place, "1.jpg")])
    command = ["discard-labels", NIGHT, "--by", "ann", "--why", "eve answered at random"]
    assert main(command) == 0
    kept = place.storage.uri(layout.discarded_file(NIGHT))
    told = capsys.readouterr().out
    assert told.startswith(f"{NIGHT}: discarded by ann at ")
    assert told.endswith(f": eve answered at random\nTo take it back, delete {kept}\n")
    assert place.storage.read_json(kept)["why"] == "eve answered at random"
    assert main([*command[:1], "2026-12-24", *command[2:]]) == 1
    assert "no committed labels of '2026-12-24'; there are those of ['2026-11-01']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["lineage"], "one of the arguments --image --package --training-job is required"),
        (["lineage", "--image", "a", "--package", "b"], "not allowed with argument --image"),
        (["lineage", "--image", "a", "--line", "0"], "must be a whole number from 1, not '0'"),
        (["discard-labels", NIGHT], "the following arguments are required: --why"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture
):
    with pytest.raises(SystemExit):
        main(arguments)
    assert text in capsys.readouterr().err


def test_an_error_does_not_reach_the_terminal_as_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setenv("NIGHTLOOP_ENVIRONMENT", "\x1b[2J\u202e")
    assert main(["discard-labels", NIGHT, "--why", "x"]) == 1
    shown = capsys.readouterr().err
    assert "environments/?[2J?.yaml is missing" in shown
    assert "\x1b" not in shown


def test_help_tells_every_command(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "lineage" in shown
    assert "discard-labels" in shown
