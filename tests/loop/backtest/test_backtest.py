"""Stored nights under other policies: the same questions under the same policy, and what others would buy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.loop.__main__ import main
from include.loop.backtest.nights import THEN, all_batches, run
from include.loop.backtest.policies import own, policy
from include.loop.backtest.telling import found_by
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.triage import Decision
from include.loop.nightly import batch, triage
from include.loop.strategies import AUDIT
from include.loop.trials.shards import discard
from tests.loop.labelled import shard
from tests.loop.nightly.triaged import read_rows, say
from tests.loop.pictures import patchwork
from tests.loop.place import NIGHT, Place, labelled
from tests.loop.terminal import at_terminal

HERE, ELSEWHERE = (0.25, 0.25, 0.75, 0.75), (0.0, 0.0, 0.2, 0.2)  # where every image has its cat, and not
IMAGES, WRONG = 60, 48  # from this one on the model is wrong


@pytest.fixture
def night(make_place) -> Place:
    """A night of which every image that was asked about has a label. The model is surest where it is wrong,
    and says three objects there.
    """
    place = make_place(triage={"audit_share": 0.4, "cap": 40, "threshold": 0.9})
    images = place.add_images({f"{number:02}.jpg": 90 + number for number in range(IMAGES)})
    wrong = [[0, 0.72, *ELSEWHERE], [1, 0.7, *ELSEWHERE], [1, 0.7, *HERE]]
    said = {
        image: wrong if number >= WRONG else [[0, 0.55 + number / 400, *HERE]]
        for number, image in enumerate(images)
    }
    say(place, said)
    triage.triage(place.workspace, NIGHT)
    rows = {row.image: row for row in read_rows(place.storage, NIGHT) if row.decision is Decision.ASK}
    lines = [
        labelled(image) | {"etag": row.etag, "batch": NIGHT, "loop": f"loop-{number}", "reason": row.reason}
        for number, (image, row) in enumerate(rows.items())
    ]
    shard(place, NIGHT, lines)
    place.storage.write_json(layout.questions_header(NIGHT), {})  # from now on the decisions are final
    return place


def number_of(image: str) -> int:
    return int(image.rsplit("/", 1)[-1].split(".")[0])


def test_the_same_policy_asks_the_same_and_another_is_judged_by_answers_and_by_lot(night: Place):
    before = {item.uri: item.etag for item in night.storage.list("")}
    same, other = own(night.workspace), policy(night.workspace, "expected_errors", threshold=0.2)
    found = run(night.workspace, [same, other], [NIGHT])
    assert {item.uri: item.etag for item in night.storage.list("")} == before

    rows = [row for row in read_rows(night.storage, NIGHT) if row.decision is Decision.ASK]
    then, again = found.bought[THEN], found.bought[same.name]
    assert (then.asked, then.then, then.labelled) == (40, 40, 40)
    assert (again.asked, again.then, again.labelled) == (40, 40, 40)
    assert again.seconds == then.seconds == pytest.approx(sum(row.expected_seconds for row in rows))
    assert again.wrong == then.wrong == sum(number_of(row.image) >= WRONG for row in rows)
    assert then.mistakes == 4 * then.wrong  # the cat that is missed, and three that are none

    audits = [row for row in rows if row.reason == AUDIT]
    wrong = [row for row in audits if number_of(row.image) >= WRONG]
    assert 1 < len(wrong) < len(audits)
    assert (found.images, found.audited, found.wrong_audits) == (IMAGES, len(audits), len(wrong))
    # Who asks about the least sure images looks where the model is right; what is said twice is doubted.
    assert again.wrong_audits == 0
    assert found.bought[other.name].wrong_audits == len(wrong)
    assert found.bought[other.name].asked == 40
    least, most = found_by(found, same.name), found_by(found, other.name)
    assert least
    assert most
    assert (least.value, least.low, most.value, most.high) == (0.0, 0.0, 1.0, 1.0)
    assert least.high == pytest.approx(1 - 0.025 ** (1 / len(wrong)))
    assert found_by(found, THEN) is None


def test_what_triage_saw_of_images_holds_for_every_policy(make_place):
    """Copies, pictures that look alike and files that are none, among audits as among doubts."""
    place = make_place(triage={"audit_share": 0.3, "cap": 12, "threshold": 0.9})
    pictures = {f"{number:02}.jpg": patchwork(str(number)) for number in range(20)}
    pictures |= {f"{number:02}-copy.jpg": patchwork(str(number)) for number in range(0, 20, 2)}
    pictures |= {f"{number:02}-like.jpg": patchwork(str(number), quality=40) for number in range(0, 20, 3)}
    pictures |= {f"{number:02}-none.jpg": b"none %d" % number for number in range(0, 20, 5)}
    images = [place.put(f"images/dt={NIGHT}/{name}", pictures[name]) for name in sorted(pictures)]
    say(place, {image: [[0, 0.3 + number / 100, *HERE]] for number, image in enumerate(images)})
    triage.triage(place.workspace, NIGHT)
    place.storage.write_json(layout.questions_header(NIGHT), {})
    rows = read_rows(place.storage, NIGHT)
    reasons = {row.reason.split("/")[0] for row in rows if row.decision is not Decision.ASK}
    assert {"same bytes as s3:", "looks like s3:"} < reasons
    assert any(row.decision is Decision.UNREADABLE for row in rows)

    same, less = own(place.workspace), policy(place.workspace, "least_confident", cap=2)
    found = run(place.workspace, [same, less], [NIGHT])
    bought = found.bought[same.name]
    assert (bought.asked, bought.then) == (12, 12)
    assert sum(row.decision is Decision.ASK and row.reason == AUDIT for row in rows) > 2
    assert found.bought[less.name].asked == 2  # audits are under the cap, too


def test_a_policy_has_its_own_cap_and_budget(night: Place):
    rows = read_rows(night.storage, NIGHT)
    audits = sum(row.reason == AUDIT for row in rows)
    named = {
        "cap": policy(night.workspace, "random", cap=audits + 2, threshold=1.0),
        "seconds": policy(night.workspace, "least_confident", budget={"seconds": 20.0 * (audits + 1)}),
    }
    found = run(night.workspace, [named["cap"], named["seconds"]], [NIGHT])
    assert found.bought[named["cap"].name].asked == audits + 2
    assert found.bought[named["seconds"].name].asked == audits + 1


def test_a_mix_asks_by_its_shares(night: Place):
    mix = policy(night.workspace, "least_confident=0.5, expected_errors=0.5", threshold=0.85)
    assert mix.name == "least_confident 50 %, expected_errors 50 %"
    bought = run(night.workspace, [mix], [NIGHT]).bought
    alone = run(night.workspace, [policy(night.workspace, "expected_errors", threshold=0.85)], [NIGHT]).bought
    assert 0 < bought[mix.name].wrong_audits <= alone["expected_errors"].wrong_audits


def test_nights_that_cannot_be_looked_at_again_and_labels_that_are_discarded_are_left_out(night: Place):
    night.add_images({"1.jpg": 1}, "2026-11-02")
    batch.list_batch(night.workspace, "2026-11-02")
    night.storage.write_json("runs/dt=2026-11-03/predictions.json", {})
    night.storage.write_json("runs/dt=2026-11-03.1/batch.json", {"what": "is this"})
    same = own(night.workspace)
    found = run(night.workspace, [same], all_batches(night.workspace))
    assert found.nights == (NIGHT,)
    left_out = dict(found.left_out)
    assert night.storage.uri("runs/dt=2026-11-03.1/batch.json") in left_out.pop("2026-11-03.1")
    assert left_out == {"2026-11-02": "there was no model yet", "2026-11-03": "its images were never listed"}
    again = f"{NIGHT}.1"  # the date was forced anew, and what was said of its images is the same
    for name in ("batch.json", "predictions.json", "questions.json"):
        night.storage.write_json(
            f"runs/dt={again}/{name}", night.storage.read_json(f"runs/dt={NIGHT}/{name}")
        )
    found = run(night.workspace, [same], [NIGHT, again])
    assert (found.nights, found.left_out) == ((again,), {NIGHT: f"forced anew as {again}"})
    discard(night.workspace, NIGHT, "ann", "all wrong")
    found = run(night.workspace, [same], [NIGHT])
    assert (found.audited, found.bought[same.name].labelled, found.bought[same.name].asked) == (0, 0, 40)
    shard(night, "2026-11-04", [], late_loops=((NIGHT, "loop-1"),))
    gone = layout.labels_manifest("2026-11-04")
    night.s3.delete_object(Bucket=night.bucket, Key=f"{night.name}/{gone}")
    assert run(night.workspace, [same], [NIGHT]).left_out == {
        NIGHT: f"no object at {night.storage.uri(gone)}"
    }
    shard(night, "2026-11-04", [])
    missing = layout.predictions_part(NIGHT, 0)
    night.s3.delete_object(Bucket=night.bucket, Key=f"{night.name}/{missing}")
    found = run(night.workspace, [same], [NIGHT])
    assert found.left_out == {NIGHT: f"no object at {night.storage.uri(missing)}"}
    assert found.bought[THEN].asked == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fancy", "fancy: triage.strategy: must be one of "),
        ("random=0.5,least_confident=0.2", "shares must be above 0 and add up to 1, not 0.5 + 0.2"),
        ("random=much", "'random=much' is no strategy with its share"),
        ("random=0.5,", "'' is no strategy with its share"),
        ("margin", "margin is for task: image-classification; allowed for object-detection: "),
    ],
)
def test_a_policy_that_no_file_could_say_is_refused(make_place, text: str, said: str):
    with pytest.raises(ConfigurationError) as error:
        policy(make_place().workspace, text)
    assert said in str(error.value)


def test_the_command_prints_a_table_and_writes_a_page(
    night: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
):
    at_terminal(night, monkeypatch, tmp_path / "config")
    page = tmp_path / "backtest.html"
    command = [
        "backtest",
        "--strategy",
        "expected_errors",
        "--strategy",
        "random",
        "--cap",
        "40",
        "--threshold",
        "0.2",
    ]
    assert main([*command, "--page", str(page)]) == 0
    told = capsys.readouterr().out
    head, *rows = told.split("\n\n")[0].splitlines()
    assert head.split("  ")[0] == "Policy"
    assert [row.split("  ")[0] for row in rows] == [
        THEN,
        "least_confident (the pipeline's)",
        "expected_errors",
        "random",
    ]
    assert "One night, 60 images with a prediction." in told
    assert "100 % (" in rows[2]
    html = page.read_text()
    assert "<h1>Back-test of pets, 2026-11-01</h1>" in html
    assert html.count('<tr><th scope="row">') == 4
    assert main([*command, "--json", "--from", "2026-11-01"]) == 0
    assert json.loads(capsys.readouterr().out)["bought"]["expected_errors"]["asked"] == 40
    assert main([*command, "--from", "2026-12-01"]) == 1
    assert f"no batch between these dates; the first is {NIGHT}, the last {NIGHT}" in capsys.readouterr().err
    assert main([*command, "--page", str(tmp_path / "nowhere" / "b.html")]) == 1
    assert "there is no folder" in capsys.readouterr().err
