"""One module per kind of reference page: each takes the code as it is, and gives Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a cell is one line, and no character of it ends the cell."""
    lines = [list(head), ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """What stands between backticks is taken as it is; elsewhere | would end the cell, and < begin a tag."""
    words = " ".join(text.split())
    return "`".join(
        part if in_code else part.replace("|", "&#124;").replace("<", "&lt;")
        for part, in_code in zip(words.split("`"), itertools.cycle([False, True]), strict=False)
    )


def code(text: str) -> str:
    return f"`{text}`"


def first_paragraph(docstring: str | None) -> str:
    """What a docstring says first, with single backticks for code."""
    return (docstring or "").strip().split("\n\n")[0].replace("``", "`")


def paragraphs(docstring: str | None) -> str:
    """A whole docstring as Markdown, in which an indented line would be code."""
    return "\n".join(line.strip() for line in (docstring or "").strip().splitlines()).replace("``", "`")
