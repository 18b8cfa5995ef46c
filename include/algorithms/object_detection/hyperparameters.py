"""The hyperparameters of SageMaker's built-in Object Detection: names, defaults and limits as documented.

One limit differs: image_shape may go down to 96, because this network is small.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from include.algorithms import hyperparameters
from include.algorithms.hyperparameters import Common, Refused, choice, integer, parameter, real, truth


def _pattern(text: str) -> re.Pattern[str] | None:
    if text in ("", "False", "None"):
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise Refused(f"a regular expression ({error})") from error


@dataclass(frozen=True)
class Hyperparameters(Common):
    """Typed values, each with the documented default."""

    base_network: str = parameter(choice("vgg-16", "resnet-50"), "vgg-16")
    image_shape: int = parameter(integer(96), 300)
    freeze_layer_pattern: re.Pattern[str] | None = parameter(_pattern)  # noqa: RUF009 — a field like the others
    label_width: int = parameter(integer(1), 350)
    learning_rate: float = parameter(real("(0, 1]"), 0.001)
    momentum: float = parameter(real("(0, 1]"), 0.9)
    nms_threshold: float = parameter(real("(0, 1]"), 0.45)
    optimizer: str = parameter(choice("sgd", "adam", "rmsprop", "adadelta"), "sgd")
    overlap_threshold: float = parameter(real("(0, 1]"), 0.5)
    use_pretrained_model: bool = parameter(truth, True)
    weight_decay: float = parameter(real("(0, 1)"), 0.0005)

    @property
    def most_objects(self) -> int:
        """Objects per image that label_width has room for: two header numbers, then five per object."""
        return max(0, self.label_width - 2) // 5

    def _without_effect(self) -> dict[str, str]:
        reasons = super()._without_effect()
        if self.optimizer != "sgd":
            reasons["momentum"] = "belongs to sgd"
        if self.optimizer not in ("sgd", "rmsprop"):
            reasons["weight_decay"] = "belongs to sgd and rmsprop"
        return reasons


def parse_hyperparameters(given: Mapping[str, str]) -> Hyperparameters:
    """Check every name and value; all complaints come in one ClientError."""
    return hyperparameters.parse(Hyperparameters, given)
