"""Parts of a text by Ground Truth's documented rule: clusters, mode and median, the commonest label."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.consensus.spans import Span, agree_on_spans

SPANS = st.builds(
    lambda start, length, label: Span(start, start + length, label),
    st.integers(0, 20),
    st.integers(1, 12),
    st.integers(0, 2),
)


def told(*answers: list[tuple[int, int, int]]) -> list[tuple[int, int, int, float]]:
    found = agree_on_spans([[Span(*mark) for mark in marks] for marks in answers])
    return [(item.span.start, item.span.end, item.span.label, round(item.share, 4)) for item in found]


@pytest.mark.parametrize(
    ("answers", "agreed"),
    [
        pytest.param([[(0, 4, 0)]], [(0, 4, 0, 1)], id="one alone"),
        pytest.param([[(0, 4, 0)], [(0, 4, 0)], [(0, 5, 0)]], [(0, 4, 0, 1)], id="the mode"),
        pytest.param([[(0, 6, 0)], [(1, 7, 0)], [(2, 8, 0)]], [(1, 7, 0, 1)], id="the median, no mode"),
        pytest.param([[(0, 4, 0)], [(0, 4, 1)], [(0, 4, 1)]], [(0, 4, 1, 0.6667)], id="the commonest label"),
        pytest.param([[(0, 4, 1)], [(0, 4, 0)]], [(0, 4, 0, 0.5)], id="two labels, the lowest"),
        pytest.param([[(0, 4, 0)], []], [], id="exactly half is no majority"),
        pytest.param([[(0, 4, 0)], [(0, 9, 0)]], [], id="less than half in common"),
        pytest.param([[(9, 12, 0), (0, 4, 1)]], [(0, 4, 1, 1), (9, 12, 0, 1)], id="in the text's order"),
        pytest.param([[(0, 4, 0), (0, 4, 1)], [], []], [], id="one worker twice"),
    ],
)
def test_limits_labels_and_shares(answers, agreed):
    assert told(*answers) == agreed


@settings(max_examples=40)
@given(st.lists(st.lists(SPANS, max_size=4, unique=True), min_size=1, max_size=9), st.randoms())
def test_the_order_does_not_matter_and_nothing_agreed_is_empty(answers, random):
    mixed = [random.sample(marks, len(marks)) for marks in random.sample(answers, len(answers))]
    agreed = agree_on_spans(answers)
    assert agree_on_spans(mixed) == agreed
    assert all(item.span.start < item.span.end and 0 < item.share <= 1 for item in agreed)
