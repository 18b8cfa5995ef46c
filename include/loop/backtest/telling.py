"""What a back-test found, as rows of text, and as a page: one HTML file that asks for nothing.

Takes a ``Backtest``, gives the same columns to a terminal and to the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from include.loop.backtest.nights import THEN, Backtest
from include.loop.report.formats import NOTHING, count, percent
from include.loop.report.page import environment

COLUMNS = (
    "Policy",
    "Asked",
    "Minutes",
    "Dollars",
    "Asked then, too",
    "With a label",
    "Wrong",
    "Mistakes",
    "Of all wrong images",
)


@dataclass(frozen=True)
class Part:
    """A share, and the bounds of its interval of 95 % (Clopper and Pearson)."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        return f"{percent(self.value)} ({percent(self.low)} to {percent(self.high)})"


def found_by(backtest: Backtest, name: str) -> Part | None:
    """Of all images that the model is wrong on, the part that a policy asks about by itself: told from the
    audits, which are drawn by lot. None of what was really asked, for the audits are among it, and where no
    audit is wrong.
    """
    if name == THEN or not backtest.wrong_audits:
        return None
    from scipy.stats import binomtest

    test = binomtest(backtest.bought[name].wrong_audits, backtest.wrong_audits)
    interval = test.proportion_ci()
    return Part(float(test.statistic), float(interval.low), float(interval.high))


def rows(backtest: Backtest) -> Iterator[tuple[str, ...]]:
    """A row for each policy, as ``COLUMNS`` has them."""
    for name, one in backtest.bought.items():
        part = found_by(backtest, name)
        yield (
            name,
            count(one.asked),
            count(one.seconds / 60),
            f"{one.dollars:.2f}",
            count(one.then),
            count(one.labelled),
            count(one.wrong),
            count(one.mistakes),
            NOTHING if part is None else part.text,
        )


def notes(backtest: Backtest) -> list[str]:
    """How the rows are to be read, a sentence each."""
    told = [
        f"{_nights(len(backtest.nights))}, {count(backtest.images)} images with a prediction. Time and money "
        "are what the latest answers tell, of all policies alike. Nobody was asked.",
        "Wrong, and the mistakes (missed, or said without reason), are known of images with a label. Those "
        "were chosen by the policy of then: one that asks about others looks poorer there than it is.",
    ]
    if not backtest.audited:
        return [*told, "There is no audit with a label, so nothing can be said of all wrong images."]
    return [
        *told,
        f"Of all wrong images: {count(backtest.audited)} audited images have a label, and the model is wrong "
        f"on {count(backtest.wrong_audits)} of them. They are drawn by lot, so that the part of these that a "
        "policy would ask about if they were no audits is fair to all policies; the range holds about 95 "
        "times of 100.",
    ]


def left_out(backtest: Backtest) -> Iterator[str]:
    """The nights of which nothing can be said, by why."""
    for why in dict.fromkeys(backtest.left_out.values()):
        nights = [night for night, reason in backtest.left_out.items() if reason == why]
        some = ", ".join(nights[:5]) + (f" and {len(nights) - 5} more" if len(nights) > 5 else "")
        yield f"{some}: {why}"


def page(backtest: Backtest, pipeline: str) -> str:
    """The page as HTML."""
    template = environment().get_template("backtest.html.jinja")
    return template.render(
        pipeline=pipeline,
        first=backtest.nights[0],
        last=backtest.nights[-1],
        columns=COLUMNS,
        rows=list(rows(backtest)),
        notes=notes(backtest),
        left_out=list(left_out(backtest)),
    )


def _nights(number: int) -> str:
    return "One night" if number == 1 else f"{number:,} nights"
