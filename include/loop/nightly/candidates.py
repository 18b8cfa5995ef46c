"""The images of a batch that people might be asked about, in the order in which they are looked at.

Takes the tables of the batch's parts, gives rows with the reason why: first what is asked whatever the model
says, then what the strategies name, the most urgent first. What is held of all images is numbers; of the
tables is read what some questions need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from include.loop.config import TriageSettings
from include.loop.core import layout
from include.loop.core.errors import Fatal
from include.loop.core.records.nightly import Batch
from include.loop.core.records.parts import part_count, parts_of, read_images
from include.loop.core.records.triage import Decision, Row, column_of, read_ranks, read_weighed
from include.loop.core.storage import Storage
from include.loop.nightly.choosing import BLIND
from include.loop.nightly.cold_start import diverse_first
from include.loop.nightly.second_look import ASKED_AGAIN, to_ask
from include.loop.nightly.turns import Candidate, Turns
from include.loop.strategies import AUDIT, find_strategy
from include.loop.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def candidates_of(workspace: Workspace, pinned: Batch, settings: TriageSettings) -> Turns:
    """What is asked again, audits, then what the strategies name, in turns by their shares; without a
    champion every image, in the order of ``triage.cold_start``. Fatal before every part is weighed.
    """
    shares = settings.shares if pinned.champion else {BLIND: 1.0}
    audits, *orders = _orders(workspace.storage, pinned, ["", *list(shares)[1:]])
    named = {
        name: _named(workspace, pinned, settings, name, order)
        for name, order in zip(shares, orders, strict=True)
    }
    return Turns(_first(workspace, pinned, settings, audits), named, shares)


def _first(
    workspace: Workspace, pinned: Batch, settings: TriageSettings, audits: NDArray[np.int32]
) -> Iterator[Candidate]:
    storage = workspace.storage
    if pinned.champion is not None:
        for item in to_ask(
            workspace, pinned.batch, settings.cap, lambda image: _is_own(storage, pinned, image)
        ):
            row = Row(item.image, item.etag, None, 0, Decision.SKIP, item.reason, again=item.batch)
            yield replace(row, share=ASKED_AGAIN), item.reason
    for row, why in _read(storage, pinned, audits, settings.cap):
        yield replace(row, share=AUDIT), why


def _named(
    workspace: Workspace, pinned: Batch, settings: TriageSettings, name: str, order: NDArray[np.int32]
) -> Iterator[Candidate]:
    """What one strategy names; nothing is read before it is its turn."""
    blind = pinned.champion is None
    cap = math.ceil(settings.cap * (1.0 if blind else settings.shares[name]))
    first = blind or name == next(iter(settings.shares))
    found = _read(workspace.storage, pinned, order, cap, "" if first else name)
    diverse = settings.cold_start == "diverse" if blind else find_strategy(name).diverse
    if diverse:
        found = diverse_first(workspace, pinned, found, cap)
    yield from found


def _read(
    storage: Storage, pinned: Batch, order: NDArray[np.int32], count: int, further: str = ""
) -> Iterator[Candidate]:
    """Rows and reasons in this order. So many are likely to be looked at together, and are read then."""
    for start in range(0, len(order), count):
        block = [(part, place) for part, place in order[start : start + count].tolist()]
        places: dict[int, list[int]] = {}
        for part, place in block:
            places.setdefault(part, []).append(place)
        found = {
            (part, place): weighed
            for part, some in places.items()
            for place, weighed in zip(
                some, read_weighed(storage, pinned.batch, part, some, further), strict=True
            )
        }
        yield from ((found[one].row, found[one].why) for one in block)


def _orders(storage: Storage, pinned: Batch, named: list[str]) -> list[NDArray[np.int32]]:
    """Part and place (N x 2) of every audit, then of what each strategy names, in the order of their ranks:
    numbers alone, so that those of a million images are some megabytes. Of equal ranks the one whose key
    comes first.
    """
    import pandas as pd

    found: list[list[pd.DataFrame]] = [[] for _ in ("audits", *named)]
    kinds = {"value": "float64", "part": "int32", "place": "int32"}
    for part in range(part_count(pinned)):
        try:
            ranks = read_ranks(storage, pinned.batch, part, named[1:])
        except FileNotFoundError:
            missing = storage.uri(layout.triage_part(pinned.batch, part))
            raise Fatal(
                f"part {part} of batch {pinned.batch} is not weighed: {missing} is missing. Clear the task "
                "triage of this batch, and what follows it"
            ) from None
        ranks = ranks.assign(part=part, place=range(len(ranks)))
        for own, (name, doubt) in zip(found, [("", False), *((name, True) for name in named)], strict=True):
            there = ranks.assign(value=ranks[column_of("value", name)])
            own.append(
                there.loc[there["value"].notna() & (there["doubt"] == doubt), list(kinds)].astype(kinds)
            )
    ordered = (
        pd.concat(frames).sort_values(["value", "part", "place"], kind="stable")[["part", "place"]]
        for frames in found
    )
    return [one.to_numpy() for one in ordered]


def _is_own(storage: Storage, pinned: Batch, image: str) -> bool:
    return any(
        image == one.uri for part in parts_of(pinned, [image]) for one in read_images(storage, pinned, part)
    )
