"""Lines of bounding box jobs and their adjustments, as Ground Truth writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.review_server.labeling.consolidation.asking import check_bad_answer, labels, reason

PARTS = ("nut", "bolt")
SIDES = ("top", "left", "height", "width")
NUT = {"height": 150, "label": "nut", "left": 416, "top": 156, "width": 63}
BOLT = {"height": 20, "label": "bolt", "left": 10, "top": 10, "width": 20}


def drawn(*boxes: Any, **more: Any) -> dict[str, Any]:
    return {"boundingBoxes": list(boxes), "inputImageProperties": {"height": 480, "width": 640}} | more


def test_boxes_have_ground_truths_bytes_and_halves_of_pixels():
    answers = [drawn(BOLT, NUT), drawn(NUT | {"height": 151}), drawn(NUT), drawn(NUT | {"height": 151})]
    ((label, metadata),) = labels("BoundingBox", PARTS, answers)
    assert json.dumps(label) == (
        '{"image_size": [{"width": 640, "height": 480, "depth": 3}], '
        '"annotations": [{"class_id": 0, "top": 156, "left": 416, "height": 150.5, "width": 63}]}'
    )
    assert json.dumps(metadata) == (
        '{"objects": [{"confidence": 1.0}], "class-map": {"0": "nut"}, '
        '"type": "groundtruth/object-detection", "human-annotated": "yes", '
        '"creation-date": "2026-02-11T09:14:03.120551", "job-name": "labeling-job/grade-r1"}'
    )


def test_confidence_is_the_share_of_the_workers_and_0_of_one_alone():
    ((label, metadata),) = labels("BoundingBox", PARTS, [drawn(NUT, BOLT), drawn(NUT), drawn(BOLT, NUT)])
    assert [box["class_id"] for box in label["annotations"]] == [0, 1]
    assert metadata["objects"] == [{"confidence": 1.0}, {"confidence": 0.6667}]
    ((label, metadata),) = labels("BoundingBox", PARTS, [drawn(BOLT)])
    assert json.dumps(label["annotations"]) == (
        '[{"class_id": 1, "top": 10, "left": 10, "height": 20, "width": 20}]'
    )
    assert json.dumps(metadata["objects"]) == '[{"confidence": 0}]'
    assert metadata["class-map"] == {"1": "bolt"}


@pytest.mark.parametrize("boxes", [None, []])
def test_an_image_with_nothing_on_it_has_a_label(boxes):
    ((label, metadata),) = labels("BoundingBox", PARTS, [drawn() | {"boundingBoxes": boxes}, drawn()])
    assert label == {"image_size": [{"width": 640, "height": 480, "depth": 3}], "annotations": []}
    assert (metadata["objects"], metadata["class-map"]) == ([], {})


def test_adjusted_is_what_any_worker_changed():
    changed, left = drawn(NUT, initialValueModified=True), drawn(NUT, initialValueModified=False)
    found = labels("AdjustmentBoundingBox", PARTS, [left, changed], [left, left], [drawn(NUT)])
    told = [metadata["adjustment-status"] for _, metadata in found]
    assert told == ["adjusted", "unadjusted", "unadjusted"]
    assert "adjustment-status" not in labels("BoundingBox", PARTS, [changed])[0][1]


def test_a_mouse_that_left_the_image_by_a_pixel_is_cut_off():
    over = {"label": "nut", "left": -0.5, "top": 440, "width": 100, "height": 41}
    ((label, _),) = labels("BoundingBox", PARTS, [drawn(over)])
    assert label["annotations"] == [{"class_id": 0, "top": 440, "left": 0, "height": 40, "width": 99.5}]
    inside = {"label": "nut", "left": 0.1, "top": 0.3, "width": 0.2, "height": 0.7}
    ((label, _),) = labels("BoundingBox", PARTS, [drawn(inside)])
    assert label["annotations"] == [{"class_id": 0} | {side: inside[side] for side in SIDES}]


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (drawn(None), "answer of worker w0: box 1 is null, not an object"),
        (drawn(NUT, NUT | {"label": "x"}), "label 'x' is none of the job's categories: 'nut', 'bolt'"),
        (drawn(NUT | {"label": ["nut"]}), "label of box 1 is a list, not a text"),
        (drawn(NUT | {"left": float("nan")}), "left of box 1 is nan, not a usable number"),
        (drawn(NUT | {"left": float("inf")}), "left of box 1 is inf, not a usable number"),
        (drawn(NUT | {"top": 10**5000}), "top of box 1 is a number beyond all bounds, not a usable number"),
        (drawn(NUT | {"left": "416"}), "left of box 1 is '416', not a usable number"),
        (drawn(NUT | {"width": True}), "width of box 1 is true, not a usable number"),
        (drawn({"label": "nut", "left": 1, "top": 1, "width": 5}), "box 1 has no 'height'"),
        (drawn(NUT | {"width": 0}), "box 1 at 416,156 of 0 x 150 pixels has no area"),
        (drawn(NUT | {"width": -9}), "has no area"),
        (drawn(NUT | {"left": 600}), "is outside the image of 640 x 480"),
        (drawn(*[NUT] * 1_000_000), "it has 1,000,000 boxes, more than 1,000"),
        (drawn() | {"boundingBoxes": deep(50_000)}, "box 1 is a list, not an object"),
        (drawn() | {"boundingBoxes": {"0": NUT}}, "boundingBoxes of answer is an object, not a list"),
        ({"boundingBoxes": []}, "answer has no 'inputImageProperties'"),
        ({"boundingBoxes": [], "inputImageProperties": {"width": 640}}, "Properties has no 'height'"),
        (drawn() | {"inputImageProperties": {"width": 640, "height": 0}}, "of 640 x 0 pixels is none"),
        (drawn() | {"inputImageProperties": {"width": 10**6, "height": 10**6}}, "is larger than 100,000,000"),
    ],
)  # fmt: skip
def test_a_bad_answer_costs_no_other_answer_and_no_other_object(told, says):
    check_bad_answer("BoundingBox", PARTS, drawn(NUT), told, says)


def test_workers_who_saw_images_of_different_sizes_make_no_label():
    turned = drawn() | {"inputImageProperties": {"width": 480, "height": 640}}
    said = reason("BoundingBox", PARTS, drawn(NUT), turned)
    assert said == "the workers saw images of different sizes, 640 x 480 and 480 x 640 pixels"


def test_a_thousand_boxes_on_one_spot_by_each_of_nine_workers_are_refused():
    heap = [
        {"label": "nut", "left": 0, "top": 0, "width": 300 + step / 10, "height": 300}
        for step in range(1_000)
    ]
    assert "pairs of boxes lie over each other" in reason("BoundingBox", PARTS, *[drawn(*heap)] * 9)
