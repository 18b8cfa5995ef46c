"""The least confident first, audits whatever the model says, never above the cap, always the same."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.config import TriageSettings
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records import tables
from include.loop.core.records.triage import PART_COLUMNS, Decision, Row
from include.loop.nightly import batch, plan, predictions, references, triage
from include.loop.nightly.choosing import ask
from include.loop.nightly.looks import Look
from include.loop.nightly.predictions import Predicted
from include.loop.strategies import AUDIT, strategy_names
from include.loop.tasks.detection.predictions import Detection
from tests.loop.nightly.triaged import choose, read_rows, say
from tests.loop.place import NIGHT, Place


def prediction(name: str, *scores: float, problem: str | None = None) -> Predicted:
    detections = tuple(Detection(0, score, 0.1, 0.1, 0.5, 0.5) for score in scores)
    return Predicted(f"s3://b/{name}", f"etag-{name}", detections, problem)


def asked(rows) -> set[str]:
    return {row.image.removeprefix("s3://b/") for row in rows if row.decision is Decision.ASK}


def test_images_below_the_threshold_or_without_detection_are_asked_about():
    rows = choose(
        [prediction("low", 0.4, 0.1), prediction("high", 0.9), prediction("none")],
        TriageSettings(threshold=0.5, audit_share=0, cap=10),
    )
    assert asked(rows) == {"low", "none"}
    assert [(row.top_score, row.scores, row.reason) for row in rows] == [
        (0.4, 2, "top score 0.400 below 0.5"),
        (0.9, 1, "top score 0.900"),
        (0.0, 0, "no detection"),
    ]


def test_under_the_cap_the_least_confident_come_first_and_the_others_say_why_they_wait():
    given = [prediction(str(n), n / 10) for n in range(1, 5)]
    rows = choose(given, TriageSettings(threshold=0.5, audit_share=0, cap=2))
    assert asked(rows) == {"1", "2"}
    assert rows[3].reason == "top score 0.400 below 0.5; over the cap of 2"


def test_an_image_without_prediction_is_never_asked_about():
    (row,) = choose([prediction("bad", problem="not an image")], TriageSettings(audit_share=1))
    assert (row.decision, row.reason, row.top_score) == (Decision.UNREADABLE, "not an image", None)


def test_audits_are_a_share_of_all_images_and_the_cap_does_not_squeeze_them_out():
    given = [prediction(str(n), n / 2000) for n in range(2000)]
    rows = choose(given, TriageSettings(threshold=0.5, audit_share=0.05, cap=300))
    audits = [row for row in rows if row.reason == AUDIT]
    assert 60 <= len(audits) <= 140
    assert any((row.top_score or 0) > 0.5 for row in audits)
    assert len(asked(rows)) == 300


@given(
    st.sampled_from(strategy_names()),
    st.lists(st.floats(0, 1), max_size=30),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 10),
    st.randoms(),
)
def test_the_choice_depends_on_the_images_and_not_on_their_order(
    strategy, scores, threshold, audit, cap, random
):
    settings = TriageSettings(strategy=strategy, threshold=threshold, audit_share=audit, cap=cap)
    given = [prediction(str(n), score) for n, score in enumerate(scores)]
    rows = choose(given, settings)
    assert len(asked(rows)) <= cap
    random.shuffle(given)
    assert asked(choose(given, settings)) == asked(rows)


def looks(**seen: Look):
    """What is seen of the images, by name, and the names it was asked for. Each has bytes of its own where
    nothing else is said.
    """
    asked_for: list[str] = []

    def look(images):
        for uri, _ in images:
            name = uri.removeprefix("s3://b/")
            asked_for.append(name)
            yield seen.get(name, Look(f"sha-{name}", 32, 24))

    return look, asked_for


def test_what_cannot_be_shown_or_was_asked_before_makes_room_for_the_next_and_nothing_more_is_read():
    given = [prediction(name, n / 10) for n, name in enumerate("abcdefg")]
    look, asked_for = looks(
        a=Look("sha-a", problem="truncated image"), b=Look("sha-b", known="asked in night X"), d=Look("sha-c")
    )
    rows = choose(given, TriageSettings(threshold=0.65, audit_share=0, cap=3), look)
    assert [(row.decision, row.reason.split("; ")[-1]) for row in rows] == [
        (Decision.UNREADABLE, "truncated image"),
        (Decision.SKIP, "asked in night X"),
        (Decision.ASK, "top score 0.200 below 0.65"),
        (Decision.SKIP, "same bytes as s3://b/c"),
        (Decision.ASK, "top score 0.400 below 0.65"),
        (Decision.ASK, "top score 0.500 below 0.65"),
        (Decision.SKIP, "over the cap of 3"),
    ]
    assert rows[3].same_as == rows[2].image
    assert (rows[2].sha256, rows[2].width, rows[2].height) == ("sha-c", 32, 24)
    assert asked_for == list("abcdef")


def test_of_an_audit_and_its_copy_the_audit_is_asked_and_counted_once():
    """Equal bytes may have two ETags, when one was uploaded in parts: only one of them is drawn."""
    names = [f"{number}" for number in range(40)]
    given = [prediction(name, 0.3) for name in names]
    settings = TriageSettings(threshold=0.5, audit_share=0.3, cap=40)
    audits = [row.image for row in choose(given, settings) if row.reason == AUDIT]
    assert 2 < len(audits) < 30
    look, _ = looks(**dict.fromkeys(names, Look("the same")))
    rows = choose(given, settings, look)
    (only,) = (row for row in rows if row.decision is Decision.ASK)
    assert (only.reason, only.image in audits) == (AUDIT, True)
    assert sum(row.reason == AUDIT for row in rows) == 1
    assert {row.same_as for row in rows} == {None, only.image}


def phash(number: int, bits: int = 0) -> str:
    """Of a picture like no other, and of one that differs from it in so many bits."""
    value = int.from_bytes(hashlib.sha256(str(number).encode()).digest(), "big")
    return f"{value ^ ((1 << bits) - 1):064x}"


def test_what_looks_like_an_image_that_is_asked_about_waits_until_nothing_else_is_left():
    given = [prediction(name, n / 10) for n, name in enumerate("abcdef")]
    look, asked_for = looks(
        a=Look("sha-a", phash=phash(1)),
        b=Look("sha-b", phash=phash(1, bits=24)),
        c=Look("sha-c", phash=phash(2)),
        d=Look("sha-d", phash=phash(1, bits=25)),
        e=Look("sha-e", phash=phash(2, bits=3)),
    )
    settings = TriageSettings(threshold=0.65, audit_share=0, cap=3)
    rows = choose(given, settings, look)
    assert (asked(rows), asked_for) == ({"a", "c", "d"}, list("abcd"))
    assert (rows[1].decision, rows[1].reason) == (Decision.SKIP, "looks like s3://b/a")
    assert (rows[1].expected_seconds, rows[1].sha256) == (0, "sha-b")
    rows = choose(given, settings.model_copy(update={"cap": 5}), look)
    assert asked(rows) == set("abcdf"), "then the most doubtful of them come first"
    assert rows[4].reason == "looks like s3://b/c"
    audits = choose(given, settings.model_copy(update={"audit_share": 1.0, "cap": 5}), look)
    assert len(asked(audits)) == 5
    assert not any("looks like" in row.reason for row in audits)


def test_where_all_look_the_same_a_night_is_not_read_to_its_end_and_the_cap_is_filled():
    given = [prediction(str(n), n / 200) for n in range(100)]
    look, asked_for = looks(**{str(n): Look(f"sha-{n}", phash=phash(1)) for n in range(100)})
    rows = choose(given, TriageSettings(threshold=0.65, audit_share=0, cap=3), look)
    assert asked(rows) == {"0", "1", "2"}
    assert len(asked_for) < 40


def test_where_the_budget_leaves_room_for_few_no_more_are_looked_at_than_it_is_worth():
    """A cap that nobody means to reach."""
    given = [(Row(f"{n}", "", 0.1, 1, Decision.SKIP, "", expected_seconds=15.0), "doubt") for n in range(999)]
    look, asked_for = looks(**{str(n): Look(f"sha-{n}", phash=phash(1)) for n in range(999)})
    assert len(asked([*ask(given, 10**12, look, budget=45.0)])) == 3
    assert len(asked_for) < 40


def test_a_copy_of_a_lookalike_that_is_asked_about_has_its_label():
    """It takes no room under the cap."""
    given = [prediction(name, n / 10) for n, name in enumerate("abc")]
    look, _ = looks(
        a=Look("sha-a", phash=phash(1)), b=Look("sha-b", phash=phash(1)), c=Look("sha-b", phash=phash(1))
    )
    rows = choose(given, TriageSettings(threshold=0.65, audit_share=0, cap=2), look)
    assert asked(rows) == {"a", "b"}
    assert (rows[2].same_as, rows[2].reason) == (rows[1].image, "same bytes as s3://b/b")


@pytest.fixture
def listed(place: Place) -> Place:
    place.add_images({f"{n}.jpg": 100 for n in range(5)})
    place.put(f"images/dt={NIGHT}/text.jpg", b"no image")
    return place


def prepare(place: Place) -> None:
    batch.list_batch(place.workspace, NIGHT)
    place.finish(predictions.predict, NIGHT)


@pytest.mark.parametrize(
    ("cold_start", "why"),
    [("diverse", "no model yet; among the most diverse of 5 images"), ("random", "no model yet")],
)
def test_without_a_model_readable_images_are_chosen_up_to_the_cap_and_the_reason_says_how(
    make_place, cold_start, why
):
    place = make_place(triage={"audit_share": 0, "cold_start": cold_start})
    place.add_images({f"{n}.jpg": 100 for n in range(5)})
    place.put(f"images/dt={NIGHT}/text.jpg", b"no image")
    prepare(place)
    report = triage.triage(place.workspace, NIGHT, cap=3)
    assert (report.images, report.ask, report.skip + report.unreadable, report.blind) == (6, 3, 3, why)
    rows = read_rows(place.storage, NIGHT)
    assert {row.reason for row in rows if row.decision is Decision.ASK} == {why}
    assert triage.triage(place.workspace, NIGHT, cap=3) == report
    assert read_rows(place.storage, NIGHT) == rows


def test_without_a_model_the_few_images_unlike_all_others_are_asked_about(make_place):
    """Of a camera that has seen the same grey all day, and two other things."""
    place = make_place(triage={"audit_share": 0})
    place.add_images({f"{n}.jpg": 100 for n in range(20)} | {"dark.jpg": 0, "bright.jpg": 250})
    prepare(place)
    triage.triage(place.workspace, NIGHT, cap=3)
    asked_for = {row.image for row in read_rows(place.storage, NIGHT) if row.decision is Decision.ASK}
    names = {image.rsplit("/", 1)[-1] for image in asked_for}
    assert len(names) == 3
    assert {"dark.jpg", "bright.jpg"} < names


def test_each_question_is_priced_by_its_reviewers_time(make_place):
    place = make_place(
        review={"seconds_per_image": 30, "task_count": 2, "dollars_per_hour": 12}, triage={"cap": 4}
    )
    place.add_images({f"{n}.jpg": 100 for n in range(6)})
    prepare(place)
    report = triage.triage(place.workspace, NIGHT)
    assert (report.expected_seconds, report.expected_dollars) == (240.0, 0.8)


def test_decisions_are_final_once_the_questions_are_written(listed: Place):
    listed.set_up_review()
    prepare(listed)
    assert triage.triage(listed.workspace, NIGHT, cap=1).ask == 1  # a plan with another cap
    assert listed.ask().asked == 5
    assert triage.triage(listed.workspace, NIGHT, cap=1).ask == 5


def test_a_plan_before_triage_is_the_most_it_can_become_and_after_it_exact(listed: Place):
    before = plan.plan_review(listed.workspace, NIGHT)
    assert (before.exact, before.ask, before.images) == (False, 6, 6)
    assert list(listed.storage.list("runs/")) == []
    prepare(listed)
    triage.triage(listed.workspace, NIGHT)
    after = plan.plan_review(listed.workspace, NIGHT)
    assert (after.exact, after.ask, after.unreadable) == (True, 5, 1)
    assert "would ask about 5 of 6 images" in after.text


def test_rows_survive_the_parquet_file_unchanged(listed: Place):
    prepare(listed)
    triage.triage(listed.workspace, NIGHT)
    row = read_rows(listed.storage, NIGHT)[0]
    assert row.image == f"s3://{listed.bucket}/pets/images/dt={NIGHT}/0.jpg"
    assert row.etag == listed.s3.head_object(Bucket=listed.bucket, Key=f"pets/images/dt={NIGHT}/0.jpg")[
        "ETag"
    ].strip('"')


CLASSES: dict[str, Any] = {"task": "image-classification", "classes": ["cat", "dog"]}


def test_a_strategy_is_of_the_task_and_has_its_references_when_the_file_is_read(make_place):
    for wrong, told in (
        ({"triage": {"strategy": "margin"}}, "margin is for task: image-classification; allowed for object-"),
        (CLASSES | {"triage": {"strategy": "misclassified"}}, "references: strategy misclassified needs"),
        (CLASSES | {"triage": {"references": "known.manifest"}}, "references: strategy least_confident does"),
    ):
        with pytest.raises(ValueError, match=told):
            make_place(**wrong)


def test_mistakes_are_asked_in_the_batchs_order_and_the_manifest_may_be_of_a_whole_collection(make_place):
    asking = {"strategy": "misclassified", "references": "known.manifest", "audit_share": 0, "cap": 2}
    place = make_place(**CLASSES, triage=asking)
    images = place.add_images({f"{number}.jpg": 100 for number in range(7)})
    said = [[0.9, 0.1]] * 6 + [[0.2, 0.8]]
    say(place, dict(zip(images, said, strict=True)))
    with pytest.raises(ConfigurationError, match=r"pets\.yaml: triage\.references: no object at s3://"):
        triage.triage(place.workspace, NIGHT)

    lines = [classified(uri, number % 2) for number, uri in enumerate(images[:6])]
    lines[4]["review-metadata"]["class-name"] = "bird"
    lines = [
        classified("s3://elsewhere/0.jpg", 0),
        *lines,
        classified(images[6], 0),
        classified(images[6], 1),
    ]
    place.put("known.manifest", b"no JSON\n" + b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert len(references.read_references(place.workspace, "known.manifest", set(images))) == 7
    assert triage.triage(place.workspace, NIGHT).ask == 2
    rows = read_rows(place.storage, NIGHT)
    assert [(str(row.decision), row.reason) for row in rows[:4]] == [
        ("skip", "said cat, reference cat"),
        ("ask", "said cat, reference dog"),
        ("skip", "said cat, reference cat"),
        ("ask", "said cat, reference dog"),
    ]
    assert rows[4].reason.startswith("no reference label: ")
    assert [row.reason for row in rows[5:]] == [
        "said cat, reference dog; over the cap of 2",
        "said dog, reference dog",  # of two lines for an image the last one counts
    ]


def test_a_mix_asks_for_each_share_and_the_reason_and_the_row_say_which(make_place, monkeypatch):
    """In two parts, so that what each strategy says of an image is found again in its table."""
    monkeypatch.setattr(tables, "PART_ROWS", 5)
    mix = {"expected_errors": 0.5, "diverse": 0.25, "random": 0.25}
    place = make_place(triage={"strategy": mix, "threshold": 0.4, "audit_share": 0, "cap": 4})
    levels = {f"{number}.jpg": 100 for number in range(8)} | {"8.jpg": 0, "9.jpg": 250}
    images = place.add_images(levels)
    doubtful = {images[2]: 0.5, images[7]: 0.45}
    said = {uri: [[0, doubtful.get(uri, 0.99), 0.1, 0.1, 0.5, 0.5]] for uri in images}
    say(place, said)
    report = triage.triage(place.workspace, NIGHT)
    assert report.ask == 4
    rows = read_rows(place.storage, NIGHT)
    asked_for = {row.image: row for row in rows if row.decision is Decision.ASK}
    assert asked_for.keys() > doubtful.keys()
    assert asked_for[images[2]].reason == "expected_errors: expected errors 0.50 above 0.4"
    shares = Counter(row.share for row in asked_for.values())
    assert shares == {"expected_errors": 2, "diverse": 1, "random": 1}
    (diverse,) = (row for row in asked_for.values() if row.share == "diverse")
    assert diverse.reason == "diverse: chosen at random; among the most diverse of 10 images"
    assert triage.triage(place.workspace, NIGHT) == report
    assert read_rows(place.storage, NIGHT) == rows

    # Edited while the night is running: a strategy that has said nothing of these images asks for none.
    edited = place.but(
        triage=place.pipeline.triage.model_copy(update={"strategy": {"expected_errors": 0.5, "margin": 0.5}})
    )
    assert triage.decide(edited, NIGHT).ask == 2


def test_what_an_earlier_version_has_weighed_is_asked_by_the_strategy(make_place):
    place = make_place(triage={"threshold": 0.6, "audit_share": 0.3, "cap": 9})
    images = place.add_images({f"{number}.jpg": 100 for number in range(9)})
    say(place, {uri: [[0, 0.5, 0.1, 0.1, 0.5, 0.5]] for uri in images})
    report = triage.triage(place.workspace, NIGHT)
    shares = Counter(row.share for row in read_rows(place.storage, NIGHT))
    assert 0 < report.audit == shares[AUDIT] < 9
    assert shares == {AUDIT: report.audit, "least_confident": 9 - report.audit}
    columns = tables.read_frame(place.storage, layout.triage_part(NIGHT, 0)).columns
    assert list(columns) == list(PART_COLUMNS), "one strategy's tables are as they were"


def classified(source: str, class_id: int) -> dict[str, Any]:
    """A line of a classification job."""
    metadata = {"class-name": CLASSES["classes"][class_id], "type": "groundtruth/image-classification"}
    return {"source-ref": source, "review": class_id, "review-metadata": metadata}
