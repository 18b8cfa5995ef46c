"""One whole stack for the drills: local cloud, review server and Airflow, as `make up` starts them.

The stack lives in a temporary directory on free ports. Its pipelines are small (96 pixels, one epoch, a dozen
images a batch), because the drills are about what happens to labels, not about what a model learns.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.support.cloud import share_cache

ENVIRONMENT = """
region: us-east-1
bucket: nightloop-local
pipeline: tiny
role_arn: arn:aws:iam::000000000000:role/nightloop
algorithm: local
poll_seconds: 1
review:
  workteam: reviewers
  poll_seconds: 1
  portal_url: {portal}
"""

TINY = """
description: digits, small and quick
classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
initial: {train: initial/train.manifest, validation: initial/validation.manifest}
test_sets: {day: test/day.manifest, night: test/night.manifest}
triage: {strategy: least_confident, threshold: 1.0, audit_share: 0, cap: 50}
review: {deadline_hours: 1}
training:
  image_shape: 96
  initial: &quick
    hyperparameters:
      {optimizer: adam, learning_rate: 0.003, mini_batch_size: 8, epochs: 1, use_pretrained_model: 0}
  incremental: *quick
  replay: {per_new: 1}
  trials: 0  # how many trainings there are is counted
gate:  # nearly anything goes
  {min_gain: 0, max_loss: 1, max_class_loss: 1, max_calibration_error: 1, confidence: 0.51, min_images: 1,
   min_objects: 0, min_train_recall: 0}
"""

# Somebody else's pictures: another task and other classes, no model and no labels to begin with, a layout of
# their own.
SHAPES = """
description: coloured shapes on grey paper
task: image-classification
classes: [square, disc]
batch: {prefix: "camera/{date:%Y/%m/%d}/", suffixes: [.png]}
triage: {strategy: margin, cap: 50, audit_share: 0}
review: {deadline_hours: 1, title: Name the shape}
training:
  num_layers: 18
  image_shape: 32
  initial: &quick {hyperparameters: {optimizer: adam, learning_rate: 0.003, mini_batch_size: 4, epochs: 2}}
  incremental: *quick
gate:  # nearly anything goes
  {min_gain: 0, max_loss: 1, max_class_loss: 1, max_calibration_error: 1, confidence: 0.51, min_images: 1,
   min_objects: 0, min_train_recall: 0}
"""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("e2e")
    cloud, review, airflow = _free_ports(3)
    config = root / "config"
    (config / "environments").mkdir(parents=True)
    (config / "pipelines").mkdir()
    portal = f"http://127.0.0.1:{review}"
    (config / "environments" / "local.yaml").write_text(ENVIRONMENT.format(portal=portal))
    (config / "pipelines" / "tiny.yaml").write_text(TINY)
    (config / "pipelines" / "shapes.yaml").write_text(SHAPES)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW_"))},
        "NIGHTLOOP_HOME": str(root / "home"),
        "NIGHTLOOP_CONFIG_DIR": str(config),
        "NIGHTLOOP_CLOUD_PORT": str(cloud),
        "NIGHTLOOP_REVIEW_PORT": str(review),
        "NIGHTLOOP_AIRFLOW_PORT": str(airflow),
    }
    stack = Stack(Path(root), environment)
    share_cache(stack.settings.cloud_data)
    try:
        stack.up()
        stack.prepare()
        yield stack
    finally:
        stack.down()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()
