"""A number is one that can be counted with, whatever JSON can say."""

from __future__ import annotations

import math

import pytest

from include.loop.core.errors import BadRecord
from include.loop.core.numbers import is_finite
from include.loop.exchange import manifest_items


@pytest.mark.parametrize("value", [0, -3, 0.5, 1e308, 2**62])
def test_what_a_float_can_hold_is_a_number(value):
    assert is_finite(value)
    assert math.isfinite(float(value))


@pytest.mark.parametrize("value", [10**400, -(10**400), math.inf, -math.inf, math.nan, True, None, "1", [1]])
def test_anything_else_is_none(value):
    assert not is_finite(value)


def test_an_imported_box_of_absurd_size_is_a_bad_record():
    with pytest.raises(BadRecord, match="left must be a finite number, not 1000"):
        manifest_items._number({"left": 10**400}, "left")
