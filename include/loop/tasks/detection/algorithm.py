"""SageMaker's built-in object detection (MXNet, SSD): its image, its limits, and what its log says.

The numbers are those of its hyperparameter reference and of its page on instances.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from include.loop.config import Environment, TrainingSettings
from include.loop.core.errors import ConfigurationError
from include.loop.tasks.algorithm import LogPatterns

MIN_IMAGE_SHAPE = 300
# Where a pipeline says nothing.
BASE_NETWORK, IMAGE_SHAPE = "resnet-50", 300
RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (0, 1),
    "lr_scheduler_factor": (0, 1),
    "momentum": (0, 1),
    "weight_decay": (0, 1),
    "nms_threshold": (0, 1),
    "overlap_threshold": (0, 1),
}
OPTIMIZERS = frozenset({"sgd", "adam", "rmsprop", "adadelta"})
GPUS = re.compile(r"ml\.(p2|p3|p3dn|g4dn|g5)\.")
# The default of label_width, which must hold five numbers per box of the fullest image, and two more.
MIN_LABEL_WIDTH = 350
NUMBERS_PER_BOX = 5

_LOSS = re.compile(
    r"#quality_metric: host=(?P<host>\S+), epoch=(?P<epoch>\d+), batch=\S+ "
    r"train (?P<name>cross_entropy|smooth_l1) <loss>=\((?P<value>\S+)\)"
)
_SCORE = re.compile(
    r"#quality_metric: host=(?P<host>\S+), epoch=(?P<epoch>\d+), "
    r"validation (?P<name>mAP) <score>=\((?P<value>\S+)\)"
)
_THROUGHPUT = re.compile(r"#throughput_metric: host=\S+, train throughput=(?P<value>\S+) records/second")


class DetectionAlgorithm:
    """The ``Algorithm`` of object detection."""

    name = "object-detection"
    shared = ("base_network", "num_classes")
    inherited = ("image_shape",)
    learning_rate = 0.001
    mini_batch_size = 32
    manifest_content_type = "application/x-recordio"
    log = LogPatterns(
        values=(_LOSS, _SCORE),
        fields={"mAP": "validation_map", "cross_entropy": "cross_entropy", "smooth_l1": "smooth_l1"},
        throughput=_THROUGHPUT,
    )

    def computed(self, settings: TrainingSettings, classes: int, images: int, most: int) -> dict[str, Any]:
        return {
            "num_classes": classes,
            "base_network": settings.base_network or BASE_NETWORK,
            "image_shape": settings.image_shape or IMAGE_SHAPE,
            "num_training_samples": images,
            "label_width": max(MIN_LABEL_WIDTH, NUMBERS_PER_BOX * most + 2),
        }

    def check_limits(self, hyperparameters: Mapping[str, str]) -> None:
        problems = []
        shape = int(hyperparameters["image_shape"])
        if shape < MIN_IMAGE_SHAPE:
            problems.append(f"image_shape must be at least {MIN_IMAGE_SHAPE}, not {shape}")
        for name, (low, high) in RANGES.items():
            text = hyperparameters.get(name)
            if text is not None and not low < float(text) <= high:
                problems.append(f"{name} must be above {low:g} and at most {high:g}, not {text}")
        optimizer = hyperparameters.get("optimizer", "sgd")
        if optimizer not in OPTIMIZERS:
            problems.append(f"optimizer must be one of {', '.join(sorted(OPTIMIZERS))}, not {optimizer}")
        steps = hyperparameters.get("lr_scheduler_step", "")
        if steps and not re.fullmatch(r"\d+(,\d+)*", steps):
            problems.append(f"lr_scheduler_step must be epochs like 3,6, not {steps}")
        if problems:
            raise ConfigurationError("SageMaker's object detection: " + "; ".join(problems))

    def check_machines(self, environment: Environment) -> None:
        instance = environment.training.instance_type
        if environment.image is None and not GPUS.match(instance):
            raise ConfigurationError(
                f"{environment.path}: training.instance_type: SageMaker's object detection trains on ml.p2, "
                f"ml.p3, ml.g4dn and ml.g5 only, not on {instance}"
            )
