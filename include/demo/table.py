"""The demo's closing table, as text for a terminal, from its summary."""

from __future__ import annotations

import textwrap
from typing import Any

from include.demo.domains import Domains

_WIDTH = 110


def table(summary: dict[str, Any], domains: Domains) -> str:
    """What the model sees after each batch, what the gate said, and what that took."""
    loops, seconds = summary["human_loops"], summary["seconds"]
    counts = {
        "images in the batches": summary["images"],
        "asked about": summary["reviewed"],
        "human loops completed": f"{loops['completed']} of {loops['started']}",
        "answers": summary["answers"],
        "labels learned from": summary["labels"],
        "records in quarantine": summary["quarantined"],
    }
    rows = [
        *_score_rows(summary, domains),
        "",
        *_verdict_rows(summary["batches"]),
        "",
        *(f"  {name:32}{value!s:>10}" for name, value in counts.items()),
        "",
        *_plan_rows(summary),
        "",
        *(f"  {name.replace('_', ' '):32}{value:>8.0f} s" for name, value in seconds.items()),
    ]
    return "\n".join(rows)


def _score_rows(summary: dict[str, Any], domains: Domains) -> list[str]:
    """One row per batch; the score is the champion's: without a promotion it repeats the row above."""
    names = [domain.test_set for domain in domains.both]
    words = "".join(f"{domain.words:>10}" for domain in domains.both)
    score = summary["score"]
    title = f"{summary['metric']} on held-out images"
    before = "".join(f"{score[name]['before']:10.3f}" for name in names)
    rows = [f"  {title:32}{words}{'asked':>8}   champion", f"  {'the first model':32}{before}"]
    for each in summary["batches"]:
        after = "".join(f"{each['score'][name]['after']:10.3f}" for name in names)
        outcome = "new" if each["promoted"] else "stays"
        batch = f"after the batch of {each['batch_date']}"
        rows.append(f"  {batch:32}{after}{each['reviewed']:8d}   {outcome}")
    change = "".join(f"{score[name]['after'] - score[name]['before']:+10.3f}" for name in names)
    rows.append(f"  {'change':32}{change}{summary['reviewed']:8d}")
    return rows


def _plan_rows(summary: dict[str, Any]) -> list[str]:
    """People's time, as triage planned it and as the simulation models it, and for which questions."""
    rows = [f"  {'reviewer seconds':32}{'planned':>10}{'modelled':>10}   asked because"]
    for each in summary["batches"]:
        doubts = each["reviewed"] - each["audits"] - each["asked_again"]
        why = f"{doubts} in doubt, {each['audits']} audits"
        why += f", {each['asked_again']} again" if each["asked_again"] else ""
        seconds = f"{each['planned_seconds']:10.0f}{each['reviewer_seconds']:10.0f}"
        rows.append(f"  {each['batch_date']:32}{seconds}   {why}")
    total = f"{summary['planned_seconds']:10.0f}{summary['reviewer_seconds']:10.0f}"
    return [*rows, f"  {'all':32}{total}"]


def _verdict_rows(batches: list[dict[str, Any]]) -> list[str]:
    rows = ["  the gate"]
    for each in batches:
        words = f"{each['batch_date']}  {each['verdict'] or 'was not asked: no challenger came to it'}"
        rows += textwrap.wrap(words, _WIDTH, initial_indent="  ", subsequent_indent=" " * 14)
    return rows
