"""Classes go into records and come out of them; what is of another kind is refused with both kinds."""

from __future__ import annotations

import pytest

from include import recordio
from include.loop.core.errors import BadRecord
from include.loop.tasks.classification.records import read_record, write_record
from include.loop.tasks.classification.values import LabelledImage

CLASSES = ("cat", "dog", "bird")
SOURCE = "s3://b/a.jpg"


def line(label: recordio.Label, many: bool, ids: tuple[int, ...] = (0, 1, 2)) -> dict:
    return read_record(label, SOURCE, "kind", CLASSES, ids, multi_label=many)


def test_one_class_is_one_number():
    assert write_record(LabelledImage(SOURCE, (2,), "", {}), 3, multi_label=False) == 2.0
    assert line(2.0, many=False) == {
        "source-ref": SOURCE,
        "kind": 2,
        "kind-metadata": {"class-name": "bird", "type": "groundtruth/image-classification"},
    }
    assert line(2.0, many=False, ids=(2, 1, 0))["kind"] == 0


def test_many_classes_are_a_number_for_each_there_is():
    for classes, label in [((0, 2), (1, 0, 1)), ((), (0, 0, 0))]:
        assert write_record(LabelledImage(SOURCE, classes, "", {}), 3, multi_label=True) == label
        assert line(label, many=True)["kind"] == list(classes)
    assert line((1, 0, 1), many=True, ids=(2, 0, 1)) == {
        "source-ref": SOURCE,
        "kind": [1, 2],
        "kind-metadata": {
            "class-map": {"1": "dog", "2": "bird"},
            "type": "groundtruth/image-classification-multilabel",
        },
    }
    assert line(1.0, many=True)["kind"] == [1]


@pytest.mark.parametrize(
    ("label", "many", "message"),
    [
        ((2, 5, 0, 0, 0, 1, 1), False, "its label is of objects, and this pipeline learns classes"),
        ((1, 0, 1), False, "of many classes, and an image of this pipeline has one"),
        ((1, 0), True, "its label has 2 classes, and 3 are named"),
        (3.0, False, "class 3 is none of the 3 that are named"),
        (1.5, False, r"1\.5 is no whole number"),
        ((0.5, 1, 0), True, "expected header width"),
    ],
)
def test_labels_that_are_not_the_pipelines_are_refused(label, many, message):
    with pytest.raises(BadRecord, match=message):
        line(label, many)
