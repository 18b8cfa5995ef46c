"""The hyperparameters of SageMaker's built-in Image Classification: names, defaults and limits as documented.

One limit differs: image_shape may be any multiple of 4 from 28 pixels on, because this network is small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from include.algorithms import hyperparameters
from include.algorithms.container import ClientError
from include.algorithms.hyperparameters import Common, Refused, choice, integer, parameter, real

_LEAST_SIDE, _STEP = 28, 4
LAYERS = (18, 20, 32, 34, 44, 50, 56, 101, 110, 152, 200)


@dataclass(frozen=True)
class Shape:
    """``image_shape``: three channels, and height and width in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"3,{self.height},{self.width}"

    def __repr__(self) -> str:  # as the log writes a default
        return repr(str(self))


def shape(text: str) -> Shape:
    """Raises ``Refused`` unless it is "3,H,W" with sides that the network takes."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 3 and all(re.fullmatch(r"\d{1,5}", part) for part in parts):
        channels, height, width = map(int, parts)
        if channels == 3 and all(side >= _LEAST_SIDE and side % _STEP == 0 for side in (height, width)):
            return Shape(height, width)
    raise Refused(f'"3,H,W" with sides that are multiples of {_STEP}, {_LEAST_SIDE} or more')


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise Refused("0 or 1")
    return text == "1"


def _layers(text: str) -> int:
    if text not in map(str, LAYERS):
        raise Refused(f"one of {', '.join(map(str, LAYERS))}")
    return int(text)


@dataclass(frozen=True)
class Hyperparameters(Common):
    """Typed values, each with the documented default."""

    augmentation_type: str | None = parameter(choice("crop", "crop_color", "crop_color_transform"))
    beta_1: float = parameter(real("[0, 1]"), 0.9)
    beta_2: float = parameter(real("[0, 1]"), 0.999)
    checkpoint_frequency: int | None = parameter(integer(1))
    eps: float = parameter(real("[0, 1]"), 1e-8)
    gamma: float = parameter(real("[0, 1]"), 0.9)
    image_shape: Shape = parameter(shape, Shape(224, 224))  # noqa: RUF009 — a field like the others
    lr_scheduler_factor: float = parameter(real("[0, 1]"), 0.1)
    learning_rate: float = parameter(real("[0, 1]"), 0.1)
    momentum: float = parameter(real("[0, 1]"), 0.9)
    multi_label: bool = parameter(_flag, False)
    num_layers: int = parameter(_layers, 152)
    optimizer: str = parameter(choice("sgd", "adam", "rmsprop", "nag"), "sgd")
    precision_dtype: str = parameter(choice("float32", "float16"), "float32")
    resize: int | None = parameter(integer(1))
    top_k: int | None = parameter(integer(2))
    use_pretrained_model: bool = parameter(_flag, False)
    use_weighted_loss: bool = parameter(_flag, False)
    weight_decay: float = parameter(real("[0, 1]"), 0.0001)

    def _without_effect(self) -> dict[str, str]:
        reasons = super()._without_effect() | {"precision_dtype": "this network learns in float32"}
        for names, optimizers in (
            (("beta_1", "beta_2"), ("adam",)),
            (("eps",), ("adam", "rmsprop")),
            (("gamma",), ("rmsprop",)),
            (("momentum", "weight_decay"), ("sgd", "nag")),
        ):
            if self.optimizer not in optimizers:
                reasons |= dict.fromkeys(names, f"belongs to {' and '.join(optimizers)}")
        if not self.multi_label:
            reasons["use_weighted_loss"] = "multi_label is 0"
        return reasons


def parse_hyperparameters(given: Mapping[str, str]) -> Hyperparameters:
    """Check every name and value, and that they fit one another; ClientError."""
    settings = hyperparameters.parse(Hyperparameters, given)
    if complaints := list(_complaints(settings)):
        raise ClientError("; ".join(complaints))
    return settings


def _complaints(settings: Hyperparameters) -> Iterator[str]:
    def wrong(name: str, allowed: str) -> str:
        return f"Invalid parameter value '{name}': {getattr(settings, name)} is not allowed; {allowed}"

    longest = max(settings.image_shape.height, settings.image_shape.width)
    if settings.resize is not None and settings.resize < longest:
        yield wrong("resize", f"expected {longest} or more, as long as both sides of image_shape")
    if settings.checkpoint_frequency is not None and settings.checkpoint_frequency > settings.epochs:
        yield wrong("checkpoint_frequency", f"expected at most the number of epochs, {settings.epochs}")
    if settings.top_k is not None and settings.multi_label:
        yield wrong("top_k", "it is of images with one class each, and multi_label is 1")
    elif settings.top_k is not None and settings.top_k > settings.num_classes:
        yield wrong("top_k", f"there are {settings.num_classes} classes")
    if settings.num_training_samples < settings.mini_batch_size:
        yield (
            "The number of input images must be bigger or equal to the mini_batch_size: "
            f"num_training_samples {settings.num_training_samples}, mini_batch_size "
            f"{settings.mini_batch_size}"
        )
