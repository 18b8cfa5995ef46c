"""Which day's images a run works on: the one place where that is decided."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context


def resolve_batch_date(asked: str | None, context: Context) -> str:
    """The batch date as YYYY-MM-DD: the parameter, else the start of the run's data interval (UTC).

    Never the clock and never the run id: a backfilled run's id carries the next day. A run without a
    logical date (by asset or by API) has no data interval in its context; then the date must be given.

    :raises AirflowFailException: no date, or none of the calendar.
    """
    if asked:
        try:
            return date.fromisoformat(asked).isoformat()
        except ValueError as error:
            raise AirflowFailException(
                f"batch_date must be a date like 2026-11-01, not {asked!r}: {error}"
            ) from None
    start = context.get("data_interval_start")
    if start is None:
        raise AirflowFailException(
            "This run has no data interval, so its date is unknown: trigger it with the parameter batch_date."
        )
    return start.strftime("%Y-%m-%d")
