"""What a round comes to, in one sentence for somebody who was not there.

Takes facts, gives text. Nothing here decides: the gate's rules have been judged. Pure functions.
"""

from __future__ import annotations

from include.loop.config import DATASET_SLICES
from include.loop.report import formats
from include.loop.report.facts import Facts, Outcome, Rule

# A headline has room for so many; the rules have a table.
MOST_REASONS = 3


def headline(facts: Facts) -> str:
    """One sentence: promoted or not, why, and what it gained."""
    match facts.outcome:
        case Outcome.PROMOTED if facts.parent is None:
            return f"Promoted as the first model: mAP@0.5 {_levels(facts)}."
        case Outcome.UNDONE:
            return f"Promoted and rolled back later: {_learned(facts)} {_gained(facts)} ({_levels(facts)})."
        case Outcome.PROMOTED:
            return f"Promoted: {_learned(facts)} {_gained(facts)} ({_levels(facts)})."
        case Outcome.WAITING:
            how = (
                "The first model" if facts.parent is None else f"{capital(_learned(facts))} {_gained(facts)}"
            )
            return f"Not at work yet: it passed the gate and waits. {how} ({_levels(facts)})."
        case Outcome.DECLINED:
            decision = facts.package.decision if facts.package else None
            who = f" by {decision.by}" if decision and decision.by else ""
            why = f": {decision.comment}" if decision and decision.comment else ""
            return f"Not promoted: it passed the gate and was declined{who}{why}."
        case Outcome.REJECTED:
            gained = "" if facts.gain is None else f"; {_learned(facts)} {_gained(facts)} ({_levels(facts)})"
            return f"Not promoted: {_failures(facts)}{gained}."
        case Outcome.UNKNOWN:
            return "Not judged: the gate has left no verdict on this model."


def _learned(facts: Facts) -> str:
    labels = sum(night.labels for night in facts.nights)
    if not facts.nights:
        return "the challenger"
    if len(facts.nights) == 1:
        return f"{labels} labels from {formats.day(facts.nights[0].batch)}"
    return f"{labels} labels from {len(facts.nights)} nights"


def _gained(facts: Facts) -> str:
    if facts.gain is None:
        return "could not be compared"
    verb = "gained" if facts.gain >= 0 else "lost"
    return f"{verb} {100 * abs(facts.gain):.1f} points of mAP@0.5 on {' and '.join(facts.improve_on)}"


def _levels(facts: Facts) -> str:
    """mAP@0.5 before and after on the slices it should gain on, then on the other test sets."""
    measured = [item for item in facts.slices if item.name not in DATASET_SLICES]
    first = [item for item in facts.slices if item.name in facts.improve_on]
    shown = [
        f"{item.name} {formats.score(item.before)} to {formats.score(item.after)}"
        if item.before is not None
        else f"{formats.score(item.after)} on {item.name}"
        for item in [*first, *(item for item in measured if item not in first)]
    ]
    return ", ".join(shown) or "not measured"


# What went wrong when a rule failed; {slice} may be a night.
_FAILURES = {
    "gain": "a gain below the {limit} points wanted",
    "loss": "worse on {slice}",
    "class_loss": "class {class_name} worse on {slice}",
    "learned": "could not learn the labels of {slice}",
    "floor": "below the floor on {slice}",
    "class_floor": "class {class_name} below its floor on {slice}",
    "calibration": "scores too far from the truth on {slice}",
    "latency": "too slow",
    "support": "too few objects of class {class_name} to judge by",
    "measured": "not fully measured on {slice}",
    "evaluation": "no evaluation to judge by",
}


def _failures(facts: Facts) -> str:
    """The failed rules in words; the gate's own reasons where there are no rules."""
    if facts.verdict is None:
        return "there is no verdict"
    failed = [rule for rule in facts.verdict.rules if rule.judged and not rule.passed]
    found = [_failure(rule) for rule in failed] or [reason.rstrip(".") for reason in facts.verdict.reasons]
    if len(found) > MOST_REASONS:
        found = [*found[: MOST_REASONS - 1], f"and {len(found) - MOST_REASONS + 1} more rules failed"]
    return ", ".join(found) or "the gate gave no reason"


def _failure(rule: Rule) -> str:
    if rule.rule not in _FAILURES:
        return rule.text
    if rule.rule == "gain" and rule.value is not None and rule.value >= (rule.limit or 0.0):
        return "a gain that may be chance"
    return _FAILURES[rule.rule].format(
        slice=formats.day(rule.slice or "any slice"),
        class_name=rule.class_name,
        limit=f"{100 * (rule.limit or 0.0):.1f}",
    )


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
