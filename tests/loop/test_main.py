"""Commands say what they did, or what was wrong and what there is instead."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from include.loop.__main__ import main
from include.loop.core import layout
from include.loop.core.records.live import AuditedBatch, LiveQuality, Tally
from include.loop.core.records.nightly import Batch, PinnedModel
from tests.loop.labelled import INITIAL, line, shard, start
from tests.loop.place import NIGHT, Place
from tests.loop.terminal import at_terminal


def test_the_labels_of_a_batch_are_discarded_with_a_reason(
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


def test_the_weeks_of_the_model_at_work_are_told_and_what_is_missing_is_summed_up_first(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path)
    shard(place, NIGHT, [line(place, "1.jpg")])
    assert main(["live-quality"]) == 0
    assert capsys.readouterr().out.startswith("No batch has audits yet: triage.audit_share is ")
    assert LiveQuality.read(place.storage, NIGHT).audited == ()
    shard(place, "2026-11-03", [])  # of which the triage is gone
    pinned = Batch(
        batch="2026-11-03", prefix="s3://b/", champion=PinnedModel(training_job="j", model_data="s3://b/m")
    )
    pinned.write(place.storage, "2026-11-03")
    assert main(["live-quality"]) == 0
    assert (
        "left out: the audits of batch 2026-11-03 cannot be summed up: no object" in capsys.readouterr().err
    )
    half = Tally(images=40, right=20, true=40, found=20, true_true=40, found_found=20, true_found=20)
    for batch, tally in {"2026-11-02": half, "2026-11-09": Tally(images=1, right=1)}.items():
        night = AuditedBatch(batch=batch, model="job-1", images=900, drawn=41, asked=41, tally=tally)
        LiveQuality(batch=batch, threshold=0.5, audited=(night,)).write(place.storage, batch)
    assert main(["live-quality"]) == 0
    _, first, second = capsys.readouterr().out.splitlines()
    # At work it says nothing, so there is no precision.
    assert " ".join(first.split()) == "2026-W45 1 40 of 41 0.500 (0.35–0.65) – 0.500 (0.35–0.65) job-1"
    assert second.split(maxsplit=5)[1:] == [
        "1",
        "1",
        "of",
        "41",
        "too little: 30 audited images say something",
    ]
    assert main(["live-quality", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["2026-W45"]["recall"]["value"] == 0.5


def test_batches_are_shown_and_released(
    make_place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    place = make_place(initial=INITIAL)
    at_terminal(place, monkeypatch, tmp_path)
    start(place, 2, 2)
    assert main(["batches"]) == 0
    assert (
        capsys.readouterr().out
        == "champion: job-1\nThere are no batches with labels that it has not learned from.\n"
    )
    shard(place, NIGHT, [line(place, "1.jpg")])
    shard(place, "2026-11-02", [line(place, "2.jpg")])
    harm: dict[str, Any] = {
        "training_job": "job-2",
        "champion": "job-1",
        "shards": [NIGHT],
        "outcome": "harm",
        "kind": "round",
    }
    harm |= {
        "at": "2026-11-02T06:00:00.000000+00:00",
        "blamed": [],
        "failed": [{"rule": "loss", "text": "worse"}],
    }
    place.storage.write_json(layout.trial_file("job-2"), harm)
    assert main(["batches"]) == 0
    first, one, other = capsys.readouterr().out.splitlines()
    assert first == "champion: job-1"
    assert one.split()[:4] == [NIGHT, "set", "aside", "1"]
    assert "did harm by itself (job-2), and is tried once more" in one
    assert "; a person decides" in one
    assert other.split()[:3] == ["2026-11-02", "open", "0"]
    assert main(["batches", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["batches"][NIGHT]
    assert (told["standing"], told["trials"][0]["reasons"]) == ("set aside", ["worse"])

    release = ["release-labels", "--by", "ann", "--why", "looked through"]
    assert main([*release, NIGHT]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{NIGHT}: released by ann at ")
    assert "It was set aside: it did harm by itself (job-2), " in told
    assert "Now a next round learns from it" in told
    assert main(["batches"]) == 0
    assert "released by a person" in capsys.readouterr().out
    assert main([*release, "2026-12-24"]) == 1
    assert "no labels of '2026-12-24' to learn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["lineage"], "one of the arguments --image --package --training-job is required"),
        (["lineage", "--image", "a", "--package", "b"], "not allowed with argument --image"),
        (["lineage", "--image", "a", "--line", "0"], "must be a whole number from 1, not '0'"),
        (["discard-labels", NIGHT], "the following arguments are required: --why"),
        (["release-labels", NIGHT], "the following arguments are required: --why"),
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
    assert "release-labels" in shown
    assert "batches" in shown


def test_a_bucket_that_is_not_there_is_named_with_the_line_that_names_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(place, monkeypatch, tmp_path, bucket="no-such-bucket-1")
    assert main(["batches"]) == 1
    path = tmp_path / "environments/test.yaml"
    assert f"The environment's is no-such-bucket-1 (bucket: in {path}): make it" in capsys.readouterr().err


def test_ctrl_c_while_the_program_is_read_leaves_no_traceback(monkeypatch, capsys: pytest.CaptureFixture):
    class Impatient:
        def find_spec(self, name: str, path: Any, target: Any = None) -> None:
            if name == "include.loop.commands.program":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "include.loop.commands.program", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    assert main(["batches"]) == 130
    assert capsys.readouterr().err == "interrupted: nothing was begun\n"


def test_a_reader_that_goes_away_early_ends_the_command_without_a_word(
    monkeypatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """As in ``data show m | head -1``."""
    (tmp_path / "m").write_text("{}\n" * 3)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["data", "show", str(tmp_path / "m")]) == 141
    assert capsys.readouterr().err == ""
