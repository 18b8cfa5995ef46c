"""What a verdict of the gate means for the batches that a challenger learned as new. Pure."""

from __future__ import annotations

from include.loop.core.records.trials import Finding
from include.loop.core.records.verdict import Verdict

# The rules of the gate (rules.py) whose failure is harm. All others say that a challenger is not good enough.
HARM = frozenset({"loss", "class_loss", "train_recall"})


def weigh(verdict: Verdict) -> tuple[Finding, tuple[str, ...]]:
    """What a verdict means for the new batches, and which of them it names as those whose labels could not be
    learned. What was not measured is no harm.
    """
    if verdict.promote:
        return Finding.PROMOTE, ()
    harm = [rule for rule in verdict.failed if rule.rule in HARM and rule.value is not None]
    named = {str(rule.slice) for rule in harm if rule.rule == "train_recall"}
    return (Finding.HARM if harm else Finding.NO_GAIN), tuple(sorted(named))
