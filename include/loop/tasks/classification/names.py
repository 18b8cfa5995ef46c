"""Classes by the names that people choose from.

A category of a worker template is a class's own name, or ``N:name`` with the class's number in front, as
lists of labels are often written. Where the classes of the pipeline are written so themselves, they are names
like all others, and the numbers mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from include.loop.core.errors import BadRecord

_NUMBERED = re.compile(r"(\d{1,9}):(.+)", re.DOTALL)


def class_index(text: str, classes: Sequence[str]) -> int:
    """The class that a category names. BadRecord when there is none, or when it has another number."""
    if text in classes:
        return classes.index(text)
    numbered = _NUMBERED.fullmatch(text)
    if numbered and numbered[2] in classes:
        number, index = int(numbered[1]), classes.index(numbered[2])
        if number == index:
            return index
        raise BadRecord(
            f"unknown label: {text!r:.200} ({numbered[2]!r} is class {index} of the pipeline, not {number}; "
            "classes whose numbers have gaps are written with them in the pipeline file)"
        )
    raise BadRecord(f"unknown label: {text!r:.200} (the pipeline's classes are {_told(classes)})")


def _told(classes: Sequence[str]) -> str:
    more = len(classes) - 20
    return ", ".join(classes[:20]) + (f" and {more} more" if more > 0 else "")
