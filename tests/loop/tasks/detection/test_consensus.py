"""What a majority drew is kept, averaged; without a majority either way there is no label; the order of the
answers never matters.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.loop.tasks.detection.answers import Box, BoxAnswer
from include.loop.tasks.detection.consensus import AgreedBox, BoxesInDoubt, agree, agree_on_all

NOW = datetime(2026, 11, 2, tzinfo=UTC)
BOXES = st.builds(
    Box,
    st.sampled_from(["cat", "dog"]),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(1, 40),
    st.integers(1, 40),
)
ANSWERS = st.lists(st.lists(BOXES, max_size=4), min_size=1, max_size=3).map(
    lambda lists: [answer(f"w{number}", *boxes) for number, boxes in enumerate(lists)]
)


def answer(worker: str, *boxes: Box) -> BoxAnswer:
    return BoxAnswer(worker, boxes, 100, 100, NOW)


def told(answers: list[BoxAnswer]) -> list[AgreedBox] | tuple[Box, ...]:
    """What they agree on, or the boxes in doubt."""
    try:
        return agree(answers)
    except BoxesInDoubt as error:
        return error.boxes


def test_one_worker_alone_is_a_majority():
    assert agree([answer("a", Box("cat", 1, 2, 3, 4))]) == [AgreedBox(Box("cat", 1, 2, 3, 4), 1.0)]


def test_two_of_three_decide_and_their_sides_are_averaged():
    answers = [
        answer("a", Box("cat", 10, 10, 20, 20), Box("dog", 70, 70, 10, 10)),
        answer("b", Box("cat", 12, 10, 20, 24)),
        answer("c", Box("dog", 10, 10, 20, 20)),
    ]
    assert agree(answers) == [AgreedBox(Box("cat", 11, 10, 20, 22), 0.6667)]


CAT, DOG, BIRD = (Box(label, 10, 10, 20, 20) for label in ("cat", "dog", "bird"))
ELSEWHERE = Box("cat", 70, 70, 10, 10)


@pytest.mark.parametrize(
    ("drawn", "doubtful"),
    [
        pytest.param([[CAT], []], [CAT], id="two workers, one box and nothing"),
        pytest.param([[CAT], [DOG]], [CAT, DOG], id="two workers, one place and two names"),
        pytest.param([[CAT], [CAT, ELSEWHERE]], [ELSEWHERE], id="two workers, one of them sees more"),
        pytest.param([[CAT], [CAT], [], []], [CAT, CAT], id="half of four"),
        pytest.param([[CAT], [DOG], [BIRD]], [BIRD, CAT, DOG], id="three names"),
        pytest.param([[CAT], [DOG], []], [CAT, DOG], id="two of three see something, nobody the same"),
        pytest.param(
            [[CAT], [Box("cat", 10, 10, 20, 42)], []],
            [CAT, Box("cat", 10, 10, 20, 42)],
            id="two of three see it, of sizes too different to be averaged",
        ),
        pytest.param([[CAT, DOG], [CAT, BIRD], [CAT]], [BIRD, DOG], id="something beside the cat"),
    ],
)
def test_without_a_majority_for_or_against_a_box_there_is_no_label(drawn, doubtful):
    with pytest.raises(BoxesInDoubt, match=r"^reviewers disagree$") as caught:
        agree([answer(f"w{number}", *boxes) for number, boxes in enumerate(drawn)])
    assert list(caught.value.boxes) == doubtful


@pytest.mark.parametrize(
    ("drawn", "kept"),
    [
        pytest.param([[CAT], [], []], [], id="one of three"),
        pytest.param([[CAT], [CAT], [DOG]], [CAT], id="the third calls it otherwise"),
        pytest.param([[CAT], [CAT], [CAT], [DOG], [DOG]], [CAT], id="three against two"),
        pytest.param([[CAT], [DOG], [], [], []], [], id="most see nothing"),
        pytest.param([[CAT], [ELSEWHERE], []], [], id="each has one of its own"),
    ],
)
def test_a_minority_is_outvoted(drawn, kept):
    agreed = agree([answer(f"w{number}", *boxes) for number, boxes in enumerate(drawn)])
    assert [item.box for item in agreed] == kept


def test_one_worker_cannot_make_a_majority_by_drawing_a_box_twice():
    twice = answer("a", Box("cat", 10, 10, 20, 20), Box("cat", 11, 10, 20, 20))
    assert agree([twice, answer("b"), answer("c")]) == []


def test_who_draws_a_kept_box_twice_and_who_is_outvoted_there_do_not_disagree():
    cat, again, dog = Box("cat", 8, 6, 16, 12), Box("cat", 9, 6, 16, 12), Box("dog", 8, 6, 16, 12)
    assert told([answer("a", cat, again), answer("b", cat), answer("c", dog)]) == [AgreedBox(cat, 0.6667)]
    # Of two workers the one box more is exactly half.
    assert told([answer("a", cat, again), answer("b", cat)]) == (again,)


def test_neighbours_of_the_same_class_stay_apart():
    left, right = Box("cat", 0, 0, 10, 10), Box("cat", 20, 0, 10, 10)
    agreed = agree([answer("a", left, right), answer("b", right, left)])
    assert [item.box for item in agreed] == [left, right]


def test_an_empty_list_of_answers_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="at least one answer"):
        agree([])


@given(ANSWERS, st.randoms(use_true_random=False))
def test_the_order_of_answers_and_boxes_does_not_matter(answers, random):
    mixed = [answer(item.worker, *random.sample(item.boxes, len(item.boxes))) for item in answers]
    random.shuffle(mixed)
    assert told(mixed) == told(answers)


@given(ANSWERS)
def test_agreed_boxes_have_area_and_lie_within_what_was_drawn(answers):
    drawn = [box for item in answers for box in item.boxes]
    outcome = told(answers)
    if isinstance(outcome, tuple):
        assert outcome
        assert len(answers) > 1
        assert set(outcome) <= set(drawn)
        return
    for item in outcome:
        same = [box for box in drawn if box.label == item.box.label]
        assert item.box.width >= 1
        assert item.box.height >= 1
        assert min(box.left for box in same) <= item.box.left
        assert item.box.left + item.box.width <= max(box.left + box.width for box in same)
        assert 0.5 < item.confidence <= 1


@given(st.lists(BOXES, max_size=4), st.integers(1, 3))
def test_workers_who_draw_the_same_get_what_they_drew(boxes, workers):
    agreed = agree([answer(f"w{number}", *boxes) for number in range(workers)])
    assert [item.box for item in agreed] == sorted(boxes)
    assert all(item.confidence == 1 for item in agreed)


LEFT, RIGHT = Box("cat", 0, 0, 10, 10), Box("dog", 40, 0, 10, 10)
# What c answers where a and b draw these two: as often right as not, and as often nothing.
CARELESS: tuple[list[Box], ...] = (
    [LEFT, RIGHT],
    [Box("dog", 0, 0, 10, 10), Box("cat", 40, 0, 10, 10)],
    [],
    [],
)


def after(images: int, *last: list[Box]) -> list[AgreedBox] | tuple[Box, ...]:
    """What the answers of a, b and c to one more image come to, after so many others, or what is in doubt."""
    drawn = [([LEFT, RIGHT], [LEFT, RIGHT], CARELESS[number % 4]) for number in range(images)]
    answers = [[answer(w, *boxes) for w, boxes in zip("abc", item, strict=False)] for item in [*drawn, last]]
    found = agree_on_all(answers, 3)[-1]
    return found.boxes if isinstance(found, BoxesInDoubt) else found


MANY = 40
CAT_AND_FAR = [CAT], [replace(CAT, left=12)], [replace(CAT, left=16)]


def test_of_two_who_disagree_the_one_who_is_known_to_be_careful_is_right():
    (found,) = after(MANY, [CAT], [], [DOG])[:1]
    assert isinstance(found, AgreedBox)
    assert found.box == CAT
    assert 0.7 < found.confidence < 1
    assert after(MANY, [], [], [CAT]) == []
    # Two careful ones say different things, and the word of the third is none to decide by.
    assert after(MANY, [CAT], [DOG], []) == (CAT, DOG)


def test_the_confidence_is_the_probability_and_the_sides_are_those_of_the_careful_ones():
    (found,) = after(MANY, *CAT_AND_FAR)
    assert isinstance(found, AgreedBox)
    assert 0.99 < found.confidence <= 1
    assert 10 <= found.box.left <= 12
    assert (found.box.top, found.box.width, found.box.height) == (10, 20, 20)


@pytest.mark.parametrize("last", [([CAT], [DOG], [DOG]), ([CAT], [], [DOG]), CAT_AND_FAR, ([CAT],)])
def test_of_workers_who_are_hardly_known_the_majority_decides(last):
    assert after(4, *last) == told([answer(w, *boxes) for w, boxes in zip("abc", last, strict=False)])


def test_who_is_alone_is_right_however_well_known():
    assert after(MANY, [CAT]) == [AgreedBox(CAT, 1.0)]


def test_where_two_careless_workers_see_different_things_the_image_is_in_doubt():
    """Each box for itself is outweighed by the careful worker who drew nothing."""
    tall = Box("cat", 10, 10, 20, 42)
    usual = [
        [answer(w, *boxes) for w, boxes in zip("abc", drawn, strict=True)]
        for number in range(2 * MANY)
        for drawn in [([LEFT, RIGHT], CARELESS[number % 4], CARELESS[number // 4 % 4])]
    ]
    alone = [answer("a"), answer("b", CAT), answer("c")]
    both = [answer("a"), answer("b", CAT), answer("c", tall)]
    *_, outweighed, doubtful = agree_on_all([*usual, alone, both], 3)
    assert outweighed == []
    assert isinstance(doubtful, BoxesInDoubt)
    assert doubtful.boxes == (CAT, tall)


def test_one_answer_by_an_unknown_worker_leaves_the_image_to_the_majority():
    usual = [[answer(w, LEFT, RIGHT) for w in "abc"]] * MANY
    found = agree_on_all([*usual, [answer("a", CAT), answer("b", CAT), answer("new", DOG)]], 3)
    assert found[-1] == [AgreedBox(CAT, 0.6667)]
    assert agree_on_all([], 3) == []
