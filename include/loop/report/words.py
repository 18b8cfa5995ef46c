"""What a round comes to, in one sentence for somebody who was not there.

Takes facts, gives text. Nothing here decides: the gate's rules have been judged. Pure functions.
"""

from __future__ import annotations

from include.loop.config import DATASET_SLICES
from include.loop.core.records.facts import Facts, RoundOutcome
from include.loop.core.records.verdict import JudgedRule
from include.loop.report import formats
from include.loop.tasks.measuring import Metric
from include.loop.tasks.protocol import AnyTask

# A headline has room for so many; the rules have a table.
MOST_REASONS = 3


def metric_of(facts: Facts, task: AnyTask) -> Metric:
    """What decided about a round: a pipeline may have chosen another number since."""
    if facts.evaluation.metric in {"", task.metric.key}:
        return task.metric
    key = facts.evaluation.metric
    return Metric(key, key, "score", "score", "Score", f"{key[:1].upper()}{key[1:]} decided about this round")


def headline(facts: Facts, task: AnyTask) -> str:
    """One sentence: promoted or not, why, and what it gained."""
    told = f"{_learned(facts)} {_gained(facts, task)}"
    match facts.outcome:
        case RoundOutcome.PROMOTED if facts.parent is None:
            return f"Promoted as the first model: {metric_of(facts, task).key} {_levels(facts)}."
        case RoundOutcome.UNDONE:
            return f"Promoted and rolled back later: {told} ({_levels(facts)})."
        case RoundOutcome.PROMOTED:
            return f"Promoted: {told} ({_levels(facts)})."
        case RoundOutcome.WAITING:
            how = "The first model"
            if facts.parent is not None:
                how = capital(told)
            return f"Not at work yet: it passed the gate and waits. {how} ({_levels(facts)})."
        case RoundOutcome.DECLINED:
            decision = facts.package.decision if facts.package else None
            who = f" by {decision.by}" if decision and decision.by else ""
            why = f": {decision.comment}" if decision and decision.comment else ""
            return f"Not promoted: it passed the gate and was declined{who}{why}."
        case RoundOutcome.REJECTED:
            gained = ""
            if facts.gain is not None:
                gained = f"; {told} ({_levels(facts)})"
            return f"Not promoted: {_failures(facts, task)}{gained}."
        case RoundOutcome.UNKNOWN:
            return "Not judged: the gate has left no verdict on this model."


def _learned(facts: Facts) -> str:
    labels = sum(batch.labels for batch in facts.batches)
    if not facts.batches:
        return "the challenger"
    if len(facts.batches) == 1:
        return f"{labels} labels from {formats.day(facts.batches[0].batch)}"
    return f"{labels} labels from {len(facts.batches)} batches"


def _gained(facts: Facts, task: AnyTask) -> str:
    if facts.gain is None:
        return "could not be compared"
    verb = "gained" if facts.gain >= 0 else "lost"
    points = f"{100 * abs(facts.gain):.1f} points of {metric_of(facts, task).key}"
    return f"{verb} {points} on {' and '.join(facts.improve_on)}"


def _levels(facts: Facts) -> str:
    """The score before and after on the slices it should gain on, then on the other test sets."""
    measured = [item for item in facts.slices if item.name not in DATASET_SLICES]
    first = [item for item in facts.slices if item.name in facts.improve_on]
    shown = [
        f"{item.name} {formats.score(item.before)} to {formats.score(item.after)}"
        if item.before is not None
        else f"{formats.score(item.after)} on {item.name}"
        for item in [*first, *(item for item in measured if item not in first)]
    ]
    return ", ".join(shown) or "not measured"


# What went wrong when a rule failed; {slice} may be a batch.
_FAILURES = {
    "gain": "a gain below the {limit} points wanted",
    "loss": "worse on {slice}",
    "class_loss": "class {class_name} worse on {slice}",
    "train_recall": "could not learn the labels of {slice}",
    "floor": "below the floor on {slice}",
    "class_floor": "class {class_name} below its floor on {slice}",
    "calibration": "scores too far from the truth on {slice}",
    "latency": "too slow",
    "support": "too few {objects} of class {class_name} to judge by",
    "measured": "not fully measured on {slice}",
    "evaluation": "no evaluation to judge by",
}


def _failures(facts: Facts, task: AnyTask) -> str:
    """The failed rules in words; the gate's own reasons where there are no rules."""
    if facts.verdict is None:
        return "there is no verdict"
    failed = [rule for rule in facts.verdict.rules if rule.failed]
    found = [_failure(rule, task) for rule in failed] or [
        reason.rstrip(".") for reason in facts.verdict.reasons
    ]
    if len(found) > MOST_REASONS:
        found = [*found[: MOST_REASONS - 1], f"and {len(found) - MOST_REASONS + 1} more rules failed"]
    return ", ".join(found) or "the gate gave no reason"


def _failure(rule: JudgedRule, task: AnyTask) -> str:
    if rule.rule not in _FAILURES:
        return rule.text
    if rule.rule == "gain" and rule.value is not None and rule.value >= (rule.limit or 0.0):
        return "a gain that may be chance"
    return _FAILURES[rule.rule].format(
        slice=formats.day(rule.slice or "any slice"),
        class_name=rule.class_name,
        objects=task.words.objects,
        limit=f"{100 * (rule.limit or 0.0):.1f}",
    )


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
