"""Predictions are read as documented, and find their image however much of its key the output keeps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.errors import BadRecord
from include.loop.jobs import JobKind, latest
from include.loop.transform import Transform, Transformed, advance, match_outputs, read_detections
from tests.loop.place import Place, picture


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


def test_outputs_are_matched_whether_folders_are_kept_or_not():
    images = ["s3://b/in/1.jpg", "s3://b/in/a/2.jpg"]
    assert match_outputs(images, ["1.jpg.out", "a/2.jpg.out"]) == {images[0]: "1.jpg", images[1]: "a/2.jpg"}
    assert match_outputs(images, ["in/1.jpg.out", "2.jpg.out"]) == {images[0]: "in/1.jpg", images[1]: "2.jpg"}


def test_the_longest_path_chooses_first_and_what_stays_ambiguous_belongs_to_nobody():
    images = ["s3://b/in/1.jpg", "s3://b/in/a/1.jpg"]
    assert match_outputs(images, ["1.jpg.out", "a/1.jpg.out"]) == {images[0]: "1.jpg", images[1]: "a/1.jpg"}
    assert match_outputs(images, ["1.jpg.out"]) == {}


NAMES = st.lists(
    st.from_regex(r"([ab]/){0,2}[ab]{1,2}\.jpg", fullmatch=True), unique=True, min_size=1, max_size=8
)


@given(NAMES, st.randoms(use_true_random=False))
def test_outputs_that_keep_their_place_below_the_prefix_all_find_their_image(names, random):
    images = [f"s3://bucket/in/{name}" for name in names]
    outputs = [f"{name}.out" for name in names]
    random.shuffle(outputs)
    assert match_outputs(images, outputs) == {f"s3://bucket/in/{name}": name for name in names}


def make_transform(place: Place, images: list[str]) -> Transform:
    model = place.bucket  # any name no other test uses
    return Transform(
        f"{model}-t", model, place.put("model.tar.gz", trained_archive()), tuple(images), "somewhere"
    )


def trained_archive() -> bytes:
    import io
    import tarfile

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        body = json.dumps({"quality": 1}).encode()
        entry = tarfile.TarInfo("model.json")
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    return stream.getvalue()


def test_bad_images_cost_one_more_job_and_nobody_elses_prediction(place: Place):
    good = [place.put(f"in/{name}", picture(100, name)) for name in ("1.jpg", "a/1.jpg")]
    bad = [place.put("in/a/text.jpg", b"no image"), place.put("in/a/cut.jpg", picture(100)[:300])]
    transform = make_transform(place, [*good, *bad])

    def step(*_, waited_for=None):
        done = advance(place.workspace, place.sagemaker, transform, waited_for)
        return {"done": done} if isinstance(done, Transformed) else done

    done = place.finish(step, "")["done"]
    assert sorted(done.outputs) == sorted(good)
    assert sorted(done.missing) == sorted(bad)
    job = latest(place.sagemaker, JobKind.TRANSFORM, transform.stem)
    assert job is not None
    assert job.attempt == 2
    assert done.job is not None
    assert done.job.name == job.name
    resent = place.storage.read_json("somewhere/input-2.json")
    assert resent == [{"prefix": f"s3://{place.bucket}/pets/in/"}, "a/text.jpg", "a/cut.jpg"]
