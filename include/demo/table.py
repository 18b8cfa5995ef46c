"""The demo's closing table, as text for a terminal, from its summary."""

from __future__ import annotations

import textwrap
from typing import Any

_WIDTH = 110


def table(summary: dict[str, Any]) -> str:
    """What the model sees after each batch, what the gate said, and what that took."""
    loops, seconds = summary["human_loops"], summary["seconds"]
    counts = {
        "images in the batches": summary["images"],
        "asked about": summary["reviewed"],
        "human loops completed": f"{loops['completed']} of {loops['started']}",
        "answers": summary["answers"],
        "labels learned from": summary["labels"],
        "records in quarantine": summary["quarantined"],
        "reviewer seconds (modelled)": f"{summary['reviewer_seconds']:.0f}",
    }
    rows = [
        *_score_rows(summary),
        "",
        *_verdict_rows(summary["batches"]),
        "",
        *(f"  {name:32}{value!s:>10}" for name, value in counts.items()),
        "",
        *(f"  {name.replace('_', ' '):32}{value:>8.0f} s" for name, value in seconds.items()),
    ]
    return "\n".join(rows)


def _score_rows(summary: dict[str, Any]) -> list[str]:
    """One row per batch; the score is the champion's: without a promotion it repeats the row above."""
    day, night = summary["score"]["day"], summary["score"]["night"]
    title = f"{summary['metric']} on held-out scenes"
    rows = [
        f"  {title:32}{'by day':>10}{'by night':>10}{'asked':>8}   champion",
        f"  {'the first model':32}{day['before']:10.3f}{night['before']:10.3f}",
    ]
    for each in summary["batches"]:
        after = {light: value["after"] for light, value in each["score"].items()}
        outcome = "new" if each["promoted"] else "stays"
        rows.append(
            f"  {'after the batch of ' + each['batch_date']:32}{after['day']:10.3f}{after['night']:10.3f}"
            f"{each['reviewed']:8d}   {outcome}"
        )
    change = {light: value["after"] - value["before"] for light, value in summary["score"].items()}
    rows.append(f"  {'change':32}{change['day']:+10.3f}{change['night']:+10.3f}{summary['reviewed']:8d}")
    return rows


def _verdict_rows(batches: list[dict[str, Any]]) -> list[str]:
    rows = ["  the gate"]
    for each in batches:
        words = f"{each['batch_date']}  {each['verdict'] or 'was not asked: no challenger came to it'}"
        rows += textwrap.wrap(words, _WIDTH, initial_indent="  ", subsequent_indent=" " * 14)
    return rows
