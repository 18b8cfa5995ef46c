"""A set-aside night is asked about again, once, of others and within the cap; the newer label counts."""

from __future__ import annotations

import pytest

from include.loop.core import layout
from include.loop.core.records.triage import Decision
from include.loop.dataset import label_pool
from include.loop.nightly import questions, triage
from include.loop.nightly.batch import list_batch
from include.loop.nightly.second_look import MOST
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.task import ObjectDetection
from include.loop.trials.past import release, set_aside
from include.loop.trials.second_labels import compare, second_labels
from tests.loop.labelled import INITIAL, start
from tests.loop.nightly.triaged import read_rows
from tests.loop.place import NIGHT, Place, box, content, correct, labelled

NEXT, THIRD = "2026-11-02", "2026-11-03"
REASON = f"asked again: batch {NIGHT} is set aside"
TASK = ObjectDetection(("cat", "dog"), "review")


def half_wrong(task: dict) -> dict:
    """The even ones are cats, as they should be; the others are called dogs."""
    number = int(task["taskObject"].rsplit("/", 1)[-1].removesuffix(".jpg"))
    return content(box("dog" if number % 2 else "cat"))


@pytest.fixture
def doubted(make_place) -> Place:
    """A place whose first night did harm by itself."""
    place = make_place(initial=INITIAL, triage={"audit_share": 0, "cap": 15})
    place.set_up_review()
    place.add_images({f"{n}.jpg": 100 + n for n in range(12)})
    place.night(respond=half_wrong)
    start(place, 3, 2)
    record = {
        "training_job": "job-2",
        "champion": "job-1",
        "shards": [NIGHT],
        "kind": "round",
        "outcome": "harm",
        "failed": [],
        "blamed": [],
        "at": "2026-11-02T04:00:00.000000+00:00",
    }
    place.storage.write_json(layout.trial_file("job-2"), record)
    assert set_aside(place.workspace) == {NIGHT}
    return place


def triaged(place: Place, night: str) -> triage.TriagedBatch:
    """A night with one image of its own, which the model has said nothing about."""
    images = place.add_images({f"{night}.jpg": 90}, night)
    list_batch(place.workspace, night)
    nothing = {"champion": "job-1", "outputs": {}, "missing": images, "jobs": []}
    place.storage.write_json(layout.predictions_file(night), nothing)
    return triage.triage(place.workspace, night)


def prepare(place: Place, night: str) -> questions.PreparedQuestions:
    return questions.prepare(place.workspace, night)


def test_a_set_aside_night_is_asked_about_again_of_others_and_the_newer_label_takes_the_place(doubted: Place):
    first = doubted.person()
    report = triaged(doubted, NEXT)
    assert (report.images, report.ask, report.again) == (1, 8, 8)
    assert prepare(doubted, NEXT).asked == prepare(doubted, NEXT).asked == 8
    for question in doubted.questions(NEXT).values():
        assert question.image.startswith(f"s3://{doubted.bucket}/pets/images/dt={NIGHT}/")
        assert (question.input["answeredBefore"], question.input["initialValue"]) == ([first.id], [])
        assert question.input["batch"] == NEXT

    other = doubted.rig.worker(doubted.team)
    questions.start(doubted.workspace, NEXT)
    assert first.take() is None
    for _ in range(7):
        task = other.take()
        assert other.do("answer", task, correct(task["input"])).status_code == 200
    task = other.take()
    assert other.do("answer", task, content(box("unicorn"))).status_code == 200
    doubted.settle(NEXT)
    assert doubted.assemble(NEXT).labels == 7
    lines = doubted.manifest(NEXT)
    assert {line["reason"] for line in lines} == {REASON}
    assert {tuple(line["workers"]) for line in lines} == {(other.id,)}
    assert {line["batch"] for line in lines} == {NEXT}

    compared = second_labels(doubted.workspace, NIGHT)
    assert compared is not None
    assert (compared.asked, compared.answered) == (8, 7)
    wrong = [line["source-ref"] for line in lines if int(line["source-ref"][-6:-4].strip("/")) % 2]
    assert list(compared.differing) == sorted(wrong)
    assert compared.agreed == 7 - len(wrong) > 0
    assert "7 have a second label" in compared.text

    assert triaged(doubted, THIRD).again == 0  # once
    learned = label_pool.gather(doubted.workspace, keep=False).new
    assert {entry.loop for entry in learned} == {line["loop"] for line in lines}
    release(doubted.workspace, NIGHT, "ann", "most are right")
    by_source = {entry.source: entry.loop for entry in label_pool.gather(doubted.workspace, keep=False).new}
    assert len(by_source) == 12
    assert all(by_source[line["source-ref"]] == line["loop"] for line in lines)


def test_of_two_nights_at_once_one_asks_again_and_a_night_that_died_asks_nothing_twice(doubted: Place):
    for night in (NEXT, THIRD):
        assert triaged(doubted, night).again == 8
    asked = [prepare(doubted, night).asked for night in (NEXT, THIRD)]
    assert asked == [8, 0]
    rows = [row for row in read_rows(doubted.storage, THIRD) if row.again]
    assert {row.decision for row in rows} == {Decision.SKIP}

    # Died between the questions and the record: whoever comes next finds them asked.
    again = layout.again_file(NIGHT)
    doubted.s3.delete_object(Bucket=doubted.bucket, Key=f"pets/{again}")
    assert triaged(doubted, "2026-11-04").again == 0
    assert prepare(doubted, NEXT).asked == 8
    assert doubted.storage.read_json(again)["batch"] == NEXT


def test_at_most_ten_images_and_half_of_the_cap_are_asked_again(doubted: Place):
    doubted.add_images({f"{NEXT}.jpg": 90}, NEXT)
    for cap, count in ((100, MOST), (4, 2), (1, 1)):
        triaged(doubted, NEXT)
        assert triage.triage(doubted.workspace, NEXT, cap=cap).again == count
    # Other classes: the next training refuses them, the night goes on.
    assert triage.triage(doubted.but(classes=("bird", "cow")), NEXT).again == 0


def image(source: str, *boxes: tuple[int, int, int, int, int]) -> LabelledImage:
    value = labelled(source)
    names = ("class_id", "left", "top", "width", "height")
    value["review"]["annotations"] = [dict(zip(names, item, strict=True)) for item in boxes]
    return TASK.read_value(value)


CAT, DOG = (0, 2, 2, 10, 10), (1, 14, 2, 10, 10)


@pytest.mark.parametrize(
    ("first", "second", "agrees", "overlap"),
    [
        ([], [], True, None),
        ([CAT, DOG], [DOG, CAT], True, 1),
        ([CAT], [], False, None),
        ([CAT], [CAT, DOG], False, 1),
        ([CAT], [(1, *CAT[1:])], False, None),
        ([CAT], [(0, 2, 2, 10, 15)], True, 10 / 15),
        ([CAT], [(0, 2, 2, 15, 15)], False, 100 / 225),
        ([CAT, CAT], [CAT, (0, 20, 12, 4, 4)], False, 1),
    ],
)
def test_two_labels_agree_when_they_show_the_same_objects(first, second, agrees, overlap):
    source = "s3://b/pets/1.jpg"
    only = {"s3://b/pets/2.jpg": image("s3://b/pets/2.jpg", CAT)}
    found = compare(TASK, NIGHT, 3, only | {source: image(source, *first)}, {source: image(source, *second)})
    assert (found.asked, found.answered, found.agreed) == (3, 1, int(agrees))
    assert found.differing == (() if agrees else (source,))
    assert found.overlap == (None if overlap is None else pytest.approx(overlap))
