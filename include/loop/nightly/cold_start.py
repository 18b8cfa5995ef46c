"""Which images come first while there is no model: those that differ most from each other.

Takes candidates in a random order, gives them in another: of the first few hundred the most diverse ones
(diversity.py), then the others as they were. For that each of these is read once, by a few threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from include.loop.core.errors import BadRecord
from include.loop.core.images import read_image
from include.loop.core.records.triage import Row
from include.loop.core.storage import MOST_BYTES, in_parallel
from include.loop.nightly.diversity import SIDE, describe, farthest_first
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# So many images are compared for each one that is asked about, but never more than can be read in some
# minutes. They are a random sample of the batch: its candidates come in a random order.
COMPARED, MOST_COMPARED = 10, 2000
# Some that are chosen turn out to be copies, or to have been asked about before.
SPARE = 2

Candidate = tuple[Row, str]


def diverse_first(workspace: Workspace, candidates: Iterable[Candidate], cap: int) -> Iterator[Candidate]:
    """The candidates, each with its reason; unchanged where all that would be compared can be asked about."""
    waiting = iter(candidates)
    sample = list(islice(waiting, min(COMPARED * cap, MOST_COMPARED)))
    if len(sample) <= cap:
        return chain(sample, waiting)
    described = list(in_parallel(lambda one: _describe(workspace, one[0]), sample))
    return chain(_ordered(sample, described, SPARE * cap), waiting)


def _ordered(
    sample: list[Candidate], described: list[NDArray[np.float32] | None], count: int
) -> list[Candidate]:
    import numpy as np

    there = [(place, one) for place, one in enumerate(described) if one is not None]
    first = [there[n][0] for n in farthest_first(np.stack([one for _, one in there]), count)] if there else []
    chosen = [
        (row, f"{why}; among the most diverse of {len(there):,} images")
        for row, why in (sample[place] for place in first)
    ]
    rest = [sample[place] for place in sorted(set(range(len(sample))) - set(first))]
    return chosen + rest


def _describe(workspace: Workspace, row: Row) -> NDArray[np.float32] | None:
    """None of what cannot be seen: whoever looks at it next says why."""
    try:
        found = workspace.storage.find(row.image, most=MOST_BYTES)
        return describe(read_image(found[0], "RGB", SIDE).image) if found else None
    except BadRecord:
        return None
