"""Images with many labels or none, once from first labels to a better champion, with the real algorithm:
asked, answered, learned, judged.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from itertools import combinations
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from include.loop.core.records.verdict import Verdict
from include.loop.dataset import build
from include.loop.models.champion import read_champion
from include.samples.reviewing import Noise, review
from include.samples.truths import TrueClasses
from tests.loop.nightly.test_night import learn
from tests.loop.place import NIGHT, Place

CLASSES = ("red", "green", "blue")
SIDE = 32
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
HYPERPARAMETERS = {"mini_batch_size": 8, "optimizer": "adam", "use_pretrained_model": 0}
# Every set of classes, the empty one too, is as frequent as every other.
SETS = [names for count in range(len(CLASSES) + 1) for names in combinations(CLASSES, count)]


def squares(names: Sequence[str], light: str, number: int) -> bytes:
    """A square of each colour: light ones on dark ground by day, dark ones on light ground by night."""
    rng = np.random.default_rng([number, len(names), light == "day"])
    ground = 40 if light == "day" else 230
    pixels = np.full((SIDE, SIDE, 3), ground, np.uint8)
    pixels += rng.integers(0, 20, pixels.shape, dtype=np.uint8)
    corners = rng.permutation([(1, 1), (1, 17), (17, 1), (17, 17)])
    for name, (top, left) in zip(names, corners, strict=False):
        colour = np.full(3, ground)
        if light == "day":
            colour[CLASSES.index(name)] = 240
        else:  # what is taken away by night is what is added by day
            colour[:] = 20
            colour[CLASSES.index(name)] = 120
        pixels[top : top + 14, left : left + 14] = colour
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, subsampling=0)
    return stream.getvalue()


def add(place: Place, folder: str, light: str, count: int, first: int) -> dict[str, tuple[str, ...]]:
    """So many images; what each shows."""
    shown = {}
    for number in range(first, first + count):
        names = SETS[number % len(SETS)]
        shown[place.put(f"{folder}/{light}-{number}.jpg", squares(names, light, number))] = names
    return shown


def add_labels(place: Place, location: str, light: str, count: int, first: int) -> None:
    """Images with the lines that Ground Truth's multi-label job writes of them."""
    lines = []
    for source, names in add(place, f"{location.partition('.')[0]}-images", light, count, first).items():
        ids = [CLASSES.index(name) for name in names]
        metadata = {
            "class-map": {str(index): CLASSES[index] for index in ids},
            "confidence-map": {str(index): 0.9 for index in ids},
            "creation-date": "2026-10-01T00:00:00.000000",
            "human-annotated": "yes",
            "type": "groundtruth/image-classification-multilabel",
        }
        lines.append(json.dumps({"source-ref": source, "review": ids, "review-metadata": metadata}))
    place.put(location, "\n".join(lines).encode() + b"\n")


def scores(place: Place) -> dict[str, float]:
    """The champion's, by slice; one that was not measured is no number."""
    champion = read_champion(place.workspace)
    assert champion is not None
    return {name: math.nan if score is None else score for name, score in champion.score.items()}


def test_people_teach_a_model_of_many_labels_what_it_gets_wrong(make_place):
    place: Place = make_place(
        task="image-classification",
        multi_label=True,
        classes=list(CLASSES),
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"},
        test_sets={"day": "test/day.manifest", "night": "test/night.manifest"},
        triage={"strategy": "margin", "threshold": 1, "audit_share": 0, "cap": 40},
        training={
            "num_layers": 20,
            "image_shape": SIDE,
            "initial": {"hyperparameters": HYPERPARAMETERS | {"epochs": 8, "learning_rate": 0.005}},
            "incremental": {"hyperparameters": HYPERPARAMETERS | {"epochs": 12, "learning_rate": 0.003}},
            "replay": {"per_new": 1, "choose": "random"},
            "validation_share": 0.2,
        },
        gate={"improve_on": ["night"], "min_train_recall": 0, "max_calibration_error": 1},
    )
    place.environment_settings["image"] = IMAGE
    place.load()
    add_labels(place, "initial/train.manifest", "day", 64, 0)
    add_labels(place, "initial/validation.manifest", "day", 24, 100)
    for light, first in (("day", 200), ("night", 300)):
        add_labels(place, f"test/{light}.manifest", light, 24, first)
    assert learn(place, build.build_initial(place.workspace).dataset_id).promoted
    before = scores(place)
    assert before["day"] > 0.9
    assert before["night"] < before["day"] - 0.1

    place.set_up_review()
    shown = add(place, f"images/dt={NIGHT}", "night", 40, 400)

    def answer(task: dict[str, Any]) -> dict[str, Any]:
        truth = TrueClasses(shown[task["taskObject"]], many=True)
        return review(task, truth, Noise(0, 0, 0, 0), Random(0), 7.0).content

    report = place.night(respond=answer)
    assert (report.answers, report.labels, report.negatives) == (40, 40, 40 // len(SETS))
    for line in place.manifest():
        assert tuple(CLASSES[index] for index in line["review"]) == shown[line["source-ref"]]

    learned = learn(place, build.build(place.workspace).dataset_id)
    assert learned.promoted, Verdict.read(place.storage, learned.training_job).reasons
    after = scores(place)
    assert after["night"] > before["night"] + 0.05
    assert after["day"] > 0.85
