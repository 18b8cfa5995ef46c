"""The batches that no champion has learned from: how each stands, why, and what becomes of it.

Takes what was tried and what people have said, lets the loop judge it (trials/standing.py), gives the
``StandingFacts`` of each batch: what the loop does with it by itself, what a person may do, and for a batch
that was set aside the images that speak against its labels.
"""

from __future__ import annotations

from typing import Any

from include.loop.core.records.batch_facts import SecondLabelFacts, StandingFacts, TrialFacts
from include.loop.core.records.trials import Discard, Trial
from include.loop.report.doubts import worst
from include.loop.report.reader import Reader
from include.loop.trials.past import read_standings
from include.loop.trials.second_labels import second_labels
from include.loop.trials.standing import NEXT, Past, State
from include.loop.workspace import Workspace

# What a record raises that is missing, damaged or of another shape.
_ODD = (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError)
TRIALS = 6  # of a batch, the last ones: one without gain is tried again with every batch that comes
_NEXT = {str(state): text for state, text in NEXT.items()}
_BESIDES: dict[str, str] = {
    State.SUSPENDED: "while the others are learned without it",
    State.SET_ASIDE: "while some of its images are asked about again, of other people where there are some",
}
_OUTCOMES = {"promote": "passed the gate", "harm": "did harm", "no_gain": "no gain, no harm"}


def gather_standings(
    workspace: Workspace, threshold: float, problems: list[str]
) -> tuple[StandingFacts, ...]:
    """The standing of every batch that has labels and that the champion has not learned from, oldest first.
    None of them when the records cannot be read: that is noted. ``threshold`` is the score that counts.
    """
    try:
        past, found = read_standings(workspace)
    except _ODD as error:
        problems.append(f"how the batches stand cannot be told: {error}")
        return ()
    return tuple(
        StandingFacts(
            batch=batch,
            state=item.state.value,
            reason=item.reason,
            trials=tuple(_trial(trial, batch) for trial in past.of(batch)[-TRIALS:]),
            **(_discarded(workspace, batch, problems) if item.state is State.DISCARDED else {}),
            **(_doubts(workspace, past, batch, threshold, problems) if item.state is State.SET_ASIDE else {}),
        )
        for batch, item in found.items()
    )


def is_doubtful(standing: StandingFacts) -> bool:
    """Whether a person's word would help."""
    return standing.state in {State.SUSPENDED, State.SET_ASIDE}


def what_next(standing: StandingFacts) -> str:
    """What becomes of it by itself."""
    return ", ".join(part for part in (_NEXT.get(standing.state), _BESIDES.get(standing.state)) if part)


def outcome(trial: TrialFacts) -> str:
    """What came of a trial, in words."""
    return _OUTCOMES.get(trial.outcome, trial.outcome)


def _trial(trial: Trial, batch: str) -> TrialFacts:
    return TrialFacts(
        training_job=trial.training_job,
        outcome=trial.outcome.value,
        at=trial.at.isoformat(timespec="seconds"),
        others=tuple(other for other in trial.shards if other != batch),
        reasons=trial.reasons,
    )


def _doubts(
    workspace: Workspace, past: Past, batch: str, threshold: float, problems: list[str]
) -> dict[str, Any]:
    """What speaks against the labels of a batch: the models, by the trial in which it was alone or else the
    last one, and second answers.
    """
    tried = past.of(batch)
    alone = [trial for trial in tried if trial.shards == (batch,)]
    try:
        examples = worst(workspace, batch, (alone or tried)[-1].training_job, threshold) if tried else []
        again = second_labels(workspace, batch)
    except _ODD as error:
        problems.append(f"what speaks against the labels of {batch} cannot be told: {error}")
        return {}
    counts = ("asked", "answered", "agreed", "overlap")
    second = SecondLabelFacts(**{name: getattr(again, name) for name in counts}) if again else None
    return {"examples": tuple(examples), "again": second}


def _discarded(workspace: Workspace, batch: str, problems: list[str]) -> dict[str, str]:
    found = Reader(workspace.storage, problems).find(Discard, batch)
    return {"by": found.by, "why": found.why} if found else {}
