"""Predictions are read as documented, and find their image however much of its key the output keeps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.aws.jobs import Pending, ResourceKind, latest
from include.loop.aws.transform import Transform, Transformed, advance, why_missing
from include.loop.aws.transform_input import manifest, payload_mb, places, prefix_of, too_large
from include.loop.core.errors import BadRecord, Fatal, JobFailed, JobRejected
from include.loop.tasks.detection.predictions import read_detections
from include.loop.workspace import Workspace
from tests.loop.place import Place, picture
from tests.loop.withheld import ARCHIVED, archive, denied
from tests.support.sagemaker import detector


def payload(*rows):
    return json.dumps({"prediction": rows}).encode()


def test_detections_come_best_first_and_are_clamped_to_the_image():
    found = read_detections(payload([0.0, 0.2, -0.1, 0.1, 0.5, 1.2], [1.0, 0.9, 0.1, 0.1, 0.2, 0.2]), 2)
    assert [(item.class_id, item.score) for item in found] == [(1, 0.9), (0, 0.2)]
    assert (found[1].xmin, found[1].ymax) == (0.0, 1.0)


def test_the_algorithms_padding_rows_are_left_out():
    assert read_detections(payload([-1.0, 0.9, 0, 0, 1, 1]), 2) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"prediction": 3}',
        payload([0, 0.9, 0, 0, 1]),
        payload([0, 0.9, 0, 0, 1, "x"]),
        payload([2, 0.9, 0, 0, 1, 1]),
        payload([0.5, 0.9, 0, 0, 1, 1]),
        b'{"prediction": [[0, NaN, 0, 0, 1, 1]]}',
        b'{"prediction": [[0, 1' + b"0" * 400 + b", 0, 0, 1, 1]]}",
    ],
)
def test_an_output_that_is_not_as_documented_is_a_reason_and_not_a_crash(body):
    with pytest.raises(BadRecord, match="no prediction: unreadable output"):
        read_detections(body, 2)


NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True, min_size=1)


@given(NAMES)
def test_every_image_has_one_place_for_its_output_whatever_its_key(names):
    images = [f"s3://bucket/in/{name}" for name in names]
    outputs = places(images, "s3://bucket/out/")
    assert len(set(outputs.values())) == len(images)
    head, *told = manifest(prefix_of(images), images)
    for image, name in zip(images, told, strict=True):
        assert name
        assert image == head["prefix"] + name
        assert outputs[image] == f"s3://bucket/out/{name}.out"


@pytest.mark.parametrize(
    ("sizes", "limit", "megabytes"),
    [
        ([], None, 6),
        ([5_000_000], None, 6),
        ([6 << 20], None, 7),  # "a slightly larger value", as AWS advises
        ([1, 104_857_600], None, 100),
        ([1], 2, 2),
        ([12_000_000], 20, 12),
    ],
)
def test_a_job_takes_its_largest_image_as_far_as_it_may(place: Place, sizes, limit, megabytes):
    environment = limited(place, limit).environment
    assert payload_mb(environment, sizes) == megabytes
    assert all(too_large(environment, size) is None for size in sizes)


def test_an_image_that_no_job_can_predict_is_told_by_its_limit(place: Place):
    reason = "image of 123,456,789 bytes; batch transform takes 104,857,600"
    assert too_large(place.environment, 123_456_789) == reason
    assert too_large(limited(place, 1).environment, 2_000_000) == (
        "image of 2,000,000 bytes; batch transform takes 1,048,576 here "
        "(transform.max_payload_mb in test.yaml)"
    )


def limited(place: Place, most_mb: int | None) -> Workspace:
    """The place with an environment whose batch transform takes so many megabytes."""
    transform = place.environment.transform.model_copy(update={"max_payload_mb": most_mb})
    environment = place.environment.model_copy(update={"transform": transform})
    return Workspace(place.pipeline, environment, place.storage, place.clients)


def make_transform(place: Place, images: list[str]) -> Transform:
    model = place.bucket  # any name no other test uses
    return Transform(f"{model}-t", model, place.put("model.tar.gz", detector(1)), tuple(images), "somewhere")


def end(place: Place, transform: Transform, workspace: Workspace | None = None) -> Transformed:
    def step(*_, waited_for=None):
        done = advance(workspace or place.workspace, transform, waited_for)
        return {"done": done} if isinstance(done, Transformed) else done

    return place.finish(step, "")["done"]


def test_bad_images_cost_one_more_job_and_nobody_elses_prediction(place: Place):
    """Names that meet by their ends, or when somebody tidies them up, are names of two images."""
    good = [place.put(f"in/{name}", picture(100, name)) for name in ("a/1.jpg", "b/2.jpg")]
    good.append(place.put("in/large.jpg", picture(100) + bytes(7 << 20)))  # SageMaker's own limit is 6 MB
    levels = {"c/1.jpg": 50, "c//1.jpg": 200, "c/1.jpg.out.jpg": 90}
    near = {place.put(f"in/{name}", picture(level)): level for name, level in levels.items()}
    bad = [place.put("in/b/a/1.jpg", b"no image"), place.put("in/a/cut.jpg", picture(100)[:300])]
    gone = f"s3://{place.bucket}/pets/in/gone.jpg"
    transform = make_transform(place, [*good, *near, *bad, gone])

    done = end(place, transform)
    assert sorted(done.outputs) == sorted([*good, *near])
    assert sorted(done.missing) == sorted([*bad, gone])
    assert done.refused == {gone: "no prediction: the object is gone"}
    for image, level in near.items():
        (seen,) = place.workspace.task.read_output(place.storage, done.outputs[image], image)
        assert seen.score == pytest.approx(level / 255, abs=0.01)
    job = latest(place.sagemaker, ResourceKind.TRANSFORM, transform.stem)
    assert job is not None
    assert job.attempt == 2
    assert done.job is not None
    assert (done.job.name, done.job.details["MaxPayloadInMB"]) == (job.name, 6)
    resent = place.storage.read_json("somewhere/input-2.json")
    assert resent == [{"prefix": f"s3://{place.bucket}/pets/in/"}, "b/a/1.jpg", "a/cut.jpg"]


def test_outputs_that_lie_elsewhere_are_an_error_and_no_guess(place: Place):
    """As if the service kept more of a key below the output path than its name in the manifest."""
    image = place.put("in/a.jpg", picture(100))
    transform = make_transform(place, [image])
    running = advance(place.workspace, transform, None)
    assert isinstance(running, Pending)
    place.wait(running)
    place.s3.delete_object(Bucket=place.bucket, Key="pets/somewhere/out/a.jpg.out")
    place.put("somewhere/out/in/a.jpg.out", payload())
    with pytest.raises(Fatal, match=r"left 1 outputs below s3://.*/out/, but none of them where one belongs"):
        advance(place.workspace, transform, running)


def test_what_no_job_can_predict_is_not_sent_and_keeps_its_reason(place: Place):
    """A large picture by the sizes that S3 tells, and a key that leaves no room for its output's."""
    good = place.put("in/1.jpg", picture(100))
    large = place.put("in/large.jpg", picture(120) + bytes(2 << 20))
    long_name = "x" * (1024 - len("pets/in/"))
    long = place.put(f"in/{long_name}", picture(100))
    transform = make_transform(place, [good, large, long])
    done = end(place, transform, limited(place, 1))
    assert list(done.outputs) == [good]
    assert done.missing == [large, long]
    assert done.refused == {
        large: f"image of {(2 << 20) + len(picture(120)):,} bytes; batch transform takes 1,048,576 here "
        "(transform.max_payload_mb in test.yaml)",
        long: "no prediction: the key of its output would have 1,039 bytes; S3 takes 1,024",
    }
    assert place.storage.read_json("somewhere/input-1.json")[1:] == ["1.jpg"]
    assert done.job is not None
    assert (done.job.attempt, done.job.details["MaxPayloadInMB"]) == (1, 1)


def test_an_output_of_any_size_is_not_read_into_memory(place: Place):
    place.put("x.out", b" " * ((16 << 20) + 1))
    with pytest.raises(
        BadRecord, match=r"unreadable output \(object of 16,777,217 bytes; at most 16,777,216"
    ):
        place.workspace.task.read_output(place.storage, "x.out", "s3://b/x.jpg")


def test_an_image_that_is_archived_costs_itself_and_the_reason_says_so(place: Place):
    good, cold = (place.put(f"in/{n}.jpg", picture(100 + n)) for n in range(2))
    archive(place, cold)
    done = end(place, make_transform(place, [good, cold]))
    assert (list(done.outputs), done.missing) == ([good], [cold])
    assert why_missing(place.workspace, cold) == ARCHIVED


def test_images_that_nobody_here_may_read_do_not_clear_a_job_that_failed(place: Place):
    images = [place.put(f"in/{n}.jpg", b"no image") for n in range(2)]
    with denied(place, ".jpg"), pytest.raises((JobFailed, JobRejected), match="objects have no output"):
        end(place, make_transform(place, images))
    assert end(place, make_transform(place, images)).missing == images
