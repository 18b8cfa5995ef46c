"""metrics.json, as far as the gate looks at it.

Takes its content, gives typed values; pydantic says what is missing. JSON's NaN is read here, and turned down
by the rules. Knows nobody.
"""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from pydantic import BaseModel, Field


class ClassScores(BaseModel):
    ap50: float | None
    boxes: int


class Scores(BaseModel):
    """One model on one slice, as far as the gate looks at it."""

    map50: float | None
    recall: float | None
    calibration_error: float | None
    classes: dict[str, ClassScores] = Field(min_length=1)


class Interval(BaseModel):
    low: float | None
    high: float | None


class ClassDelta(Interval):
    ap50: float | None


class Delta(Interval):
    map50: float | None
    classes: dict[str, ClassDelta]


class Slice(BaseModel):
    """``best`` is the highest mAP@0.5 that a champion of this line had on these very images."""

    images: int
    challenger: Scores
    champion: Scores | None
    delta: Delta | None
    best: float | None


class Timed(BaseModel):
    challenger: int


class Latency(BaseModel):
    challenger: float | None
    images: Timed


class Learned(BaseModel):
    images: int
    boxes: int
    recall: float | None


class Metrics(BaseModel):
    """metrics.json, as far as the gate looks at it; JSON's NaN is read, and turned down later."""

    champion: str | None
    slices: dict[str, Slice] = Field(min_length=1)
    learned: dict[str, Learned]
    latency: Latency


def finite_or_none(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def shown(value: float | None) -> str:
    return f"{value:.3f}" if value is not None and math.isfinite(value) else "unknown"
