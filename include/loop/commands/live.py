"""``live-quality``: how good the model at work was, week by week."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from include.loop.commands.base import add_pipeline, workspace_of
from include.loop.commands.progress import Progress
from include.loop.core.errors import Fatal
from include.loop.lineage.text import printable
from include.loop.live.estimate import LEAST, Quality, Share
from include.loop.live.weeks import read_live
from include.loop.nightly.audits import judge_audits


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "live-quality",
        help="how good the model at work was, week by week, from the audits",
        description="Prints recall, precision and accuracy of the model at work by week, each with an "
        "interval of 95 %, from the images that people were asked about by chance alone. Batches of earlier "
        "versions are summed up first, once.",
    )
    add_pipeline(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    workspace = workspace_of(options)
    live = read_live(workspace)
    problems: list[str] = []
    if live.unknown:
        progress = Progress("batches")
        for done, shard in enumerate(live.unknown, 1):
            try:
                judge_audits(workspace, shard)
            except Fatal as error:  # it costs itself
                problems.append(str(error))
            progress(done, len(live.unknown))
        progress.end()
        live = read_live(workspace)
    for problem in problems:
        print(printable(f"left out: {problem}"), file=sys.stderr)
    if options.json:
        print(json.dumps({week: asdict(quality) for week, quality in live.weeks.items()}, indent=2))
        return 0
    if not live.weeks:
        print(
            "No batch has audits yet: triage.audit_share is the share of the images that people are asked "
            "about whatever the model says."
        )
        return 0
    print(f"{'week':10}{'batches':>8}{'audited':>14}   {'recall':20}{'precision':20}{'accuracy':20}models")
    for week, quality in live.weeks.items():
        print(_line(week, quality))
    return 0


def _line(week: str, quality: Quality) -> str:
    audited = f"{quality.audited:,} of {quality.asked:,}"
    start = f"{week:10}{quality.batches:>8}{audited:>14}   "
    if quality.audited < LEAST:
        return f"{start}too little: {LEAST} audited images say something"
    numbers = "".join(f"{_text(one):20}" for one in (quality.recall, quality.precision, quality.accuracy))
    return f"{start}{numbers}{', '.join(quality.models)}"


def _text(share: Share | None) -> str:
    return "–" if share is None else f"{share.value:.3f} ({share.low:.2f}–{share.high:.2f})"
