"""The demo's closing table, as text for a terminal, from its summary."""

from __future__ import annotations

import textwrap
from typing import Any

_WIDTH = 110


def table(summary: dict[str, Any]) -> str:
    """What the model sees after each night, what the gate said, and what that took."""
    loops, seconds = summary["human_loops"], summary["seconds"]
    counts = {
        "images in the nights' batches": summary["images"],
        "asked about": summary["reviewed"],
        "human loops completed": f"{loops['completed']} of {loops['started']}",
        "answers": summary["answers"],
        "labels learned from": summary["labels"],
        "records in quarantine": summary["quarantined"],
        "reviewer seconds (modelled)": f"{summary['reviewer_seconds']:.0f}",
    }
    rows = [
        *_map_rows(summary),
        "",
        *_verdict_rows(summary["nights"]),
        "",
        *(f"  {name:32}{value!s:>10}" for name, value in counts.items()),
        "",
        *(f"  {name.replace('_', ' '):32}{value:>8.0f} s" for name, value in seconds.items()),
    ]
    return "\n".join(rows)


def _map_rows(summary: dict[str, Any]) -> list[str]:
    """One row per night; mAP is the champion's, so a night without promotion repeats the row above it."""
    day, night = summary["map50"]["day"], summary["map50"]["night"]
    rows = [
        f"  {'mAP@0.5 on held-out scenes':32}{'by day':>10}{'by night':>10}{'asked':>8}   champion",
        f"  {'the first model':32}{day['before']:10.3f}{night['before']:10.3f}",
    ]
    for each in summary["nights"]:
        after = {light: value["after"] for light, value in each["map50"].items()}
        outcome = "new" if each["promoted"] else "stays"
        rows.append(
            f"  {'after the night of ' + each['batch_date']:32}{after['day']:10.3f}{after['night']:10.3f}"
            f"{each['reviewed']:8d}   {outcome}"
        )
    change = {light: value["after"] - value["before"] for light, value in summary["map50"].items()}
    rows.append(f"  {'change':32}{change['day']:+10.3f}{change['night']:+10.3f}{summary['reviewed']:8d}")
    return rows


def _verdict_rows(nights: list[dict[str, Any]]) -> list[str]:
    rows = ["  the gate"]
    for each in nights:
        words = f"{each['batch_date']}  {each['verdict'] or 'was not asked: no challenger came to it'}"
        rows += textwrap.wrap(words, _WIDTH, initial_indent="  ", subsequent_indent=" " * 14)
    return rows
