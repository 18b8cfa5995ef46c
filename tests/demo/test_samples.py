"""What the demo takes of each sample fits what the sample and its pipeline say."""

from __future__ import annotations

import importlib

import pytest
from PIL import Image

from include.demo import pictures_of_classes
from include.demo.checks import BATCHES
from include.demo.compared import Compared, _prediction
from include.demo.samples import SAMPLES
from include.loop.config import load_pipeline
from include.samples import tree_tiles
from include.samples.data_set import Sample
from tests.loop.place import picture

BOXES = "#quality_metric: host=algo-1, epoch=3, validation mAP <score>=(0.787721)"
LINES = {
    "digits": BOXES,
    "digit-classes": "[05/06/2026 10:00:01 INFO 140] Epoch[3] Validation-accuracy=0.787721",
    "trees": BOXES,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_line_of_the_training_log_tells_the_epoch_and_its_score(name):
    found = SAMPLES[name].epoch.search(LINES[name])
    assert found
    assert (found["epoch"], found["score"]) == ("3", "0.787721")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_gate_asks_for_what_the_demo_promises(name):
    """More would be promised by the checks than the loop holds: fewer images asked, or less lost."""
    sample, pipeline = SAMPLES[name], load_pipeline(SAMPLES[name].pipeline)
    assert BATCHES * pipeline.triage.cap <= sample.promises.most_reviewed
    assert pipeline.triage.cap <= sample.batch_images
    assert pipeline.gate.max_loss <= sample.promises.most_lost
    assert list(pipeline.gate.improve_on) == [sample.domains.target.test_set]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_module_writes_what_the_pipeline_and_the_demo_look_for(name):
    sample, pipeline = SAMPLES[name], load_pipeline(SAMPLES[name].pipeline)
    kind = importlib.import_module(sample.module).KIND
    assert kind.pipeline == sample.pipeline == name
    if name == "trees":
        wanted = Sample(1, sample.first_images, 51, 119, BATCHES, sample.batch_images)
        manifests = {piece.manifest for piece in tree_tiles.layout(wanted)}
    else:
        manifests = {part.manifest for part in kind.parts(Sample(1))}
    assert pipeline.initial
    initial = {pipeline.initial.train, pipeline.initial.validation}
    assert manifests - {None} == initial | set(pipeline.test_sets.values())
    tested = [domain.test_set for domain in sample.domains.both]
    assert pipeline.test_sets == {test_set: f"test/{test_set}.manifest" for test_set in tested}


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
