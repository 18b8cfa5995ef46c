"""While there is no model, a named endpoint gives the first boxes; whatever it does, the night goes on."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from include.loop.config import Pipeline
from include.loop.core.errors import BadRecord
from include.loop.core.records.nightly import PinnedModel, Predictions, QuestionsHeader
from include.loop.core.records.parts import write_outputs
from include.loop.nightly import batch, prelabels, questions, triage
from include.loop.nightly.predictions import predictions_of
from include.loop.report.batches import read_batch
from include.loop.tasks.detection.predictions import Detection, read_foreign
from tests.loop.place import NIGHT, Place
from tests.support.cloud import FAKE_IMAGE, ROLE, LocalCloud, eventually
from tests.support.sagemaker import detector, make_model


@pytest.fixture(scope="module")
def endpoints(cloud: LocalCloud) -> Iterator[dict[str, str]]:
    """Somebody else's: a ``detector``, and one that answers with what is no detection."""
    sagemaker, bucket = cloud.client("sagemaker"), cloud.make_bucket(__file__)
    cloud.client("s3").put_object(Bucket=bucket, Key="model.tar.gz", Body=detector(1))
    sagemaker.create_model(
        ModelName=f"detector-{bucket}",
        PrimaryContainer={"Image": FAKE_IMAGE, "ModelDataUrl": f"s3://{bucket}/model.tar.gz"},
        ExecutionRoleArn=ROLE,
    )
    made = {"detector": f"detector-{bucket}", "nonsense": make_model(cloud, bucket, f"nonsense-{bucket}")}
    for name in made.values():
        variant = {"VariantName": "only", "ModelName": name, "InstanceType": "ml.m5.xlarge"}
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant | {"InitialInstanceCount": 1}]
        )
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def serving(name: str) -> bool:
        return bool(sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")

    eventually(lambda: all(serving(name) for name in made.values()), within=200)
    yield made
    for name in made.values():
        sagemaker.delete_endpoint(EndpointName=name)


def first_night(make_place: Callable[..., Place], endpoint: str, images: int = 6, **review: Any) -> Place:
    place = make_place(review={"prelabel_endpoint": endpoint, **review}, triage={"audit_share": 0})
    place.set_up_review()
    place.add_images({f"{number}.jpg": 200 + number for number in range(images)})
    return place


def told(place: Place) -> Any:
    return QuestionsHeader.read(place.storage, NIGHT).prelabels


def test_an_endpoint_draws_the_first_boxes_of_a_night_without_a_model(make_place, endpoints):
    """Its only class is our second one; an image that is too large for it is sent smaller."""
    place = first_night(make_place, endpoints["detector"], images=2, prelabel_classes={"dog": [0]})
    place.add_images({"dim.jpg": 60, "black.jpg": 0})  # a score of 0.24, and nothing at all
    noise = Image.frombytes("RGB", (1600, 1400), random.Random(1).randbytes(1600 * 1400 * 3))
    noise.save(large := io.BytesIO(), "PNG")
    assert large.tell() > prelabels.MAX_BYTES
    place.put(f"images/dt={NIGHT}/large.png", large.getvalue())
    place.ask()

    asked = place.questions()
    box = {"label": "dog", "left": 8, "top": 6, "width": 16, "height": 12}
    whole = {"label": "dog", "left": 400, "top": 350, "width": 800, "height": 700}
    assert {name: item.input["initialValue"] for name, item in asked.items()} == {
        "0.jpg": [box],
        "1.jpg": [box],
        "dim.jpg": [],
        "black.jpg": [],
        "large.png": [whole],
    }
    assert {item.prelabels for item in asked.values()} == {f"endpoint/{endpoints['detector']}"}
    assert (told(place).endpoint, told(place).images, told(place).missing) == (endpoints["detector"], 5, 0)
    assert read_batch(place.workspace, NIGHT, []).prelabels == told(place)

    before = place.cloud.requests()["InvokeEndpoint"]
    questions.prepare(place.workspace, NIGHT)
    assert place.cloud.requests()["InvokeEndpoint"] == before


@pytest.mark.parametrize(
    ("kind", "why"), [("missing", "not found"), ("nonsense", "no prediction: unreadable output")]
)
def test_an_endpoint_that_is_missing_or_talks_nonsense_is_given_up_and_the_night_goes_on(
    make_place, endpoints, kind, why
):
    place = first_night(make_place, endpoints.get(kind, "nobody-there"), images=40)
    before = place.cloud.requests().get("InvokeEndpoint", 0)
    assert place.ask().started == 40
    # All threads may be asking when the last failure that it takes is met.
    assert place.cloud.requests().get("InvokeEndpoint", 0) - before <= 2 * prelabels.FIRST_FAILURES
    assert {item.prelabels for item in place.questions().values()} == {None}
    assert (told(place).images, told(place).missing) == (0, 40)
    reasons = dict(told(place).reasons)
    assert any(why in reason for reason in reasons)
    assert max(reasons, key=lambda reason: reasons[reason]).startswith("not sent: ")


def test_when_its_time_is_up_nothing_more_is_sent(place: Place):
    review = place.pipeline.review.model_copy(update={"prelabel_endpoint": "nobody-there"})
    found = prelabels.ask_endpoint(place.but(review=review), [("s3://b/a.jpg", "1")], most_seconds=-1)
    assert found.found == {}
    assert found.told is not None
    assert found.told.reasons == (("the time for the endpoint is up", 1),)


def test_images_that_are_gone_are_no_failures_of_the_endpoint(make_place, endpoints):
    """By when the image that is there is sent, more of the others have failed than an endpoint is given."""
    place = first_night(make_place, endpoints["detector"], images=1)
    (there,) = place.add_images({"0.jpg": 200})
    stat = place.storage.stat(there)
    assert stat is not None
    gone = [(f"{there}.{number}", "1") for number in range(2 * prelabels.FIRST_FAILURES)]
    found = prelabels.ask_endpoint(place.workspace, [*gone, (there, stat.etag)])
    assert list(found.found) == [there]
    assert found.told is not None
    assert found.told.reasons == (("the image is gone, or was replaced", len(gone)),)


def test_once_there_is_a_champion_its_own_boxes_are_shown(make_place):
    place = first_night(make_place, "nobody-there", images=1)
    (image,) = place.add_images({"0.jpg": 200})
    batch.list_batch(place.workspace, NIGHT)
    model = PinnedModel(training_job="a-model", model_data="s3://b/model.tar.gz")
    pinned = batch.read_batch(place.workspace, NIGHT).model_copy(update={"champion": model})
    pinned.write(place.storage, NIGHT)
    output = place.put("said/0.out", json.dumps({"prediction": [[0, 0.4, 0, 0, 1, 1]]}).encode())
    write_outputs(place.storage, pinned, 0, {image: output}, {})
    Predictions(champion="a-model", parts=1, predicted=1).write_once(place.storage, NIGHT)
    triage.triage(place.workspace, NIGHT)
    questions.prepare(place.workspace, NIGHT)
    question = place.questions()["0.jpg"]
    assert (len(question.input["initialValue"]), question.prelabels) == (1, "training-job/a-model")
    assert told(place) is None


def test_an_image_that_has_gone_since_costs_no_other_its_boxes(make_place):
    """A reader of another image's replies looks at the picture itself."""
    place = first_night(make_place, "nobody-there", images=3)
    place.environment_settings |= {"adapter": {"output": "coco-results"}}
    place.load()
    images = place.add_images({f"{number}.jpg": 200 + number for number in range(3)})
    batch.list_batch(place.workspace, NIGHT)
    model = PinnedModel(training_job="a-model", model_data="s3://b/model.tar.gz")
    pinned = batch.read_batch(place.workspace, NIGHT).model_copy(update={"champion": model})
    pinned.write(place.storage, NIGHT)
    box = {"category_id": 1, "bbox": [0, 0, 32, 24], "score": 0.4}
    output = place.put("said/0.out", json.dumps([box]).encode())
    write_outputs(place.storage, pinned, 0, dict.fromkeys(images, output), {})
    Predictions(champion="a-model", parts=1, predicted=3).write_once(place.storage, NIGHT)
    triage.triage(place.workspace, NIGHT)
    place.s3.delete_object(Bucket=place.bucket, Key=f"pets/images/dt={NIGHT}/0.jpg")
    place.put(f"images/dt={NIGHT}/1.jpg", b"no image any more")
    assert set(predictions_of(place.workspace, NIGHT, images)) == {images[2]}
    questions.prepare(place.workspace, NIGHT)
    assert {name: len(item.input["initialValue"]) for name, item in place.questions().items()} == {"2.jpg": 1}


def said(*rows: Any) -> bytes:
    return json.dumps({"prediction": rows}).encode()


def test_another_models_classes_become_ours_and_the_rest_is_dropped():
    body = said([41, 0.5, 0, 0, 1, 1], [2, 0.9, 0, 0, 1, 1], [39, 0.8, -0.1, 0, 1.1, 1], [-1, 0, 0, 0, 0, 0])
    assert read_foreign(body, 2, {41: 1, 39: 0, 40: 0}) == [
        Detection(0, 0.8, 0, 0, 1, 1),
        Detection(1, 0.5, 0, 0, 1, 1),
    ]


def test_boxes_in_pixels_scores_in_percent_and_classes_without_a_map_are_told():
    with pytest.raises(BadRecord, match="not pixels"):
        read_foreign(said([0, 0.5, 10, 10, 60, 60]), 2, {})
    for wrong in (97.5, -0.1, float("nan")):
        with pytest.raises(BadRecord, match="score must be from 0 to 1"):
            read_foreign(said([0, wrong, 0, 0, 1, 1]), 2, {})
    assert read_foreign(said([-1, -1, -1, -1, -1, -1]), 2, {}) == []  # padding
    with pytest.raises(BadRecord, match="class 17 is not one of 2"):
        read_foreign(said([17, 0.5, 0, 0, 1, 1]), 2, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON | st.builds(lambda rows: {"prediction": rows}, st.lists(st.lists(JSON, max_size=7), max_size=3)))
def test_whatever_is_answered_is_boxes_or_a_bad_record(value):
    for ids in ({}, {0: 1}):
        try:
            found = read_foreign(json.dumps(value).encode(), 2, ids)
        except BadRecord:
            continue
        assert all(item.class_id in (0, 1) for item in found)


@pytest.mark.parametrize(
    ("review", "why"),
    [
        ({"prelabel_classes": {"cat": [1]}}, "is for review.prelabel_endpoint: name it"),
        ({"prelabel_endpoint": "e", "prelabel_classes": {"cow": [1]}}, "'cow' is none of classes: cat, dog"),
        ({"prelabel_endpoint": "e", "prelabel_classes": {"cat": [1], "dog": [1]}}, "1 is said twice"),
        ({"prelabel_endpoint": "not/a name"}, "prelabel_endpoint"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(review, why):
    with pytest.raises(ValueError, match=why):
        Pipeline(name="pets", path=Path("pets.yaml"), classes=("cat", "dog"), review=review)
