"""Scores that mean something: in worlds whose truth is known, and where there is too little to tell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.records.calibration import Calibration, ScoreMap
from include.loop.tasks import calibrating, shares
from include.loop.tasks.calibrating import Answers, Wish, working_point
from include.loop.tasks.detection.calibration import apply, calibrate
from include.loop.tasks.detection.manifest import LabelledImage
from include.loop.tasks.detection.metrics import average_precision
from include.loop.tasks.detection.predictions import Detection
from tests.loop.scenes import CLASSES, Scene, found, image, many

SHY = ScoreMap(slope=1.8, offset=2.0)  # a detector whose 0.25 is right in half of all cases
BOLD = ScoreMap(slope=0.6, offset=-1.5)
BEST = Wish()


def world(images: int, seed: int, truth: dict[int, ScoreMap], each: int = 6) -> Scene:
    """Images with as many detections each, apart from each other. Whether one is right is thrown with the
    odds that ``truth`` gives its class and score, so that the true map is known.
    """
    random = np.random.default_rng(seed)
    labelled, detections = [], {}
    for index in range(images):
        name, boxes, rows = f"s3://b/{seed}-{index}.jpg", [], []
        for place in range(each):
            class_id, score = int(random.choice(list(truth))), float(random.uniform(0.06, 0.97))
            box = (8 + 16 * place, 8, 8, 8)
            rows.append(found(class_id, score, *box))
            if random.random() < truth[class_id].calibrated(score):
                boxes.append((class_id, *box))
        labelled.append(image(name, *boxes))
        detections[name] = rows
    return labelled, detections


def fitted(scene: Scene, judging: Scene | None = None, wish: Wish = BEST) -> Calibration:
    held_out, detections = scene
    others, more = judging or ([], {})
    return calibrate(
        {"retention": held_out}, {"day": others} if others else {}, detections | more, CLASSES, wish
    )


def chance(images: list[LabelledImage], detections: dict[str, list[Detection]], seed: int = 0) -> float:
    """The calibration error that scores would have which mean just what they say, at most in 99 of 100."""
    score = np.array([item.score for line in images for item in detections[line.source]])
    random = np.random.default_rng(seed)
    draws = [error_of(score, random.random(len(score)) < score) for _ in range(200)]
    return float(np.quantile(draws, 0.99))


def error_of(score: np.ndarray, right: np.ndarray) -> float:
    error, _ = shares.calibration(score, right, 0.0)
    assert error is not None
    return error


@pytest.mark.parametrize("truth", [SHY, BOLD], ids=["shy", "bold"])
def test_on_images_it_has_not_seen_the_error_is_what_chance_alone_makes(truth: ScoreMap):
    judging = world(300, 2, {0: truth})
    found_map = fitted(world(100, 1, {0: truth}), judging)
    images, detections = judging
    read = {line.source: apply(detections[line.source], found_map, CLASSES) for line in images}
    after = found_map.measured["day"].error
    assert after is not None
    assert after <= chance(images, read) + 0.03  # what a map of 600 answers is off itself
    assert found_map.before is not None
    assert found_map.after is not None
    assert found_map.before > 0.15
    assert found_map.after < found_map.before / 3
    assert found_map.pooled.slope == pytest.approx(truth.slope, abs=0.25)
    assert found_map.why_not == ""


def test_a_class_of_its_own_kind_has_its_own_map_and_a_rare_one_that_of_all():
    scene = world(150, 3, {0: SHY, 1: BOLD})
    rare = [image("s3://b/rare.jpg", (2, 8, 8, 8, 8))], {"s3://b/rare.jpg": [found(2, 0.5, 8, 8, 8, 8)]}
    found_map = fitted((scene[0] + rare[0], scene[1] | rare[1]))
    assert found_map.classes.keys() == {"cat", "dog"}
    assert found_map.map_of("cat").calibrated(0.5) == pytest.approx(SHY.calibrated(0.5), abs=0.08)
    assert found_map.map_of("dog").calibrated(0.5) == pytest.approx(BOLD.calibrated(0.5), abs=0.08)
    assert found_map.map_of("bird") == found_map.pooled
    said = [found(0, 0.5, 0, 0, 8, 8), found(1, 0.5, 0, 0, 8, 8), found(2, 0.6, 0, 0, 8, 8)]
    read = apply(said, found_map, CLASSES)
    assert {item.class_id: item.score for item in read} == {
        item.class_id: found_map.map_of(CLASSES[item.class_id]).calibrated(item.score) for item in said
    }
    assert [item.class_id for item in read] == [0, 2, 1]  # best first, whatever came first


def test_a_class_with_little_to_tell_stays_near_the_map_of_all():
    """The same shares of right ones, of 4 answers and of 400: the fewer hardly move what was known."""
    score, right = np.full(4, 0.5), np.array([True, False, False, False])
    moved = []
    for times in (1, 100):
        none = np.zeros(4 * times, dtype=np.int64)
        answers = Answers(np.tile(score, times), np.tile(right, times), none, none)
        moved.append(0.5 - calibrating.fit_one(answers, ScoreMap(), (0.25, 0.75)).calibrated(0.5))
    assert 0.02 < moved[0] < 0.12
    assert moved[1] == pytest.approx(0.25, abs=0.02)  # a quarter is right


@pytest.mark.parametrize("images", [0, 1, 2])
def test_too_little_changes_nothing_and_says_so(images: int):
    scene = world(images, 7, {0: SHY})
    found_map = fitted(scene)
    assert (found_map.pooled, found_map.classes) == (ScoreMap(), {})
    assert found_map.why_not.startswith("there are too few detections to tell: ")
    said = [found(0, 0.3, 0, 0, 8, 8), found(1, 0.00001, 0, 0, 8, 8)]
    assert apply(said, found_map, CLASSES) == said


def test_scores_that_are_right_already_are_left_alone():
    found_map = fitted(world(60, 8, {0: ScoreMap()}))
    assert found_map.pooled.calibrated(0.5) == pytest.approx(0.5, abs=0.08)


def test_scores_that_say_the_contrary_still_keep_their_order():
    images, detections = world(100, 9, {0: SHY})
    upside = {
        name: [found(0, 1.03 - item.score, item.xmin * 128, 8, 8, 8) for item in items]
        for name, items in detections.items()
    }
    found_map = fitted((images, upside))
    assert found_map.pooled.slope > 0


def test_what_a_detector_finds_first_it_still_finds_first():
    images, detections = many(60, seed=1)
    found_map = fitted((images, detections))
    assert found_map.why_not == ""
    read = {name: apply(items, found_map, CLASSES) for name, items in detections.items()}
    assert all(a.score >= b.score for items in read.values() for a, b in pairwise(items))
    before, after = (average_precision(images, items, CLASSES) for items in (detections, read))
    assert after == before


@given(st.floats(0.05, 5), st.floats(-8, 8), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_a_map_never_turns_two_scores_around_and_stays_a_share(slope, offset, scores):
    one = ScoreMap(slope=slope, offset=offset)
    shares = [one.calibrated(score) for score in sorted(scores)]
    assert all(0 <= a <= b <= 1 for a, b in pairwise(shares))


@given(st.floats(0.2, 5), st.floats(-3, 3), st.floats(0.01, 0.99))
def test_the_raw_score_of_a_share_is_the_one_that_is_read_as_it(slope, offset, share):
    one = ScoreMap(slope=slope, offset=offset)
    raw = one.raw(share)
    if 0.0001 < raw < 0.9999:
        assert one.calibrated(raw) == pytest.approx(share, abs=1e-4)


def test_no_other_map_makes_what_happened_more_likely():
    random = np.random.default_rng(10)
    score = random.uniform(0.05, 0.95, 400)
    right = random.random(400) < calibrating.calibrated(score, BOLD)
    none = np.zeros(400, dtype=np.int64)
    best = calibrating.fit_one(Answers(score, right, none, none), ScoreMap(), (1e6, 1e6))

    def surprise(slope: float, offset: float) -> float:
        one = ScoreMap(slope=best.slope + slope, offset=best.offset + offset)
        shares = [one.calibrated(value) for value in score]
        return -sum(np.log(p if hit else 1 - p) for p, hit in zip(shares, right, strict=True))

    moved = [(0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02), (0.02, 0.02), (-0.02, -0.02)]
    assert all(surprise(*by) > surprise(0, 0) for by in moved)


SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
RIGHT = np.array([True, True, False, True, False, False])


@pytest.mark.parametrize(
    ("wish", "score", "precision", "recall"),
    [
        (BEST, 0.6, 0.75, 0.75),
        (Wish(precision=0.9), 0.8, 1.0, 0.5),
        (Wish(precision=0.7), 0.6, 0.75, 0.75),
        (Wish(recall=0.5), 0.8, 1.0, 0.5),
        (Wish(recall=0.6), 0.6, 0.75, 0.75),
    ],
)
def test_the_working_point_is_what_was_asked_for(wish, score, precision, recall):
    point = working_point(SCORES, RIGHT, 4, wish)
    assert point is not None
    assert (point.score, point.precision, point.recall) == (score, precision, recall)


def test_of_equal_scores_all_count():
    point = working_point(np.array([0.5, 0.5, 0.5]), np.array([True, False, False]), 1, BEST)
    assert point is not None
    assert (point.precision, point.recall) == (0.33333, 1.0)


@pytest.mark.parametrize(
    ("right", "objects", "wish"),
    [(RIGHT, 4, Wish(recall=0.9)), (~RIGHT[:3], 4, Wish(precision=0.9)), (RIGHT & False, 4, BEST)],
)
def test_a_wish_that_cannot_come_true_has_no_working_point(right, objects, wish):
    assert working_point(SCORES[: len(right)], right, objects, wish) is None


def test_an_endpoints_score_at_the_working_point_is_told_by_class():
    found_map = fitted(world(150, 11, {0: SHY, 1: BOLD}), wish=Wish(precision=0.8))
    point = found_map.working_point
    assert point is not None
    assert found_map.asked == "precision of 0.8 or more"
    assert point.raw["cat"] < 0.6 < point.raw["dog"]
    for name, raw in point.raw.items():
        assert found_map.map_of(name).calibrated(raw) == pytest.approx(point.score, abs=1e-3)
