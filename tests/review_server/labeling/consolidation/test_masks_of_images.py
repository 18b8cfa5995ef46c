"""Lines and files of segmentation jobs and their adjustments, as Ground Truth writes them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from include.pictures import read
from tests.review_server.labeling.consolidation.asking import check_bad_answer, labels, outcome

ROADS = ("road", "house")
GREEN, BLUE = "#2ca02c", "#1f77b4"
COLOURS = {"road": {"color": GREEN}, "house": {"color": BLUE}}
FILE = "0_2026-02-11T09:14:03.120551.png"


def png(*rows: str, clear: bool = True, mode: str = "RGBA") -> str:
    """A label map: ``r`` is road, ``h`` house, ``x`` a colour of no label, all else nothing."""
    shades = {"r": GREEN, "h": BLUE, "x": "#123456"}
    pixels = [
        [
            (*bytes.fromhex(shades.get(sign, "#ffffff")[1:]), 255 if sign in shades or not clear else 0)
            for sign in row
        ]
        for row in rows
    ]
    return encoded(Image.fromarray(np.array(pixels, dtype=np.uint8)).convert(mode))


def encoded(image: Image.Image, **more: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **more)
    return base64.b64encode(buffer.getvalue()).decode()


def painted(*rows: str, **more: Any) -> dict[str, Any]:
    return {
        "inputImageProperties": {"height": len(rows), "width": len(rows[0])},
        "labelMappings": COLOURS,
        "labeledImage": {"pngImageData": png(*rows)},
    } | more


def test_a_mask_has_ground_truths_bytes_and_its_file():
    (item,) = outcome("SemanticSegmentation", ROADS, [painted("rrr.", "rrr.", "rrr.")] * 3)
    assert item.content is not None, item.failure_reason
    assert json.dumps(item.content) == (
        f'{{"grade": "s3://o/grade-r1/files/{FILE}", "grade-metadata": {{"internal-color-map": '
        '{"0": {"class-name": "BACKGROUND", "hex-color": "#ffffff", "confidence": 1.0}, '
        '"1": {"class-name": "road", "hex-color": "#2ca02c", "confidence": 1.0}}, '
        '"type": "groundtruth/semantic-segmentation", "human-annotated": "yes", '
        '"creation-date": "2026-02-11T09:14:03.120551", "job-name": "labeling-job/grade-r1"}}'
    )
    ((name, body),) = item.files
    assert name == FILE
    with Image.open(io.BytesIO(body)) as image:
        assert image.mode == "P"
        assert np.asarray(image).tolist() == [[1, 1, 1, 0]] * 3
    shown = read(body).image
    assert [shown.getpixel((x, 0)) for x in (0, 3)] == [(0x2C, 0xA0, 0x2C), (255, 255, 255)]


def test_the_second_category_is_index_2_though_the_first_is_nowhere():
    (item,) = outcome("SemanticSegmentation", ROADS, [painted("h.")])
    assert item.content is not None
    colours = item.content["grade-metadata"]["internal-color-map"]
    assert {index: entry["class-name"] for index, entry in colours.items()} == {
        "0": "BACKGROUND",
        "2": "house",
    }
    assert {entry["confidence"] for entry in colours.values()} == {0}  # one worker
    with Image.open(io.BytesIO(item.files[0][1])) as image:
        assert np.asarray(image).tolist() == [[2, 0]]


def test_each_workers_colours_mean_what_that_worker_says():
    turned = painted("h") | {"labelMappings": {"road": {"color": BLUE}, "house": {"color": GREEN}}}
    ((_, metadata),) = labels("SemanticSegmentation", ROADS, [painted("r"), turned])
    assert metadata["internal-color-map"]["1"] == {
        "class-name": "road",
        "hex-color": GREEN,
        "confidence": 1.0,
    }
    # Whose colour another class has already gets another one.
    alike = painted("r") | {"labelMappings": {"house": {"color": GREEN}}}
    ((_, metadata),) = labels(
        "SemanticSegmentation",
        ROADS,
        [painted("r") | {"labelMappings": {"road": {"color": GREEN}}}, alike, alike],
    )
    assert metadata["internal-color-map"]["2"]["hex-color"] == "#000001"


@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA"])
def test_nothing_is_white_or_transparent_in_any_kind_of_png(mode):
    told = painted("r.") | {"labeledImage": {"pngImageData": png("r.", clear=False, mode=mode)}}
    (item,) = outcome("SemanticSegmentation", ROADS, [told, painted("r.")])
    assert item.content is not None, item.failure_reason
    with Image.open(io.BytesIO(item.files[0][1])) as image:
        assert np.asarray(image).tolist() == [[1, 0]]


def test_a_palettes_transparent_entry_is_nothing_whatever_its_colour():
    image = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    image.putpalette([9, 9, 9, 0x2C, 0xA0, 0x2C])
    told = painted("r.") | {"labeledImage": {"pngImageData": encoded(image, transparency=0)}}
    ((_, metadata),) = labels("SemanticSegmentation", ROADS, [told])
    assert sorted(metadata["internal-color-map"]) == ["0", "1"]


def test_an_image_that_nobody_painted_has_a_label():
    ((_, metadata),) = labels("SemanticSegmentation", ROADS, [painted(".."), painted("..")])
    assert list(metadata["internal-color-map"]) == ["0"]


def test_adjusted_is_what_any_worker_changed():
    changed, left = painted("r", initialValueModified=True), painted("r", initialValueModified=False)
    found = labels("AdjustmentSemanticSegmentation", ROADS, [left, changed], [left])
    assert [metadata["adjustment-status"] for _, metadata in found] == ["adjusted", "unadjusted"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"labeledImage": None}, "labeledImage of answer is null, not an object"),
        ({"labeledImage": {}}, "labeledImage has no 'pngImageData'"),
        ({"labeledImage": {"pngImageData": "§"}}, "pngImageData cannot be read: it is no base64"),
        ({"labeledImage": {"pngImageData": "AAAA"}}, "a label map must be a PNG; this is no image"),
        ({"labeledImage": {"pngImageData": png("rr", "rr")}}, "label map of 2 x 2 pixels for an image"),
        ({"labeledImage": {"pngImageData": png("x")}}, "colors of no label in labelMappings, as #123456"),
        ({"labeledImage": {"pngImageData": png("r")[:-40]}}, "pngImageData cannot be read: damaged image"),
        ({"labelMappings": None}, "labelMappings of answer is null, not an object"),
        ({"labelMappings": {"river": {"color": BLUE}}}, "label 'river' is none of the job's categories"),
        ({"labelMappings": {"road": GREEN}}, "label 'road' is '#2ca02c', not an object"),
        ({"labelMappings": {"road": {"color": "green"}}}, "color of label 'road' is 'green', not like"),
        ({"labelMappings": {key: {"color": GREEN} for key in ROADS}}, "two labels have the same color"),
        ({"labelMappings": {str(number): {} for number in range(10**5)}}, "labelMappings has 100,000 labels"),
        ({"inputImageProperties": {"width": 9_000, "height": 9_000}}, "for an image of 9000 x 9000"),
    ],
)  # fmt: skip
def test_a_bad_answer_costs_no_other_answer_and_no_other_object(wrong, says):
    good = painted("r")
    check_bad_answer("SemanticSegmentation", ROADS, good, good | wrong, says)


def test_a_label_map_larger_than_memory_is_refused_unread(monkeypatch):
    monkeypatch.setattr("include.pictures.masks.MAX_MASK_PIXELS", 3)
    (item,) = outcome("SemanticSegmentation", ROADS, [painted("rr", "rr")])
    assert "label map of 2 x 2 pixels is larger than 3 pixels" in str(item.failure_reason)
