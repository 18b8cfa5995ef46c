"""A strategy is one file: what lies in the package can be chosen by its name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.loop import strategies
from include.loop.config import TriageSettings
from include.loop.core.errors import ConfigurationError
from include.loop.strategies import ImageScores, find_strategy, strategy_names
from tests.loop.scenes import found

SCORES = st.lists(st.floats(0, 1), max_size=20)
SHARES = st.floats(0, 1, exclude_max=True)


def test_every_file_is_a_strategy_that_a_pipeline_can_name():
    assert {"least_confident", "random"} <= set(strategy_names())
    for name in strategy_names():
        assert TriageSettings(strategy=name).strategy == name


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"random": 0.6, "diverse": 0.3}, r"must be above 0 and add up to 1, not 0\.6 \+ 0\.3"),
        ({"random": 1.0, "diverse": 0.0}, r"must be above 0 and add up to 1, not 1 \+ 0"),
        ({"random": 0.5, "most_confident": 0.5}, "must be one of"),
        ({}, "must be one of"),
        ({"random": "much"}, "number"),
    ],
)
def test_shares_are_of_strategies_that_there_are_and_add_up(shares, told):
    assert TriageSettings(strategy={"random": 0.1, "diverse": 0.2, "expected_errors": 0.7}).shares
    with pytest.raises(ValidationError, match=told):
        TriageSettings(strategy=shares)


def test_another_name_is_refused_with_those_there_are():
    with pytest.raises(ValidationError, match=f"must be one of {', '.join(strategy_names())}"):
        TriageSettings(strategy="most_confident")


@pytest.mark.parametrize("name", strategy_names())
@given(SCORES, SHARES, st.floats(0, 1))
def test_every_strategy_gives_a_reason_and_an_urgency_that_can_be_compared(name, scores, throw, threshold):
    image = ImageScores([found(0, score, 0, 0, 8, 8) for score in scores], throw)
    doubt = find_strategy(name).doubt(image, threshold)
    assert doubt.reason
    assert 0 <= doubt.urgency <= 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A further folder of strategies."""
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    strategy_names.cache_clear()
    yield tmp_path
    strategy_names.cache_clear()
    sys.modules.pop(f"{strategies.__name__}.mine", None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def doubt(:", "SyntaxError"),
        ("import nowhere_at_all", "nowhere_at_all"),
        ("rule = 1", "AttributeError"),
    ],
)
def test_a_file_that_is_no_strategy_is_named_with_what_is_wrong(folder: Path, text: str, told: str):
    (folder / "mine.py").write_text(text)
    (folder / "_shared.py").write_text("")
    assert "mine" in strategy_names()
    assert "_shared" not in strategy_names()
    with pytest.raises(ConfigurationError, match=rf"mine\.py .* gives no function `doubt`: .*{told}"):
        find_strategy("mine")
