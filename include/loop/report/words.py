"""What a round comes to, in words: its headline, and what to do next.

Takes facts, gives sentences for somebody who was not there. Nothing here decides: the gate's rules have been
judged. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from include.loop.report import formats
from include.loop.report.facts import Facts, Outcome, Rule
from include.loop.report.nights import Scores, stability_index

# By custom, a population stability index above this says that much has moved.
MUCH = 0.25
# A share of unusable records that is worth a look.
MANY_QUARANTINED = 0.1


def headline(facts: Facts) -> str:
    """One sentence: promoted or not, why, and what it gained."""
    match facts.outcome:
        case Outcome.PROMOTED if facts.parent is None:
            return f"Promoted as the first model: mAP@0.5 {_levels(facts)}."
        case Outcome.PROMOTED:
            return f"Promoted: {_learned(facts)} {_gained(facts)} ({_levels(facts)})."
        case Outcome.WAITING:
            how = (
                "The first model" if facts.parent is None else f"{_capital(_learned(facts))} {_gained(facts)}"
            )
            return f"Not at work yet: it passed the gate and waits. {how} ({_levels(facts)})."
        case Outcome.DECLINED:
            decision = facts.package.decision if facts.package else None
            who = f" by {decision.by}" if decision and decision.by else ""
            why = f": {decision.comment}" if decision and decision.comment else ""
            return f"Not promoted: it passed the gate and was declined{who}{why}."
        case Outcome.REJECTED:
            return f"Not promoted: {_reasons(facts)}."
        case Outcome.UNKNOWN:
            return "Not judged: the gate has left no verdict on this model."


def next_steps(facts: Facts) -> list[str]:
    """What a person should look at or do, most urgent first; never empty."""
    steps = [*_by_outcome(facts), *_by_rule(facts), *_by_night(facts)]
    return list(dict.fromkeys(steps)) or ["Nothing: the next night goes on by itself."]


def _by_outcome(facts: Facts) -> Iterator[str]:
    match facts.outcome:
        case Outcome.WAITING:
            yield (
                "Decide: answer the approval in Airflow (incremental_training, task approve), or set the "
                "package's status. Until then the champion stays at work."
            )
        case Outcome.DECLINED | Outcome.REJECTED:
            yield (
                "The champion stays at work and no label is lost: the next training learns from these nights "
                "again, together with newer ones."
            )
        case Outcome.UNKNOWN:
            yield (
                "Look at the run of incremental_training: training, evaluation or gate has not ended well. "
                "Clearing the failed task goes on from there."
            )
        case Outcome.PROMOTED:
            if facts.parent is not None:
                yield (
                    "Nothing has to be done. If the model disappoints at work, run the DAG deployment with "
                    "rollback: endpoint and champion go back to the model before."
                )


# What a failed rule asks for, by a word in the rule's name; the first that fits.
_NOT_MEASURED = "look at the task evaluate: something that it should have measured is not there."
_TOO_FEW = "label more held-out images there: with so few, nothing can be told apart from chance."
_SLOW = "look at the machines of the transform jobs: the model has become slow, or they have."
_ADVICE = (
    ("missing", _NOT_MEASURED),
    ("evaluat", _NOT_MEASURED),
    ("finite", _NOT_MEASURED),
    ("support", _TOO_FEW),
    ("images", _TOO_FEW),
    ("boxes", _TOO_FEW),
    ("calibration", "see the reliability diagrams below: the scores promise more, or less, than they keep."),
    ("latency", _SLOW),
    ("seconds", _SLOW),
    ("class", "look for this class in the pictures and the confusion below, and in the night's answers."),
    ("loss", "see the biggest losses below. If the new labels are right, replay more of the old ones."),
    ("floor", "see the biggest losses below, and the labels that were new."),
    (
        "gain",
        "look at the night's labels first: few or wrong ones gain nothing. Then at the training curves.",
    ),
)


def _by_rule(facts: Facts) -> Iterator[str]:
    for rule in facts.verdict.rules if facts.verdict else ():
        if rule.judged and not rule.passed:
            words = rule.rule.lower()
            advice = next((text for word, text in _ADVICE if word in words), "see its numbers below.")
            yield f"{_where(rule)}: {advice}"


def _by_night(facts: Facts) -> Iterator[str]:
    for night in facts.nights:
        if night.scores and (moved := stability_index(night.scores, scores_of(facts))):
            index, chance = moved
            if index > MUCH + chance:
                yield (
                    f"The images of {formats.day(night.batch)} look different to the model than those before "
                    f"(stability index {index:.2f}): look at a few of them, and at the camera."
                )
        if night.asked and night.quarantined > MANY_QUARANTINED * night.asked:
            yield (
                f"{night.quarantined} records of {formats.day(night.batch)} could not be used: the reasons "
                "are below, each record is in quarantine.jsonl."
            )
        if night.open:
            yield (
                f"{night.open} questions of {formats.day(night.batch)} were still open when its labels were "
                "committed: their answers join the next night."
            )
    for item in facts.slices:
        if not item.judged:
            yield f"{_capital(item.name)} has {item.images} images: it is told, but too small to be judged."


def scores_of(facts: Facts) -> list[Scores]:
    """Those of the nights before."""
    return [night.scores for night in facts.earlier if night.scores]


def _where(rule: Rule) -> str:
    parts = [part for part in (rule.class_name and f"class {rule.class_name}", rule.slice) if part]
    name = rule.rule.replace("_", " ").replace("-", " ")
    return f"{_capital(name)} ({', '.join(parts)})" if parts else _capital(name)


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
    return f"{verb} {100 * abs(facts.gain):.1f} points of mAP@0.5"


def _levels(facts: Facts) -> str:
    shown: Sequence[str] = [
        f"{item.name} {formats.score(item.before)} to {formats.score(item.after)}"
        if item.before is not None
        else f"{formats.score(item.after)} on {item.name}"
        for item in facts.slices
        if item.name in facts.improve_on
    ]
    return ", ".join(shown) or "not measured"


def _reasons(facts: Facts) -> str:
    reasons = facts.verdict.reasons if facts.verdict else ()
    return "; ".join(reason.rstrip(".") for reason in reasons) or "the gate gave no reason"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
