"""Whatever comes back, the night ends with what is good; every bad record is in the quarantine with its
reason.
"""

from __future__ import annotations

import pytest

from include.loop.core import layout, storage
from include.loop.core.errors import NotSetUp
from include.loop.nightly import batch, labels, predictions, questions, triage
from include.loop.report.batches import read_batch
from include.loop.trials import shards
from tests.loop.place import NIGHT, Place, box, content, correct, picture

NEXT = "2026-11-02"


@pytest.fixture
def ready(place: Place) -> Place:
    """A place without a model, whose reviewers can be asked."""
    place.set_up_review()
    return place


def by_file(lines: list[dict]) -> dict[str, dict]:
    return {(line.get("image") or line["source-ref"]).rsplit("/", 1)[-1]: line for line in lines}


def test_every_bad_answer_is_quarantined_and_every_good_one_is_a_label(ready: Place):
    answers = {
        "good.jpg": content(box("dog", 1, 2, 3, 4)),
        "empty.jpg": content(),
        "label.jpg": content(box("unicorn")),
        "outside.jpg": content(box(left=30, width=10)),
        "lacking.jpg": {"annotatedResult": {"boundingBoxes": [box()]}},
        "turned.jpg": content(box(), size=(24, 32)),
        "garbage.jpg": content(box()),
        "fields.jpg": content(box()),
    }
    ready.add_images(dict.fromkeys(answers, 100))
    ready.ask()
    ready.answer(lambda task: answers[task["taskObject"].rsplit("/", 1)[-1]])
    ready.settle()
    asked = ready.questions()
    ready.storage.write(ready.output_uri(asked["garbage.jpg"].loop), b"<html>no JSON</html>")
    ready.storage.write(ready.output_uri(asked["fields.jpg"].loop), b'{"humanLoopName": "x"}')

    report = ready.assemble()
    good, bad = by_file(ready.manifest()), by_file(ready.quarantine())

    assert set(good) == {"good.jpg", "empty.jpg"}
    assert good["good.jpg"]["review"]["annotations"] == [
        {"class_id": 1, "left": 1, "top": 2, "width": 3, "height": 4}
    ]
    assert good["empty.jpg"]["review"]["annotations"] == []
    assert {line["reason"] for line in good.values()} == {"no model yet"}  # why they were asked about
    assert {name: line["reason"].split(":")[0] for name, line in bad.items()} == {
        "label.jpg": "unknown label",
        "outside.jpg": "box outside the image",
        "lacking.jpg": "answer lacks fields",
        "turned.jpg": "answer is for an image of 24 x 32 pixels, not 32 x 24",
        "garbage.jpg": "output.json is not JSON",
        "fields.jpg": "output.json lacks fields",
    }
    for name, line in bad.items():
        assert (line["loop"], line["batch"], line["stage"]) == (asked[name].loop, NIGHT, "answer")
    assert bad["label.jpg"]["worker"] == ready.person().id
    assert (report.labels, report.negatives, report.quarantined, report.answers) == (2, 1, 6, 2)


def test_files_that_are_no_images_never_reach_a_person(ready: Place):
    ready.add_images({"good.jpg": 100})
    ready.put(f"images/dt={NIGHT}/empty.jpg", b"")
    ready.put(f"images/dt={NIGHT}/notes.txt", b"hello")
    ready.put(f"images/dt={NIGHT}/text.jpg", b"no image at all")
    ready.put(f"images/dt={NIGHT}/cut.jpg", picture(100)[:-20])
    ready.put(f"images/dt={NIGHT}/scan.jpg", b"II*\0\x08\0\0\0")
    ready.night()
    assert set(by_file(ready.manifest())) == {"good.jpg"}
    bad = {
        name: (line["stage"], line["reason"].split(":")[0])
        for name, line in by_file(ready.quarantine()).items()
    }
    assert bad == {
        "empty.jpg": ("batch", "empty object (0 bytes)"),
        "notes.txt": ("batch", "suffix is none of .jpg, .jpeg, .png"),
        "text.jpg": ("predict", "not an image"),
        "cut.jpg": ("predict", "damaged image"),
        "scan.jpg": ("predict", "image is TIFF; JPEG and PNG are read"),
    }


def test_an_image_that_was_replaced_or_taken_away_after_the_listing_is_not_asked_about(ready: Place):
    ready.add_images({"good.jpg": 100, "replaced.jpg": 100, "gone.jpg": 100, "emptied.jpg": 100})
    batch.list_batch(ready.workspace, NIGHT)
    ready.finish(predictions.predict, NIGHT)
    triage.triage(ready.workspace, NIGHT)
    ready.put(f"images/dt={NIGHT}/replaced.jpg", picture(101))
    ready.put(f"images/dt={NIGHT}/emptied.jpg", b"")
    ready.s3.delete_object(Bucket=ready.bucket, Key=f"pets/images/dt={NIGHT}/gone.jpg")
    report = questions.prepare(ready.workspace, NIGHT)
    assert (report.asked, report.unreadable) == (1, 3)
    questions.start(ready.workspace, NIGHT)
    ready.answer(correct)
    ready.settle()
    ready.assemble()
    assert {name: line["reason"] for name, line in by_file(ready.quarantine()).items()} == {
        "replaced.jpg": "the object was replaced after the batch was listed",
        "emptied.jpg": "the object was replaced after the batch was listed",
        "gone.jpg": "the object is gone",
    }


def test_loops_that_were_stopped_or_expired_are_quarantined_with_their_reason(ready: Place):
    ready.add_images({"stopped.jpg": 100, "deleted.jpg": 100})
    ready.ask()
    asked = ready.questions()
    for name in asked:
        ready.runtime.stop_human_loop(HumanLoopName=asked[name].loop)
    ready.settle()
    ready.runtime.delete_human_loop(HumanLoopName=asked["deleted.jpg"].loop)
    ready.assemble()
    reasons = {name: line["reason"] for name, line in by_file(ready.quarantine()).items()}
    assert reasons["stopped.jpg"] == "loop Stopped"
    assert reasons["deleted.jpg"] == "loop does not exist (never started, or deleted)"
    assert ready.manifest() == []


def test_a_name_that_is_taken_by_another_question_is_quarantined_and_not_waited_for(ready: Place):
    ready.add_images({"mine.jpg": 100, "taken.jpg": 100})
    ready.prepare()
    other = ready.rig.flow(bucket=ready.bucket)
    other.start(ready.questions()["taken.jpg"].loop, {"other": "question"})
    report = questions.start(ready.workspace, NIGHT)
    assert (report.started, report.refused, report.remaining) == (1, 1, 0)
    ready.answer(correct, at_most=1)
    ready.settle()
    ready.assemble()
    (bad,) = ready.quarantine()
    assert bad["image"].endswith("taken.jpg")
    assert "ConflictException" in bad["reason"]
    assert set(by_file(ready.manifest())) == {"mine.jpg"}


def test_at_the_deadline_the_night_ends_with_half_the_answers_and_the_next_night_takes_the_rest(ready: Place):
    ready.add_images({f"{n}.jpg": 100 + n for n in range(4)})
    ready.ask()
    ready.answer(correct, at_most=2)
    ready.settle(open_loops=2)
    first = ready.assemble()
    assert (first.labels, first.open, first.late) == (2, 2, 0)

    ready.answer(correct)  # after the deadline
    ready.settle_flow()
    assert ready.assemble() == first  # committed is committed
    ready.add_images({"next.jpg": 90}, NEXT)
    second = ready.night(NEXT)
    assert (second.labels, second.late) == (3, 2)
    late = [line for line in ready.manifest(NEXT) if line["batch"] == NIGHT]
    assert len(late) == 2
    assert {line["source-ref"] for line in ready.manifest()}.isdisjoint(line["source-ref"] for line in late)

    ready.add_images({"third.jpg": 80}, "2026-11-03")
    assert ready.night("2026-11-03").late == 0  # taken once


def test_a_loop_that_expires_after_the_deadline_ends_in_the_next_nights_quarantine(make_place):
    ready = make_place(review={"availability_seconds": 600})
    ready.set_up_review()
    ready.add_images({"late.jpg": 100})
    ready.ask()
    assert ready.assemble().open == 1
    ready.rig.clock.advance(700)
    ready.settle_flow()
    ready.add_images({"next.jpg": 90}, NEXT)
    ready.night(NEXT)
    (bad,) = ready.quarantine(NEXT)
    assert bad["image"].endswith("late.jpg")
    assert bad["batch"] == NIGHT
    assert bad["reason"].startswith("loop Failed: Expired")


def test_the_quarantine_says_why_people_would_rather_not_answer(make_place):
    ready = make_place(review={"availability_seconds": 600})
    ready.set_up_review()
    ready.add_images({"dark.jpg": 100})
    ready.ask()
    task = ready.person().take()
    body = {"reason": "BadImage", "comment": "all black"}
    reply = ready.person().http.post(f"/worker/tasks/{task['task_id']}/decline", json=body)
    assert reply.status_code == 200, reply.text
    ready.rig.clock.advance(700)
    ready.settle_flow()
    ready.assemble()
    (bad,) = ready.quarantine()
    assert bad["reason"].endswith('; declined by 1: bad image; "all black"')


def test_an_output_that_is_not_in_s3_yet_is_looked_for_once_more_the_next_night(ready: Place):
    ready.add_images({"a.jpg": 100, "b.jpg": 110})
    ready.ask()
    ready.answer(correct)
    ready.settle()
    places = {name: ready.output_uri(question.loop) for name, question in ready.questions().items()}
    hidden = ready.storage.read(places["a.jpg"])
    for uri in places.values():
        bucket, key = storage.split_uri(uri)
        ready.s3.delete_object(Bucket=bucket, Key=key)
    assert ready.assemble().open == 2
    ready.storage.write(places["a.jpg"], hidden)
    ready.add_images({"next.jpg": 90}, NEXT)
    ready.night(NEXT)
    assert set(by_file(ready.manifest(NEXT))) == {"a.jpg", "next.jpg"}
    assert [line["reason"] for line in ready.quarantine(NEXT)] == ["output.json is missing"]
    lost = f"s3://{ready.bucket}/pets/images/dt={NIGHT}/b.jpg"
    assert labels.reasons(ready.workspace, NEXT) == [("output.json is missing", 1, lost)]


def test_with_three_workers_a_bad_answer_is_dropped_and_the_others_decide(make_place):
    place = make_place(review={"task_count": 3})
    place.set_up_review()
    place.add_images({"a.jpg": 100})
    place.ask()
    for answer in (content(box("unicorn")), content(box()), content(box(left=9))):
        worker = place.rig.worker(place.team)
        task = worker.take()
        assert task is not None
        assert worker.do("answer", task, answer).status_code == 200
    place.settle()
    report = place.assemble()
    assert (report.labels, report.quarantined, report.answers) == (1, 1, 2)
    (line,) = place.manifest()
    assert line["review-metadata"]["objects"] == [{"confidence": 1.0}]


def test_where_two_reviewers_disagree_there_is_no_label_but_what_each_of_them_said(make_place):
    place = make_place(review={"task_count": 2})
    place.set_up_review()
    replies = {
        "agreed.jpg": [content(box()), content(box(left=9))],
        "both-see-nothing.jpg": [content(), content()],
        "cat-or-nothing.jpg": [content(box()), content()],
        "cat-or-dog.jpg": [content(box()), content(box("dog"))],
        "one-usable.jpg": [content(box("unicorn")), content(box())],
    }
    place.add_images(dict.fromkeys(replies, 100))
    place.ask()
    workers = [place.rig.worker(place.team) for _ in range(2)]
    for number, worker in enumerate(workers):
        while (task := worker.take()) is not None:
            reply = replies[task["input"]["taskObject"].rsplit("/", 1)[-1]][number]
            assert worker.do("answer", task, reply).status_code == 200
    place.settle()
    report = place.assemble()

    assert set(by_file(place.manifest())) == {"agreed.jpg", "both-see-nothing.jpg", "one-usable.jpg"}
    assert (report.labels, report.negatives, report.disagreed, report.answers) == (3, 1, 2, 9)
    lines = [line for line in place.quarantine() if line["reason"] == "reviewers disagree"]
    bad = by_file(lines)
    assert {name: line["said"] for name, line in bad.items()} == {
        "cat-or-nothing.jpg": {workers[0].id: ["cat at 8,6 of 16 x 12"], workers[1].id: []},
        "cat-or-dog.jpg": {
            workers[0].id: ["cat at 8,6 of 16 x 12"],
            workers[1].id: ["dog at 8,6 of 16 x 12"],
        },
    }
    told = read_batch(place.workspace, NIGHT, [])
    assert (told.asked, told.answered, told.labels) == (5, 5, 3)
    assert ("reviewers disagree", 2) in told.reasons


def test_assembling_again_after_a_crash_before_the_commit_writes_the_same_bytes(ready: Place):
    ready.add_images({f"{n}.jpg": 100 + n for n in range(3)})
    ready.night(respond=correct)
    files = [layout.labels_manifest(NIGHT), layout.quarantine_file(NIGHT), layout.summary_file(NIGHT)]
    before = [ready.storage.read(location) for location in files]
    bucket, key = ready.storage.resolve(files[-1])
    ready.s3.delete_object(Bucket=bucket, Key=key)
    assert list(shards.committed_shards(ready.storage)) == []
    ready.assemble()
    assert [ready.storage.read(location) for location in files] == before


def test_a_night_before_review_was_set_up_says_what_to_run(place: Place):
    place.add_images({"a.jpg": 100})
    with pytest.raises(NotSetUp, match="run review_setup"):
        place.ask()


def test_counts_of_a_shard_are_small_and_say_where_everything_is(ready: Place):
    ready.add_images({"a.jpg": 100})
    report = ready.night()
    assert report == labels.assemble(ready.workspace, NIGHT)
    assert report.manifest_uri == f"s3://{ready.bucket}/pets/labels/dt={NIGHT}/augmented.manifest"
    assert (report.open, report.late, report.reviewer_seconds > 0) == (0, 0, True)
