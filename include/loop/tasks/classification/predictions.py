"""What a classifier said about one image, as the algorithm documents it.

Takes one ``.out`` object or an endpoint's reply, gives a ``ClassScore`` for each class, best first.
"""

from __future__ import annotations

from typing import Any

from include.loop.core.errors import BadRecord
from include.loop.core.storage import parse
from include.loop.tasks.classification.values import ClassScore


def read_scores(payload: bytes, num_classes: int) -> list[ClassScore]:
    """The score of every class, best first (of equal ones the lower index). BadRecord when it is not what the
    algorithm documents: ``[p0, p1, …]`` in the order of the classes at an endpoint, ``{"prediction": […]}``
    of the same in a batch. They add up to 1 with one label per image only, so their sum is not looked at.
    """
    try:
        value = parse(payload)
        numbers = value["prediction"] if isinstance(value, dict) else value
        if not isinstance(numbers, list) or len(numbers) != num_classes:
            told = f"{len(numbers)} numbers" if isinstance(numbers, list) else "no list of numbers"
            raise ValueError(f"{told} for {num_classes} classes")
        scores = [ClassScore(index, _score(number)) for index, number in enumerate(numbers)]
    except (ValueError, KeyError, TypeError) as error:
        raise BadRecord(f"no prediction: unreadable output ({error})") from None
    return sorted(scores, key=lambda item: -item.score)


def _score(number: Any) -> float:
    # NaN is in no range, and True is no number.
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise ValueError(f"not a score from 0 to 1: {number!r:.40}")
    return float(number)
