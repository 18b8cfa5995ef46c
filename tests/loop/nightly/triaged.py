"""The rows of a triaged batch, as a person would read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from include.loop.config import TriageSettings
from include.loop.core.records import parts
from include.loop.core.records.nightly import PinnedModel, Predictions
from include.loop.core.records.triage import Row, read_frames, rows_of
from include.loop.core.storage import Storage
from include.loop.nightly import batch
from include.loop.nightly.choosing import Show, ask, scores_of, weigh
from include.loop.nightly.looks import Look, LookAt
from include.loop.nightly.predictions import Predicted
from tests.loop.place import NIGHT, Place


def read_rows(storage: Storage, batch: str) -> list[Row]:
    """Every row, what is asked again first and the others in the order of their keys."""
    rows = [row for frame in read_frames(storage, batch) for row in rows_of(frame)]
    return sorted(rows, key=lambda row: (row.again is None, row.image))


def say(place: Place, said: Mapping[str, list[Any]], champion: str = "a-model") -> None:
    """The night's batch with this champion, which has said this (``prediction``) of each image."""
    outputs = {
        uri: place.put(f"said/{number}.out", json.dumps({"prediction": prediction}).encode())
        for number, (uri, prediction) in enumerate(said.items())
    }
    model = PinnedModel(training_job=champion, model_data="s3://b/model.tar.gz")
    batch.list_batch(place.workspace, NIGHT)
    pinned = batch.read_batch(place.workspace, NIGHT).model_copy(update={"champion": model})
    pinned.write(place.storage, NIGHT)
    for part in range(parts.part_count(pinned)):
        parts.write_outputs(place.storage, pinned, part, outputs, {})
    Predictions(champion=champion, parts=parts.part_count(pinned), predicted=len(said)).write_once(
        place.storage, NIGHT
    )


def choose(
    predictions: Iterable[Predicted],
    settings: TriageSettings,
    look: LookAt | None = None,
    show: Show = scores_of,
) -> list[Row]:
    """What becomes of each prediction, in their order, as one part. Without ``look`` every image is as good
    to ask about as its prediction.
    """
    weighed = list(weigh(predictions, settings, show))
    ranked = sorted((item for item in weighed if item.rank), key=lambda item: (item.rank, item.row.image))
    candidates = [(item.row, item.why) for item in ranked]
    looked_at = ask(candidates, settings.cap, look or (lambda images: (Look() for _ in images)))
    decided = {row.image: row for row in looked_at}
    return [decided.get(item.row.image, item.row) for item in weighed]
