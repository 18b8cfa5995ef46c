"""``backtest``: what stored nights would have asked under other policies."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from include.loop.backtest import telling
from include.loop.backtest.nights import batches_between, run
from include.loop.backtest.policies import own, policy
from include.loop.commands.base import add_pipeline, count, workspace_of
from include.loop.commands.progress import Progress
from include.loop.core.errors import Fatal
from include.loop.lineage.text import printable
from include.loop.strategies import strategy_names


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "backtest",
        help="what stored nights would have asked under other policies",
        description="Goes through stored nights with other strategies: whom they would have asked about, at "
        "what cost, and what that would have bought as far as people's answers know it; beside it what was "
        "really asked, and what the pipeline's file would ask now. Nobody is asked, and nothing is written "
        "but the page. Monthly budgets, and images that were asked again, are left aside.",
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
    changes: dict[str, Any] = {"threshold": options.threshold, "cap": options.cap}
    if options.seconds is not None:
        budget = workspace.pipeline.triage.budget.model_dump()
        changes["budget"] = budget | {"seconds": options.seconds, "dollars": None}
    policies = [own(workspace), *(policy(workspace, text, **changes) for text in options.strategy)]
    batches = batches_between(workspace, options.first, options.last)
    progress = Progress("nights")
    found = run(workspace, policies, batches, progress)
    progress.end()
    if not found.nights:
        raise Fatal(
            "no night between these dates can be looked at again"
            + "".join(f"\n  {text}" for text in telling.left_out(found))
        )
    if options.page:
        try:
            options.page.write_text(telling.page(found, workspace.pipeline.name), encoding="utf-8")
        except OSError as error:
            raise Fatal(f"the page cannot be written: {error}") from error
    if options.json:
        told = asdict(found) | {
            "bought": {
                name: asdict(one) | {"of_all_wrong": part and asdict(part)}
                for name, one in found.bought.items()
                for part in [telling.found_by(found, name)]
            }
        }
        print(json.dumps(told, indent=2))
        return 0
    _print([telling.COLUMNS, *telling.rows(found)])
    print()
    for text in telling.notes(found):
        print(text)
    for text in telling.left_out(found):
        print(printable(f"left out: {text}"))
    if options.page:
        print(f"page: {options.page}")
    return 0


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
