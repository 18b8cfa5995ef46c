"""The nights that no champion has learned from: how each stands, why, and what becomes of it.

Takes what was tried and what people have said (trial_records.py), lets standing.py judge it, gives a
``Standing`` per night: what the loop does with it by itself, what a person may do, and for a night that was
set aside the images that speak against its labels. Knows doubts and the loop's own standing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.loop.core import layout
from include.loop.report.doubts import worst
from include.loop.report.measures import Example, Finite
from include.loop.trials import weigh
from include.loop.trials.past import read_standings
from include.loop.trials.second_labels import second_labels
from include.loop.trials.standing import NEXT, Past, State
from include.loop.workspace import Workspace

# What a record raises that is missing, damaged or of another shape.
_ODD = (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError)
TRIALS = 6  # of a night, the last ones: one without gain is tried again with every night that comes
_NEXT = {str(state): text for state, text in NEXT.items()}
_BESIDES: dict[str, str] = {
    State.SUSPENDED: "while the others are learned without it",
    State.SET_ASIDE: "while some of its images are asked about again, of other people where there are some",
}
_OUTCOMES = {"promote": "passed the gate", "harm": "did harm", "no_gain": "no gain, no harm"}


@dataclass(frozen=True)
class Trial:
    """A training in which a night took part: ``others`` are the nights beside it, ``reasons`` the gate's."""

    training_job: str
    outcome: str
    at: str = ""
    others: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The outcome in words."""
        return _OUTCOMES.get(self.outcome, self.outcome)


@dataclass(frozen=True)
class Again:
    """How many images of a night were asked about a second time, how many have a second label, how many of
    these agree with the first; ``overlap`` is the mean IoU of boxes that are in both.
    """

    asked: int
    answered: int = 0
    agreed: int = 0
    overlap: Finite | None = None


@dataclass(frozen=True)
class Standing:
    """``state`` and ``reason`` are the loop's own words; ``by`` and ``why`` those of who discarded it."""

    batch: str
    state: str
    reason: str = ""
    trials: tuple[Trial, ...] = ()
    by: str = ""
    why: str = ""
    again: Again | None = None
    examples: tuple[Example, ...] = ()

    @property
    def doubtful(self) -> bool:
        """Whether a person's word would help."""
        return self.state in {State.SUSPENDED, State.SET_ASIDE}

    @property
    def next(self) -> str:
        """What becomes of it by itself."""
        return ", ".join(part for part in (_NEXT.get(self.state), _BESIDES.get(self.state)) if part)


def gather_standings(
    workspace: Workspace, threshold: float, make: Callable[..., Any], problems: list[str]
) -> tuple[Standing, ...]:
    """The standing of every night that has labels and that the champion has not learned from, oldest first.
    None of them when the records cannot be read: that is noted.

    ``make(kind, value, what)`` makes a value of a record, or notes what is wrong with it; ``threshold`` is
    the score from which a detection counts.
    """
    try:
        past, found = read_standings(workspace)
    except _ODD as error:
        problems.append(f"how the nights stand cannot be told: {error}")
        return ()
    told = (
        make(
            Standing,
            {
                "batch": night,
                "state": item.state.value,
                "reason": item.reason,
                "trials": [_trial(trial, night) for trial in past.of(night)[-TRIALS:]],
                **(_discarded(workspace, night, problems) if item.state is State.DISCARDED else {}),
                **(
                    _doubts(workspace, past, night, threshold, problems)
                    if item.state is State.SET_ASIDE
                    else {}
                ),
            },
            "standing",
        )
        for night, item in found.items()
    )
    return tuple(item for item in told if item is not None)


def _trial(trial: weigh.Trial, night: str) -> dict[str, Any]:
    return {
        "training_job": trial.training_job,
        "outcome": trial.outcome.value,
        "at": trial.at.isoformat(timespec="seconds"),
        "others": [other for other in trial.shards if other != night],
        "reasons": trial.reasons,
    }


def _doubts(
    workspace: Workspace, past: Past, night: str, threshold: float, problems: list[str]
) -> dict[str, Any]:
    """What speaks against the labels of a night: the models, by the trial in which it was alone or else the
    last one, and second answers.
    """
    tried = past.of(night)
    alone = [trial for trial in tried if trial.shards == (night,)]
    try:
        examples = worst(workspace, night, (alone or tried)[-1].training_job, threshold) if tried else []
        again = second_labels(workspace, night)
    except _ODD as error:
        problems.append(f"what speaks against the labels of {night} cannot be told: {error}")
        return {}
    counts = ("asked", "answered", "agreed", "overlap")
    return {
        "examples": examples,
        "again": {name: getattr(again, name) for name in counts} if again else None,
    }


def _discarded(workspace: Workspace, night: str, problems: list[str]) -> dict[str, str]:
    location = layout.discarded_file(night)
    try:
        record = workspace.storage.find_json(location) or {}
        return {name: str(record.get(name) or "") for name in ("by", "why")}
    except (ValueError, AttributeError) as error:
        problems.append(f"{location} cannot be read: {error}")
        return {}
