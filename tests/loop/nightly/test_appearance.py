"""How a triaged batch looks to the model is counted from its tables, and judged beside the batches before."""

from __future__ import annotations

import json

from include.loop.config import TriageSettings
from include.loop.core import layout
from include.loop.core.records.live import Appearance
from include.loop.live.drift import LEAST
from include.loop.nightly import triage
from include.loop.nightly.appearance import judge_appearance
from include.loop.nightly.batch import list_batch
from tests.loop.labelled import set_champion
from tests.loop.place import NIGHT, Place

BOX = (0.25, 0.25, 0.75, 0.75)


def test_a_batch_is_counted_and_what_moved_is_kept(place: Place) -> None:
    images = place.add_images({f"{n}.jpg": 90 + n for n in range(40)})
    set_champion(place, "d")
    list_batch(place.workspace, NIGHT)
    outputs = {}
    for number, image in enumerate(images[:-1]):
        said = [[1, 0.95, *BOX], [0, 0.4, *BOX], [0, 0.1, *BOX]] if number else []
        outputs[image] = place.put(f"said/{number}", json.dumps({"prediction": said}).encode())
    done = {"champion": "job-1", "outputs": outputs, "missing": images[-1:], "jobs": []}
    place.storage.write_json(layout.predictions_file(NIGHT), done)
    counts = {"scores": (40, *[0] * 9), "classes": (40, 0, 0), "objects": (0, 40, *[0] * 8)}
    for model in ("job-1", "another"):
        for day in range(10, 10 + LEAST):
            batch = f"2026-10-{day}" if model == "job-1" else f"2026-10-{day}.1"
            Appearance(batch=batch, model=model, images=40, signals=counts).write(place.storage, batch)
    triage.triage(place.workspace, NIGHT)
    here = judge_appearance(place.workspace, NIGHT)
    assert here is not None
    assert (here.batch, here.model, here.images) == (NIGHT, "job-1", 39)
    assert here.signals["scores"] == (1, *[0] * 8, 38)
    assert here.signals["classes"] == (0, 38, 1)
    assert here.signals["objects"] == (1, 0, 38, *[0] * 7)
    assert [(one.signal, one.batches) for one in here.moved] == [
        ("scores", LEAST),
        ("classes", LEAST),
        ("objects", LEAST),
    ]
    later = judge_appearance(place.but(triage=TriageSettings(drift_limit=None)), NIGHT)
    assert later is not None
    assert (later.signals, later.moved) == (here.signals, here.moved)


def test_a_batch_without_a_model_looks_like_nothing(place: Place) -> None:
    place.add_images({"1.jpg": 90})
    list_batch(place.workspace, NIGHT)
    assert judge_appearance(place.workspace, NIGHT) is None
