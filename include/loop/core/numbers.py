"""Numbers in JSON that anybody may have written."""

from __future__ import annotations

import sys
from typing import Any, TypeGuard


def is_finite(value: Any) -> TypeGuard[int | float]:
    """Whether a parsed value is a number that a float can hold. ``math.isfinite`` raises OverflowError for an
    integer of more digits, and comparing does not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max
