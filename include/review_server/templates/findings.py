"""What is found in a template: a code for machines, words for people, and how much it matters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """``error``: the task cannot be shown or answered as it is meant. ``warning``: some of it will not work,
    or not always. ``hint``: it works, and there is something to know.
    """

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


_ORDER = list(Severity)


@dataclass(frozen=True)
class Finding:
    """One thing that was found, with the template's line if it is known."""

    code: str
    message: str
    line: int | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.severity}: {self.message} [{self.code}]"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def warning(code: str, message: str, line: int | None = None) -> Finding:
    return Finding(code, message, line, Severity.WARNING)


def hint(code: str, message: str, line: int | None = None) -> Finding:
    return Finding(code, message, line, Severity.HINT)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Each once, by line; on a line what matters most comes first."""
    return sorted(
        dict.fromkeys(findings), key=lambda found: (found.line or 0, _ORDER.index(found.severity), found.code)
    )
