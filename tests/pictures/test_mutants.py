"""Damaged JPEGs and PNGs: nothing but BadRecord leaves the loop, nothing but ImageError the container."""

from __future__ import annotations

import resource

import pytest
from hypothesis import given

from include.algorithms.images import ImageError, decode
from include.loop.core.errors import BadRecord
from include.loop.core.fingerprints import fingerprint
from include.loop.core.images import check_image
from tests.pictures.files import jpegs, pngs
from tests.support.mutants import join_png, jpeg_segments, mutants, png_chunks, thorough

PNGS = mutants(pngs(), png_chunks, join_png)
JPEGS = mutants(jpegs(), jpeg_segments)
MOST_KILOBYTES = 1 << 20  # one picture of the largest size


def read_everywhere(body: bytes) -> None:
    """Read by loop and container, or refused by both for the same reason."""
    told: list[object] = []
    try:
        told.append(check_image(body))
        fingerprint(body)
    except BadRecord as error:
        told.append(str(error))
    try:
        picture = decode(body, 32, 32)
        told.append((picture.width, picture.height))
    except ImageError as error:
        told.append(str(error))
    assert told[0] == told[1]
    assert len(told) == 2


@thorough(30)
@given(PNGS)
def test_a_damaged_png_costs_itself(body: bytes) -> None:
    read_everywhere(body)


@thorough(30)
@given(JPEGS)
def test_a_damaged_jpeg_costs_itself(body: bytes) -> None:
    read_everywhere(body)


@pytest.mark.slow
def test_thousands_of_damaged_images_cost_themselves_and_bounded_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    thorough(1_000)(given(PNGS)(read_everywhere))()
    thorough(1_500)(given(JPEGS)(read_everywhere))()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KILOBYTES
