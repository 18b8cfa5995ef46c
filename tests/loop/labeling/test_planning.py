"""A labeling job before anybody is asked: the same wish is the same job, and what it costs is said first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records.labeling import LabelingRequest, LeftOut
from include.loop.labeling.planning import Wish, plan_labeling
from tests.loop.place import Place, labelled, picture
from tests.loop.withheld import ARCHIVED, archive


def folder(place: Place, count: int = 3) -> str:
    for number in range(count):
        place.put(f"new/{number}.jpg", picture(40 + number))
    return place.storage.uri("new/")


def test_a_folder_becomes_a_manifest_categories_and_a_template_under_a_name_of_its_own(place: Place):
    place.settings["review"] = {"instructions": "Draw tightly"}
    place.load()
    source = folder(place)
    place.put("new/copy.jpg", picture(40))
    place.put("new/notes.txt", b"none")
    place.put("new/empty.png", b"")
    place.put("new/broken.jpg", b"<html>not found</html>")
    plan = plan_labeling(place.workspace, Wish(source), keep=True)
    assert (plan.images, plan.asked, plan.left_out, plan.known) == (3, 3, 4, 0)
    lines = list(place.storage.read_lines(layout.labeling_manifest(plan.name)))
    assert [line["source-ref"] for line in lines] == [f"{source}{number}.jpg" for number in range(3)]
    assert len({line["etag"] for line in lines}) == 3
    assert place.storage.read_json(layout.labeling_categories(plan.name)) == {
        "document-version": "2018-11-28",
        "labels": [{"label": "cat"}, {"label": "dog"}],
    }
    template = place.storage.read(layout.labeling_template(plan.name)).decode()
    assert 'name="boundingBox"' in template
    assert "<p>Draw tightly</p>" in template
    left_out = {item.where: item.reason for item in LeftOut.read_all(place.storage, plan.name)}
    assert left_out[f"{source}copy.jpg"] == f"same bytes as {source}0.jpg"
    assert left_out[f"{source}empty.png"].startswith("empty object")
    assert left_out[f"{source}broken.jpg"] == "image is HTML; JPEG and PNG are read"
    assert "; 4 other objects are left out;" in plan.text
    assert set(plan.first_left_out) == {f"{where!r}: {reason}" for where, reason in left_out.items()}

    written = {item.uri: item.etag for item in place.storage.list(layout.LABELING)}
    assert plan_labeling(place.workspace, Wish(source), keep=True) == plan
    assert {item.uri: item.etag for item in place.storage.list(layout.LABELING)} == written


def test_a_plan_counts_and_prices_and_writes_nothing(place: Place):
    place.settings["labeling"] = {"workers": 3}
    place.settings["review"] = {"seconds_per_image": 30, "dollars_per_hour": 12}
    place.environment_settings["labeling"] = {"service_dollars": 0.08}
    place.load()
    plan = plan_labeling(place.workspace, Wish(folder(place, 4)))
    assert plan.expected_seconds == 360
    assert plan.expected_dollars == 1.52  # 4 x 0.08, and six minutes at 12 dollars an hour
    assert "4 of 4 images to be labelled by 3 people each: about 6 minutes of work, 1.52 dollars" in plan.text
    assert plan_labeling(place.workspace, Wish(plan_source(place), most_images=1)).expected_dollars == 0.38
    assert not list(place.storage.list(layout.LABELING))


def plan_source(place: Place) -> str:
    return place.storage.uri("new")  # without the slash it is the same folder


@pytest.mark.parametrize(
    "change",
    [
        lambda place: place.put("new/9.jpg", picture(99)),
        lambda place: place.put("new/0.jpg", picture(99)),
        lambda place: place.settings.update(classes=["cat", "dog", "cow"]),
        lambda place: place.settings.update(labeling={"workers": 2}),
        lambda place: place.settings.update(labeling={"instructions": "Look closely"}),
    ],
    ids=["an image more", "another image", "a class more", "more people", "other instructions"],
)
def test_another_question_is_another_job(place: Place, change: Callable[[Place], Any]):
    wish = Wish(folder(place))
    before = plan_labeling(place.workspace, wish).name
    change(place)
    place.load()
    assert plan_labeling(place.workspace, wish).name != before


def test_what_changes_no_label_changes_no_job(place: Place):
    wish = Wish(folder(place))
    before = plan_labeling(place.workspace, wish).name
    place.settings["labeling"] = {"title": "Draw", "availability_seconds": 3600, "images_at_once": 10}
    place.environment_settings["review"]["workteam"] = "others"
    place.load()
    assert plan_labeling(place.workspace, wish).name == before


def test_lines_of_a_manifest_that_have_a_label_keep_it_and_bad_ones_are_left_out(place: Place):
    image = f"s3://{place.bucket}/elsewhere"
    lines = [
        json.dumps(labelled(f"{image}/a.jpg")),
        json.dumps({"source-ref": f"{image}/b.jpg", "note": "\u2028"}),
        json.dumps({"source-ref": f"{image}/a.jpg"}),
        json.dumps({"source-ref": f"{image}/gone.jpg"}),
        json.dumps({"source-ref": f"{image}/cold.jpg"}),
        "{}",
        "nothing",
    ]
    for name in ("b", "cold"):
        place.s3.put_object(Bucket=place.bucket, Key=f"elsewhere/{name}.jpg", Body=picture(1))
    archive(place, f"{image}/cold.jpg")
    source = place.put("mine.manifest", "\n".join(lines).encode())
    plan = plan_labeling(place.workspace, Wish(source), keep=True)
    assert (plan.images, plan.labelled, plan.asked, plan.left_out) == (2, 1, 1, 5)
    kept = list(place.storage.read_lines(layout.labeling_manifest(plan.name)))
    assert kept == [json.loads(line) for line in lines[:2]]
    reasons = [item.reason for item in LeftOut.read_all(place.storage, plan.name)]
    assert reasons == [
        "same image as line 1",
        "manifest line lacks source-ref (an S3 URI)",
        "manifest line is not JSON",
        f"no object at {image}/gone.jpg",
        ARCHIVED,
    ]


def test_labels_become_the_first_models_where_there_is_a_place_for_them_and_nothing_lies_there(place: Place):
    wish = Wish(folder(place))
    assert plan_labeling(place.workspace, wish).target == "labels"
    place.settings["initial"] = {}
    place.settings["gate"] = place.settings["gate"] | {"min_images": 20}
    place.load()
    plan = plan_labeling(place.workspace, wish, keep=True)
    assert plan.target == "initial"
    [warning] = plan.warnings
    assert warning.startswith("of 3 images about ")
    assert "the gate judges by no fewer than 20 (gate.min_images)" in warning
    place.add_labels("initial/train.manifest", {"1.jpg": 100})
    assert plan_labeling(place.workspace, wish).target == "initial", "as it was decided when it was made"
    assert LabelingRequest.read(place.storage, plan.name).target == "initial"
    assert plan_labeling(place.workspace, Wish(wish.source, workers=2)).target == "labels"


@pytest.mark.parametrize(
    ("source", "settings", "told"),
    [
        ("new/", {}, "must be the S3 URI of a folder or a manifest"),
        ("s3://bucket", {}, "not an S3 URI"),
        (None, {"task": "image-classification", "classes": ["cat"]}, "a choice of two"),
        (
            None,
            {"labeling": {"template": "none.html"}},
            "labeling.template: no such file",
        ),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_written(
    place: Place, source: str | None, settings: dict[str, Any], told: str
):
    place.settings |= settings
    place.load()
    with pytest.raises(ConfigurationError, match=told):
        plan_labeling(place.workspace, Wish(source or folder(place)), keep=True)
    assert not list(place.storage.list(layout.LABELING))


def test_automatic_labeling_of_too_few_images_is_refused_in_the_words_of_the_form(place: Place):
    wish = Wish(folder(place), automatic=True)
    told = "Automatic labeling: takes 1,250 images .* there are 3: switch it off in the form"
    with pytest.raises(ConfigurationError, match=told):
        plan_labeling(place.workspace, wish, keep=True)
    assert not list(place.storage.list(layout.LABELING))
    place.environment_settings["labeling"] = {"automatic_images": 3}
    place.load()
    assert plan_labeling(place.workspace, wish).text.count(", less what a model labels") == 1


def test_a_folder_without_images_is_told_with_what_lies_there(place: Place):
    place.put("new/notes.txt", b"none")
    with pytest.raises(
        ConfigurationError, match=r"has no image to be labelled; 's3://.*notes.txt': suffix is none of"
    ):
        plan_labeling(place.workspace, Wish(place.storage.uri("new/")))
