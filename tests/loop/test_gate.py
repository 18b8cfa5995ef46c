"""A challenger is promoted when it is better on average and nowhere much worse; never on numbers that are not
there.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.config import GateSettings
from include.loop.gate import decide

SETTINGS = GateSettings(min_gain=0.02, max_loss=0.04)
SCORES = st.dictionaries(st.sampled_from(["day", "night", "rain"]), st.floats(0, 1), min_size=1)


@pytest.mark.parametrize(
    ("before", "after", "promote", "reason"),
    [
        ({"day": 0.80, "night": 0.10}, {"day": 0.78, "night": 0.60}, True, "mean gain +0.240"),
        ({"day": 0.80, "night": 0.10}, {"day": 0.76, "night": 0.60}, True, "day 0.800 to 0.760"),
        (
            {"day": 0.80, "night": 0.10},
            {"day": 0.75, "night": 0.90},
            False,
            "day fell from 0.800 to 0.750, more than 0.04",
        ),
        ({"day": 0.80}, {"day": 0.81}, False, "mean gain +0.010 is below 0.02"),
        ({"day": 0.80}, {"day": 0.82}, True, "mean gain +0.020"),
        ({"day": 0.80}, {"day": None}, False, "challenger has no finite mAP@0.5 on day"),
        ({"day": 0.80}, {"day": math.nan}, False, "challenger has no finite mAP@0.5 on day"),
        ({"day": None}, {"day": 0.9}, False, "champion has no finite mAP@0.5 on day"),
        ({"day": 0.80}, {"day": 0.9, "night": 0.9}, False, "test sets differ"),
        ({"day": 0.80}, {}, False, "challenger was measured on no test set"),
        (None, {"day": 0.0}, True, "first model: day 0.000"),
        (None, {"day": None}, False, "challenger has no finite mAP@0.5 on day"),
        (None, {}, False, "challenger was measured on no test set"),
    ],
)
def test_the_verdict_comes_with_its_reason(before, after, promote, reason):
    verdict = decide(before, after, SETTINGS)
    assert verdict.promote is promote
    assert any(reason in text for text in verdict.reasons), verdict.reasons


@given(SCORES, SCORES)
def test_no_promotion_ever_costs_more_than_allowed(before, after):
    if decide(before, after, SETTINGS).promote:
        assert before.keys() == after.keys()
        assert all(before[name] - after[name] <= SETTINGS.max_loss + 1e-6 for name in after)
        assert sum(after.values()) >= sum(before.values())


@given(SCORES)
def test_a_model_is_never_better_than_itself(scores):
    assert not decide(scores, scores, SETTINGS).promote
