"""Whether a batch still looks to the model at work as those before it did.

Takes the ``Appearance`` of a batch and of the batches before it that the same model saw, gives what has
``Moved``. How far is a population stability index less its mean under no change, so that a million images and
a hundred mean the same: a test of significance would always say yes to a million. Nights differ by
themselves, here more and there less, so a batch has moved when it is beyond the limit *and* clearly farther
from the others than any of them is; for as long as that lasts, the others are those before it began. How
often it is a false alarm is measured by ``python -m benchmarks.live drift``. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from include.loop.core.records.live import Appearance, Moved

if TYPE_CHECKING:
    from include.loop.tasks.measuring import Floats
    from include.loop.tasks.measuring import Ints as Counts

# So many batches are looked back on, and with fewer nothing is said.
MOST, LEAST = 28, 5
# Farther than the farthest of them by this factor.
CLEARLY = 2.0
NAMES = {
    "scores": "how sure the model is",
    "classes": "which classes it sees",
    "objects": "how much it sees on an image",
}


def judge(here: Appearance, before: Sequence[Appearance], limit: float | None) -> tuple[Moved, ...]:
    """What has moved; ``before`` are batches of the same model, the oldest first."""
    import numpy as np

    if limit is None:
        return ()
    last = before[-1].moved if before else ()
    found = []
    for signal, counts in here.signals.items():
        quiet = _without_what_lasts(before[-MOST:], signal)
        told = [one.signals[signal] for one in quiet if sum(one.signals.get(signal, ()))]
        others = np.array([one for one in told if len(one) == len(counts)])
        if len(others) < LEAST or not sum(counts):
            continue
        together = others.sum(axis=0)
        index = float(_moved(np.array(counts), together))
        usual = float(_moved(others, together - others).max())
        if index > max(limit, CLEARLY * usual):
            since = next((one.since for one in last if one.signal == signal), here.batch)
            rounded = {"index": round(index, 4), "usual": round(usual, 4)}
            found.append(Moved(signal=signal, batches=len(others), since=since, **rounded))
    return tuple(found)


def _without_what_lasts(before: Sequence[Appearance], signal: str) -> Sequence[Appearance]:
    """The batches before those that have moved up to now without a break: beside these, what still lasts
    would look as ever.
    """
    count = len(before)
    while count and any(one.signal == signal for one in before[count - 1].moved):
        count -= 1
    return before[:count]


def stability_index(here: Counts, there: Counts) -> tuple[Floats, Floats]:
    """How far counts in some bins (the last axis) lie from others, and how far chance alone would take them.

    The population stability index, half an image added to each bin so that an empty one has a logarithm. By
    custom, below 0.1 nothing has happened, above 0.25 much has. Its mean under no change at all is about
    (bins - 1) (1/n + 1/m): with few images it is no small number, so both are given.
    """
    import numpy as np

    bins = here.shape[-1]
    a, b = ((one + 0.5) / (one.sum(axis=-1, keepdims=True) + 0.5 * bins) for one in (here, there))
    chance = (bins - 1) * (1 / here.sum(axis=-1) + 1 / there.sum(axis=-1))
    return ((a - b) * np.log(a / b)).sum(axis=-1), chance


def _moved(here: Counts, there: Counts) -> Floats:
    """How far counts lie from others beyond what chance gives; 0 where that is all."""
    index, chance = stability_index(here, there)
    return (index - chance).clip(min=0.0)


def tell(here: Appearance) -> str:
    """What has moved, how far, since when, and what to do; empty where nothing has."""
    if not here.moved:
        return ""
    parts = [
        f"{NAMES.get(one.signal, one.signal)} (stability index {one.index:.2f}; of the {one.batches} batches "
        f"before none was beyond {one.usual:.2f}), since batch {one.since}"
        for one in here.moved
    ]
    return (
        f"The images of batch {here.batch} look different to model {here.model} than those before: "
        f"{'; '.join(parts)}. Look at a few of them, at the camera and at what delivers them. If they are "
        "right, their labels teach the model; if they are not, discard-labels (python -m include.loop) keeps "
        "the batch from being learned."
    )
