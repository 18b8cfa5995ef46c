"""Whom to believe: rates of workers that are found in the answers alone, and what follows for each box."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from include.consensus.boxes import Box
from include.consensus.reliability import Candidate, Reliability, estimate

CAT, DOG = Box("cat", 10, 10, 20, 20), Box("dog", 10, 10, 20, 20)
ELSEWHERE = Box("cat", 70, 70, 10, 10)
CLASSES = ("cat", "dog", "hen", "cow")
IMAGES = 80


def there(found: Sequence[Candidate[Box]]) -> list[tuple[str, float]]:
    return [(item.label, round(item.there, 2)) for item in found]


def one_image(*answers: Sequence[Box]) -> Sequence[Candidate[Box]]:
    return estimate([{f"w{i}": boxes for i, boxes in enumerate(answers)}], 4).images[0]


def true_boxes(chance: random.Random) -> list[Box]:
    return [Box(chance.choice(CLASSES), 100 * place, 50, 40, 60) for place in range(3)]


def careless(truth: Sequence[Box], chance: random.Random) -> list[Box]:
    """Misses three of ten, names two of ten wrongly, draws all too far right, and something of nothing."""
    seen = [replace(box, left=box.left + 8) for box in truth if chance.random() > 0.3]
    seen = [replace(box, label=chance.choice(CLASSES)) if chance.random() < 0.27 else box for box in seen]
    return [*seen, Box("cat", 400, chance.randrange(900), 40, 60)] if chance.random() < 0.5 else seen


@pytest.fixture(scope="module")
def answered() -> tuple[list[list[Box]], Reliability[Box]]:
    """The truth of many images, and what two who are right mostly and a careless one come to."""
    chance = random.Random(3)
    truths = [true_boxes(chance) for _ in range(IMAGES)]
    answers = [{"ann": truth, "bob": truth, "cy": careless(truth, chance)} for truth in truths]
    # Where one careful worker misses something, or draws what is nowhere.
    answers[0] = {"ann": truths[0], "bob": truths[0][1:], "cy": truths[0][1:]}
    answers[1] = {"ann": truths[1], "bob": truths[1], "cy": [*truths[1], Box("hen", 400, 500, 40, 60)]}
    answers[2] = {"ann": truths[2], "cy": [replace(box, label="elk") for box in truths[2]]}
    return truths, estimate(answers, len(CLASSES) + 1)


def test_few_answers_are_a_majority_or_open_as_ever() -> None:
    assert [item.is_open for item in one_image([CAT])] == [False]
    assert one_image([CAT])[0].there > 0.8
    (half,) = one_image([CAT], [])
    assert half.is_open
    assert half.there == pytest.approx(0.5, abs=0.2)
    (outvoted,) = one_image([CAT], [], [])
    assert outvoted.there < 0.3
    assert not outvoted.is_open
    (kept,) = one_image([CAT], [CAT], [])
    assert kept.there > 0.9
    assert not kept.is_open


def test_two_names_of_one_thing_are_open_and_it_is_there_all_the_same() -> None:
    (found,) = one_image([CAT], [DOG])
    assert found.there > 0.9
    assert found.right == pytest.approx(0.5, abs=0.01)
    assert found.is_open
    (found,) = one_image([CAT], [DOG], [DOG])
    assert (found.label, found.is_open) == ("dog", False)


def test_a_rare_class_that_two_of_three_named_is_not_outvoted_by_the_frequent_one() -> None:
    images = [
        {name: [DOG if image % 10 == turn else CAT] for turn, name in enumerate(("ann", "bob", "cy"))}
        for image in range(100)
    ]
    images.append({"ann": [DOG], "bob": [DOG], "cy": [CAT]})
    found = estimate(images, 2).images
    assert all(item.label == "cat" and item.is_sure for (item,) in found[:-1])
    assert found[-1][0].is_open


def test_the_rates_of_workers_are_found_without_the_truth(
    answered: tuple[list[list[Box]], Reliability[Box]],
) -> None:
    workers = answered[1].workers
    careless, careful = workers["cy"], workers["ann"]
    assert careless.found == pytest.approx(0.7, abs=0.06)
    assert careless.right == pytest.approx(0.8, abs=0.06)
    assert careless.extra == pytest.approx(0.5 / (0.5 + 2.1), abs=0.06)
    assert careless.spread > 5 * careful.spread
    assert careful.found > 0.97
    assert careful.right > 0.97
    assert careful.extra < 0.02
    assert (careful.images, careful.boxes) == (IMAGES, 3 * IMAGES)
    assert set(careless.found_of) == {*CLASSES, "elk"}


def test_a_careful_worker_is_believed_against_two_and_a_careless_one_is_not(
    answered: tuple[list[list[Box]], Reliability[Box]],
) -> None:
    truths, found = answered
    alone = found.images[0][0]
    assert list(alone.drawn) == ["ann"]
    invented = next(item for item in found.images[1] if item.label == "hen" and item.left == 400)
    assert invented.there < 0.05
    assert alone.there > 5 * invented.there
    # Two workers, two names: by their rates it is the careful one's.
    named = sorted(found.images[2], key=lambda item: item.left)
    assert [item.label for item in named] == [box.label for box in truths[2]]
    assert all(item.right > 0.8 for item in found.images[2])


def test_a_box_lies_where_the_careful_ones_drew_it(
    answered: tuple[list[list[Box]], Reliability[Box]],
) -> None:
    truths, found = answered
    for truth, candidates in zip(truths[2:], found.images[2:], strict=True):
        kept = sorted((item for item in candidates if item.there > 0.5), key=lambda item: item.left)
        assert [round(item.left) for item in kept] == [box.left for box in truth]
        assert [round(item.width) for item in kept] == [box.width for box in truth]


def test_of_two_who_know_nothing_of_each_other_the_mean_is_taken() -> None:
    (found,) = one_image([CAT], [replace(CAT, left=12, top=14)])
    assert (found.left, found.top, found.width, found.height) == pytest.approx((11, 12, 20, 20))


def test_the_order_of_workers_and_boxes_does_not_matter() -> None:
    chance = random.Random(5)
    images = []
    for _ in range(12):
        truth = true_boxes(chance)
        images.append({"ann": truth, "bob": truth[:2], "cy": careless(truth, chance)})
    turned = [{name: image[name][::-1] for name in reversed(image)} for image in images]
    assert estimate(turned, 4) == estimate(images, 4)


def test_careless_workers_alone_do_not_end_in_the_word_that_nothing_is_there() -> None:
    chance = random.Random(7)
    images = []
    for _ in range(IMAGES):
        truth = true_boxes(chance)
        images.append({name: careless(truth, chance) for name in "abcde"})
    kept = sum(item.there > 0.5 for found in estimate(images, 4).images for item in found)
    assert kept == pytest.approx(3 * IMAGES, rel=0.1)


def test_where_nobody_draws_or_nobody_answers_there_is_nothing() -> None:
    assert estimate([], 4) == Reliability([], {})
    images: list[dict[str, list[Box]]] = [
        {"ann": [], "bob": []},
        {},
        {"ann": [ELSEWHERE], "bob": [ELSEWHERE]},
        {"ann": []},
    ]
    found = estimate(images, 4)
    assert [there(item) for item in found.images[:2]] == [[], []]
    assert [item.label for item in found.images[2]] == ["cat"]
    nothing = estimate(images[3:], 4)
    assert (nothing.images, nothing.workers["ann"].boxes) == ([[]], 0)
