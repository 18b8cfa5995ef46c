"""Every documented form of the channels gives the same data, and a bad record is left out with its reason."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from include.algorithms.container import ClientError
from include.algorithms.image_classification.channels import read_channel
from include.algorithms.image_classification.dataset import load
from include.algorithms.image_classification.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.channels import read_channel as read_detections
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters as for_detection
from include.algorithms.records import BadRecord
from tests.algorithms.image_classification.jobs import MULTI, framed, packed, picture, pictures

SMALL = {
    "num_classes": "3", "num_training_samples": "9", "image_shape": "3,32,32", "resize": "36",
    "mini_batch_size": "1",
}  # fmt: skip
SETTINGS = parse_hyperparameters(SMALL)
WITHOUT_RESIZE = parse_hyperparameters({name: text for name, text in SMALL.items() if name != "resize"})
MULTI_SETTINGS = parse_hyperparameters({**SMALL, **MULTI})
ROWS = [(picture(0), [1, 0, 1]), (picture(1), [0, 0, 0]), (picture(2), [0, 1, 0])]
IDS = [(picture(0), [2, 0]), (picture(1), []), (picture(2), ["1"])]


def read(job, settings=SETTINGS, whole=False):
    return list(read_channel(job.container, "train", settings, whole))


def loaded(job, settings=SETTINGS):
    return load("train", read(job, settings), settings)


def test_list_rec_pipe_and_manifest_give_the_same_images_and_classes(new_job):
    pairs = pictures(7)
    jobs = [
        lambda job: job.listed("train", pairs),
        lambda job: job.rec("train", pairs),
        lambda job: job.rec("train", pairs, pipe=True),
        lambda job: job.manifest("train", pairs),
        lambda job: job.manifest("train", [(image, str(kind)) for image, kind in pairs]),
        lambda job: job.manifest("train", [(image, float(kind)) for image, kind in pairs]),
    ]
    found = [loaded(fill(new_job())) for fill in jobs]
    for data in found:
        assert (len(data), data.histogram(), data.bad) == (7, [3, 2, 2], 0)
        np.testing.assert_array_equal(data.labels, [0, 1, 2, 0, 1, 2, 0])
        np.testing.assert_array_equal(data.pixels, found[0].pixels)


def test_several_classes_an_image_come_as_rows_or_as_ids(new_job):
    jobs = [
        lambda job: job.listed("train", ROWS),
        lambda job: job.rec("train", ROWS),
        lambda job: job.manifest("train", ROWS),
        lambda job: job.manifest("train", [(image, json.dumps(row)) for image, row in ROWS], "multi-hot"),
        lambda job: job.manifest("train", IDS, "class-id"),
    ]
    for fill in jobs:
        data = loaded(fill(new_job()), MULTI_SETTINGS)
        np.testing.assert_array_equal(data.labels, [row for _, row in ROWS])
        assert data.histogram() == [1, 1, 1]


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("two", "the label 'two' is not a number"),
        (1.5, "the class 1.5 is not a whole number"),
        (True, "is not a number"),
        (float("nan"), "is not a number"),
        (None, "is not a number"),
    ],
)
def test_a_label_that_is_none_costs_its_record(new_job, label, reason):
    bad, good = read(new_job().manifest("train", [(picture(0), label), (picture(1), 1)]))
    assert isinstance(bad, BadRecord)
    assert reason in bad.reason
    assert bad.name.startswith("record 1 of train_0 (ETag ")
    assert good.label == 1


def test_bad_lines_of_a_list_are_named_and_no_path_leads_out(new_job):
    text = (
        "1\t0\ta/0.jpg\r\n\n2\t1.000000\ta/0.jpg\n3\t0\t../secret.jpg\n4\t0\t/etc/hostname\n5 0 a/0.jpg\n"
        "6\t0\ta/\u2028.jpg\n7\t0\ta/\0.jpg\n8\tx\ta/0.jpg\n"
    )
    job = new_job().listed("train", [(picture(0), 0)], text)
    (job.root / "input/data/secret.jpg").write_bytes(picture(1))
    found = read(job)
    assert [item.label for item in found[:2]] == [0, 1]
    assert all(isinstance(item, BadRecord) for item in found[2:])
    assert [item.name for item in found[2:]] == [f"line {number} of train.lst" for number in range(4, 10)]
    assert "there is no image '../secret.jpg'" in found[2].reason
    assert "three columns at least: index, label, path" in found[4].reason


def test_an_image_that_cannot_be_decoded_costs_its_record(new_job):
    bad, good = read(new_job().rec("train", [(picture(0)[:400], 0), (picture(1), 1)]))
    assert "damaged image" in bad.reason
    assert good.label == 1


def test_lists_need_resize_and_a_list(new_job):
    with pytest.raises(ClientError, match="'resize' is required"):
        read(new_job().listed("train", pictures(1)), WITHOUT_RESIZE)
    job = new_job().channel("train", {"TrainingInputMode": "File", "ContentType": "application/x-image"}, {})
    with pytest.raises(ClientError, match="'train_lst' is missing: images need a list"):
        read(job)


@pytest.mark.parametrize(
    ("settings", "label", "reason"),
    [
        (SETTINGS, [2, 5, 1, 0, 0, 1, 1], "a label of object detection"),
        (SETTINGS, [1, 0, 1], "a label has 3 numbers: such labels need multi_label=1"),
        (MULTI_SETTINGS, [1, 0], "multi-hot labels have a 0 or 1 for each"),
        (MULTI_SETTINGS, 1, "multi-hot labels have a 0 or 1 for each"),
        (SETTINGS, 7, "the class 7.0 of an image is not one of 0 to 2"),
    ],
)
def test_a_rec_file_of_another_task_is_refused(new_job, settings, label, reason):
    with pytest.raises(ClientError, match=reason):
        read(new_job().rec("train", [(picture(0), label)]), settings)


def test_a_detector_names_a_record_of_classification(new_job):
    job = new_job().rec("train", [(picture(0), 2), (picture(0), [1, 0, 1])])
    settings = for_detection({"num_classes": "3", "num_training_samples": "1", "image_shape": "96"})
    one, other = read_detections(job.container, "train", settings)
    assert isinstance(one, BadRecord)
    assert isinstance(other, BadRecord)
    assert "this is a record of image classification, of class 2" in one.reason
    assert "expected header width (2 or more)" in other.reason


def test_empty_channels_and_unknown_forms_are_refused(new_job):
    with pytest.raises(ClientError, match="Got empty batch from pipe"):
        read(new_job().manifest("train", []))
    with pytest.raises(ClientError, match="no \\.rec file in the channel train"):
        read(new_job().channel("train", {"ContentType": "application/x-recordio"}, {}))
    with pytest.raises(ClientError, match="label-format is 'names'; it can be multi-hot or class-id"):
        read(new_job().manifest("train", IDS, "names"), MULTI_SETTINGS)
    with pytest.raises(ClientError, match="'text/csv' in File mode is not supported"):
        read(new_job().channel("train", {"ContentType": "text/csv"}, {}))


def test_resize_keeps_the_aspect_and_the_middle_is_taken(new_job):
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = (200, 40, 40)
    stream = io.BytesIO()
    Image.fromarray(wide).save(stream, "PNG")
    record = packed(0, 1, stream.getvalue())
    job = new_job().channel(
        "train", {"ContentType": "application/x-recordio"}, {"train/a.rec": framed([record])}
    )
    (middle,), (whole,) = read(job), read(job, whole=True)
    assert (middle.pixels.shape, whole.pixels.shape) == ((32, 32, 3), (36, 108, 3))
    assert (middle.pixels[:, 4:-4] == (200, 40, 40)).all()


def test_a_line_of_pixels_does_not_fill_the_memory(new_job):
    (found,) = read(new_job().rec("train", [(picture(0, size=(20_000, 2)), 0)]), whole=True)
    assert found.pixels.shape == (36, 36 * 16, 3)


def test_an_image_smaller_than_image_shape_ends_the_job_and_resize_enlarges_it(new_job):
    job = new_job().rec("train", [(picture(0, size=(20, 40)), 0)])
    (enlarged,) = read(job)
    assert enlarged.pixels.shape == (32, 32, 3)
    with pytest.raises(ClientError, match=r"20 x 40 pixels and is smaller than image_shape \(3,32,32\)"):
        read(job, WITHOUT_RESIZE)
