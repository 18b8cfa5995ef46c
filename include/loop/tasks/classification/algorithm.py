"""SageMaker's built-in image classification (MXNet, ResNet): its image, its limits, and what its log says.

The numbers are those of its hyperparameter reference and of its page on instances; which layers go with which
images is what its network is built by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from include.loop.config import Environment, TrainingSettings
from include.loop.core.errors import ConfigurationError
from include.loop.tasks.algorithm import LogPatterns, unknown_names, wrong_counts

# Where a pipeline says nothing. SageMaker's default of 152 layers is for millions of images.
NUM_LAYERS, SMALL_NUM_LAYERS, IMAGE_SHAPE = 18, 20, 224
# The side of the largest image that the small networks take.
SMALL_SIDE = 28
LAYERS, SMALL_LAYERS = (18, 34, 50, 101, 152, 200), (20, 32, 44, 56, 110)
PRETRAINED_SIDE = 224
SHARES = (
    "beta_1",
    "beta_2",
    "early_stopping_tolerance",
    "eps",
    "gamma",
    "learning_rate",
    "lr_scheduler_factor",
    "momentum",
    "weight_decay",
)
CHOICES: dict[str, tuple[str, ...]] = {
    "augmentation_type": ("crop", "crop_color", "crop_color_transform"),
    "early_stopping": ("True", "False"),
    "multi_label": ("0", "1"),
    "optimizer": ("adam", "nag", "rmsprop", "sgd"),
    "precision_dtype": ("float16", "float32"),
    "use_pretrained_model": ("0", "1"),
    "use_weighted_loss": ("0", "1"),
}
LEAST = {
    "checkpoint_frequency": 1,
    "early_stopping_min_epochs": 1,
    "early_stopping_patience": 1,
    "epochs": 1,
    "mini_batch_size": 1,
    "top_k": 2,
}
NAMES = (
    frozenset(SHARES)
    | CHOICES.keys()
    | LEAST.keys()
    | {
        "image_shape",
        "kv_store",
        "lr_scheduler_step",
        "num_classes",
        "num_layers",
        "num_training_samples",
        "resize",
    }
)
GPUS = re.compile(r"ml\.(p2|p3|p3dn|g4dn|g5)\.")

_SHAPE = re.compile(r"3,(\d{1,5}),(\d{1,5})")
_ACCURACY = re.compile(r"Epoch\[(?P<epoch>\d+)\] (?P<name>Train|Validation)-accuracy=(?P<value>\S+)")
_SPEED = re.compile(r"Epoch\[\d+\] Batch ?\[\d+\].*?Speed: (?P<value>\S+) samples/sec")


class ClassificationAlgorithm:
    """The ``Algorithm`` of image classification."""

    name = "image-classification"
    # SageMaker's rule for incremental training; and another kind of label makes another last layer.
    shared = ("num_layers", "num_classes", "image_shape", "multi_label")
    inherited = ()
    learning_rate = 0.1
    mini_batch_size = 32
    log = LogPatterns(
        values=(_ACCURACY,),
        fields={"Validation": "validation_accuracy", "Train": "train_accuracy"},
        throughput=_SPEED,
    )

    def __init__(self, *, multi_label: bool) -> None:
        self._multi_label = multi_label

    @property
    def manifest_content_type(self) -> str:
        # Ground Truth's lists of class ids; without the word a list is a 0 or 1 for every class.
        return "application/x-recordio" + ("; label-format=class-id" if self._multi_label else "")

    def computed(self, settings: TrainingSettings, classes: int, images: int, most: int) -> dict[str, Any]:
        side = settings.image_shape or IMAGE_SHAPE
        return {
            "num_classes": classes,
            "num_training_samples": images,
            "num_layers": settings.num_layers or (NUM_LAYERS if side > SMALL_SIDE else SMALL_NUM_LAYERS),
            "image_shape": f"3,{side},{side}",
            "multi_label": int(self._multi_label),
            # Optional with augmented manifests and RecordIO. Without it a training image is cut at its full
            # size, so that a photograph teaches what is in its middle, and one that is too small ends the
            # job; an image to predict is squeezed whole. SageMaker's examples take the model's own side, too.
            "resize": side,
        }

    def check_values(self, given: Mapping[str, str]) -> None:
        if problems := [*unknown_names(given, NAMES), *_problems(given)]:
            raise ConfigurationError("image classification: " + "; ".join(problems))

    def check_limits(self, hyperparameters: Mapping[str, str]) -> None:
        if problems := [*_problems(hyperparameters), *_shape_problems(hyperparameters)]:
            raise ConfigurationError("SageMaker's image classification: " + "; ".join(problems))

    def check_machines(self, environment: Environment) -> None:
        instance = environment.training.instance_type
        if environment.image is None and not GPUS.match(instance):
            raise ConfigurationError(
                f"{environment.path}: training.instance_type: SageMaker's image classification trains on "
                f"ml.p2, ml.p3, ml.g4dn and ml.g5 only, not on {instance}"
            )


def _problems(values: Mapping[str, str]) -> Iterator[str]:
    for name in SHARES:
        text = values.get(name)
        if text is not None and not 0 <= _number(text) <= 1:
            yield f"{name} must be from 0 to 1, not {text}"
    for name, allowed in CHOICES.items():
        text = values.get(name)
        if text is not None and text not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}, not {text}"
    yield from wrong_counts(values, LEAST)
    steps = values.get("lr_scheduler_step", "")
    if steps and not re.fullmatch(r"\d+(,\d+)*", steps):
        yield f"lr_scheduler_step must be epochs like 3,6, not {steps}"
    if "image_shape" in values and not _SHAPE.fullmatch(values["image_shape"]):
        yield f"image_shape must be 3,height,width in pixels, not {values['image_shape']}"


def _shape_problems(values: Mapping[str, str]) -> Iterator[str]:
    shape = _SHAPE.fullmatch(values["image_shape"])
    if shape is None:
        return
    height, width = int(shape[1]), int(shape[2])
    allowed = SMALL_LAYERS if height <= SMALL_SIDE else LAYERS
    layers = values["num_layers"]
    if layers not in map(str, allowed):
        yield (
            f"num_layers must be one of {', '.join(map(str, allowed))} for an image_shape of "
            f"{values['image_shape']}, not {layers}"
        )
    resize = values.get("resize")
    if resize is not None and not max(height, width) <= _number(resize):
        yield f"resize must be {max(height, width)} or more, the longer side of image_shape, not {resize}"
    if values.get("use_pretrained_model") == "1" and (
        (height, width) != (PRETRAINED_SIDE, PRETRAINED_SIDE) or layers not in map(str, LAYERS)
    ):
        yield (
            f"use_pretrained_model is for an image_shape of 3,{PRETRAINED_SIDE},{PRETRAINED_SIDE} and "
            f"{', '.join(map(str, LAYERS))} layers only; it must be 0 here"
        )
    if values.get("use_weighted_loss") == "1" and values.get("multi_label") != "1":
        yield "use_weighted_loss is for multi_label only"


def _number(text: str) -> float:
    """Not a number is in no range."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
