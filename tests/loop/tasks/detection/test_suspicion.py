"""What of a label is probably wrong, by what a model says that has not learned it."""

from __future__ import annotations

import pytest

from include.loop.tasks.detection.manifest import LabelledImage, read_value
from include.loop.tasks.detection.predictions import Detection
from include.loop.tasks.detection.suspicion import SILENCE, Error, suspicion, suspicions

CAT, DOG = 0, 1


def labelled(*boxes: tuple[int, int, int, int, int]) -> LabelledImage:
    """Boxes are class, left, top, width and height on an image of 100 x 100."""
    names = ("class_id", "left", "top", "width", "height")
    value = {
        "annotations": [dict(zip(names, box, strict=True)) for box in boxes],
        "image_size": [{"width": 100, "height": 100, "depth": 3}],
    }
    return read_value({"source-ref": "s3://b/1.jpg", "pets": value}, "pets", ("cat", "dog"))


def seen(kind: int, score: float, left: int, top: int, width: int, height: int) -> Detection:
    return Detection(kind, score, left / 100, top / 100, (left + width) / 100, (top + height) / 100)


BOX = (10, 10, 20, 20)
ELSEWHERE = (60, 60, 20, 20)


@pytest.mark.parametrize(
    ("label", "detections", "error", "box", "kind", "probability"),
    [
        ([], [seen(DOG, 0.9, *BOX)], Error.MISSED, None, DOG, 0.9),
        ([(CAT, *ELSEWHERE)], [seen(DOG, 0.8, *BOX)], Error.MISSED, None, DOG, 0.8),
        ([(CAT, *BOX)], [seen(DOG, 0.9, *BOX)], Error.CLASS, 0, DOG, 0.9),
        ([(CAT, *BOX)], [seen(DOG, 0.6, *BOX), seen(CAT, 0.5, *BOX)], Error.CLASS, 0, DOG, 0.3),
        ([(CAT, *BOX)], [seen(CAT, 0.9, 20, 10, 20, 20)], Error.PLACE, 0, CAT, 0.9),
        ([(CAT, *BOX)], [], Error.EXTRA, 0, None, SILENCE),
    ],
)  # fmt: skip
def test_each_kind_of_error_is_told_from_the_others(label, detections, error, box, kind, probability):
    worst = suspicions(labelled(*label), detections)[0]
    assert (worst.error, worst.box, worst.class_id) == (error, box, kind)
    assert worst.probability == pytest.approx(probability)


def test_against_what_the_model_says_too_there_is_nothing_to_say():
    line = labelled((CAT, *BOX), (DOG, *ELSEWHERE))
    assert suspicions(line, [seen(CAT, 1.0, *BOX), seen(DOG, 1.0, *ELSEWHERE)]) == []
    assert suspicion([]) == 0
    assert suspicions(labelled(), []) == []


def test_an_image_is_as_suspect_as_it_is_probable_that_anything_of_it_is_wrong():
    found = suspicions(labelled(), [seen(CAT, 0.5, *BOX), seen(DOG, 0.5, *ELSEWHERE)])
    assert suspicion(found) == pytest.approx(0.75)
    # What a model is sure of is put in order by what else there is.
    sure = suspicions(labelled(), [seen(CAT, 1.0, *BOX)])
    surer = suspicions(labelled(), [seen(CAT, 1.0, *BOX), seen(DOG, 0.5, *ELSEWHERE)])
    assert suspicion(sure) < suspicion(surer) < 1


def test_a_hard_image_is_no_suspect_one():
    """Ten objects of which the model sees none, against one that it sees where nobody has drawn."""
    hard = labelled(*((CAT, 10 * place, 0, 8, 8) for place in range(10)))
    easy = labelled((CAT, *BOX))
    assert suspicion(suspicions(hard, [])) < suspicion(
        suspicions(easy, [seen(CAT, 0.95, *BOX), seen(DOG, 0.95, *ELSEWHERE)])
    )
