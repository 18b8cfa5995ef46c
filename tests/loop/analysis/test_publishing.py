"""A whole labeling job, judged: its numbers, its page, its pictures."""

from __future__ import annotations

import json
import re

import pytest

from include.loop.analysis.costs import Prices
from include.loop.analysis.publishing import publish
from include.loop.analysis.sources import Sources
from tests.loop.analysis.jobs import JOB, TRUE, boxes, described, drawn, grade, response, write_job
from tests.loop.place import Place, picture

SHIFTED = (60 / 140 + 48 / 144) / 2  # 10 and 8 wide, 4 to the right


def test_a_job_is_judged_beside_what_is_true(place: Place) -> None:
    _, references = write_job(place)
    sources = Sources.of_job(described(place), references)
    found = publish(place.storage, sources, "analysis/index.html", title=JOB, prices=Prices(hour=18))
    assert (found.labels, found.human, found.machine, found.failed) == (12, 10, 2, 0)
    assert found.mean_score == pytest.approx((10 + 2 * SHIFTED) / 12)
    # Thirty answers of twenty seconds, at eighteen dollars an hour.
    assert found.dollars == pytest.approx(12 * 0.08 + 30 * 0.036 + 30 * 20 / 3600 * 18)
    assert found.headline.startswith(
        "12 of 12 labelled, 10 by people and 2 by machine, for $5.04 (measured)."
    )
    numbers = json.loads(place.storage.read("analysis/index.json"))
    assert numbers["groups"]["human"]["mean"] == 1
    assert numbers["groups"]["machine"]["by_box"] == pytest.approx(SHIFTED)
    assert numbers["histograms"] == {"human": [0] * 15 + [10], "machine": [0] * 6 + [2] + [0] * 9}
    assert numbers["iterations"] == {"1": 5, "2": 5}
    workers = {item["worker"][-1]: item for item in numbers["workers"]}
    assert {name: item["true"] for name, item in workers.items()} == {
        "a": 1,
        "b": pytest.approx(SHIFTED),
        "c": 0.5,
    }
    assert {item["seconds"] for item in workers.values()} == {20}
    page = place.storage.read("analysis/index.html").decode()
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"|data:[^"]*', "", page)
    assert page.count("data:image/webp") > 12
    titles = ("Worst", "Best", "Surest", "chosen by chance")
    places = [page.find(title) for title in (f">{title}</h2>" for title in titles[:3])]
    assert -1 not in places
    assert places == sorted(places)
    assert titles[3] not in page  # all twelve pictures are shown already
    assert "private.eu-west-1" not in page


def test_labels_of_human_loops_find_the_answers_by_their_loop(place: Place) -> None:
    sources = [place.put(f"in/{n}.jpg", picture(100)) for n in range(2)]
    lines = [boxes(source, TRUE) | {"loop": f"loop-{n}"} for n, source in enumerate(sources)]
    place.storage.write_lines("labels/labels.manifest", lines)
    body = json.loads(response({"a": drawn(*TRUE), "b": drawn(TRUE[0])}))
    body = {"humanAnswers": [*body["answers"], {"workerId": "c"}], "humanLoopName": "loop-1"}
    place.put("reviews/flow/2026/11/01/02/03/04/loop-1/output.json", json.dumps(body).encode())
    read = Sources(place.storage.uri("labels/labels.manifest"), responses=place.storage.uri("reviews/"))
    found = publish(place.storage, read, "analysis/index.html", title="own")
    assert (found.labels, found.mean_score) == (2, 0.5)
    numbers = json.loads(place.storage.read("analysis/index.json"))
    assert [item["answers"] for item in numbers["workers"]] == [1, 1]
    assert numbers["problems"] == {"answer: the answer has neither boxes nor classes": 1}


def test_classes_and_labels_that_nothing_can_be_said_of_have_a_page_too(place: Place) -> None:
    source = place.put("in/0.jpg", picture(100))
    gone = grade(f"s3://{place.bucket}-gone/1.jpg", "bad", 0.8)
    lines = [grade(source, "<b>good", 0.9), {"source-ref": source}, gone]
    true = [grade(source, "bad", 1)]
    for name, values in (("labels", lines), ("true", true)):
        place.storage.write_lines(f"{name}.manifest", values)
    manifest = place.storage.uri("labels.manifest")
    publish(place.storage, Sources(manifest, label="grade"), "index.html", title="alone")
    assert "Nothing can be said of it" in place.storage.read("index.html").decode()
    judged = Sources(manifest, label="grade", references=place.storage.uri("true.manifest"))
    found = publish(place.storage, judged, "index.html", title="judged")
    assert found.mean_score == 0  # of the one image that has a reference
    page = place.storage.read("index.html").decode()
    assert "&lt;b&gt;good" in page
    assert "<b>good" not in page
    assert "1 of the chosen pictures could not be read" in page
