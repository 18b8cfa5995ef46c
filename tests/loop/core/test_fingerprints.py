"""A copy of a picture is known again, another picture is not; both measured on the sample's scenes."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import pytest
from PIL import Image, ImageEnhance

from include.loop.core.errors import BadRecord
from include.loop.core.fingerprints import fingerprint
from include.loop.core.lookalikes import alike
from include.samples.scenes import draw
from tests.loop.pictures import patchwork
from tests.loop.place import picture

Change = Callable[[Image.Image], Image.Image]


def jpeg(image: Image.Image, quality: int = 92) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@cache
def scenes() -> list[Image.Image]:
    """Crops of two photographs, with digits on them, by day and by night."""
    return [
        Image.fromarray(draw(light, "learning", 3, number).pixels)
        for light in ("day", "night")
        for number in range(60)
    ]


@cache
def phashes() -> list[str | None]:
    return [fingerprint(jpeg(scene)).phash for scene in scenes()]


def resized(factor: float) -> Change:
    return lambda image: image.resize((round(image.width * factor),) * 2, Image.Resampling.BICUBIC)


def brighter(factor: float) -> Change:
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


@pytest.mark.parametrize(
    ("change", "quality"),
    [
        (resized(1), 60),
        (resized(0.9), 92),
        (resized(1.1), 92),
        (brighter(0.85), 92),
        (brighter(1.15), 92),
        (lambda image: resized(0.9)(brighter(0.9)(image)), 60),
    ],
    ids=["quality 60", "smaller", "larger", "darker", "brighter", "all at once"],
)
def test_a_copy_is_known_again(change: Change, quality: int):
    copies = [fingerprint(jpeg(change(scene), quality)).phash for scene in scenes()]
    assert list(alike(copies, phashes())) == [(index, index) for index in range(len(copies))]


def test_no_two_of_the_samples_scenes_are_taken_for_copies():
    pairs = [(one, other) for one, other in alike(phashes(), phashes()) if one != other]
    assert not pairs


def test_the_same_bytes_have_the_same_fingerprint_and_other_bytes_another_one():
    assert fingerprint(patchwork("a")) == fingerprint(patchwork("a"))
    assert fingerprint(patchwork("a")).sha256 != fingerprint(patchwork("a", quality=89)).sha256


def test_a_picture_with_nothing_on_it_resembles_nothing():
    black = fingerprint(picture(0, "salt"))
    assert black.phash is None
    assert not list(alike([black.phash], [black.phash]))


@pytest.mark.parametrize("body", [b"", b"no image", patchwork("a")[:-200]])
def test_what_cannot_be_decoded_has_no_fingerprint(body: bytes):
    with pytest.raises(BadRecord):
        fingerprint(body)
