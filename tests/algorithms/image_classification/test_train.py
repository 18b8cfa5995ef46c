"""Training jobs from channel to artifact: the documented log, the best model, and what is refused."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

from include.algorithms.artifact import flatten
from include.algorithms.container import ClientError
from include.algorithms.image_classification import artifact
from include.algorithms.image_classification.train import train
from include.algorithms.object_detection import artifact as detector
from include.algorithms.object_detection.artifact import Artifact, ArtifactSettings
from include.local_cloud.control.algorithms import Algorithms
from tests.algorithms.image_classification.jobs import MULTI, model_channel, picture, pictures


def run_here(job):
    train(job.container, threading.Event())


def small_job(new_job, **hyperparameters):
    job = new_job().hyperparameters(**hyperparameters)
    return job.manifest("train", pictures(30)).manifest("validation", pictures(12, start=100))


def scores(log: str) -> list[float]:
    return [float(value) for value in re.findall(r"Validation-accuracy=(\S+)", log)]


def test_three_colours_are_learned_and_the_log_has_the_documented_lines_in_their_order(trained):
    stamp = r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] "
    told = [
        r"^Docker entrypoint called with argument\(s\): train$",
        stamp + r"Reading default configuration from \S+: \{.*u'beta_1': 0\.9, .*u'num_layers': 152, ",
        stamp + r"Merging with provided configuration from \S+/hyperparameters\.json: \{u'epochs': u'10', ",
        stamp + r"Final configuration: \{.*u'num_classes': u'3', .*u'num_training_samples': u'30'",
        stamp + r"use_pretrained_model: 0$",
        stamp + r"multi_label: 0$",
        stamp + r"---- Parameters ----$",
        stamp + r"num_layers: 18$",
        stamp + r"checkpoint_frequency not set, will store the best model$",
        stamp + r"Searching for \.lst files in \S+/input/data/train_lst\.$",
        stamp + r"Creating record files for train\.lst$",
        stamp + r"Done creating record files\.\.\.$",
        stamp + r"train: 30 images, per class 10, 10, 10; 0 records skipped$",
        stamp + r"Epoch\[0\] Train-accuracy=[01]\.\d{6}$",
        stamp + r"Epoch\[0\] Train-top_k_accuracy_2=[01]\.\d{6}$",
        stamp + r"Epoch\[0\] Time cost=\d+\.\d{3}$",
        stamp + r"Epoch\[0\] Validation-accuracy=[01]\.\d{6}$",
        stamp + r"Storing the best model with validation accuracy: [01]\.\d{6}$",
        stamp + r"Saved checkpoint to \"\S+/model/image-classification-0001\.safetensors\"$",
    ]
    start = 0
    for pattern in told:
        found = re.compile(pattern, re.MULTILINE).search(trained.log, start)
        assert found, pattern
        start = found.end()
    assert "kv_store (one machine trains here)" in trained.log
    assert max(scores(trained.log)) >= 0.95
    metrics = Algorithms().of_image("1.dkr.ecr.us-east-1.amazonaws.com/image-classification:1").metrics
    for name in ("train:accuracy", "validation:accuracy"):
        assert len(re.findall(metrics[name], trained.log)) == 10
    left = {path.name for path in (trained.root / "model").iterdir()}
    assert left == {"hyperparams.json", artifact.weights_of(int(np.argmax(scores(trained.log))))}


def test_a_continued_job_starts_from_its_parent(new_job, trained, caplog):
    job = model_channel(small_job(new_job, learning_rate="0.0001"), trained.archive)
    with caplog.at_level("INFO"):
        run_here(job)
    assert "continuing from the model channel" in caplog.text
    assert scores(caplog.text)[0] >= max(scores(trained.log)) - 0.02


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_layers": "34"}, "must keep num_layers: the model channel has 18, this job asks for 34"),
        (
            {"image_shape": "3,36,36"},
            "must keep image_shape: the model channel has 3,32,32, this job asks for 3,36",
        ),
        ({"num_classes": "4"}, "must keep num_classes: the model channel has 3, this job asks for 4"),
        ({"multi_label": "1"}, "must keep multi_label: the model channel has False, this job asks for True"),
    ],
)
def test_a_model_of_another_kind_is_not_continued(new_job, trained, changes, reason):
    with pytest.raises(ClientError, match=reason):
        run_here(model_channel(small_job(new_job, **changes), trained.archive))


def test_a_detector_is_no_classifier_and_the_other_way_round(new_job, trained, tmp_path):
    job = small_job(new_job).channel("model", {"TrainingInputMode": "File"}, {})
    kept = ArtifactSettings(num_classes=3, base_network="vgg-16", image_shape=96, nms_threshold=0.45)
    detector.write(job.container.channel("model"), Artifact({"params": {"a": np.zeros(1)}}, kept))
    with pytest.raises(
        ClientError, match="holds a model of object detection; image classification can neither"
    ):
        run_here(job)
    (tmp_path / "model.tar.gz").write_bytes(trained.archive)
    with pytest.raises(
        ClientError, match="holds a model of image classification; object detection can neither"
    ):
        detector.read(tmp_path)


@pytest.mark.parametrize(
    ("hyperparameters", "label", "reason"),
    [
        ({"mini_batch_size": "16"}, 0, "bigger or equal to the mini_batch_size: 1 usable images"),
        ({"num_training_samples": "9"}, 0, "the mini_batch_size: num_training_samples 9"),
        ({}, 3, r"the class 3 of an image is not one of 0 to 2 \(num_classes\)"),
        ({}, "-1", "is not one of 0 to 2"),
        ({}, [0, 1], "a label is a list, .*: such labels need multi_label=1"),
        ({}, {"annotations": []}, "a label of object detection"),
        (MULTI, 1, "with multi_label=1 it must be a list"),
        (MULTI, [0, 2], "multi-hot labels have a 0 or 1 for each .*label-format=class-id"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_first_epoch(new_job, caplog, hyperparameters, label, reason):
    job = new_job().hyperparameters(**hyperparameters)
    job.manifest("train", [(picture(0), label)]).manifest("validation", pictures(3))
    with caplog.at_level("INFO"), pytest.raises(ClientError, match=reason):
        run_here(job)
    assert "Epoch[0]" not in caplog.text


def test_multi_label_counts_every_class_and_a_continued_job_goes_on_after_a_checkpoint(new_job, caplog):
    """With weights for rare classes and every second epoch kept; the last checkpoint of two is lost."""
    rows = {0: [1, 0, 1], 1: [0, 1, 0], 2: [0, 0, 0]}
    pairs = [(image, rows[kind]) for image, kind in pictures(30)]
    job = new_job().hyperparameters(
        **MULTI, epochs="4", use_weighted_loss="1", checkpoint_frequency="2", optimizer="nag"
    )
    job.manifest("train", pairs).manifest("validation", pairs[:12])
    (job.root / "checkpoints").mkdir()
    with caplog.at_level("INFO"):
        run_here(job)
    first, log = scores(caplog.text), caplog.text
    assert "train: 30 images, per class 10, 10, 10; 0 records skipped" in log
    assert len(first) == 4
    best = int(np.argmax(first))
    kept = {artifact.weights_of(epoch) for epoch in (best, 1, 3)} | {"hyperparams.json"}
    assert {path.name for path in job.container.model.iterdir()} == kept
    whole = flatten(artifact.read(job.container.model).variables)

    (job.root / "checkpoints/checkpoint-000003.safetensors").unlink()
    for path in job.container.model.iterdir():
        path.unlink()
    caplog.clear()
    with caplog.at_level("INFO"):
        run_here(job)
    assert "continuing after epoch 2, from a checkpoint" in caplog.text
    assert scores(caplog.text) == pytest.approx(first[2:], abs=0.03)
    if scores(caplog.text) == first[2:]:
        for name, array in flatten(artifact.read(job.container.model).variables).items():
            np.testing.assert_allclose(array, whole[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_a_stopped_job_keeps_a_model(new_job):
    job, stop = small_job(new_job, learning_rate="0.0001"), threading.Event()
    stop.set()
    train(job.container, stop)
    assert artifact.read(job.container.model).kind.num_classes == 3


def test_on_pretrained_features_ten_steps_tell_three_colours_apart(new_job, caplog):
    job = small_job(new_job, use_pretrained_model="1", mini_batch_size="3", num_training_samples="30")
    with caplog.at_level("INFO"):
        run_here(job)
    assert "num_layers 18: EfficientNet-Lite0, trained on ImageNet, of " in caplog.text
    assert scores(caplog.text)[0] >= 0.9
    assert artifact.read(job.container.model).kind.features == "lite0"
