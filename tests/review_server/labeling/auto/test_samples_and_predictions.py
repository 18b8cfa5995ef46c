"""What people label first, and what a model's output becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.review_server.labeling.auto.algorithms import CLASSIFICATION, DETECTION, too_few
from include.review_server.labeling.auto.options import changed_by
from include.review_server.labeling.auto.predictions import agrees, label, overlaps, read_prediction
from include.review_server.labeling.auto.registries import training_image
from include.review_server.labeling.auto.sampling import draw
from include.review_server.settings import AutoLabelingSettings

NOW = datetime(2026, 2, 11, 9, 14, 3, 120551, UTC)


def test_the_documented_example_is_drawn_in_its_sizes() -> None:
    """1,000 objects in batches of 200: 10 probes, 190 more to learn from, 200 to judge by."""
    samples = draw("code", range(1000), range(0, 1000, 100), 200)
    assert (len(samples.training), len(samples.validation)) == (190, 200)
    drawn = {*samples.training, *samples.validation}
    assert len(drawn) == 390
    assert not drawn & set(range(0, 1000, 100))
    assert samples == draw("code", list(range(1000))[::-1], range(0, 1000, 100), 200)
    assert samples != draw("another", range(1000), range(0, 1000, 100), 200)


@pytest.mark.parametrize(("objects", "batch", "sizes"), [(6000, 1000, (590, 600)), (1500, 100, (90, 300))])
def test_a_tenth_of_a_large_set_judges_models(objects: int, batch: int, sizes: tuple[int, int]) -> None:
    samples = draw("code", range(objects), range(10), batch)
    assert (len(samples.training), len(samples.validation)) == sizes


def test_a_job_needs_enough_objects_and_hears_what_else_to_do() -> None:
    assert "--auto-labeling" in (too_few(1249, 1250) or "")
    assert too_few(1250, 1250) is None


def test_training_images_are_those_that_the_sdk_names() -> None:
    from importlib.util import find_spec
    from pathlib import Path

    sdk = find_spec("sagemaker.core")
    assert sdk is not None
    assert sdk.origin is not None
    for algorithm in ("object-detection", "image-classification"):
        listed = json.loads((Path(sdk.origin).parent / f"image_uri_config/{algorithm}.json").read_text())
        for region, account in listed["versions"]["1"]["registries"].items():
            if "iso" not in region:
                assert training_image(algorithm, region).startswith(
                    f"{account}.dkr.ecr.{region}.amazonaws.com"
                )
    with pytest.raises(LookupError, match="mars-1"):
        training_image("object-detection", "mars-1")


@pytest.mark.parametrize("said", [[0.1, 0.7, 0.2], {"prediction": [0.1, 0.7, 0.2]}])
def test_a_class_becomes_a_label_of_the_documented_shape(said: Any) -> None:
    prediction = read_prediction(CLASSIFICATION, json.dumps(said).encode(), 3)
    assert prediction is not None
    assert prediction.confidence == 0.7
    made = label(CLASSIFICATION, prediction, "grade", ["a", "b", "c"], "labeling-job/grade-r1", NOW)
    assert json.dumps(made) == (
        '{"grade": 1, "grade-metadata": {"confidence": 0.7, "job-name": "labeling-job/grade-r1", '
        '"class-name": "b", "human-annotated": "no", "creation-date": "2026-02-11T09:14:03.120551", '
        '"type": "groundtruth/image-classification"}}'
    )
    assert agrees(prediction, 1)
    assert agrees(prediction, "1")
    assert not agrees(prediction, 2)


@pytest.mark.parametrize(
    "output", [b"", b"[]", b"[0.5]", b"[1, 2, 3]", b'{"prediction": 7}', b"null", b'["a", "b", "c"]', b"\xff"]
)
def test_what_is_no_prediction_goes_to_people(output: bytes) -> None:
    assert read_prediction(CLASSIFICATION, output, 3) is None
    assert read_prediction(DETECTION, output, 3) is None


def box(kind: int, left: float, top: float, width: float, height: float, score: float) -> dict[str, Any]:
    return {"class_id": kind, "left": left, "top": top, "width": width, "height": height, "score": score}


def boxes(*found: dict[str, Any]) -> bytes:
    size = [{"width": 100, "height": 100, "depth": 3}]
    return json.dumps({"image_size": size, "annotations": list(found)}).encode()


def test_boxes_are_clipped_and_the_most_doubtful_one_is_the_image_s_confidence() -> None:
    prediction = read_prediction(
        DETECTION, boxes(box(0, -5, 10, 40, 40, 0.9), box(1, 60, 60, 80, 20, 0.8), box(1, 1, 1, 5, 5, 0.3)), 2
    )
    assert prediction is not None
    assert prediction.confidence == 0.7  # nearly a third box
    first, second = prediction.value["annotations"]
    assert first == {"class_id": 0, "top": 10, "left": 0, "height": 40, "width": 35}
    assert (second["left"], second["width"]) == (60, 40)
    made = label(DETECTION, prediction, "box", ["nut", "bolt"], "labeling-job/box-r1", NOW)
    metadata = made["box-metadata"]
    assert metadata["objects"] == [{"confidence": 0.9}, {"confidence": 0.8}]
    assert metadata["class-map"] == {"0": "nut", "1": "bolt"}
    assert metadata["human-annotated"] == "no"


def test_an_image_without_boxes_is_the_least_sure_and_a_strange_box_is_no_prediction() -> None:
    nothing = read_prediction(DETECTION, boxes(), 2)
    assert nothing is not None
    assert nothing.confidence == 0
    assert read_prediction(DETECTION, boxes(box(2, 0, 0, 5, 5, 0.9)), 2) is None
    assert read_prediction(DETECTION, boxes(box(0, float("nan"), 0, 5, 5, 0.9)), 2) is None
    assert read_prediction(DETECTION, boxes(box(0, 0, 0, 5, 5, 9)), 2) is None


def test_missed_boxes_and_wrong_classes_count_with_nothing() -> None:
    prediction = read_prediction(
        DETECTION, boxes(box(0, 10, 10, 40, 40, 0.9), box(0, 60, 60, 20, 20, 0.9), box(1, 0, 0, 5, 5, 0.9)), 2
    )
    assert prediction is not None
    truth = {
        "annotations": [
            {"class_id": 0, "left": 10, "top": 10, "width": 40, "height": 40},
            {"class_id": 1, "left": 60, "top": 60, "width": 20, "height": 20},
        ]
    }
    sums, counts = overlaps(prediction, truth, 2)
    assert (sums.tolist(), counts.tolist()) == ([1.0, 0.0], [2.0, 2.0])


def test_a_file_of_settings_changes_hyperparameters_one_by_one(tmp_path: Path) -> None:
    before = AutoLabelingSettings(
        hyperparameters={"object-detection": {"epochs": "30", "image_shape": "128"}}
    )
    file = tmp_path / "auto.json"
    file.write_text(
        '{"minimum_objects": 300, "object-detection": {"image": "x:1", "hyperparameters": {"epochs": 5}}}'
    )
    after = changed_by(file, before)
    assert after.minimum_objects == 300
    assert after.images == {"object-detection": "x:1"}
    assert after.hyperparameters["object-detection"] == {"epochs": "5", "image_shape": "128"}
    assert changed_by(None, before) == before
    for wrong in ("[]", "{", '{"minimum": 3}', '{"minimum_objects": "3"}', '{"object-detection": 7}'):
        file.write_text(wrong)
        with pytest.raises(ValueError, match="NIGHTLOOP_AUTO_LABELING"):
            changed_by(file, before)
