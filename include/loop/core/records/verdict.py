"""evaluations/<job>/verdict.json: what the gate decided about a challenger, rule by rule."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from include.loop.core import layout
from include.loop.core.records import version_1
from include.loop.core.records.base import Location, Part, Record
from include.loop.core.records.metrics import Number


class JudgedRule(Part):
    """One rule's outcome: where it was judged (a slice, or a batch whose labels were learned), what was
    measured and what is allowed. ``judged`` False: it is told and decides nothing.
    """

    rule: str
    slice: str | None = None
    class_name: str | None = None
    value: Number = None
    limit: Number = None
    passed: bool = False
    judged: bool = True
    text: str = ""

    @property
    def failed(self) -> bool:
        return self.judged and not self.passed


class Verdict(Record):
    """``reasons`` is never empty: the texts of the rules that failed, or one line why it passes. ``score`` is
    the challenger's by slice, ``before`` the champion's (None without one). ``metrics_sha256`` is of the
    metrics.json that was judged; None when there was none.
    """

    LOCATION: ClassVar[Location] = staticmethod(layout.verdict_file)
    VERSION: ClassVar[int] = 2

    training_job: str = ""
    champion: str | None = None
    promote: bool
    rules: tuple[JudgedRule, ...] = ()
    reasons: tuple[str, ...] = ()
    metric: str = ""
    score: dict[str, Number] = Field(default={})
    before: dict[str, Number] | None = None
    metrics_sha256: str | None = None

    @classmethod
    def upgrade(cls, value: dict[str, Any], version: int) -> dict[str, Any]:
        return version_1.verdict(value) if version < 2 else value

    @property
    def failed(self) -> list[JudgedRule]:
        return [rule for rule in self.rules if rule.failed]
