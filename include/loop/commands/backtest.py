"""``backtest``: what stored nights would have asked under other policies."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from include.loop.backtest import telling
from include.loop.backtest.nights import Backtest, all_batches, run
from include.loop.backtest.policies import own, policy
from include.loop.commands.base import add_pipeline, count, workspace_of
from include.loop.commands.progress import Progress
from include.loop.core.errors import Fatal
from include.loop.core.identity import batch_date
from include.loop.lineage.text import printable
from include.loop.strategies import strategy_names
from include.loop.workspace import Workspace


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "backtest",
        help="what stored nights would have asked under other policies",
        description="Goes through stored nights with other strategies: whom they would have asked about, at "
        "what cost, and what that would have bought as far as people's answers know it; beside it what was "
        "really asked, and what the pipeline's file would ask now. Nobody is asked, and nothing is written "
        "but the page. Monthly budgets, and images that were asked again, are left aside. A strategy that is "
        "diverse reads images, up to 2 GiB of each night.",
    )
    add_pipeline(parser)
    parser.add_argument(
        "--strategy",
        action="append",
        required=True,
        metavar="NAME",
        help=f"one of {', '.join(strategy_names())}; or several with their shares: "
        "expected_errors=0.7,random=0.3. May be given more than once",
    )
    parser.add_argument("--threshold", type=float, help="triage.threshold of these; default: the pipeline's")
    parser.add_argument("--cap", type=count, help="triage.cap of these; default: the pipeline's")
    parser.add_argument(
        "--seconds", type=float, help="triage.budget.seconds of these; default: the pipeline's"
    )
    parser.add_argument("--from", dest="first", type=_date, metavar="DATE", help="default: the first night")
    parser.add_argument("--to", dest="last", type=_date, metavar="DATE", help="default: the last night")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table as an HTML page, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    workspace = workspace_of(options)
    if options.page and not options.page.absolute().parent.is_dir():
        raise Fatal(f"the page cannot be written: there is no folder {options.page.absolute().parent}")
    changes: dict[str, Any] = {"threshold": options.threshold, "cap": options.cap}
    if options.seconds is not None:
        budget = workspace.pipeline.triage.budget.model_dump()
        changes["budget"] = budget | {"seconds": options.seconds, "dollars": None}
    policies = [own(workspace), *(policy(workspace, text, **changes) for text in options.strategy)]
    progress = Progress("nights")
    found = run(workspace, policies, _batches(workspace, options), progress)
    progress.end()
    if not found.nights:
        why = "".join(f"\n  {printable(text)}" for text in telling.left_out(found))
        raise Fatal(f"none of these nights can be looked at again:{why}")
    if options.json:
        _print_json(found)
    else:
        _print([telling.COLUMNS, *telling.rows(found)])
        print()
        for text in telling.notes(found):
            print(text)
        for text in telling.left_out(found):
            print(printable(f"left out: {text}"))
    if options.page:
        try:
            options.page.write_text(telling.page(found, workspace.pipeline.name), encoding="utf-8")
        except OSError as error:
            raise Fatal(f"the page cannot be written: {error}") from error
        print(f"page: {options.page}", file=sys.stderr)
    return 0


def _batches(workspace: Workspace, options: argparse.Namespace) -> list[str]:
    """Those of the dates, both included."""
    every = all_batches(workspace)
    dates = {batch: batch_date(batch).isoformat() for batch in every}
    found = [
        batch
        for batch in every
        if (options.first or dates[batch]) <= dates[batch] <= (options.last or dates[batch])
    ]
    if not found:
        there = f"the first is {every[0]}, the last {every[-1]}" if every else "there is none at all"
        raise Fatal(f"there is no batch between these dates; {there}")
    return found


def _print_json(found: Backtest) -> None:
    parts = {name: telling.found_by(found, name) for name in found.bought}
    bought = {
        name: asdict(one) | {"of_all_wrong": None if (part := parts[name]) is None else asdict(part)}
        for name, one in found.bought.items()
    }
    print(json.dumps(asdict(found) | {"bought": bought}, indent=2))


def _print(table: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [
            text.rjust(width) if place else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a date like 2026-11-01, not {text!r}") from None
