"""What people answer about audits says how good the model at work is: by week, late answers included."""

from __future__ import annotations

import json

import pytest

from include.loop.core import layout
from include.loop.core.identity import share
from include.loop.live.weeks import read_live
from include.loop.nightly import questions, triage
from include.loop.nightly.audits import judge_audits
from include.loop.nightly.batch import list_batch
from include.loop.strategies import AUDIT
from include.loop.trials.shards import discard
from tests.loop.labelled import INITIAL, start
from tests.loop.nightly.triaged import read_rows
from tests.loop.place import NIGHT, Place, content, correct

NEXT = "2026-11-02"
HERE, ELSEWHERE = (0.25, 0.25, 0.75, 0.75), (0.0, 0.0, 0.2, 0.2)  # where `correct` has its box, and not


@pytest.fixture
def watched(make_place) -> Place:
    """A place with a champion; half of the images are audits, of which the cap leaves eight."""
    place = make_place(initial=INITIAL, triage={"audit_share": 0.5, "cap": 8})
    place.set_up_review()
    start(place, 3, 2)
    return place


def ask(place: Place, night: str, count: int, predicted: bool = True) -> list[str]:
    """A night up to its open questions, on which the model is sure of a box on every image, and of a wrong
    one beside it where the name is odd; the images that were drawn.
    """
    images = place.add_images({f"{number}.jpg": 90 + number for number in range(count)}, night)
    list_batch(place.workspace, night)
    outputs = {}
    for number, image in enumerate(images if predicted else ()):
        said = [[0, 0.9, *HERE], [0, 0.3, *ELSEWHERE], *([[1, 0.8, *ELSEWHERE]] if number % 2 else [])]
        outputs[image] = place.put(f"said/{night}-{number}", json.dumps({"prediction": said}).encode())
    done = {"champion": "job-1", "outputs": outputs, "missing": [] if predicted else images, "jobs": []}
    place.storage.write_json(layout.predictions_file(night), done)
    triage.triage(place.workspace, night)
    questions.prepare(place.workspace, night)
    questions.start(place.workspace, night)
    return [row.image for row in read_rows(place.storage, night) if share("audit", row.etag) < 0.5]


def test_audits_are_summed_up_whatever_the_cap_cut_off_and_late_answers_join_their_batch(watched: Place):
    drawn = ask(watched, NIGHT, 24)
    assert len(drawn) > 8
    asked = {question.image: int(name.removesuffix(".jpg")) for name, question in watched.questions().items()}
    assert set(asked) < set(drawn)
    first = min(asked.values())  # of which somebody says that there is nothing

    def respond(task: dict) -> dict:
        return content() if asked[task["taskObject"]] == first else correct(task)

    watched.answer(respond, at_most=6)
    watched.settle(open_loops=2)
    watched.assemble()
    (told,) = judge_audits(watched.workspace, NIGHT).audited
    assert (told.batch, told.model, told.images) == (NIGHT, "job-1", 24)
    assert (told.drawn, told.asked, told.share) == (len(drawn), 8, 0.5)
    assert told.tally.images == 6

    watched.answer(respond)
    ask(watched, NEXT, 1, predicted=False)
    watched.settle()
    watched.assemble(NEXT)
    judge_audits(watched.workspace, NEXT)
    live = read_live(watched.workspace)
    both, empty = live.batches
    assert (empty.batch, empty.images, empty.drawn) == (NEXT, 0, 0)
    odd = sum(number % 2 for number in asked.values())
    assert (both.drawn, both.asked, live.unknown) == (len(drawn), 8, ())
    tally = both.tally
    assert (tally.images, tally.true, tally.found, tally.said) == (8, 7, 7, 8 + odd)
    assert (tally.true_found, tally.said_said) == (7, 8 + 3 * odd)
    assert tally.right == 8 - odd - (first % 2 == 0)
    assert list(live.weeks) == ["2026-W44"]

    discard(watched.workspace, NEXT, "ann", "all wrong")
    assert read_live(watched.workspace).batches == (told,)


def test_a_batch_of_an_earlier_version_is_summed_up_from_what_it_left(watched: Place):
    """Without a note of the share; and an image that was asked about for doubt is no audit."""
    drawn = ask(watched, NIGHT, 6)
    watched.answer()
    watched.settle()
    watched.assemble()
    assert read_live(watched.workspace).unknown == (NIGHT,)
    rows = {row.image: row.reason for row in read_rows(watched.storage, NIGHT)}
    assert {image for image, reason in rows.items() if reason == AUDIT} == set(drawn)
    lines = watched.manifest()
    other = lines[0] | {"loop": "another", "reason": "top score 0.300 below 0.5"}
    watched.storage.write_lines(layout.labels_manifest(NIGHT), [*lines, other])
    header = watched.storage.read_json(layout.triage_header(NIGHT))
    del header["audit_share"]
    watched.storage.write_json(layout.triage_header(NIGHT), header)
    (told,) = judge_audits(watched.workspace, NIGHT).audited
    assert (told.images, told.drawn, told.share, told.tally.images) == (6, len(drawn), None, len(drawn))
    assert judge_audits(watched.workspace, NIGHT).audited == (told,)


def test_labels_of_no_batch_say_nothing(watched: Place):
    watched.storage.write_lines(layout.labels_manifest("imported"), [])
    assert judge_audits(watched.workspace, "imported").audited == ()
