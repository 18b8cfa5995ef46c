"""Which images come first while there is no model, and for the strategy ``diverse``: those that differ most
from each other.

Takes candidates in a random order, gives them in another: of the first few hundred the most diverse ones
(diversity.py), then the others as they were. For that each of these is read once, by a few threads, within
bounds of bytes and time: what is not read by then stays where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from include.loop.core.errors import BadRecord
from include.loop.core.images import read_image
from include.loop.core.records.nightly import Batch
from include.loop.core.records.parts import parts_of, read_images
from include.loop.core.records.triage import Row
from include.loop.core.storage import MOST_BYTES, Storage, in_parallel
from include.loop.nightly.diversity import SIDE, describe, farthest_first
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# So many images are compared for each one that is asked about. They are a random sample of the batch: its
# candidates come in a random order.
COMPARED, MOST_COMPARED = 10, 2000
# The task has half an hour, for this and all else, and begins anew when it is tried again. The bytes come
# first: they leave the same images out every time, which the clock does not.
MOST_TO_READ = 2 << 30
MOST_SECONDS = 300.0
# Some that are chosen turn out to be copies, or to have been asked about before.
SPARE = 2

Candidate = tuple[Row, str]


def diverse_first(
    workspace: Workspace,
    pinned: Batch,
    candidates: Iterable[Candidate],
    cap: int,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Candidate]:
    """The candidates of a batch, each with its reason; unchanged where all that can be compared can be asked
    about. ``clock`` gives seconds.
    """
    waiting = iter(candidates)
    sample = list(islice(waiting, min(COMPARED * cap, MOST_COMPARED)))
    to_read = _first_bytes(workspace.storage, pinned, sample)
    if len(to_read) <= cap:
        return chain(sample, waiting)
    until = clock() + MOST_SECONDS

    def look(one: Candidate) -> NDArray[np.float32] | None:
        return None if clock() > until else _describe(workspace.storage, one[0])

    described = list(in_parallel(look, to_read))
    if sum(one is not None for one in described) <= cap:
        return chain(sample, waiting)
    return chain(_ordered(sample, described, SPARE * cap), waiting)


def _first_bytes(storage: Storage, pinned: Batch, sample: list[Candidate]) -> list[Candidate]:
    """The first ones, as many as are ``MOST_TO_READ`` bytes together by their sizes in the listing."""
    images = {row.image for row, _ in sample}
    sizes = {
        image.uri: image.size
        for part in parts_of(pinned, images)
        for image in read_images(storage, pinned, part)
        if image.uri in images
    }
    sums = accumulate(sizes[row.image] for row, _ in sample)
    return [one for one, total in zip(sample, sums, strict=True) if total <= MOST_TO_READ]


def _ordered(
    sample: list[Candidate], described: list[NDArray[np.float32] | None], count: int
) -> list[Candidate]:
    """The most diverse of what is described, then the rest. The last candidates may have no description."""
    import numpy as np

    there = [(place, one) for place, one in enumerate(described) if one is not None]
    first = [there[n][0] for n in farthest_first(np.stack([one for _, one in there]), count)]
    chosen = [
        (row, f"{why}; among the most diverse of {len(there):,} images")
        for row, why in (sample[place] for place in first)
    ]
    rest = [sample[place] for place in sorted(set(range(len(sample))) - set(first))]
    return chosen + rest


def _describe(storage: Storage, row: Row) -> NDArray[np.float32] | None:
    """None of what cannot be read or seen: whoever looks at it next says why."""
    try:
        found = storage.find(row.image, most=MOST_BYTES)
        return describe(read_image(found[0], "RGB", SIDE).image) if found else None
    except (BadRecord, BotoCoreError, ClientError):  # archived, or encrypted with a key we may not use, say
        return None
