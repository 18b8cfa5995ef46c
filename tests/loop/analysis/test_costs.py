"""What labels cost."""

from __future__ import annotations

import math

import pytest

from include.loop.analysis.costs import Ledger, Prices, ledger
from include.loop.core.errors import ConfigurationError


def test_twelve_images_with_three_public_answers_each_cost_what_the_worked_example_says() -> None:
    assert ledger(Prices(), human=12, machine=0, answers=36) == Ledger(2.256, 0.0, 2.256, 0.188)


def test_people_of_ones_own_cost_their_hours_and_the_machine_the_fee_alone() -> None:
    prices = Prices(service=0.08, answer=0, hour=15)
    found = ledger(prices, human=10, machine=90, answers=30, seconds=1200)
    assert found == Ledger(people=5.8, machine=7.2, total=13.0, per_label=0.13)


def test_no_label_has_no_price_and_no_price_is_less_than_nothing() -> None:
    assert ledger(Prices(), human=0, machine=0, answers=0).per_label is None
    for wrong in (-0.01, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="price hour: must be dollars from 0"):
            Prices(hour=wrong)
