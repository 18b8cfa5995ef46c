"""The parts of a sample of digits, drawn from its seed: day scenes with labels, test sets of day and night,
and nightly batches of night scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from include.samples.data_set import Part, Sample
from include.samples.scenes import Light, Scene, Writers

CLASSES = tuple("0123456789")

# One number per part of the sample, so that growing one part leaves the images of the others as they are.
_TRAIN, _VALIDATION, _TEST_DAY, _TEST_NIGHT, _NIGHTLY = range(5)


class Draw(Protocol):
    def __call__(self, light: Light, writers: Writers, *seed: int) -> Scene: ...


def drawn(draw: Draw) -> Callable[[Sample], Iterator[Part]]:
    """The parts of which each scene is drawn by this function, when it is its turn to be written."""

    def scenes(light: Light, writers: Writers, count: int, *words: int) -> Iterable[Scene]:
        return (draw(light, writers, *words, index) for index in range(count))

    def parts(sample: Sample) -> Iterator[Part]:
        seed = sample.seed
        for name, words, count in (
            ("train", _TRAIN, sample.train),
            ("validation", _VALIDATION, sample.validation),
        ):
            images = scenes("day", "learning", count, seed, words)
            yield Part(name, "initial/images", images, f"initial/{name}.manifest")
        lights: tuple[tuple[Light, int], ...] = (("day", _TEST_DAY), ("night", _TEST_NIGHT))
        for light, words in lights:
            images = scenes(light, "test", sample.test, seed, words)
            yield Part(f"test-{light}", f"test/{light}", images, f"test/{light}.manifest", reviewed=True)
        for date in sample.dates():
            images = scenes("night", "learning", sample.batch_images, seed, _NIGHTLY, date.toordinal())
            yield Part(f"night-{date}", f"images/dt={date}", images, reviewed=True)

    return parts
