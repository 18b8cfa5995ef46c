"""Hyperparameters as the service hands them over: strings, checked against what an algorithm documents.

An algorithm's parameters are the fields of a frozen dataclass, each made by ``parameter`` with a parser and
the documented default; ``parse`` gives typed values, or one ClientError with every complaint: the parameter,
its value and what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from include.algorithms.container import ClientError

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Refused(ValueError):
    """A value that a parser does not take; the text says what is allowed."""


_Settings = TypeVar("_Settings")


def parameter(parse: Callable[[str], Any], default: Any = None, *, required: bool = False) -> Any:
    """A field of an algorithm's dataclass. Required ones have a default too, since fields without one would
    have to come first; ``parse`` checks that they are given.
    """
    return field(default=default, metadata={"parse": parse, "required": required})


def parse(kind: type[_Settings], given: Mapping[str, str]) -> _Settings:
    """Check every name and value; all complaints come in one ClientError."""
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    complaints, values = [], {}
    for name, text in given.items():
        if name.startswith("_"):
            continue  # the tuner adds _tuning_objective_metric
        if name not in known:
            complaints.append(f"hyperparameter '{name}' is not known; allowed are {', '.join(known)}")
            continue
        try:
            values[name] = known[name].metadata["parse"](str(text))
        except Refused as refused:
            complaints.append(
                f"Invalid parameter value '{name}': {str(text)[:80]!r} is not allowed; expected {refused}"
            )
    for name, item in known.items():
        if item.metadata["required"] and name not in given:
            complaints.append(f"hyperparameter '{name}' is required")
    if complaints:
        raise ClientError("; ".join(complaints))
    return kind(**values)


def defaults(kind: type[Any]) -> dict[str, str]:
    """The documented defaults as Python writes them, of the parameters that have one."""
    return {item.name: repr(item.default) for item in fields(kind) if item.default is not None}


def as_logged(texts: Mapping[str, str]) -> str:
    """Names and the texts of values, as SageMaker's own algorithms log them: as Python 2 wrote a dict."""
    return "{" + ", ".join(f"u{name!r}: {text}" for name, text in sorted(texts.items())) + "}"


def quoted(given: Mapping[str, str]) -> dict[str, str]:
    """What was given, as text of Python 2, which programs look for (``num_training_samples': u'606'``)."""
    return {name: f"u{str(text)!r}" for name, text in given.items()}


def final_configuration(kind: type[Any], given: Mapping[str, str]) -> str:
    """What a job runs with: what was given, and the defaults of the rest."""
    return as_logged(defaults(kind) | quoted(given))


def integer(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\+?\d{1,9}", text) or int(text) < least:
            raise Refused(f"a whole number, {least} or more")
        return int(text)

    return parse


def real(interval: str) -> Callable[[str], float]:
    """A parser for numbers in an interval written as in the documentation, for example "(0, 1]"."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))

    def parse(text: str) -> float:
        value = float(text) if _DECIMAL.fullmatch(text) else math.nan
        above = value > low if interval[0] == "(" else value >= low
        below = value < high if interval[-1] == ")" else value <= high
        if not (above and below):
            raise Refused(f"a number in {interval}")
        return value

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise Refused(" or ".join(allowed))
        return text

    return parse


def truth(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise Refused("True or False")
    return values[text.lower()]


def epoch_list(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(re.fullmatch(r"\d{1,9}", part) for part in parts):
        raise Refused('epochs separated by commas, for example "10,20"')
    return tuple(sorted(int(part) for part in parts))


@dataclass(frozen=True)
class Common:
    """What every algorithm here takes under the same name, with the same limits and default."""

    num_classes: int = parameter(integer(1), required=True)
    num_training_samples: int = parameter(integer(1), required=True)
    early_stopping: bool = parameter(truth, False)
    early_stopping_min_epochs: int = parameter(integer(1), 10)
    early_stopping_patience: int = parameter(integer(1), 5)
    early_stopping_tolerance: float = parameter(real("[0, 1]"), 0.0)
    epochs: int = parameter(integer(1), 30)
    kv_store: str | None = parameter(choice("dist_sync", "dist_async"))
    lr_scheduler_factor: float = parameter(real("(0, 1)"), 0.1)
    lr_scheduler_step: tuple[int, ...] = parameter(epoch_list, ())
    mini_batch_size: int = parameter(integer(1), 32)

    def idle(self, given: Mapping[str, str]) -> list[str]:
        """Those of the ``given`` names that have no effect in this job, each with the reason."""
        reasons = self._without_effect()
        return [f"{name} ({reasons[name]})" for name in sorted(given) if name in reasons]

    def _without_effect(self) -> dict[str, str]:
        """Names that would have no effect in a job with these values, and why."""
        reasons = {"kv_store": "one machine trains here"}
        if not self.lr_scheduler_step:
            reasons["lr_scheduler_factor"] = "lr_scheduler_step is empty"
        if not self.early_stopping:
            reasons |= {
                f"early_stopping_{name}": "early_stopping is False"
                for name in ("min_epochs", "patience", "tolerance")
            }
        return reasons
