"""The policies that stored nights are tried with: the pipeline's own, and others in its place.

Takes what a person writes (``random``, ``expected_errors=0.7,random=0.3``), gives a ``Policy``: the pipeline
with that strategy, checked as its file would be. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from include.loop.config import Pipeline
from include.loop.core.errors import ConfigurationError
from include.loop.strategies import find_strategy, strategy_names
from include.loop.workspace import Workspace


@dataclass(frozen=True)
class Policy:
    """A name for tables, and the workspace of the pipeline as it would be."""

    name: str
    workspace: Workspace


def own(workspace: Workspace) -> Policy:
    """What the pipeline's file says now."""
    shares = workspace.pipeline.triage.shares
    return Policy(f"{_told(shares)} (the pipeline's)", workspace)


def policy(workspace: Workspace, text: str, **changes: Any) -> Policy:
    """A strategy, or several with their shares, and further settings of ``triage`` that change. None of these
    changes nothing. ConfigurationError when the pipeline's file could not say it.
    """
    shares = _parse(text)
    pipeline = workspace.pipeline
    triage = pipeline.triage.model_dump(exclude_unset=True) | {"strategy": shares}
    if not any(find_strategy(name).references for name in shares if name in strategy_names()):
        triage["references"] = None  # nobody would read it
    triage |= {name: value for name, value in changes.items() if value is not None}
    try:
        changed = Pipeline.model_validate(pipeline.model_dump(exclude_unset=True) | {"triage": triage})
    except ValidationError as error:
        first = error.errors()[0]
        place, why = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{text}: {place}{': ' if place else ''}{why}") from error
    return Policy(_told(shares), replace(workspace, pipeline=changed))


def _parse(text: str) -> dict[str, float]:
    """``NAME``, or ``NAME=SHARE,NAME=SHARE``."""
    if "=" not in text:
        return {text.strip(): 1.0}
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            raise ConfigurationError(
                f"{text}: {part.strip()!r} is no strategy with its share; "
                "write one as random, several as random=0.4,least_confident=0.6"
            ) from None
    return shares


def _told(shares: dict[str, float]) -> str:
    if len(shares) == 1:
        return next(iter(shares))
    return ", ".join(f"{name} {100 * share:g} %" for name, share in shares.items())
