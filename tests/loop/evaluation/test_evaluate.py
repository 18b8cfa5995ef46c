"""Both models meet the same images, every image is predicted once, and what cannot be measured is said."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from include.loop.aws.jobs import Pending
from include.loop.core import layout
from include.loop.core.errors import ConfigurationError
from include.loop.core.records import parts
from include.loop.core.records.dataset import Dataset
from include.loop.core.records.nightly import LabelSummary
from include.loop.dataset import build
from include.loop.evaluation import evaluate, gate
from include.loop.evaluation.slices import read_slices
from include.loop.models import champion, registry
from include.loop.nightly import batch, predictions
from include.loop.training.job import train
from tests.loop.place import NIGHT, Place, labelled, picture

INITIAL = {"train": "initial/train.manifest", "validation": "initial/validation.manifest"}


def add_dataset(place: Place, dataset_id: str = "d1", **counts: int) -> None:
    Dataset.model_validate({"dataset_id": dataset_id} | counts).write(place.storage, dataset_id)


def add_night(place: Place, brightness: dict[str, int]) -> None:
    """A night's images, predicted by the champion, and its labels; every fourth was asked about by chance."""
    place.add_images(brightness)
    batch.list_batch(place.workspace, NIGHT)
    place.finish(predictions.predict, NIGHT)
    lines = []
    pinned = batch.read_batch(place.workspace, NIGHT)
    for number, image in enumerate(parts.all_images(place.storage, pinned)):
        known = {"etag": image.etag, "batch": NIGHT, "loop": f"loop-{number}"}
        reason = "audit" if number % 4 == 0 else "least_confident"
        lines.append(labelled(image.uri, "2026-11-01T12:00:00.000000") | known | {"reason": reason})
    place.storage.write_lines(layout.labels_manifest(NIGHT), lines)
    LabelSummary(batch=NIGHT, labels=len(lines)).write(place.storage, NIGHT)


def metrics(place: Place, job: str) -> dict[str, Any]:
    return dict(place.storage.read_json(layout.metrics_file(job)))


@pytest.fixture
def reigning(make_place) -> Place:
    """A place with a champion that looks beside every object."""
    place = make_place(initial=INITIAL, test_sets={"day": "test/day.manifest"})
    place.add_labels(INITIAL["train"], {f"a{n}.jpg": 150 + n for n in range(4)})
    place.add_labels(INITIAL["validation"], {f"v{n}.jpg": 170 + n for n in range(4)})
    place.add_labels("test/day.manifest", {f"d{n}.jpg": 200 + n for n in range(3)})
    job = place.finish(train, build.build_initial(place.workspace).dataset_id).training_job
    place.finish(evaluate.evaluate, job)
    gate.judge(place.workspace, job)
    registry.register(place.workspace, job)
    assert champion.promote(place.workspace, job).promoted
    return place


def test_both_meet_the_same_images_and_what_was_predicted_once_is_not_predicted_again(reigning: Place):
    add_night(reigning, {f"n{n}.jpg": 100 + 10 * n for n in range(16)})
    dataset_id = build.build(reigning.workspace).dataset_id
    job = reigning.finish(train, dataset_id).training_job
    before = reigning.cloud.requests()["CreateTransformJob"]
    told = reigning.finish(evaluate.evaluate, job)
    # The champion has seen the test set as a challenger, and the night's images in the night.
    assert reigning.cloud.requests()["CreateTransformJob"] == before + 1
    assert told.score["day"] == {"champion": 0.0, "challenger": 1.0}

    found = metrics(reigning, job)
    record = Dataset.read(reigning.storage, dataset_id)
    assert found["slices"].keys() == {"day", "retention", "recent", "audit"}
    for name, item in found["slices"].items():
        assert item["images"] == (3 if name == "day" else getattr(record, name))
        assert (item["challenger"]["score"], item["champion"]["score"]) == (1.0, 0.0)
        assert (item["delta"]["score"], item["delta"]["low"]) == (1.0, 1.0)
    assert found["train_recall"].keys() == {NIGHT, "replayed"}
    assert (
        found["train_recall"][NIGHT]["images"] + found["train_recall"]["replayed"]["images"] == record.train
    )
    # Timed by the job that predicted most: the challenger's only one, the champion's first.
    slices = sum(item["images"] for item in found["slices"].values())
    assert found["latency"]["images"] == {"challenger": slices + record.train, "champion": 5}
    assert found["latency"]["challenger"] > 0

    read = found["calibration"]
    assert (set(read["slices"]), read["measured"].keys()) == ({"retention", "recent", "audit"}, {"day"})
    assert read["why_not"].startswith("there are too few detections to tell")  # each of them is right
    assert read["working_point"]["recall"] == 1.0

    rows = list(reigning.storage.read_lines(layout.measured_images_file(job)))
    assert len(rows) == slices
    assert all(
        (row["champion_f1"], row["challenger_f1"]) == (0.0, 1.0) for row in rows if row["slice"] == "day"
    )
    assert all(reigning.storage.exists(location) for row in rows for location in row["out"].values())

    assert_again_gives_the_same_bytes(reigning, job)


def assert_again_gives_the_same_bytes(place: Place, job: str) -> None:
    """After a run was cleared, and also when its records were lost."""
    files = [layout.metrics_file(job), layout.measured_images_file(job), layout.verdict_file(job)]
    gate.judge(place.workspace, job)
    bodies = {location: place.storage.read(location) for location in files}
    for location in files:
        bucket, key = place.storage.resolve(location)
        place.s3.delete_object(Bucket=bucket, Key=key)
    before = place.cloud.requests()["CreateTransformJob"]
    assert not isinstance(evaluate.evaluate(place.workspace, job), Pending)
    gate.judge(place.workspace, job)
    assert place.cloud.requests()["CreateTransformJob"] == before
    for location, body in bodies.items():
        assert place.storage.read(location) == body, location


def test_an_image_that_no_model_can_read_is_counted_and_sent_once(reigning: Place):
    lines = list(reigning.storage.read_lines("test/day.manifest"))
    # In a bucket of its own, as a camera's may be: one job takes the images of one bucket.
    reigning.s3.create_bucket(Bucket=f"{reigning.bucket}-cam")
    reigning.s3.put_object(Bucket=f"{reigning.bucket}-cam", Key="broken.jpg", Body=b"not a picture")
    broken, whole = f"s3://{reigning.bucket}-cam/broken.jpg", reigning.put("test/images/w.jpg", picture(222))
    reigning.storage.write_lines("test/day.manifest", [*lines, labelled(broken), labelled(whole)])
    champion_now = champion.read_champion(reigning.workspace)
    assert champion_now is not None
    job = champion_now.training_job  # measured anew, and nothing but those two pictures is new
    bucket, key = reigning.storage.resolve(layout.metrics_file(job))
    reigning.s3.delete_object(Bucket=bucket, Key=key)
    reigning.finish(evaluate.evaluate, job)
    day = metrics(reigning, job)["slices"]["day"]
    assert (day["images"], day["challenger"]["unpredicted"]) == (5, 1)
    told = {"slice": "day", "model": "challenger", "images": 1, "first": broken}
    told |= {"why": "not an image", "left_out": False}
    assert metrics(reigning, job)["unpredicted"] == [told]
    before = reigning.cloud.requests()["CreateTransformJob"]
    reigning.s3.delete_object(Bucket=bucket, Key=key)
    reigning.finish(evaluate.evaluate, job)
    assert reigning.cloud.requests()["CreateTransformJob"] == before


def test_what_only_the_champion_could_be_asked_about_is_no_loss_of_its_challengers(reigning: Place):
    """An older version read another format, or another place had room for a long name."""
    add_night(reigning, {f"n{n}.jpg": 100 + n for n in range(12)})
    built = build.build(reigning.workspace, min_new_labels=1)
    lines = list(reigning.storage.read_lines("test/day.manifest"))
    tiff = reigning.put("test/images/old.jpg", b"II*\0 once it was read")
    reigning.storage.write_lines("test/day.manifest", [*lines, labelled(tiff)])
    now = champion.read_champion(reigning.workspace)
    assert now is not None
    (kept, *_) = reigning.storage.list(layout.outputs_files(now.training_job))
    record = reigning.storage.read_json(kept.uri)
    etag = hashlib.md5(reigning.storage.read(tiff), usedforsecurity=False).hexdigest()
    record["outputs"].append(record["outputs"][0] | {"image": tiff, "etag": etag})
    reigning.storage.write_json(kept.uri, record)

    job = reigning.finish(train, built.dataset_id).training_job
    reigning.finish(evaluate.evaluate, job)
    measured = metrics(reigning, job)
    day = measured["slices"]["day"]
    assert (day["images"], day["challenger"]["score"], day["challenger"]["unpredicted"]) == (3, 1, 0)
    told = {"slice": "day", "model": "challenger", "images": 1, "first": tiff, "left_out": True}
    assert measured["unpredicted"] == [told | {"why": "image is TIFF; JPEG and PNG are read"}]


def test_a_champion_measured_by_a_first_version_has_challengers_like_any_other(reigning: Place):
    """Its metrics know neither a digest of the images nor the best of its line."""
    first = champion.read_champion(reigning.workspace)
    assert first is not None
    value = metrics(reigning, first.training_job)
    for item in value["slices"].values():
        del item["best"], item["digest"]
    reigning.storage.write_json(layout.metrics_file(first.training_job), value)
    add_night(reigning, {f"n{n}.jpg": 100 + n for n in range(8)})
    job = reigning.finish(train, build.build(reigning.workspace).dataset_id).training_job
    reigning.finish(evaluate.evaluate, job)
    day = metrics(reigning, job)["slices"]["day"]
    assert day["best"] == day["champion"]["score"]


def test_a_damaged_test_set_is_refused_instead_of_shrinking(make_place):
    place: Place = make_place(test_sets={"day": "test/day.manifest"})
    add_dataset(place)
    with pytest.raises(ConfigurationError, match=r"pets\.yaml: test_sets\.day: no object at s3://"):
        read_slices(place.workspace, "d1")
    place.storage.write_lines("test/day.manifest", [])
    with pytest.raises(ConfigurationError, match=r"test_sets\.day .*it is empty"):
        read_slices(place.workspace, "d1")
    one, two = labelled("s3://b/1.jpg"), labelled("s3://b/2.jpg", class_id=7)
    place.storage.write_lines("test/day.manifest", [one, two])
    with pytest.raises(
        ConfigurationError, match=r"1 unusable lines, the first: class_id 7 is not one of .* 2"
    ):
        read_slices(place.workspace, "d1")


def test_a_box_that_cannot_be_learned_damages_a_test_set_and_not_the_slices_of_a_dataset(make_place):
    place: Place = make_place(test_sets={"day": "test/day.manifest"})
    good, clipped = (labelled(place.put(f"{n}.jpg", picture(90, str(n)))) for n in range(2))
    (box,) = good["review"]["annotations"]
    outside = box | {"left": 32}
    clipped["review"]["annotations"] = [box | {"left": 24}]
    lost = good | {"review": good["review"] | {"annotations": [box, outside]}}
    nothing = good | {"review": good["review"] | {"annotations": [outside]}}
    place.storage.write_lines("test/day.manifest", [clipped, lost])
    # A dataset that an older version built may have the like: its lines were told when it was built.
    place.storage.write_lines("datasets/d1/retention.manifest", [lost, nothing])
    add_dataset(place, retention=2)
    with pytest.raises(ConfigurationError) as caught:
        read_slices(place.workspace, "d1")
    assert str(caught.value) == (
        f"pets.yaml: test_sets.day ({place.storage.uri('test/day.manifest')}): 1 unusable lines, the first: "
        "box 2 (class_id 0 at 32,6 of 16 x 12) lies outside the image of 32 x 24 pixels (line 2)"
    )
    place.storage.write_lines("test/day.manifest", [clipped])
    found = read_slices(place.workspace, "d1").images
    assert [len(found[name][0].classes) for name in ("day", "retention")] == [1, 1]


def test_a_picture_that_was_replaced_since_it_was_labelled_measures_nothing(make_place):
    place: Place = make_place(test_sets={"day": "test/day.manifest"})
    body = picture(100, "as labelled")
    kept, replaced = (place.put(f"images/{name}.jpg", body) for name in ("kept", "replaced"))
    etag = {"etag": hashlib.md5(body, usedforsecurity=False).hexdigest()}
    gone = f"s3://{place.bucket}/pets/images/gone.jpg"
    lines = [labelled(kept) | etag, labelled(replaced) | etag, labelled(gone)]
    place.put("images/replaced.jpg", picture(200, "another"))
    place.storage.write_lines("test/day.manifest", lines[:1])
    place.storage.write_lines("datasets/d1/retention.manifest", lines)
    add_dataset(place, retention=3)
    slices = read_slices(place.workspace, "d1")
    assert [line.source for line in slices.images["retention"]] == [kept]
    assert (slices.gone, slices.etags) == ({"day": 0, "retention": 2}, {kept: etag["etag"]})
    # A test set is somebody's promise: it is not made smaller in silence.
    place.storage.write_lines("test/day.manifest", lines)
    with pytest.raises(
        ConfigurationError, match=r"test_sets\.day: 2 of its 3 images are missing in S3, or are"
    ):
        read_slices(place.workspace, "d1")


def test_without_test_sets_the_validation_side_is_the_test(place: Place):
    source = place.put("images/1.jpg", picture(100))
    add_dataset(place, retention=0)
    place.storage.write_lines("datasets/d1/validation.manifest", [labelled(source)])
    slices = read_slices(place.workspace, "d1")
    assert {name: [line.source for line in lines] for name, lines in slices.images.items()} == {
        "validation": [source]
    }


# NOIMPORT layout
