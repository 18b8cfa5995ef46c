"""The hyperparameters of SageMaker's built-in Object Detection: names, defaults and limits as documented.

Takes the strings of hyperparameters.json, gives typed values; ClientError names the parameter, its value and
what is allowed. One limit differs: image_shape may go down to 96, because this network is small.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from include.algorithms.container import ClientError

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class _Refused(ValueError):
    """A value that a parser does not take; the text says what is allowed."""


def _integer(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\+?\d{1,9}", text) or int(text) < least:
            raise _Refused(f"a whole number, {least} or more")
        return int(text)

    return parse


def _real(interval: str) -> Callable[[str], float]:
    """A parser for numbers in an interval written as in the documentation, for example "(0, 1]"."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))

    def parse(text: str) -> float:
        value = float(text) if _DECIMAL.fullmatch(text) else math.nan
        above = value > low if interval[0] == "(" else value >= low
        below = value < high if interval[-1] == ")" else value <= high
        if not (above and below):
            raise _Refused(f"a number in {interval}")
        return value

    return parse


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise _Refused(" or ".join(allowed))
        return text

    return parse


def _truth(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise _Refused("True or False")
    return values[text.lower()]


def _epochs(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(re.fullmatch(r"\d{1,9}", part) for part in parts):
        raise _Refused('epochs separated by commas, for example "10,20"')
    return tuple(sorted(int(part) for part in parts))


def _pattern(text: str) -> re.Pattern[str] | None:
    if text in ("", "False", "None"):
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise _Refused(f"a regular expression ({error})") from error


def _parameter(parse: Callable[[str], Any], default: Any = None, *, required: bool = False) -> Any:
    # Fields without a default come first in a dataclass; required ones are checked by
    # `parse_hyperparameters`.
    return field(default=default, metadata={"parse": parse, "required": required})


@dataclass(frozen=True)
class Hyperparameters:
    """Typed values, each with the documented default."""

    num_classes: int = _parameter(_integer(1), required=True)
    num_training_samples: int = _parameter(_integer(1), required=True)
    base_network: str = _parameter(_choice("vgg-16", "resnet-50"), "vgg-16")
    early_stopping: bool = _parameter(_truth, False)
    early_stopping_min_epochs: int = _parameter(_integer(1), 10)
    early_stopping_patience: int = _parameter(_integer(1), 5)
    early_stopping_tolerance: float = _parameter(_real("[0, 1]"), 0.0)
    image_shape: int = _parameter(_integer(96), 300)
    epochs: int = _parameter(_integer(1), 30)
    freeze_layer_pattern: re.Pattern[str] | None = _parameter(_pattern)  # noqa: RUF009 — a field like the others
    kv_store: str | None = _parameter(_choice("dist_sync", "dist_async"))
    label_width: int = _parameter(_integer(1), 350)
    learning_rate: float = _parameter(_real("(0, 1]"), 0.001)
    lr_scheduler_factor: float = _parameter(_real("(0, 1)"), 0.1)
    lr_scheduler_step: tuple[int, ...] = _parameter(_epochs, ())
    mini_batch_size: int = _parameter(_integer(1), 32)
    momentum: float = _parameter(_real("(0, 1]"), 0.9)
    nms_threshold: float = _parameter(_real("(0, 1]"), 0.45)
    optimizer: str = _parameter(_choice("sgd", "adam", "rmsprop", "adadelta"), "sgd")
    overlap_threshold: float = _parameter(_real("(0, 1]"), 0.5)
    use_pretrained_model: bool = _parameter(_truth, True)
    weight_decay: float = _parameter(_real("(0, 1)"), 0.0005)

    @property
    def most_objects(self) -> int:
        """Objects per image that label_width has room for: two header numbers, then five per object."""
        return max(0, self.label_width - 2) // 5

    def idle(self, given: Mapping[str, str]) -> list[str]:
        """Those of the `given` names that have no effect in this job, each with the reason."""
        reasons = {"kv_store": "one machine trains here"}
        if self.optimizer != "sgd":
            reasons["momentum"] = "belongs to sgd"
        if self.optimizer not in ("sgd", "rmsprop"):
            reasons["weight_decay"] = "belongs to sgd and rmsprop"
        if not self.lr_scheduler_step:
            reasons["lr_scheduler_factor"] = "lr_scheduler_step is empty"
        if not self.early_stopping:
            reasons |= {
                f"early_stopping_{name}": "early_stopping is False"
                for name in ("min_epochs", "patience", "tolerance")
            }
        return [f"{name} ({reasons[name]})" for name in sorted(given) if name in reasons]


def parse_hyperparameters(given: Mapping[str, str]) -> Hyperparameters:
    """Check every name and value; all complaints come in one ClientError."""
    known = {item.name: item for item in fields(Hyperparameters)}
    complaints, values = [], {}
    for name, text in given.items():
        if name.startswith("_"):
            continue  # the tuner adds _tuning_objective_metric
        if name not in known:
            complaints.append(f"hyperparameter '{name}' is not known; allowed are {', '.join(known)}")
            continue
        try:
            values[name] = known[name].metadata["parse"](str(text))
        except _Refused as refused:
            complaints.append(
                f"Invalid parameter value '{name}': {str(text)[:80]!r} is not allowed; expected {refused}"
            )
    for name, item in known.items():
        if item.metadata["required"] and name not in given:
            complaints.append(f"hyperparameter '{name}' is required")
    if complaints:
        raise ClientError("; ".join(complaints))
    return Hyperparameters(**values)


def final_configuration(given: Mapping[str, str]) -> str:
    """What a job runs with, as SageMaker's own algorithms log it: what was given as text of Python 2, which
    programs look for (``num_training_samples': u'606'``), and the defaults of the rest.
    """
    defaults = {item.name: repr(item.default) for item in fields(Hyperparameters) if item.default is not None}
    texts = {name: f"u{str(text)!r}" for name, text in given.items()}
    return "{" + ", ".join(f"u{name!r}: {text}" for name, text in sorted((defaults | texts).items())) + "}"
