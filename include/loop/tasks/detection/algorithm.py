"""SageMaker's built-in object detection (MXNet, SSD): its image, its limits, and what its log says.

The numbers are those of its hyperparameter reference and of its page on instances.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from include.loop.config import Environment, TrainingSettings
from include.loop.core.errors import ConfigurationError
from include.loop.tasks.algorithm import LogPatterns, unknown_names, wrong_counts

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
LEAST = {
    "early_stopping_min_epochs": 1,
    "early_stopping_patience": 1,
    "epochs": 1,
    "image_shape": 1,
    "label_width": 1,
    "mini_batch_size": 1,
}
NETWORKS = ("resnet-50", "vgg-16")
NAMES = (
    frozenset(RANGES)
    | LEAST.keys()
    | {
        "base_network",
        "early_stopping",
        "early_stopping_tolerance",
        "freeze_layer_pattern",
        "kv_store",
        "lr_scheduler_step",
        "num_classes",
        "num_training_samples",
        "optimizer",
        "use_pretrained_model",
    }
)
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

    def check_values(self, given: Mapping[str, str]) -> None:
        if problems := [*unknown_names(given, NAMES), *_problems(given)]:
            raise ConfigurationError("object detection: " + "; ".join(problems))

    def check_limits(self, hyperparameters: Mapping[str, str]) -> None:
        shape = wrong_counts(hyperparameters, {"image_shape": MIN_IMAGE_SHAPE})
        if problems := [*shape, *_problems(hyperparameters)]:
            raise ConfigurationError("SageMaker's object detection: " + "; ".join(problems))

    def check_machines(self, environment: Environment) -> None:
        instance = environment.training.instance_type
        if environment.image is None and not GPUS.match(instance):
            raise ConfigurationError(
                f"{environment.path}: training.instance_type: SageMaker's object detection trains on ml.p2, "
                f"ml.p3, ml.g4dn and ml.g5 only, not on {instance}"
            )


def _problems(values: Mapping[str, str]) -> Iterator[str]:
    for name, (low, high) in RANGES.items():
        text = values.get(name)
        if text is not None and not low < _number(text) <= high:
            yield f"{name} must be above {low:g} and at most {high:g}, not {text}"
    yield from wrong_counts(values, LEAST)
    network = values.get("base_network", BASE_NETWORK)
    if network not in NETWORKS:
        yield f"base_network must be one of {', '.join(NETWORKS)}, not {network}"
    optimizer = values.get("optimizer", "sgd")
    if optimizer not in OPTIMIZERS:
        yield f"optimizer must be one of {', '.join(sorted(OPTIMIZERS))}, not {optimizer}"
    steps = values.get("lr_scheduler_step", "")
    if steps and not re.fullmatch(r"\d+(,\d+)*", steps):
        yield f"lr_scheduler_step must be epochs like 3,6, not {steps}"


def _number(text: str) -> float:
    """Not a number is in no range."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
