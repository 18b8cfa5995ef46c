"""The batch date comes from the parameter, else from the data interval, else the run fails."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st

from nightloop.batch_date import resolve_batch_date


def context(**values: Any) -> Any:
    return cast(Any, values)


def test_the_parameter_wins() -> None:
    start = datetime(2026, 10, 1, tzinfo=UTC)
    assert resolve_batch_date("2026-11-01", context(data_interval_start=start)) == "2026-11-01"


def test_without_it_the_data_intervals_start_counts_and_not_the_run_id() -> None:
    """A backfilled run's id carries the next day."""
    start = datetime(2026, 10, 8, tzinfo=UTC)
    found = resolve_batch_date(
        None, context(data_interval_start=start, run_id="backfill__2026-10-09T00:00:00")
    )
    assert found == "2026-10-08"


def test_a_run_without_a_date_says_what_to_do() -> None:
    with pytest.raises(AirflowFailException, match="trigger it with the parameter batch_date"):
        resolve_batch_date(None, context(run_id="asset_triggered__2026-10-09T00:00:00"))


@pytest.mark.parametrize("text", ["2026-13-01", "tomorrow", "01.11.2026", "2026-02-30"])
def test_a_date_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(AirflowFailException, match="must be a date like"):
        resolve_batch_date(text, context())


@given(st.dates(min_value=date(1970, 1, 1)))
def test_any_day_reads_back_as_itself(day: date) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert resolve_batch_date(day.isoformat(), context()) == day.isoformat()
    assert resolve_batch_date(None, context(data_interval_start=start)) == day.isoformat()
