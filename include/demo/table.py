"""The demo's closing table, as text for a terminal, from its summary."""

from __future__ import annotations

from typing import Any


def table(summary: dict[str, Any]) -> str:
    """Two small tables: what the model sees before and after, and what that took."""
    rows = [f"  {'mAP@0.5 on held-out scenes':32}{'before':>10}{'after':>10}{'change':>10}"]
    for light, value in summary["map50"].items():
        change = value["after"] - value["before"]
        rows.append(f"  {'by ' + light:32}{value['before']:10.3f}{value['after']:10.3f}{change:+10.3f}")
    loops, seconds = summary["human_loops"], summary["seconds"]
    counts = {
        "images in the night's batch": summary["images"],
        "asked about": summary["reviewed"],
        "human loops completed": f"{loops['completed']} of {loops['started']}",
        "answers": summary["answers"],
        "labels learned from": summary["labels"],
        "records in quarantine": summary["quarantined"],
        "reviewer seconds (modelled)": f"{summary['reviewer_seconds']:.0f}",
        "promoted": "yes" if summary["promoted"] else "no",
    }
    rows += ["", *(f"  {name:32}{value!s:>10}" for name, value in counts.items())]
    rows += ["", *(f"  {name.replace('_', ' '):32}{value:>8.0f} s" for name, value in seconds.items())]
    return "\n".join(rows)
