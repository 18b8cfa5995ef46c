"""Labelled images and detections for the tests of numbers: by hand, by hypothesis, and by the hundred."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from include.loop.tasks.detection.manifest import LabelledImage, ManifestBox
from include.loop.tasks.detection.predictions import Detection

CLASSES = ("cat", "dog", "bird")
# Powers of two: whole pixels stay whole as fractions of the image, and overlaps come out exactly.
WIDTH, HEIGHT = 128, 64

Scene = tuple[list[LabelledImage], dict[str, list[Detection]]]


def image(name: str, *boxes: tuple[int, float, float, float, float]) -> LabelledImage:
    return LabelledImage(name, WIDTH, HEIGHT, tuple(ManifestBox(*box) for box in boxes), "", {})


def found(class_id: int, score: float, left: float, top: float, width: float, height: float) -> Detection:
    """A detection given in pixels."""
    return Detection(
        class_id, score, left / WIDTH, top / HEIGHT, (left + width) / WIDTH, (top + height) / HEIGHT
    )


# A coarse grid and few scores, so that boxes do overlap and scores do tie.
_boxes = st.tuples(
    st.integers(0, len(CLASSES) - 1),
    st.sampled_from([0, 8, 16, 64]),
    st.sampled_from([0, 8, 32]),
    st.sampled_from([8, 16, 24, 48]),
    st.sampled_from([8, 16, 32]),
)
_scores = st.sampled_from([0.05, 0.2, 0.5, 0.75, 0.9, 1.0])


@st.composite
def scenes(draw: st.DrawFn, ties: bool = True) -> Scene:
    """A few images, some without boxes, some without detections, some never predicted.

    Without ``ties`` no two detections of one image have the same score.
    """
    images, detections = [], {}
    for index in range(draw(st.integers(1, 4))):
        name = f"s3://b/{index}.jpg"
        images.append(image(name, *draw(st.lists(_boxes, max_size=4))))
        if draw(st.booleans()):
            unique = None if ties else (lambda row: row[0])
            rows = draw(st.lists(st.tuples(_scores, _boxes), max_size=5, unique_by=unique))
            detections[name] = [found(box[0], score, *box[1:]) for score, box in rows]
    return images, detections


def many(images: int, seed: int, skill: float = 0.7, noise: int = 6, classes: int = len(CLASSES)) -> Scene:
    """As many images with up to four boxes, a model that finds ``skill`` of them, and ``noise`` false alarms
    an image.
    """
    random = np.random.default_rng(seed)
    labelled, detections = [], {}
    for index in range(images):
        name = f"s3://b/{index}.jpg"
        boxes = [_random_box(random, classes) for _ in range(random.integers(5))]
        rows = [
            found(box[0], float(random.beta(5, 2)), *(box[1:] + random.normal(0, 1, 4)))
            for box in boxes
            if random.random() < skill
        ]
        rows += [found(*_alarm(random, classes)) for _ in range(noise)]
        labelled.append(image(name, *boxes))
        detections[name] = rows
    return labelled, detections


def as_often(scene: Scene, weights: Sequence[int]) -> Scene:
    """The set in which each image stands as often as its weight says."""
    images, detections = scene
    repeated, again = [], {}
    for line, weight in zip(images, weights, strict=True):
        for copy in range(weight):
            name = f"{line.source}-{copy}"
            repeated.append(LabelledImage(name, WIDTH, HEIGHT, line.boxes, "", {}))
            again[name] = list(detections.get(line.source, ()))
    return repeated, again


def _random_box(random: np.random.Generator, classes: int) -> tuple[int, float, float, float, float]:
    left, top = random.uniform(0, 90), random.uniform(0, 40)
    width, height = random.uniform(8, 30), random.uniform(8, 20)
    return int(random.integers(classes)), left, top, width, height


def _alarm(random: np.random.Generator, classes: int) -> tuple[int, float, float, float, float, float]:
    class_id, *sides = _random_box(random, classes)
    return class_id, float(random.beta(1, 6)), sides[0], sides[1], sides[2], sides[3]
