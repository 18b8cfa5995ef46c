"""The first choice without a model takes bounded bytes and time, and no image can end it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from include.loop.core.records.nightly import Batch, PinnedImage
from include.loop.core.records.triage import Decision, Row
from include.loop.nightly.choosing import BLIND
from include.loop.nightly.cold_start import MOST_SECONDS, MOST_TO_READ, diverse_first
from tests.loop.place import NIGHT, Place

CAP = 3
Answer = list[tuple[str, str]]


@pytest.fixture
def greys(place: Place) -> list[str]:
    """Twenty images in the order in which they are drawn: the ninth and the last are unlike all others."""
    return place.add_images({f"{n:02}.jpg": {8: 0, 19: 250}.get(n, 100) for n in range(20)})


def choose(
    place: Place, images: list[str], size: int = 1000, clock: Callable[[], float] = lambda: 0.0
) -> Answer:
    """The URIs in their new order, each with its reason."""
    pinned = Batch(
        batch=NIGHT,
        prefix="s3://",
        images=tuple(PinnedImage(uri=uri, etag="1", size=size) for uri in sorted(images)),
    )
    candidates = [(Row(uri, "1", None, 0, Decision.SKIP, ""), BLIND) for uri in images]
    found = diverse_first(place.workspace, pinned, candidates, CAP, clock)
    return [(row.image, why) for row, why in found]


def compared(answer: Answer) -> set[str]:
    return {why.removeprefix(BLIND) for _, why in answer}


def test_no_more_is_read_than_the_bytes_that_one_night_may_read(place, greys):
    answer = choose(place, greys, size=MOST_TO_READ // 10)
    assert compared(answer) == {"", "; among the most diverse of 10 images"}
    assert greys[8] in [image for image, _ in answer[:CAP]]
    assert answer[-1] == (greys[19], BLIND)
    assert sorted(image for image, _ in answer) == greys


def test_what_is_not_read_in_time_stays_behind_and_nothing_is_lost(place, greys):
    ticks = count(0.0, MOST_SECONDS / 10)  # the first one is the start, then there are ten in time
    answer = choose(place, greys, clock=lambda: next(ticks))
    assert compared(answer) == {"", "; among the most diverse of 10 images"}
    assert sorted(image for image, _ in answer) == greys


@pytest.mark.parametrize("why", ["bytes", "time"])
def test_where_no_more_than_the_cap_can_be_compared_the_choice_stays_random(place, greys, why):
    large, slow = (MOST_TO_READ // CAP, 0.0) if why == "bytes" else (1000, MOST_SECONDS / CAP)
    ticks = count(0.0, slow)
    assert choose(place, greys, large, lambda: next(ticks)) == [(image, BLIND) for image in greys]


def test_an_image_that_s3_does_not_give_is_passed_over(place, greys):
    """Of a bucket that is not there, as one that is archived, or encrypted with a key of others."""
    denied = "s3://no-bucket-of-this-name-at-all/a.jpg"
    answer = choose(place, [denied, *greys])
    assert compared(answer) == {"", "; among the most diverse of 20 images"}
    assert {greys[8], greys[19]} < {image for image, _ in answer[:CAP]}
    assert sorted(image for image, _ in answer) == sorted([denied, *greys])
