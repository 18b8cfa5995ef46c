"""Training jobs from channel to artifact: as processes where the contract is a process's, else in place."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image

from include.algorithms.artifact import flatten
from include.algorithms.container import ClientError
from include.algorithms.object_detection import artifact
from include.algorithms.object_detection.artifact import SETTINGS, WEIGHTS
from include.algorithms.object_detection.train import train
from include.algorithms.pretrained import BACKBONE, weights
from include.samples.scenes import draw
from tests.algorithms.object_detection.jobs import PIPE, Job, encode, label, records, stream_of

COMMAND = [sys.executable, "-m", "include.algorithms.object_detection", "train"]
# The metric definitions that the service attaches to these jobs.
METRICS = {
    "train:progress": r"#progress_metric: host=\S+, completed (\S+) %",
    "train:smooth_l1": r"#quality_metric: host=\S+, epoch=\S+, batch=\S+ train smooth_l1 <loss>=(\S+)",
    "train:cross_entropy": r"#quality_metric: host=\S+, epoch=\S+, batch=\S+ train cross_entropy <loss>=(\S+)",  # noqa: E501
    "train:throughput": r"#throughput_metric: host=\S+, train throughput=(\S+) records/second",
    "validation:mAP": r"#quality_metric: host=\S+, epoch=\S+, validation mAP <score>=\((\S+)\)",
}


def environment(job):
    return {**os.environ, "SM_ML_ROOT": str(job.root)}


def small_job(new_job, **hyperparameters):
    pairs = records(10)
    return new_job().hyperparameters(**hyperparameters).pipe("train", pairs[:8]).pipe("validation", pairs[8:])


def run_here(job):
    train(job.container, threading.Event())


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """A trained model.tar.gz."""
    folder = tmp_path_factory.mktemp("parent")
    run_here(small_job(lambda: Job(folder)))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        for name in (SETTINGS, WEIGHTS):
            archive.add(folder / "model" / name, name)
    return (folder / "model.tar.gz").read_bytes()


def continued(new_job, parent, **hyperparameters):
    return small_job(new_job, **hyperparameters).channel(
        "model", {"TrainingInputMode": "File"}, {"model/model.tar.gz": parent}
    )


def test_a_job_reads_real_pipes_logs_the_documented_lines_and_leaves_a_model(new_job):
    job = new_job().hyperparameters(epochs="2", kv_store="dist_sync")
    pairs = records(10)
    for name, part in (("train", pairs[:8]), ("validation", pairs[8:])):
        job.channel(name, PIPE, {})
        path = job.root / f"input/data/{name}_0"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(stream_of(part),), daemon=True).start()
    done = subprocess.run(COMMAND, env=environment(job), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    log = done.stdout
    for metric, pattern in METRICS.items():
        values = [value.strip("()") for value in re.findall(pattern, log)]
        assert len(values) == 2, metric
        assert all(np.isfinite(float(value)) for value in values)
    stamp = r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] "
    counts = r"Epoch:    0, batches:      2, num_examples:      8, [\d.]+ samples/sec, "
    assert re.search(stamp + counts + r"epoch time so far:  \d:\d\d:\d\d\.\d+", log)
    assert re.search(stamp + r"Updating the best model with validation-mAP=[\d.]+$", log, re.MULTILINE)
    assert f'Saved checkpoint to "{job.root}/model/{WEIGHTS}"' in log
    (configuration,) = (line for line in log.splitlines() if "Final configuration: " in line)
    given = dict(re.findall(r"u'(\w+)': u'([^']*)'", configuration))  # as programs of Python 2's days do
    assert (given["num_training_samples"], given["base_network"]) == ("8", "resnet-50")
    assert "u'nms_threshold': 0.45" in configuration  # a default
    assert "kv_store (one machine trains here)" in log
    assert "resnet-50: a compact single-shot network" in log
    assert artifact.read(job.container.model).settings.num_classes == 10
    assert not (job.root / "output/failure").exists()


def test_sigterm_stops_after_the_batch_and_the_best_model_stays(new_job):
    job = small_job(new_job, epochs="100000")
    with subprocess.Popen(COMMAND, env=environment(job), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Saved checkpoint" in line:
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert "stopped: keeping the best model so far" in rest
    artifact.read(job.container.model)


def test_a_killed_job_is_continued_after_its_last_epoch_as_if_nothing_had_been(new_job, tmp_path):
    """kill -9 of the whole process group; the checkpoints are all that is left, as on a lost machine."""
    whole = small_job(new_job, epochs="2")
    run_here(whole)
    killed = small_job(lambda: Job(tmp_path / "killed"), epochs="2")
    (killed.root / "checkpoints").mkdir()
    with subprocess.Popen(
        COMMAND, env=environment(killed), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Saved the state of epoch 0" in line:
                os.killpg(process.pid, signal.SIGKILL)
    again = small_job(lambda: Job(tmp_path / "again"), epochs="2")
    (killed.root / "checkpoints").rename(again.root / "checkpoints")
    done = subprocess.run(COMMAND, env=environment(again), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout
    assert re.search(r"continuing after epoch [01], from a checkpoint", done.stdout)
    assert "epoch=0, batch=" not in done.stdout
    assert "completed 100 %" in done.stdout
    expected, found = (flatten(artifact.read(job.container.model).variables) for job in (whole, again))
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
    assert len(list((again.root / "checkpoints").glob("*"))) == 2


def test_checkpoints_that_are_damaged_or_of_another_training_are_passed_over(new_job, tmp_path, caplog):
    first = small_job(new_job)
    (first.root / "checkpoints").mkdir()
    run_here(first)
    (saved,) = (first.root / "checkpoints").iterdir()

    def log_of(damaged, **hyperparameters):
        job = small_job(lambda: Job(tmp_path / str(damaged)), **hyperparameters)
        shutil.copytree(first.root / "checkpoints", job.root / "checkpoints")
        if damaged:
            (job.root / "checkpoints/checkpoint-000009.safetensors").write_bytes(saved.read_bytes()[:5000])
        caplog.clear()
        with caplog.at_level("INFO"):
            run_here(job)
        artifact.read(job.container.model)
        return caplog.text

    log = log_of(damaged=True)
    assert "passing over the checkpoint checkpoint-000009.safetensors: it is damaged" in log
    assert "continuing after epoch 0, from a checkpoint" in log
    log = log_of(damaged=False, num_training_samples="9")
    assert "belongs to a training with other hyperparameters or data" in log
    assert "continuing after" not in log


def test_a_failed_job_leaves_its_reason_and_an_exit_code(new_job):
    job = small_job(new_job, image_shape="7" * 2000)
    done = subprocess.run(COMMAND, env=environment(job), capture_output=True, text=True, timeout=240)
    assert done.returncode != 0
    reason = (job.root / "output/failure").read_text()
    assert reason.startswith("ClientError: Invalid parameter value 'image_shape'")
    assert len(reason) <= 1024


def test_images_with_annotation_files_train_too_and_bad_ones_are_counted(new_job, caplog):
    files = {}
    for channel in ("train", "validation"):
        for index, (image, text) in enumerate(records(8)):
            files[f"{channel}/{index}.jpg"] = image
            content = {"file": f"{index}.jpg", **json.loads(text)}
            files[f"{channel}_annotation/{index}.json"] = json.dumps(content).encode()
    files["train/7.jpg"] = b"not an image"
    job = new_job().hyperparameters(num_training_samples="12")
    for name in ("train", "validation", "train_annotation", "validation_annotation"):
        job.channel(name, {"TrainingInputMode": "File", "ContentType": "image/jpeg"}, files)
    with caplog.at_level("INFO"):
        run_here(job)
    assert "train: skipping 7.json: not an image" in caplog.text
    assert "Expected number of batches: 3, did not match the number of batches processed: 1" in caplog.text
    artifact.read(job.container.model)


def test_the_same_job_gives_the_same_weights_and_a_continued_one_starts_from_them(new_job, parent, caplog):
    (new_job().container.root / "parent").mkdir(parents=True)
    (new_job().container.root / "parent/model.tar.gz").write_bytes(parent)
    before = flatten(artifact.read(new_job().container.root / "parent").variables)
    job = small_job(new_job)
    run_here(job)
    again = flatten(artifact.read(job.container.model).variables)
    for name, array in before.items():
        np.testing.assert_allclose(again[name], array, rtol=1e-3, atol=1e-4, err_msg=name)
    with caplog.at_level("INFO"):
        job = continued(new_job, parent, learning_rate="1e-9", freeze_layer_pattern="^conv")
        run_here(job)
    assert "continuing from the model channel" in caplog.text
    after = flatten(artifact.read(job.container.model).variables)
    for name in before:
        if name.startswith("params.conv"):
            np.testing.assert_array_equal(after[name], before[name])
        elif name.startswith("params."):
            np.testing.assert_allclose(after[name], before[name], atol=1e-5)


def test_early_stopping_ends_the_job_when_the_score_stays(new_job, caplog):
    names = {"early_stopping": "True", "early_stopping_min_epochs": "1", "early_stopping_patience": "1"}
    job = small_job(new_job, epochs="100000", early_stopping_tolerance="1", **names)
    with caplog.at_level("INFO"):
        run_here(job)
    assert "early stopping: validation mAP has not improved" in caplog.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_classes": "11"}, "must keep num_classes: the model channel has 10, this job asks for 11"),
        ({"base_network": "vgg-16"}, "must keep base_network: the model channel has resnet-50"),
    ],
)
def test_a_model_of_other_classes_or_another_network_is_not_continued(new_job, parent, changes, reason):
    with pytest.raises(ClientError, match=reason):
        run_here(continued(new_job, parent, **changes))


def test_a_model_channel_without_a_model_is_refused(new_job):
    job = small_job(new_job).channel("model", {"TrainingInputMode": "File"}, {"model/readme.txt": b"?"})
    with pytest.raises(ClientError, match="holds no model of this algorithm"):
        run_here(job)


@pytest.mark.parametrize(
    ("hyperparameters", "reason"),
    [
        ({"mini_batch_size": "32"}, "bigger or equal to the mini_batch_size: 8 usable images"),
        ({"label_width": "3"}, "Invalid parameter value 'label_width'"),
    ],
)
def test_settings_that_do_not_fit_the_data_are_refused(new_job, hyperparameters, reason):
    with pytest.raises(ClientError, match=reason):
        run_here(small_job(new_job, **hyperparameters))


def test_images_of_any_size_and_images_with_nothing_in_them_train(new_job):
    scene = draw("day", "learning", 5)
    wide = encode(Image.fromarray(scene.pixels).resize((640, 200)))
    text = json.dumps(label(scene)).encode()  # its image_size is what the boxes refer to
    nothing = b'{"annotations": [], "image_size": [{"width": 128, "height": 128, "depth": 3}]}'
    pairs = [(wide, text), (wide, nothing)] * 2
    run_here(new_job().hyperparameters(image_shape="100").pipe("train", pairs).pipe("validation", pairs))


def test_a_job_with_pretrained_features_says_so_and_a_further_one_keeps_them(new_job, tmp_path, caplog):
    first = small_job(lambda: Job(tmp_path / "first"), use_pretrained_model="1")
    with caplog.at_level("INFO"):
        run_here(first)
    assert "a single-shot network on EfficientNet-Lite0" in caplog.text
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        for name in (SETTINGS, WEIGHTS):
            archive.add(first.container.model / name, name)
    further = continued(new_job, (tmp_path / "model.tar.gz").read_bytes(), use_pretrained_model="0")
    run_here(further)
    for job in (first, further):
        kept = artifact.read(job.container.model)
        assert kept.settings.features == "lite0"
        np.testing.assert_array_equal(
            kept.variables["params"][BACKBONE]["block15"]["project"]["kernel"],
            weights.lite0()["block15"]["project"]["kernel"],
            err_msg="what is built on them had learned nothing yet",
        )
