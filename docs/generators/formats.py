"""The page of the formats: what each one holds, and what its module says of it."""

from __future__ import annotations

from docs.generators import code, table
from include.loop.exchange.formats import find_format, format_names

LABELS = {"boxes": "boxes", "classes": "one class an image", "many_classes": "many classes an image"}
INTRODUCTION = """# Formats

What `data import` reads and `data export` writes; [how to](../how-to/import-and-export.md)."""


def page() -> str:
    rows = []
    for name in format_names():
        found = find_format(name)
        holds = ", ".join(words for kind, words in LABELS.items() if kind in found.holds)
        rows.append(
            (
                f"{code(name)}: {found.title}",
                holds,
                ". ".join(note[:1].upper() + note[1:] for note in found.notes),
            )
        )
    return f"{INTRODUCTION}\n\n{table(('Format', 'Holds', 'To know'), rows)}"
