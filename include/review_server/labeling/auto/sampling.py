"""Which objects of a job people label first: random ones to learn from, and random ones to judge models by.

Chance follows from the job's reference code and an object's number, so that nothing has to be remembered:
a server that was killed draws the same samples. The two never overlap, and what models are judged by is
never learned from. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from include.review_server.labeling.auto.algorithms import validation_size


@dataclass(frozen=True)
class Samples:
    """Numbers of objects, each in its random order."""

    training: Sequence[int]
    validation: Sequence[int]


def draw(seed: str, objects: Collection[int], probe: Collection[int], batch: int) -> Samples:
    """The samples of a job with these objects to label, of which the ``probe`` went out first.

    The probe is learned from. With it the training sample is as large as the validation sample, but no
    larger than one ``batch``: in the documented example both are 200 of 1,000 objects, in batches of 200.
    """
    first = set(probe)
    others = sorted(
        (number for number in objects if number not in first), key=lambda number: _chance(seed, number)
    )
    held_out = min(validation_size(len(objects)), len(others))
    learned = max(0, min(held_out, batch) - len(first))
    return Samples(others[held_out : held_out + learned], others[:held_out])


def _chance(seed: str, number: int) -> bytes:
    return hashlib.sha256(f"{seed}/{number}".encode()).digest()
