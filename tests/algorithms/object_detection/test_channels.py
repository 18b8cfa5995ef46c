"""Every documented form of the channels is read, and a bad record is left out with its reason."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from include.algorithms import recordio
from include.algorithms.container import ClientError
from include.algorithms.object_detection.channels import BadRecord, Example, read_channel
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
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
        (None, label(left=500), "no area inside the image"),
        (None, label(left=float("nan")), "finite"),
    ],
)
def test_a_bad_record_is_left_out_with_its_reason_and_the_next_one_is_read(new_job, image, text, reason):
    good, bad = records(2)
    found = read(new_job().pipe("train", [(bad[0] if image is None else image, text), good]))
    assert [type(item) for item in found] == [BadRecord, Example]
    assert reason in found[0].reason
    assert found[0].name == "train_0[0]"


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


def test_a_rec_file_carries_labels_as_fractions(new_job):
    stream = io.BytesIO()
    values = [2, 5, 4, 0.1, 0.2, 0.3, 0.4]
    header = struct.pack("<IfQQ", len(values), 0.0, 0, 0) + np.array(values, "<f4").tobytes()
    recordio.write(stream, header + records(1)[0][0])
    recordio.write(stream, b"short")
    description = {"ContentType": "application/x-recordio", "TrainingInputMode": "File"}
    example, bad = read(new_job().channel("train", description, {"train/a.rec": stream.getvalue()}))
    assert isinstance(bad, BadRecord)
    np.testing.assert_allclose(example.boxes, [[4, 0.1, 0.2, 0.3, 0.4]], rtol=1e-6)


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
