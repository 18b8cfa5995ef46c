"""Nights of a classifier, from its images to its labels, on a real local cloud with a real review server."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest

from include.loop.core.records.dataset import Dataset
from include.loop.dataset import build
from include.loop.lineage.walk import Start, walk
from include.loop.training.hyperparameters import make_hyperparameters
from include.loop.training.job import make_request
from tests.loop.nightly.test_night import learn
from tests.loop.place import NIGHT, Place, picture
from tests.support.cloud import ROLE

CLASSES = {"task": "image-classification", "classes": ["bright", "dark"]}


def add_labels(place: Place, location: str, brightness: dict[str, int]) -> None:
    lines = []
    for name, level in brightness.items():
        source = place.put(f"initial/images/{name}", picture(level, name))
        label = int(level < 128)
        metadata = {"class-name": CLASSES["classes"][label], "creation-date": "2026-10-01T00:00:00.000000"}
        lines.append(json.dumps({"source-ref": source, "review": label, "review-metadata": metadata}))
    place.put(location, "\n".join(lines).encode() + b"\n")


@pytest.fixture
def trained(make_place) -> Place:
    """A place with a first champion, which calls bright what is dark."""
    place = make_place(
        **CLASSES,
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"},
        review={"task_count": 2},
        triage={"strategy": "least_confident", "threshold": 0.7, "audit_share": 0},
    )
    add_labels(place, "initial/train.manifest", {f"a{n}.jpg": 20 + 40 * n for n in range(6)})
    add_labels(place, "initial/validation.manifest", {"v1.jpg": 30, "v2.jpg": 220})
    assert learn(place, build.build_initial(place.workspace).dataset_id).promoted
    place.set_up_review()
    return place


def assert_reviewers_see(place: Place, element: str, name: str) -> None:
    """The pipeline's template makes a page of a question, without a fault."""
    page = place.control.render_ui_template(
        UiTemplate={"Content": place.pipeline.template()},
        Task={"Input": json.dumps(place.questions()[name].input)},
        RoleArn=ROLE,
    )
    assert page["Errors"] == []
    assert f"<{element}" in page["RenderedContent"]
    assert '"bright", "dark"' in unescape(page["RenderedContent"]).replace('","', '", "')


def choose(label: str) -> dict[str, Any]:
    return {"annotatedResult": {"label": label}}


def test_a_night_asks_about_doubtful_images_and_its_answers_become_ground_truths_lines(trained: Place):
    names = {"sure.jpg": 250, "dim.jpg": 120, "pale.jpg": 140, "odd.jpg": 110, "grey.jpg": 130}
    trained.add_images(names)
    assert trained.ask().asked == 4
    assert trained.questions()["dim.jpg"].input["labels"] == ["bright", "dark"]
    assert trained.questions()["dim.jpg"].input["initialValue"] == "bright"

    assert_reviewers_see(trained, "crowd-image-classifier", "dim.jpg")

    def right(task: dict[str, Any]) -> dict[str, Any]:
        return choose("bright" if names[task["taskObject"].rsplit("/", 1)[-1]] >= 128 else "dark")

    def careless(task: dict[str, Any]) -> dict[str, Any]:
        """Right but for one picture, and of another the answer is no class."""
        name = task["taskObject"].rsplit("/", 1)[-1]
        return {"odd.jpg": choose("bright"), "pale.jpg": choose("green")}.get(name, right(task))

    assert trained.answer(right) == 4
    second = trained.rig.worker(trained.team)
    while (task := second.take()) is not None:
        assert second.do("answer", task, careless(task["input"])).status_code == 200
    trained.settle()
    report = trained.assemble()
    lines = {line["source-ref"].rsplit("/", 1)[-1]: line for line in trained.manifest()}
    labels = {name: line["review"] for name, line in lines.items()}
    assert labels == {"dim.jpg": 1, "pale.jpg": 0, "grey.jpg": 0}
    metadata = lines["dim.jpg"]["review-metadata"]
    assert (metadata["class-name"], metadata["type"]) == ("dark", "groundtruth/image-classification")
    # Who is one of two makes a confidence, who is alone a lower one.
    assert 0.5 < lines["pale.jpg"]["review-metadata"]["confidence"] < metadata["confidence"] <= 0.95
    reasons = {line["image"].rsplit("/", 1)[-1]: line for line in trained.quarantine()}
    assert reasons["odd.jpg"]["reason"] == "reviewers disagree"
    assert sorted(reasons["odd.jpg"]["said"].values()) == [["bright"], ["dark"]]
    assert "unknown label: 'green'" in reasons["pale.jpg"]["reason"]
    assert (report.labels, report.disagreed, report.answers, report.negatives) == (3, 1, 7, 0)

    built = build.build(trained.workspace)
    assert (built.new, built.rejected) == (3, 0)
    promoted = learn(trained, built.dataset_id)
    assert promoted.promoted, promoted
    found = walk(trained.workspace, Start(training_job=promoted.training_job, class_name="dark"))
    assert found["label"]["labels"] == [{"label": "dark"}]
    assert sorted(item["labels"] for item in found["answers"]) == [["dark"], ["dark"]]


def test_a_night_of_images_with_many_labels_or_none(make_place):
    """The first night of a pipeline without labels: nothing is predicted, nothing is there to begin with."""
    place = make_place(**CLASSES, multi_label=True, triage={"cap": 4, "audit_share": 0})
    place.set_up_review()
    place.add_images({"both.jpg": 120, "one.jpg": 200, "none.jpg": 30})
    said = {"both.jpg": ["bright", "dark"], "one.jpg": ["bright"], "none.jpg": ["none of these"]}

    def respond(task: dict[str, Any]) -> dict[str, Any]:
        assert (task["initialValue"], task["exclusion"]) == ([], {"text": "none of these"})
        return {"annotatedResult": {"labels": said[task["taskObject"].rsplit("/", 1)[-1]]}}

    report = place.night(respond=respond)
    assert_reviewers_see(place, "crowd-image-classifier-multi-select", "one.jpg")
    lines = {line["source-ref"].rsplit("/", 1)[-1]: line for line in place.manifest(NIGHT)}
    assert {name: line["review"] for name, line in lines.items()} == {
        "both.jpg": [0, 1],
        "one.jpg": [0],
        "none.jpg": [],
    }
    assert lines["one.jpg"]["review-metadata"]["confidence-map"] == {"0": 0.0}
    assert (report.labels, report.negatives) == (3, 1)
    dataset = Dataset.read(place.storage, build.build(place.workspace).dataset_id)
    request = make_request(
        place.workspace, dataset, None, make_hyperparameters(place.workspace, dataset, None)
    )
    assert request["HyperParameters"]["multi_label"] == "1"
    assert {channel["ContentType"] for channel in request["InputDataConfig"]} == {
        "application/x-recordio; label-format=class-id"
    }
