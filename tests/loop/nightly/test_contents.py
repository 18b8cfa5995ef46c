"""The same bytes are one question, whatever they are called and whenever they come; its label serves all."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from include.loop.core import layout
from include.loop.core.records.triage import Decision
from include.loop.dataset import label_pool
from include.loop.evaluation import slices
from include.loop.nightly import predictions, questions, triage
from include.loop.nightly.batch import batch_id, list_batch
from include.loop.nightly.contents import UNFINISHED
from include.loop.trials import shards
from tests.loop.nightly.triaged import read_rows
from tests.loop.place import NIGHT, Place, box, content, correct, picture

NEXT, THIRD = "2026-11-02", "2026-11-03"
SAME = picture(100)


@pytest.fixture
def ready(place: Place) -> Place:
    place.set_up_review()
    return place


def add(place: Place, night: str, *names: str) -> None:
    """Images of the same bytes."""
    for name in names:
        place.put(f"images/dt={night}/{name}", SAME)


def decided(place: Place, night: str) -> dict[str, tuple[str, str]]:
    """Decision and reason by file name."""
    return {
        row.image.rsplit("/", 1)[-1]: (str(row.decision), row.reason)
        for row in read_rows(place.storage, night)
    }


def triaged(place: Place, night: str) -> None:
    """Everything up to the questions."""
    list_batch(place.workspace, night)
    place.finish(predictions.predict, night)
    triage.triage(place.workspace, night)


def unusable(_: dict) -> dict:
    return content(box("unicorn"))


def test_copies_in_a_night_are_one_question_whose_label_serves_every_key_and_is_learned_once(ready: Place):
    add(ready, NIGHT, "a.jpg", "sub/b.jpg", "sub//c.jpg")
    ready.add_images({"other.jpg": 90})
    report = ready.night()

    asked = ready.questions()
    assert len(asked) == 2
    (first,) = (question for name, question in asked.items() if name != "other.jpg")
    skipped = [row for row in read_rows(ready.storage, NIGHT) if row.decision is Decision.SKIP]
    assert {row.reason for row in skipped} == {f"same bytes as {first.image}"}
    assert {row.expected_seconds for row in skipped} == {0}
    assert (report.asked, report.labels, report.copies, report.quarantined) == (2, 2, 2, 0)

    lines = [line for line in ready.manifest() if line["loop"] == first.loop]
    assert {line["source-ref"] for line in lines} == {
        f"s3://{ready.bucket}/pets/images/dt={NIGHT}/{name}" for name in ("a.jpg", "sub/b.jpg", "sub//c.jpg")
    }
    assert len({str(line["review"]) for line in lines}) == 1
    assert len({line["etag"] for line in lines}) == 1
    # What tells labels apart (slices.py) still does.
    assert len(set(slices._keys(ready.manifest()))) == 4
    assert len(label_pool.gather(ready.workspace, keep=False).new) == 2


def test_a_copy_is_asked_about_when_the_image_that_stood_for_it_has_gone(ready: Place):
    names = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    add(ready, NIGHT, *names)
    triaged(ready, NIGHT)
    for name in ("a.jpg", "b.jpg"):  # the one that was chosen, and the copy next in line
        ready.s3.delete_object(Bucket=ready.bucket, Key=f"pets/images/dt={NIGHT}/{name}")

    prepared = questions.prepare(ready.workspace, NIGHT)
    assert (prepared.asked, prepared.unreadable) == (1, 1)
    assert list(ready.questions()) == ["c.jpg"]
    heir = f"s3://{ready.bucket}/pets/images/dt={NIGHT}/c.jpg"
    rows = decided(ready, NIGHT)
    assert rows["c.jpg"] == ("ask", "no model yet")
    assert rows["b.jpg"] == rows["d.jpg"] == ("skip", f"same bytes as {heir}")

    report = ready.night()
    assert (report.labels, report.copies, report.quarantined) == (1, 2, 1)


@pytest.mark.parametrize("answered", [True, False])
def test_what_an_earlier_night_has_asked_is_not_asked_again(ready: Place, answered: bool):
    add(ready, NIGHT, "first.jpg")
    ready.night() if answered else ready.ask()
    (asked,) = ready.questions().values()
    add(ready, NEXT, "again.jpg")
    ready.add_images({"new.jpg": 90}, NEXT)
    assert ready.ask(NEXT).asked == 1
    assert decided(ready, NEXT) == {
        "again.jpg": ("skip", f"same bytes as {asked.image}, asked in batch {NIGHT} ({asked.loop})"),
        "new.jpg": ("ask", "no model yet"),
    }


@pytest.mark.parametrize("why", ["no usable answer", "discarded", "stopped", "image gone"])
def test_bytes_whose_question_left_no_label_to_learn_from_are_asked_again(ready: Place, why: str):
    add(ready, NIGHT, "first.jpg")
    ready.ask()
    if why == "stopped":
        ready.runtime.stop_human_loop(HumanLoopName=ready.questions()["first.jpg"].loop)
    else:
        ready.answer(unusable if why == "no usable answer" else correct)
    ready.settle()
    ready.assemble()
    if why == "discarded":
        shards.discard(ready.workspace, NIGHT, "ann", "seen otherwise")
    if why == "image gone":
        ready.s3.delete_object(Bucket=ready.bucket, Key=f"pets/images/dt={NIGHT}/first.jpg")
    add(ready, NEXT, "again.jpg")
    assert ready.ask(NEXT).asked == 1
    add(ready, THIRD, "and-again.jpg")
    assert ready.ask(THIRD).asked == 0  # now it is the next night's question


def test_a_forced_epoch_asks_anew_and_a_retry_keeps_its_questions(ready: Place):
    add(ready, NIGHT, "first.jpg")
    ready.night()
    header = layout.questions_header(NIGHT)
    before = ready.storage.read(layout.questions_file(NIGHT))
    ready.s3.delete_object(Bucket=ready.bucket, Key=f"pets/{header}")  # died before it was written
    assert ready.prepare().asked == 1
    assert ready.storage.read(layout.questions_file(NIGHT)) == before

    again = batch_id(ready.workspace, NIGHT, run_id="manual__1", force_new=True)
    assert ready.ask(again).started == 1


def test_of_two_nights_at_once_only_one_asks(ready: Place):
    add(ready, NIGHT, "one.jpg")
    add(ready, NEXT, "other.jpg")
    for night in (NIGHT, NEXT):
        triaged(ready, night)
        assert decided(ready, night).popitem()[1] == ("ask", "no model yet")
    prepared = [questions.prepare(ready.workspace, night).asked for night in (NIGHT, NEXT, NEXT)]
    assert prepared == [1, 0, 0]
    decision, reason = decided(ready, NEXT)["other.jpg"]
    assert (decision, reason.startswith("same bytes as")) == ("skip", True)
    assert triage.triage(ready.workspace, NEXT).expected_seconds == 0
    assert questions.start(ready.workspace, NEXT).remaining == 0
    assert ready.assemble(NEXT).labels == 0


def test_a_night_that_died_before_its_questions_holds_its_bytes_for_an_hour(ready: Place):
    add(ready, NIGHT, "one.jpg")
    add(ready, NEXT, "other.jpg")
    ready.prepare()
    ready.s3.delete_object(Bucket=ready.bucket, Key=f"pets/{layout.questions_header(NIGHT)}")
    triaged(ready, NEXT)
    assert decided(ready, NEXT)["other.jpg"][0] == "skip"

    (held,) = ready.storage.list(layout.CONTENTS)
    long_ago = (datetime.now(UTC) - UNFINISHED - timedelta(seconds=1)).isoformat()
    ready.storage.write_json(held.uri, ready.storage.read_json(held.uri) | {"at": long_ago})
    assert ready.prepare(NEXT).asked == 1
    assert ready.prepare(NIGHT).asked == 0  # too late


def test_rows_and_questions_of_earlier_versions_are_still_asked_and_settled(ready: Place):
    add(ready, NIGHT, "one.jpg")
    triaged(ready, NIGHT)
    location = layout.triage_file(NIGHT)
    ready.s3.delete_object(Bucket=ready.bucket, Key=f"pets/{layout.triage_header(NIGHT)}")
    new = ["sha256", "width", "height", "same_as"]
    table = pq.read_table(io.BytesIO(ready.storage.read(location))).drop_columns(new)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    ready.storage.write(location, sink.getvalue())
    assert questions.prepare(ready.workspace, NIGHT).asked == 1

    lines = list(ready.storage.read_lines(layout.questions_file(NIGHT)))
    ready.storage.write_lines(layout.questions_file(NIGHT), ([line.pop("sha256"), line][1] for line in lines))
    questions.start(ready.workspace, NIGHT)
    ready.answer(correct)
    ready.settle()
    assert ready.assemble().labels == 1


def test_a_question_costs_four_requests_to_s3(ready: Place):
    calls: Counter[str] = Counter()
    ready.s3.meta.events.register("before-call.s3", lambda model, **_: calls.update([model.name]))
    costs = []
    for night, count in ((NIGHT, 2), (NEXT, 6)):
        ready.add_images({f"{night}-{number}.jpg": 90 + number for number in range(count)}, night)
        calls.clear()
        ready.prepare(night)
        costs.append(calls.copy())
    each = {name: (costs[1][name] - costs[0][name]) / 4 for name in costs[1]}
    # Triage reads the image and looks into the index; the question is claimed when the image is still there.

    assert {name: cost for name, cost in each.items() if cost} == {
        "GetObject": 2,
        "HeadObject": 1,
        "PutObject": 1,
    }
