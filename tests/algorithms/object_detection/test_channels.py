"""Every documented form of the channels is read, and a bad record is left out with its reason."""

from __future__ import annotations

import hashlib
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from include import recordio
from include.algorithms.container import ClientError
from include.algorithms.object_detection.channels import Example, read_channel
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.records import BadRecord
from tests.algorithms.object_detection.jobs import PIPE, records, stream_of

REQUIRED = {"num_classes": "10", "num_training_samples": "9", "image_shape": "96"}
SETTINGS = parse_hyperparameters(REQUIRED)
NOTHING = b'{"annotations": [], "image_size": [{"width": 128, "height": 128, "depth": 3}]}'


def label(**box) -> bytes:
    whole = {"class_id": 1, "left": 0, "top": 0, "width": 64, "height": 32, **box}
    return json.dumps({"annotations": [whole], "image_size": [{"width": 128, "height": 64}]}).encode()


def read(job, settings=SETTINGS):
    return list(read_channel(job.container, "train", settings))


def test_pairs_from_a_pipe_become_pixels_and_fractions(new_job):
    (image, _), *_ = records(1)
    (example,) = read(new_job().pipe("train", [(image, label())]))
    assert example.pixels.shape == (96, 96, 3)
    np.testing.assert_allclose(example.boxes, [[1, 0, 0, 0.5, 0.5]])


def test_an_image_with_nothing_in_it_is_an_example_too(new_job):
    (image, _), *_ = records(1)
    (example,) = read(new_job().pipe("train", [(image, NOTHING)]))
    assert example.boxes.shape == (0, 5)


@pytest.mark.parametrize(
    ("image", "text", "reason"),
    [
        (b"no image at all", NOTHING, "not an image"),
        (b"", NOTHING, "no bytes"),
        (records(1)[0][0][:900], NOTHING, "damaged image"),
        (None, b"{", "Invalid JSON"),
        (None, b"[]", "should be an object"),
        (None, b'{"annotations": []}', "image_size: Field required"),
        (None, label(class_id=10), "class_id 10 is not one of 0 to 9"),
        (None, label(width=0), "no area"),
        (None, label(left=500), "box 1 (class 1, corners 500, 0, 564, 32) has no area inside the image"),
        (None, label(left=127.6, width=9), "less than half a pixel inside the image"),
        (None, label(class_id=10**400), "is not one of 0 to 9"),
        (None, label()[:-2] + b', {"width": 128, "height": 64}]}', "at most 1 item"),
        (None, label(left=float("nan")), "finite"),
    ],
)
def test_a_bad_record_is_left_out_with_its_reason_and_the_next_one_is_read(new_job, image, text, reason):
    good, bad = records(2)
    found = read(new_job().pipe("train", [(bad[0] if image is None else image, text), good]))
    assert [type(item) for item in found] == [BadRecord, Example]
    assert reason in found[0].reason
    digest = hashlib.md5(bad[0] if image is None else image, usedforsecurity=False).hexdigest()
    assert found[0].name == f"record 1 of train_0 (ETag {digest})"  # by which S3 finds the image


def test_more_objects_than_label_width_has_room_for_end_the_job(new_job):
    settings = parse_hyperparameters({**REQUIRED, "label_width": "6"})
    with pytest.raises(ClientError, match=r"'label_width'.*at least 7, not 6"):
        read(new_job().pipe("train", [(records(1)[0][0], label())]), settings)


def test_an_empty_pipe_is_refused_in_the_words_of_the_real_one(new_job):
    with pytest.raises(ClientError, match="Got empty batch from pipe"):
        read(new_job().pipe("train", []))


def test_a_pipe_without_record_wrapping_is_refused(new_job):
    with pytest.raises(ClientError, match="Unable to parse record 0 of train_0"):
        read(new_job().channel("train", PIPE, {"train_0": records(1)[0][0]}))


def test_an_image_without_a_label_at_the_end_is_named(new_job):
    job = new_job().channel("train", PIPE, {"train_0": stream_of(records(1)) + stream_of(records(1))[:-100]})
    with pytest.raises(ClientError, match="ends inside a record"):
        read(job)
    stream = io.BytesIO()
    recordio.write(stream, records(1)[0][0])
    found = read(new_job().channel("train", PIPE, {"train_0": stream_of(records(1)) + stream.getvalue()}))
    assert isinstance(found[1], BadRecord)
    assert "without a label" in found[1].reason


def test_images_with_annotation_files_are_read_and_no_path_leads_out(new_job):
    image = records(1)[0][0]
    annotations = {
        "train_annotation/set/a.json": {"file": "set/a.jpg", **json.loads(label())},
        "train_annotation/set/b.json": {"file": "../secret.jpg", **json.loads(label())},
        "train_annotation/set/c.json": {"file": "/etc/hostname", **json.loads(label())},
    }
    files = {name: json.dumps(content).encode() for name, content in annotations.items()}
    files |= {"train/set/a.jpg": image, "secret.jpg": image}
    found = read(
        new_job().channel("train", {"ContentType": "image/jpeg", "TrainingInputMode": "File"}, files)
    )
    assert [type(item) for item in found] == [Example, BadRecord, BadRecord]
    assert all("there is no image" in item.reason for item in found[1:])


def test_a_bad_box_costs_itself_one_that_is_partly_inside_is_clipped_and_twice_the_same_is_once(new_job):
    (image, _), *_ = records(1)
    sizes = [(0, 0, 64, 32), (500, 0, 9, 9), (-64, 0, 128, 32), (-9, 0, 73, 32), (64, 0, 99, 32)]
    boxes = [
        {"class_id": 1, "left": left, "top": top, "width": width, "height": height}
        for left, top, width, height in sizes
    ]
    text = json.dumps({"annotations": boxes, "image_size": [{"width": 128, "height": 64}]}).encode()
    (found,) = read(new_job().pipe("train", [(image, text)]))
    np.testing.assert_allclose(found.boxes, [[1, 0, 0, 0.5, 0.5], [1, 0.5, 0, 1, 0.5]])
    assert found.notes == ("box 2 (class 1, corners 500, 0, 509, 9) has no area inside the image",)


def rec(*labels: list[float]) -> dict[str, bytes]:
    """A .rec file of packed labels, each with the same image."""
    stream = io.BytesIO()
    for number, values in enumerate(labels):
        header = struct.pack("<IfQQ", len(values), 0.0, number, 0) + np.array(values, "<f4").tobytes()
        recordio.write(stream, header + records(1)[0][0])
    return {"train/a.rec": stream.getvalue()}


REC = {"ContentType": "application/x-recordio", "TrainingInputMode": "File"}


def test_a_rec_file_carries_labels_as_fractions(new_job):
    files = rec([2, 5, 4, 0.1, 0.2, 0.3, 0.4], [3, 6, 9, 4, 0.1, 0.2, 0.3, 0.4, 1, 4, 0.1, 0.2, 0.3, 0.4, 0])
    stream = io.BytesIO()
    recordio.write(stream, b"short")
    files["train/a.rec"] += stream.getvalue()
    one, other, bad = read(new_job().channel("train", REC, files))
    np.testing.assert_allclose(one.boxes, [[4, 0.1, 0.2, 0.3, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(
        other.boxes, one.boxes
    )  # twice the same box is once, whatever stands beside it
    assert isinstance(bad, BadRecord)
    assert bad.name == "record 3 of a.rec"


def test_a_degenerate_box_of_a_rec_file_costs_itself_and_not_its_image(new_job):
    good, flat = [4, 0.1, 0.2, 0.3, 0.4], [4, 0.5, 0.2, 0.5, 0.4]
    found = read(new_job().channel("train", REC, rec([2, 5, *flat, *good], [2, 5, *flat])))
    np.testing.assert_allclose(found[0].boxes, [good], rtol=1e-6)
    assert found[0].notes == ("box 1 (class 4, corners 0.5, 0.2, 0.5, 0.4) has no area inside the image",)
    assert isinstance(found[1], BadRecord)
    assert found[1].reason.startswith("none of its 1 boxes can be learned: box 1")


def test_a_rec_file_with_a_label_of_its_header_only_is_read_and_told(new_job):
    (example,) = read(new_job().channel("train", REC, rec([2, 5])))
    assert example.boxes.shape == (0, 5)
    assert example.notes == (
        "its packed label holds no object; SageMaker's own algorithm cannot read such a record",
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([2], "expected header width"),
        ([3, 5], "expected header width"),
        ([float("nan"), 5], "expected header width"),
        ([2, float("inf")], "expected header width"),
        ([2, 1e30], "expected header width"),
        ([2, 5, 1, 2], "2 numbers are no whole objects of 5"),
        ([2, 5, 1, 0, float("nan"), 1, 1], "not finite"),
        ([2, 5, 1.5, 0, 0, 1, 1], "class_id 1.5 is not one of 0 to 9"),
    ],
)
def test_a_packed_label_that_is_none_costs_its_record(new_job, values, reason):
    bad, example = read(new_job().channel("train", REC, rec(values, [2, 5, 1, 0, 0, 1, 1])))
    assert isinstance(bad, BadRecord)
    assert reason in bad.reason
    assert isinstance(example, Example)


def test_stored_pixels_are_used_whatever_the_orientation_tag_says(new_job):
    picture = Image.new("RGB", (128, 64), (250, 0, 0))
    picture.paste((0, 0, 250), (64, 0, 128, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90 degrees"
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=95, exif=exif)
    (example,) = read(new_job().pipe("train", [(stream.getvalue(), NOTHING)]))
    assert example.pixels[48, 10, 0] > 200  # red is still on the left
    assert example.pixels[48, 85, 2] > 200


def test_a_missing_channel_and_an_unknown_form_are_refused(new_job):
    with pytest.raises(ClientError, match="'validation' is missing"):
        list(read_channel(new_job().pipe("train", []).container, "validation", SETTINGS))
    with pytest.raises(ClientError, match="'text/csv' in File mode is not supported"):
        read(new_job().channel("train", {"ContentType": "text/csv", "TrainingInputMode": "File"}, {}))
