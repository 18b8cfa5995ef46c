"""What a model says is drawn on the picture without a label beside it."""

from __future__ import annotations

from PIL import Image

from include.loop.tasks.classification.task import ImageClassification
from include.loop.tasks.classification.values import ClassScore
from include.loop.tasks.detection.predictions import Detection
from include.loop.tasks.detection.task import ObjectDetection
from include.loop.tasks.ink import RIGHT

BLUE = tuple(bytes.fromhex(RIGHT[1:]))


def test_boxes_of_the_threshold_and_more_are_drawn():
    scene = Image.new("RGB", (400, 300))
    task = ObjectDetection(("cat", "dog"), "review")
    found = [Detection(0, 0.2, 0.25, 0.5, 0.75, 0.9), Detection(1, 0.19, 0, 0.2, 1, 0.3)]
    drawn = task.show(scene, found, 0.2)
    assert drawn.getpixel((100, 200)) == BLUE
    assert drawn.getpixel((200, 60)) == (0, 0, 0)
    assert scene.getcolors() == [(400 * 300, (0, 0, 0))], "the scene itself is left alone"


def test_the_best_classes_stand_below_with_bars_as_long_as_their_scores():
    scene = Image.new("RGB", (400, 300))
    task = ImageClassification(("cat", "dog", "owl"), "review")
    drawn = task.show(scene, [ClassScore(1, 0.75), ClassScore(0, 0.2), ClassScore(2, 0.05)], 0.5)
    assert (drawn.width, drawn.height > 300) == (400, True)
    assert drawn.crop((0, 0, 400, 300)).tobytes() == scene.tobytes()
    rows = [[drawn.getpixel((x, y)) for x in range(400)] for y in range(300, drawn.height)]
    assert max(row.count(BLUE) for row in rows) in range(295, 305)
