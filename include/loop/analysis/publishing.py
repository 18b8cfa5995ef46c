"""An analysis from its sources to its page: what a command and a DAG's task call.

Writes ``page`` as HTML and, beside it under the same name with ``.json``, all numbers. Safe to call again:
both are made anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from include.loop.analysis.costs import Prices
from include.loop.analysis.page import render
from include.loop.analysis.sources import Sources
from include.loop.analysis.summary import Summary, summarize
from include.loop.analysis.tables import FAILED, Progress, read_tables
from include.loop.core.storage import Storage
from include.loop.report.page import HTML


@dataclass(frozen=True)
class Published:
    """``labels`` are those of people and machine; ``mean_score`` is None where nothing can be compared."""

    page_uri: str
    numbers_uri: str
    headline: str
    labels: int
    human: int
    machine: int
    failed: int
    mean_score: float | None
    dollars: float


def publish(
    storage: Storage,
    sources: Sources,
    page: str,
    *,
    title: str,
    prices: Prices | None = None,
    progress: Progress | None = None,
) -> Published:
    """Analyse labels and write their page to a location of the storage or an S3 URI.

    ConfigurationError where there is no manifest or no label in it. Lines, answers and pictures that cannot
    be read are told on the page, and never an error.
    """
    tables = read_tables(sources, lambda: storage, progress)
    summary = summarize(tables, title, prices or Prices())
    numbers = numbers_place(page)
    storage.write(numbers, dump(summary), "application/json")
    storage.write(page, render(summary, tables, lambda: storage).encode(), HTML)
    return Published(
        page_uri=storage.uri(page),
        numbers_uri=storage.uri(numbers),
        headline=summary.headline,
        labels=summary.labels,
        human=summary.human,
        machine=summary.machine,
        failed=summary.states.get(FAILED, 0),
        mean_score=summary.groups["all"].mean,
        dollars=summary.costs.total,
    )


def numbers_place(page: str) -> str:
    """Beside the page."""
    return page.removesuffix(PurePosixPath(page).suffix) + ".json"


def dump(summary: Summary) -> bytes:
    """All numbers as JSON."""
    value: Mapping[str, Any] = summary.to_value()
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode()
