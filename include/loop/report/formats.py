"""How numbers and dates are written in the report: with their units, and the same everywhere.

Takes plain values, gives short text; None is a dash. Pure functions, which are the templates' filters.
"""

from __future__ import annotations

from datetime import datetime

from include.loop.core.errors import ConfigurationError
from include.loop.core.identity import batch_date

NOTHING = "–"
MINUS = "−"


def score(value: float | None) -> str:
    """A share from 0 to 1 in three digits, as the gate writes it: ``0.634``."""
    return NOTHING if value is None else f"{value:.3f}"


def change(value: float | None) -> str:
    """A difference of scores with its sign: ``+0.123``."""
    return NOTHING if value is None else _sign(f"{value:+.3f}")


def points(value: float | None) -> str:
    """The same in points, hundredths of the score: ``+12.3``."""
    return NOTHING if value is None else _sign(f"{100 * value:+.1f}")


def interval(low: float | None, high: float | None) -> str:
    """``0.580 to 0.688``, or nothing at all when it is not known."""
    return "" if low is None or high is None else f"{_sign(f'{low:.3f}')} to {_sign(f'{high:.3f}')}"


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.0f} %"


def count(value: int | float | None) -> str:
    """With thin spaces between thousands: ``12 345``."""
    return NOTHING if value is None else f"{value:,.0f}".replace(",", "\u202f")


def number(value: float | None) -> str:
    """Any number, shortly: three significant digits, or all of a large one."""
    if value is None:
        return NOTHING
    return _sign(f"{value:.3g}") if abs(value) < 1000 else count(value)


def dollars(value: float | None) -> str:
    """``$12.50``; less than ten cents in two digits, ``$0.0083``, for a price per point can be small."""
    if value is None:
        return NOTHING
    return f"${value:.2g}" if 0.0001 <= value < 0.1 else f"${value:,.2f}"


def duration(seconds: float | None) -> str:
    """``0.04 s``, ``12 s``, ``3 min 12 s``, ``2 h 05 min``, ``3 d 4 h``: two units at most."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def day(batch: str) -> str:
    """A batch as a date: ``1 November 2026``, with its epoch when it was forced anew; other text as it is."""
    return _date(batch, "%B %Y", ", anew ({})")


def table_day(batch: str) -> str:
    """``1 Nov 2026``, for tables."""
    return _date(batch, "%b %Y", " ({})")


def short_day(batch: str) -> str:
    """``1 Nov``, for axes."""
    return _date(batch, "%b", " ({})")


def moment(iso: str) -> str:
    """``1 November 2026, 22:15 UTC``; the text itself when it is no time."""
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def file_name(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]


def _date(batch: str, month: str, anew: str) -> str:
    try:
        date = batch_date(batch)
    except ConfigurationError:
        return batch
    _, _, epoch = batch.partition(".")
    return f"{date.day} {date:{month}}" + (anew.format(epoch) if epoch else "")


def _sign(text: str) -> str:
    return text.replace("-", MINUS)
