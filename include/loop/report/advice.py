"""What to do next: what a person should look at after a round, and why.

Takes facts, gives sentences, most urgent first: by the round's outcome, by the rules that failed, by what the
batches were like. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.loop.core.records.batch_facts import BatchFacts
from include.loop.core.records.facts import Facts, RoundOutcome
from include.loop.core.records.trials import Finding
from include.loop.core.records.verdict import JudgedRule
from include.loop.report import formats
from include.loop.report.batches import stability_index
from include.loop.report.words import capital
from include.loop.trials.standing import State

# By custom, a population stability index above this says that much has moved.
MUCH = 0.25
# A share of unusable records that is worth a look.
MANY_QUARANTINED = 0.1


def next_steps(facts: Facts) -> list[str]:
    """What a person should look at or do, most urgent first; never empty."""
    steps = [*_by_outcome(facts), *_by_standing(facts), *_by_rule(facts), *_by_batch(facts)]
    return list(dict.fromkeys(steps)) or ["Nothing: the next batch goes on by itself."]


def _by_outcome(facts: Facts) -> Iterator[str]:
    match facts.outcome:
        case RoundOutcome.WAITING:
            if facts.dataset and facts.dataset.backfilled:
                batches = ", ".join(formats.day(batch) for batch in facts.dataset.backfilled)
                yield f"A backfill ran {batches}: see that these batches were worth learning from."
            yield (
                "Decide: answer the approval in Airflow (incremental_training, task approve), or set the "
                "package's status. Until then the champion stays at work."
            )
        case RoundOutcome.DECLINED:
            yield (
                "The champion stays at work and no label is lost: the next training with new labels learns "
                "from these batches again."
            )
        case RoundOutcome.REJECTED:
            stays = "The champion stays at work" if facts.parent else "There is no champion yet"
            yield f"{stays}, and no label is lost. {_afterwards(facts)}"
        case RoundOutcome.UNDONE:
            yield (
                "The model before it is at work again. Find out what was wrong with this one: the gate did "
                "not see it, so the test sets lack it."
            )
        case RoundOutcome.UNKNOWN:
            yield (
                "Look at the run of incremental_training: training, evaluation or gate has not ended well. "
                "Clearing the failed task goes on from there."
            )
        case RoundOutcome.PROMOTED:
            if facts.parent is not None:
                yield (
                    "Nothing has to be done. If the model disappoints at work, run the DAG "
                    f"deployment__{facts.pipeline} with rollback: endpoint and champion go back to the model "
                    "before."
                )


def _afterwards(facts: Facts) -> str:
    """What becomes by itself of the batches of a round that the gate has turned down."""
    told = (trial for item in facts.standings for trial in item.trials)
    trial = next((trial for trial in told if trial.training_job == facts.training_job), None)
    match trial.outcome if trial else None:
        case Finding.HARM if trial and trial.others:
            return "It did harm: the loop itself finds out which batch did, and learns from the others."
        case Finding.HARM:
            return "It did harm: the loop goes on without this batch."
        case Finding.NO_GAIN:
            return "It did no harm either: the next training with new labels learns from these batches again."
    return "How each batch stands, and what becomes of it by itself, is told below where it is known."


def _by_standing(facts: Facts) -> Iterator[str]:
    """What waits for a person: batches that were set aside."""
    for item in facts.standings:
        if item.state == State.SET_ASIDE:
            yield (
                f"Decide about {formats.day(item.batch)}: it {item.reason}. What speaks against its labels "
                "is below, with the commands that release or discard them. Until then others are learned "
                "without it."
            )


_NOT_MEASURED = "look at the task evaluate: something that it should have measured is not there."
_TOO_FEW = "with so few, nothing can be told apart from chance: label more held-out images there."
_FORGOTTEN = (
    "see the biggest losses below. A batch whose labels are wrong is found by itself; where all are right, "
    "replay more of the old ones."
)
# The gate's rules by name, the weightiest first: what each wants, and what to look at when it fails.
RULES = {
    "gain": (
        "Better where it should be",
        "look at the batch's labels first: few or wrong ones gain nothing. Then at the training curves.",
    ),
    "loss": ("No slice worse", _FORGOTTEN),
    "class_loss": ("No class worse", _FORGOTTEN),
    "train_recall": (
        "Labels that can be learned",
        "the model could not learn what it was shown, as happens when many answers are wrong. By itself the "
        "loop learns from the other batches, and sets a batch aside that fails alone.",
    ),
    "floor": ("Every slice above its floor", "see the biggest losses below, and the labels that were new."),
    "class_floor": ("Every class above its floor", "see the biggest losses below, and label more of it."),
    "calibration": (
        "Honest scores",
        "see the reliability diagrams below: the scores promise more, or less, than they keep.",
    ),
    "latency": (
        "Fast enough",
        "look at the machines of the transform jobs: the model has become slow, or they have.",
    ),
    "support": ("Enough of every class", _TOO_FEW),
    "images": ("Enough images", _TOO_FEW),
    "measured": ("Fully measured", _NOT_MEASURED),
    "evaluation": ("An evaluation", _NOT_MEASURED),
}


def ordered(rules: Iterable[JudgedRule]) -> list[JudgedRule]:
    """Those that failed, those that hold, those that were not judged; each in the order of ``RULES``.

    Rules of one name that hold and have no numbers are one line: there is nothing more to say of them.
    """
    order = list(RULES)

    def place(rule: JudgedRule) -> tuple[int, int]:
        part = 2 if not rule.judged else 1 if rule.passed else 0
        return part, order.index(rule.rule) if rule.rule in RULES else len(order)

    lines: list[JudgedRule] = []
    for rule in sorted(rules, key=place):
        last = lines[-1] if lines else None
        if last and last.rule == rule.rule and _says_little(last) and _says_little(rule):
            lines[-1] = last.model_copy(update={"slice": f"{last.slice}, {rule.slice}", "text": ""})
        else:
            lines.append(rule)
    return lines


def _says_little(rule: JudgedRule) -> bool:
    return rule.judged and rule.passed and rule.value is None and rule.class_name is None


def rule_name(rule: str) -> str:
    """What a rule wants, in words; its own name when it is a new one."""
    return RULES[rule][0] if rule in RULES else rule.replace("_", " ")


def where(rule: JudgedRule) -> str:
    """The slice, the batch or the class that a rule was judged on."""
    place = formats.day(rule.slice) if rule.slice else None
    return ", ".join(part for part in (place, rule.class_name and f"class {rule.class_name}") if part)


def _by_rule(facts: Facts) -> Iterator[str]:
    failed: dict[str, list[str]] = {}
    for rule in facts.verdict.rules if facts.verdict else ():
        if rule.failed:
            failed.setdefault(rule.rule, []).append(where(rule))
    for name, places in failed.items():
        shown = "; ".join(place for place in places if place)
        advice = RULES[name][1] if name in RULES else "see its numbers below."
        yield f"{rule_name(name)}{f' ({shown})' if shown else ''}: {advice}"


@dataclass(frozen=True)
class Drift:
    """How far a batch's scores lie from those of batches before; ``same``: seen by the same model."""

    batch: BatchFacts
    index: float
    chance: float
    same: bool

    @property
    def much(self) -> bool:
        return self.index > MUCH + self.chance


def drifts(facts: Facts) -> list[Drift]:
    """Each batch of the round against the batches before that the same model saw, or else against all."""
    found = []
    for batch in facts.batches:
        alike = [other.scores for other in facts.earlier if other.champion == batch.champion and other.scores]
        others = alike or [other.scores for other in facts.earlier if other.scores]
        if batch.scores and (moved := stability_index(batch.scores, others)):
            found.append(Drift(batch, *moved, same=bool(alike)))
    return found


def _by_batch(facts: Facts) -> Iterator[str]:
    for drift in drifts(facts):
        if drift.much and drift.same:
            yield (
                f"The images of {formats.day(drift.batch.batch)} look different to the model than those "
                f"before (stability index {drift.index:.2f}): look at a few of them, and at the camera."
            )
    for batch in facts.batches:
        if batch.asked and batch.quarantined > MANY_QUARANTINED * batch.asked:
            yield (
                f"{batch.quarantined} records of {formats.day(batch.batch)} could not be used: the reasons "
                "are below, each record is in quarantine.jsonl."
            )
        if batch.disagreed:
            yield (
                f"Of {batch.disagreed} images of {formats.day(batch.batch)} the reviewers disagree, and they "
                "have no label: look at a few of them. An odd number of reviewers (review.task_count) "
                "settles more."
            )
        if batch.open:
            yield (
                f"{batch.open} questions of {formats.day(batch.batch)} were still open when its labels were "
                "committed: their answers join the next batch."
            )
    for item in facts.slices:
        if not item.judged:
            yield f"{capital(item.name)} has {item.images} images: it is told, but too small to be judged."
