"""A night asks for no more of people's time than its budget has, and a month for no more than its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

import pytest

from include.loop.config import ReviewSettings
from include.loop.core import copies, layout
from include.loop.core.records import parts
from include.loop.core.records.nightly import AnswerTimes, LabelSummary, PinnedModel, Predictions
from include.loop.core.records.triage import Decision, Row
from include.loop.core.storage import Storage, StoredObject
from include.loop.nightly import batch, labels, plan, predictions, triage
from include.loop.nightly.choosing import ask, with_cost
from include.loop.nightly.effort import BATCHES, Estimate, learn, times_of
from include.loop.nightly.looks import Look
from tests.loop.nightly.triaged import read_rows
from tests.loop.place import NIGHT, Place, content, correct

NEXT = "2026-11-02"


def predicted(place: Place, night: str, objects: Sequence[int]) -> None:
    """A batch of as many images, on each of which a model has found so many objects."""
    shade = {NIGHT: 0, NEXT: 1}[night]
    brightness = {f"{number}.jpg": 4 * number + shade for number in range(len(objects))}
    images = place.add_images(brightness, night)
    found = [[[0, 0.4, 0.1, 0.1, 0.5, 0.5]] * count for count in objects]
    outputs = {
        uri: place.put(f"said/{night}/{number}.out", json.dumps({"prediction": rows}).encode())
        for number, (uri, rows) in enumerate(zip(images, found, strict=True))
    }
    batch.list_batch(place.workspace, night)
    model = PinnedModel(training_job="a-model", model_data="s3://b/model.tar.gz")
    pinned = batch.read_batch(place.workspace, night).model_copy(update={"champion": model})
    pinned.write(place.storage, night)
    parts.write_outputs(place.storage, pinned, 0, outputs, {})
    Predictions(champion="a-model", parts=1, predicted=len(images)).write_once(place.storage, night)


def test_thirty_nights_keep_to_their_budget_by_what_is_learned_and_use_it():
    """People take 6 seconds an image and 4 an object, which the settings do not know."""
    random, review, most = Random(1), ReviewSettings(seconds_per_image=30), 900.0
    told: list[AnswerTimes] = []
    took = []
    for number in range(30):
        estimate = learn(told[-BATCHES:]) or Estimate.of(review)
        rows = [
            (Row(f"{number}/{n}", "", 0.4, 9, Decision.SKIP, "", shown=random.randrange(9)), "doubt")
            for n in range(200)
        ]

        def look(images: Iterable[tuple[str, str]]) -> Iterator[Look]:
            return (Look(problem="cut" if random.random() < 0.05 else None) for _ in images)

        def price(row: Row, estimate: Estimate = estimate) -> Row:
            return with_cost(row, estimate.seconds(row.shown), review)

        asked = [row for row in ask(rows, 500, look, price, most) if row.decision is Decision.ASK]
        expected = sum(row.expected_seconds for row in asked)
        assert most - 40 < expected <= most
        answers = [(row.shown or 0, 6 + 4 * (row.shown or 0) + random.uniform(-2, 2)) for row in asked]
        told.append(times_of(answers))
        took.append(sum(seconds for _, seconds in answers))
    assert max(took[1:]) < 1.05 * most
    assert min(took[1:]) > 0.9 * most


def test_what_turns_out_to_be_nothing_to_ask_about_leaves_its_seconds_to_the_next():
    rows = [(Row(str(n), "", None, 0, Decision.SKIP, ""), "doubt") for n in range(6)]
    looked: list[str] = []

    def look(images):
        for image, _ in images:
            looked.append(image)
            yield Look(problem="cut" if image in "01" else None)

    def price(row: Row) -> Row:
        return with_cost(row, 10, ReviewSettings())

    done = ask(rows, 100, look, price, budget=25)
    assert [row.image for row in done if row.decision is Decision.ASK] == ["2", "3"]
    assert looked == ["0", "1", "2", "3"], "nothing is read for which there is no time"
    assert sum(row.expected_seconds for row in done) == 20


def test_no_answer_is_expected_to_take_longer_than_its_question_is_open():
    review = ReviewSettings(task_count=3, time_limit_seconds=600, dollars_per_hour=12)
    crowded = learn([times_of([(0, 1.0)] * 39 + [(3, 600.0)])])
    assert crowded is not None
    priced = with_cost(Row("1", "", 0.4, 100, Decision.SKIP, ""), crowded.seconds(100), review)
    assert (priced.expected_seconds, priced.expected_dollars) == (3 * 600, 6)


@pytest.mark.parametrize(
    ("most", "asked"),
    [
        ({}, 6),
        ({"seconds": 125}, 4),
        ({"dollars": 0.2}, 2),
        ({"seconds": 125, "month_dollars": 0.1}, 1),
        ({"seconds": 29}, 0),
    ],
)
def test_seconds_or_dollars_of_a_night_or_a_month_whichever_is_less(make_place, most, asked):
    place = make_place(
        review={"seconds_per_image": 30, "dollars_per_hour": 12}, triage={"budget": most, "audit_share": 0}
    )
    predicted(place, NIGHT, [1] * 6)
    decided = triage.triage(place.workspace, NIGHT)
    assert (decided.ask, decided.expected_seconds) == (asked, 30 * asked)
    assert (decided.budget is None) == (not most)
    left = [row.reason for row in read_rows(place.storage, NIGHT) if row.decision is Decision.SKIP]
    assert all(reason.endswith("; over the cap of 100, or over the budget") for reason in left)
    assert triage.triage(place.workspace, NIGHT) == decided


def asked_of_a_month(make_place: Any) -> Place:
    """A month of 200 seconds, of which a first night's four questions are expected to take 120."""
    place: Place = make_place(
        review={"seconds_per_image": 30}, triage={"budget": {"month_seconds": 200}, "audit_share": 0}
    )
    place.set_up_review()
    predicted(place, NIGHT, [1] * 4)
    triage.triage(place.workspace, NIGHT)
    place.ask()
    return place


def test_a_month_has_left_what_its_other_nights_did_not_take(make_place):
    place = asked_of_a_month(make_place)
    predicted(place, NEXT, [1] * 4)
    assert plan.plan_review(place.workspace, NEXT).expected_seconds == 80
    decided = triage.triage(place.workspace, NEXT)
    assert (decided.budget, decided.ask) == (80, 2), "120 seconds are expected of the first night"
    place.answer(correct)
    place.settle()
    place.assemble()
    took = LabelSummary.read(place.storage, NIGHT).reviewer_seconds
    assert triage.triage(place.workspace, NEXT).budget == pytest.approx(200 - took)


def test_what_is_open_after_its_nights_deadline_is_still_to_be_paid(make_place, monkeypatch):
    place = asked_of_a_month(make_place)
    place.assemble()
    assert len(LabelSummary.read(place.storage, NIGHT).open_loops) == 4
    predicted(place, NEXT, [1] * 4)
    listed, below = Storage.list, []

    def listing(storage: Storage, location: str) -> Iterator[StoredObject]:
        below.append(location)
        return listed(storage, location)

    monkeypatch.setattr(Storage, "list", listing)
    monkeypatch.setattr(copies, "LOOSE", 1)
    told = plan.plan_review(place.workspace, NEXT)
    assert told.expected_seconds == 80, "nobody has answered, and everybody still may"
    assert layout.RUNS not in below, "an output of every image that was ever predicted lies there"
    assert not place.storage.exists(layout.copy_file("summaries")), "a plan writes nothing"


def test_what_answers_took_is_kept_with_the_labels_and_the_next_plan_goes_by_it(make_place):
    place = make_place(triage={"audit_share": 0})
    place.set_up_review()
    shown = [number % 4 for number in range(32)]
    predicted(place, NIGHT, shown)
    triage.triage(place.workspace, NIGHT)
    assert "going by the settings" in plan.plan_review(place.workspace, NIGHT).text
    place.ask()
    place.answer(lambda _: content())
    place.settle()
    for question in place.questions().values():
        output = json.loads(place.storage.read(place.output_uri(question.loop)))
        output["humanAnswers"][0]["timeSpentInSeconds"] = 4.5
        place.storage.write(place.output_uri(question.loop), json.dumps(output).encode())
    place.assemble()
    times = LabelSummary.read(place.storage, NIGHT).times
    assert (times.answers, times.x, times.xx) == (32, sum(shown), sum(x * x for x in shown))
    assert times.y == pytest.approx(LabelSummary.read(place.storage, NIGHT).reviewer_seconds, abs=0.1)
    predicted(place, NEXT, [1] * 4)
    decided = triage.triage(place.workspace, NEXT)
    assert decided.answers == 32
    assert decided.ask == 4
    assert decided.expected_seconds == 4 * 4.5, "these people are quicker than the settings say"
    assert "going by 32 answers" in plan.plan_review(place.workspace, NEXT).text


def test_a_first_night_without_a_model_goes_by_the_settings(place: Place):
    place.set_up_review()
    place.add_images({"one.jpg": 100})
    place.ask()
    place.answer(correct)
    place.settle()
    labels.assemble(place.workspace, NIGHT)
    assert LabelSummary.read(place.storage, NIGHT).times.answers == 0
    place.add_images({"two.jpg": 90}, NEXT)
    batch.list_batch(place.workspace, NEXT)
    place.finish(predictions.predict, NEXT)
    assert triage.triage(place.workspace, NEXT).expected_seconds == 20


def test_a_budget_in_dollars_needs_a_price(make_place):
    with pytest.raises(ValueError, match=r"triage\.budget\.month_dollars: needs review\.dollars_per_hour"):
        make_place(review={"dollars_per_hour": 0}, triage={"budget": {"month_dollars": 5}})
