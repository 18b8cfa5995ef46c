"""Makes the sample data set of trees: tiles of two aerial photographs, site A and site B.

    python -m include.samples.tree_tiles --seed 7 --out DIR [--batches 3] [--bucket B]

Site A, a meadow, has the labels of the first model; site B, a forest, has the nightly batches. Each has a
test set. The seed decides which tiles of site A are learned and in which night a tile of site B comes; test
sets are the same for every seed. What lies where is said in data_set.py, where the photographs come from in
photographs.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from include.samples import boxes, data_set, photographs
from include.samples.data_set import Kind, Part, Sample, SampleError
from include.samples.photographs import Photograph
from include.samples.tiles import Region, cut

CLASSES = ("tree",)
SITE_A = "2019_YELL_2_528000_4978000_image_crop2"  # 2299 x 2472 pixels, 574 crowns
SITE_B = "2019_YELL_2_541000_4977000_image_crop"  # 1249 x 1035 pixels, 279 crowns
SIDE = 128  # pixels of the photographs: three crowns
SCALE = 2  # tiles are enlarged, for the people who look at them


@dataclass(frozen=True)
class Place:
    """What of a site a part of the sample may show: tiles on a grid of this step."""

    site: str
    region: Region
    step: int = SIDE

    def tiles(self) -> list[Region]:
        return self.region.grid(SIDE, self.step)


# Parts of one site lie further apart than any crown is long (at site A none is higher than 108 pixels, at
# site B none wider than 93): no part shows a pixel or a crown of another. Only the nights share pixels
# with each other, for site B is too small for three nights of tiles side by side.
LEARNED = Place(SITE_A, Region(123, 0, 2299, 896))
VALIDATION = Place(SITE_A, Region(123, 1024, 2299, 1408))
TEST_A = Place(SITE_A, Region(123, 1536, 2299, 2472))
NIGHTS = Place(SITE_B, Region(0, 0, 640, 1035), step=SIDE // 2)
TEST_B = Place(SITE_B, Region(737, 0, 1249, 1035))


@dataclass(frozen=True)
class Piece:
    """One part of the sample: where its tiles are cut."""

    name: str
    folder: str
    site: str
    tiles: tuple[Region, ...]
    manifest: str | None = None
    reviewed: bool = False


def layout(sample: Sample) -> list[Piece]:
    """Which tiles are in which part. SampleError when more are wanted than there are.

    Of a test set at most ``sample.test`` tiles are taken, of the validation images likewise.
    """
    random = Random(sample.seed)  # noqa: S311 -- a sample that can be made again
    learned = _some(random, LEARNED, sample.train, "--train")
    validation = VALIDATION.tiles()[: sample.validation]
    pieces = [
        Piece("train", "initial/images", SITE_A, tuple(learned), "initial/train.manifest"),
        Piece("validation", "initial/images", SITE_A, tuple(validation), "initial/validation.manifest"),
    ]
    for name, place in (("site-a", TEST_A), ("site-b", TEST_B)):
        tiles = tuple(place.tiles()[: sample.test])
        pieces.append(Piece(f"test-{name}", f"test/{name}", place.site, tiles, f"test/{name}.manifest", True))
    wanted = sample.batches * sample.batch_images
    nights = _some(random, NIGHTS, wanted, "--batches times --batch-images")
    for number, date in enumerate(sample.dates()):
        first = number * sample.batch_images
        tiles = tuple(nights[first : first + sample.batch_images])
        pieces.append(Piece(f"night-{date}", f"images/dt={date}", SITE_B, tiles, reviewed=True))
    return pieces


def _some(random: Random, place: Place, count: int, option: str) -> list[Region]:
    """So many tiles of a place, in a random order."""
    tiles = place.tiles()
    if count > len(tiles):
        raise SampleError(f"{option}: {count} tiles are wanted, and {place.site} has {len(tiles)} for that")
    return random.sample(tiles, count)


def _parts(sample: Sample) -> Iterator[Part]:
    pieces = layout(sample)
    wheel = photographs.fetch(photographs.cache_directory())
    yield from parts(pieces, {site: photographs.read(wheel, site) for site in (SITE_A, SITE_B)})


def parts(pieces: Sequence[Piece], sites: dict[str, Photograph]) -> Iterator[Part]:
    """The pieces, each tile cut when it is its turn to be written."""
    for piece in pieces:
        photograph = sites[piece.site]
        scenes = (cut(photograph, tile, SCALE) for tile in piece.tiles)
        yield Part(piece.name, piece.folder, scenes, piece.manifest, piece.reviewed)


def generate(sample: Sample, out: Path) -> dict[str, int]:
    """Write the sample below `out`; returns how many images each part has."""
    return data_set.generate(KIND, sample, out)


def main(arguments: Sequence[str] | None = None) -> None:
    data_set.main(KIND, arguments)


KIND = Kind(
    module="include.samples.tree_tiles",
    description=(__doc__ or "").split("\n")[0],
    pipeline="trees",
    job="tree-crowns",
    parts=_parts,
    label=boxes.labels_of(CLASSES),
    truth=boxes.truth,
    train=60,
    validation=30,
    test=119,
    batch_images=45,
)

if __name__ == "__main__":
    main()
