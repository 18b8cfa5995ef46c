"""Several strategies share a night: each has its turns, and every image comes once."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from include.loop.core.records.triage import Decision, Row
from include.loop.nightly.choosing import ask
from include.loop.nightly.looks import Look
from include.loop.nightly.turns import Candidate, Turns

MIX = {"doubt": 0.6, "diverse": 0.2, "random": 0.2}


def named(*images: str) -> list[Candidate]:
    return [(Row(image, image, 0.5, 1, Decision.SKIP, ""), "why") for image in images]


def own(name: str, count: int = 100) -> list[Candidate]:
    return named(*(f"{name}-{number}" for number in range(count)))


def shares_of(rows: list[Row]) -> Counter[str | None]:
    return Counter(row.share for row in rows if row.decision is Decision.ASK)


def seen(images):
    return (Look() for _ in images)


def test_every_beginning_has_about_the_shares_and_what_comes_before_all_is_in_none_of_them():
    found = [row for row, _ in islice(Turns(named("a", "b"), {name: own(name) for name in MIX}, MIX), 52)]
    assert [row.image for row in found[:2]] == ["a", "b"]
    assert Counter(row.share for row in found[2:]) == {"doubt": 30, "diverse": 10, "random": 10}
    for count in range(1, 50):
        some = Counter(row.share for row in found[2 : 2 + count])
        assert all(abs(some[name] - share * count) < 1 for name, share in MIX.items())


def test_an_image_that_two_name_comes_once_for_the_first_and_the_other_names_its_next():
    turns = Turns(
        [], {"doubt": named("a", "b", "c"), "random": named("a", "b", "d")}, {"doubt": 0.5, "random": 0.5}
    )
    assert [(row.image, row.share) for row, _ in turns] == [
        ("a", "doubt"),
        ("b", "random"),
        ("c", "doubt"),
        ("d", "random"),
    ]


def test_who_has_nothing_left_leaves_its_turns_to_the_others_in_their_shares():
    names = {"doubt": own("doubt"), "diverse": [], "random": own("random")}
    found = Counter(row.share for row, _ in islice(Turns([], names, MIX), 40))
    assert found == {"doubt": 30, "random": 10}


def test_a_turn_whose_image_nobody_can_be_asked_about_is_had_again():
    """Of the first strategy nothing but every third image can be seen."""
    turns = Turns([], {name: own(name) for name in MIX}, MIX)

    def look(images):
        for image, _ in images:
            name, number = image.split("-")
            yield Look(problem="cut" if name == "doubt" and int(number) % 3 else None)

    rows = ask(turns, 50, look, give_back=turns.give_back)
    assert shares_of(rows) == {"doubt": 30, "diverse": 10, "random": 10}


@given(
    st.dictionaries(st.sampled_from("abcde"), st.lists(st.integers(0, 30)), min_size=1), st.integers(1, 40)
)
def test_whatever_they_name_everything_comes_once_and_the_cap_is_filled(names, cap):
    shares = {name: (place + 1.0) for place, name in enumerate(names)}
    candidates = {name: named(*map(str, images)) for name, images in names.items()}
    turns = Turns([], candidates, shares)
    rows = ask(turns, cap, seen, give_back=turns.give_back)
    there = {str(image) for images in names.values() for image in images}
    assert len(rows) == len({row.image for row in rows}) == min(cap, len(there))
