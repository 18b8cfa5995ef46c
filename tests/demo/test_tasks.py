"""What the demo knows of each task fits what the task's own parts write."""

from __future__ import annotations

import pytest
from PIL import Image

from include.demo import pictures_of_classes
from include.demo.compared import Compared, _prediction
from include.demo.tasks import TASKS
from include.loop.config import load_pipeline
from tests.loop.place import picture

LINES = {
    "detection": "#quality_metric: host=algo-1, epoch=3, validation mAP <score>=(0.787721)",
    "classification": "[05/06/2026 10:00:01 INFO 140] Epoch[3] Validation-accuracy=0.787721",
}


@pytest.mark.parametrize("name", TASKS)
def test_a_line_of_the_training_log_tells_the_epoch_and_its_score(name):
    found = TASKS[name].epoch.search(LINES[name])
    assert found
    assert (found["epoch"], found["score"]) == ("3", "0.787721")


@pytest.mark.parametrize("name", TASKS)
def test_the_gate_asks_for_what_the_demo_promises(name):
    """More would be promised by the checks than the loop holds: fewer images asked, or less lost."""
    task, pipeline = TASKS[name], load_pipeline(TASKS[name].pipeline)
    assert 3 * pipeline.triage.cap <= task.promises.most_reviewed
    assert pipeline.gate.max_loss <= task.promises.most_lost_by_day
    assert list(pipeline.gate.improve_on) == ["night"]


def test_a_prediction_is_read_as_a_batch_or_an_endpoint_writes_it():
    assert _prediction(b'{"prediction": [0.1, 0.9]}') == _prediction(b"[0.1, 0.9]") == [0.1, 0.9]
    assert _prediction(None) == []


def test_what_a_model_takes_a_scene_for_is_green_when_it_is_right_and_red_when_not():
    line = {"source-ref": "s3://b/1.jpg", "review": 1, "review-metadata": {"class-name": "dog"}}
    scene = Compared(picture(90), line, [[0.9, 0.1], [0.2, 0.8]])
    sheet = pictures_of_classes._sheet([scene], {0: "cat", 1: "dog"}).convert("RGB")
    colours = {colour for _, colour in sheet.getcolors(sheet.width * sheet.height) or ()}
    assert {(46, 125, 50), (198, 40, 40)} <= colours
    both = pictures_of_classes._sheet([scene, Compared(picture(80), line, [[0.1, 0.9], []])], {1: "dog"})
    assert both.width > sheet.width
    assert isinstance(both, Image.Image)
