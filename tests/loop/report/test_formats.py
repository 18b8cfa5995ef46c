"""Numbers and dates as the report writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.report import formats


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.039, "0.039 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (192, "3 min 12 s"),
        (7500, "2 h 05 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e9))
def test_every_duration_can_be_written(seconds: float) -> None:
    assert len(formats.duration(seconds)) < 20


def test_small_sums_keep_their_digits_and_large_ones_their_cents() -> None:
    assert formats.dollars(0.0083) == "$0.0083"
    assert formats.dollars(0) == "$0.00"
    assert formats.dollars(1234.5) == "$1,234.50"


def test_a_difference_has_a_sign_that_is_a_minus() -> None:
    assert formats.change(-0.0123) == "−0.012"
    assert formats.points(0.049) == "+4.9"
    assert formats.interval(-0.1, 0.2) == "−0.100 to 0.200"
    assert formats.interval(None, 0.2) == ""


def test_a_batch_is_a_date_and_other_text_is_left_alone() -> None:
    assert formats.day("2026-11-01") == "1 November 2026"
    assert formats.day("2026-11-01.2") == "1 November 2026, anew (2)"
    assert formats.table_day("2026-11-01") == "1 Nov 2026"
    assert formats.day("night") == "night"
    assert formats.moment("no time") == "no time"
    assert formats.moment("2026-11-01T22:05:00+00:00") == "1 November 2026, 22:05 UTC"
