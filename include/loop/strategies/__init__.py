"""The rules that decide whether what a model says of an image leaves enough doubt to ask a person.

A strategy is one module of this package. Its file's name is the name that a pipeline's ``triage.strategy``
picks; its function ``doubt`` takes an ``ImageScores`` and the pipeline's threshold, and gives a ``Doubt``. To
add one, add its file: nothing else has to know of it. Strategies are pure functions. A module whose rule is
not for every task names the tasks it is for in ``TASKS``; one that compares with what is known of an image
says ``REFERENCES = True``, and one that weighs classes ``WEIGHTS = True``. Of one that
says ``DIVERSE = True`` triage puts the images first that differ most from each other, and one whose threshold
is no doubt but a share of the images says ``THRESHOLD_IS_SHARE = True``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Protocol

from include.loop.core.errors import ConfigurationError

AUDIT = "audit"  # the reason of an image that is asked about whatever the model says


class Scored(Protocol):
    """A class, and how sure the model is of it (0 to 1)."""

    @property
    def class_id(self) -> int: ...

    @property
    def score(self) -> float: ...


@dataclass(frozen=True)
class ImageScores:
    """What a strategy sees of one image. ``scores`` are all that the model said, best first: of a detector
    one for each object, of a classifier one for each class, so that they are its full probabilities.
    ``share`` is a number in [0, 1) that depends on the image's content alone: a repeatable throw of the dice.
    With ``multi_label`` an image may be of several classes or of none, and each score stands alone; with
    ``exclusive`` it is of just one, and the scores are shares of a whole. ``weights`` says by class what an
    error of it counts, 1 for the usual one; empty where nobody knows, or the strategy does not ask.
    ``reference`` has the classes that the image is known to be of; None when nobody knows, and then
    ``no_reference`` may say why. ``classes`` are the classes' names, to speak of them.
    """

    scores: Sequence[Scored]
    share: float
    multi_label: bool = False
    reference: frozenset[int] | None = None
    no_reference: str = "no reference label"
    classes: Sequence[str] = ()
    exclusive: bool = False
    weights: Sequence[float] = ()

    @property
    def top(self) -> float:
        """The best score; 0 when the model said nothing."""
        return max((item.score for item in self.scores), default=0.0)


@dataclass(frozen=True)
class Doubt:
    """``ask`` whether a person should look, ``urgency`` for the order under a cap (larger first), and why."""

    ask: bool
    urgency: float
    reason: str


@dataclass(frozen=True)
class Strategy:
    """A rule; the ``tasks`` whose scores it can judge, empty when it can judge any; and whether it asks for
    ``references``, and for the ``weights`` of classes; ``diverse`` when its order is to be changed for that;
    ``by_share`` when the threshold is the share of images to ask about.
    """

    doubt: Callable[[ImageScores, float], Doubt]
    tasks: tuple[str, ...]
    references: bool
    weights: bool
    diverse: bool
    by_share: bool


@cache
def strategy_names() -> tuple[str, ...]:
    """The strategies there are, in order. None of them is imported; a name that begins with _ is none."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def find_strategy(name: str) -> Strategy:
    """The strategy of this name, which is one of ``strategy_names``. ConfigurationError when its file cannot
    be imported, or has no function ``doubt``: that is no reason to try again.
    """
    try:
        module = import_module(f"{__name__}.{name}")
        return Strategy(
            module.doubt,
            getattr(module, "TASKS", ()),
            getattr(module, "REFERENCES", False),
            getattr(module, "WEIGHTS", False),
            getattr(module, "DIVERSE", False),
            getattr(module, "THRESHOLD_IS_SHARE", False),
        )
    except (AttributeError, ImportError, SyntaxError) as error:
        raise ConfigurationError(
            f"triage.strategy: {name}.py in include/loop/strategies gives no function `doubt`: "
            f"{type(error).__name__}: {error}. Correct the file, or name another strategy."
        ) from error
