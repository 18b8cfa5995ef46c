"""Batches of a sample without cloud and people: what is asked, answered and learned.

A ``Study`` is one seed: its images, made again only when one is looked at, its labels, and its models
(models.py), all kept below ``.nightloop/benchmarks/<seed>/``. The rules are the loop's own functions, with
the settings of the sample's pipeline; the reviewers are those of the sample.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.models import CACHE, PIPELINE, Model, Models, replace
from include.loop.config import load_pipeline
from include.loop.core.identity import share
from include.loop.core.records.triage import Decision, Rank, Row, Weighed
from include.loop.dataset import replay
from include.loop.nightly.choosing import ask, weigh
from include.loop.nightly.looks import Look
from include.loop.nightly.predictions import Predicted
from include.loop.nightly.turns import Candidate, Turns
from include.loop.strategies import AUDIT
from include.loop.tasks.detection.difficulty import difficulty
from include.loop.tasks.detection.manifest import LabelledImage, ManifestBox, read_value
from include.loop.tasks.detection.predictions import Detection
from include.samples import data_set, digit_scenes, photographs, tree_tiles
from include.samples.data_set import TRUTH, Sample
from include.samples.reviewing import Noise, review
from include.samples.tiles import Region
from include.samples.tree_tiles import Piece
from include.samples.truths import Truth, Truths

BATCHES = 5
BATCH_IMAGES = 200  # as in the demo

Lines = list[LabelledImage]


@dataclass(frozen=True)
class World:
    """A sample to study: its pipeline's name, how it is made, where in the cache it is kept, and how many of
    its labelled images the first model learns from (None: all).
    """

    pipeline: str
    generate: Callable[[Sample, Path], dict[str, int]]
    sample: Callable[[int], Sample]
    folder: str
    first: int | None = None


DIGITS = World(
    "digits",
    digit_scenes.generate,
    lambda seed: Sample(seed, batches=BATCHES, batch_images=BATCH_IMAGES),
    folder="",
)
TREES = World(
    "trees",
    tree_tiles.generate,
    lambda seed: Sample(
        seed, train=119, validation=30, test=119, batches=3, batch_images=45, pipeline="trees"
    ),
    folder="trees",
    first=60,  # as in the demo; the others are for `labels` of detector.py
)


def _generate_sites(sample: Sample, out: Path) -> dict[str, int]:
    """The trees' two photographs whole: site A to learn from, but for a test and a validation set, and all of
    site B to measure on.
    """
    tiles = Region(0, 0, 2299, 2472).grid(tree_tiles.SIDE, tree_tiles.SIDE)
    Random(sample.seed).shuffle(tiles)
    parts = {"initial/validation": tiles[:30], "test/site-a": tiles[30:60], "initial/train": tiles[60:]}
    parts["test/site-b"] = Region(0, 0, 1249, 1035).grid(tree_tiles.SIDE, tree_tiles.SIDE)
    pieces = [
        Piece(
            place.replace("/", "-"),
            place,
            tree_tiles.SITE_B if place.endswith("b") else tree_tiles.SITE_A,
            tuple(regions),
            f"{place}.manifest",
        )
        for place, regions in parts.items()
    ]
    wheel = photographs.fetch(photographs.cache_directory())
    sites = {site: photographs.read(wheel, site) for site in (tree_tiles.SITE_A, tree_tiles.SITE_B)}
    kind = dataclasses.replace(tree_tiles.KIND, parts=lambda _: tree_tiles.parts(pieces, sites))
    return data_set.generate(kind, sample, out)


SITES = World("trees", _generate_sites, lambda seed: Sample(seed, pipeline="trees"), folder="sites")


@dataclass(frozen=True)
class Reviewed:
    """The answers of one batch by what becomes of them, and the modelled seconds of each, by image."""

    learned: Lines
    held_out: Lines
    audits: Lines
    seconds: dict[str, float] = field(default_factory=dict)


class Study:
    """One seed. A context: images that had to be made are deleted at its end."""

    def __init__(self, seed: int, may_train: bool = True, world: World = DIGITS) -> None:
        self.seed, self.pipeline, self._world = seed, load_pipeline(world.pipeline), world
        # Where the model is to get better, and what it knows already.
        self.new = self.pipeline.gate.improve_on[0]
        self.old = next(name for name in self.pipeline.test_sets if name != self.new)
        self.models = Models(CACHE / world.folder / str(seed), self._image, may_train, self.pipeline)
        self._sample = world.sample(seed)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    # ---- what is known for certain

    def labels(self, name: str) -> Lines:
        """The true lines of ``initial/train``, ``initial/validation``, or of a test set, ``test/NAME``."""
        return [self._line(value) for value in self._values(f"{name}.manifest")]

    def first_labels(self) -> Lines:
        """What the first model learns from."""
        return self.labels("initial/train")[: self._world.first]

    @property
    def batches(self) -> int:
        return self._sample.batches

    def halves(self) -> tuple[Lines, Lines]:
        """The first held-out scenes: those that validate, and those of the memory set."""
        lines = sorted(self.labels("initial/validation"), key=lambda line: share("side", line.source))
        return lines[: len(lines) // 2], lines[len(lines) // 2 :]

    def objects(self, number: int) -> dict[str, list[str]]:
        """The images of the batch (from 0), and the classes of the objects in each."""
        prefix = f"/images/dt={self._sample.dates()[number]}/"
        return {
            record["source-ref"]: [box["label"] for box in record["boxes"]]
            for record in self._truth
            if prefix in record["source-ref"]
        }

    # ---- a batch

    def asked(self, champion: Model, number: int, noise: Noise) -> Reviewed:
        """What triage asks about in this batch, as reviewers with this noise answer it."""
        batch = list(self.objects(number))
        seen = self.models.detect(champion, f"batch-{number}", batch)
        said = [Predicted(image, self._identity(image), seen[image]) for image in batch]
        rows = ask(
            in_turns(weigh(said, self.pipeline.triage), self.pipeline.triage.shares),
            self.pipeline.triage.cap,
            lambda images: (Look() for _ in images),
        )
        asked = {row.image: row.reason for row in rows if row.decision is Decision.ASK}
        audits = [image for image in asked if asked[image] == AUDIT]
        prelabels = {image: seen[image] for image in asked}
        return self.answers(list(asked), noise, audits, prelabels)

    def answers(
        self,
        images: Sequence[str],
        noise: Noise,
        audits: Collection[str] = (),
        seen: dict[str, tuple[Detection, ...]] | None = None,
    ) -> Reviewed:
        """The answers about these images, split as the loop does; ``seen`` are the champion's detections."""
        batch = Reviewed([], [], [])
        truths = Truths(self._truth)
        for image in images:
            line, batch.seconds[image] = self._answer(image, (seen or {}).get(image, ()), truths, noise)
            if image in audits:
                batch.audits.append(line)
            elif share("side", self._identity(image)) < self.pipeline.training.validation_share:
                batch.held_out.append(line)
            else:
                batch.learned.append(line)
        return batch

    def replayed(
        self, champion: Model, known: Lines, new: Lines, part: str, kind: str, dice: str | None = None
    ) -> Lines:
        """The known labels that are shown again beside the new ones, as loop/replay.py chooses them. Parts
        that throw the same ``dice`` (None: their own) differ by what is known and new alone.
        """
        settings = self.pipeline.training.replay
        by_source = {line.source: line for line in known}
        count = round(len(new) * settings.per_new)
        salt = f"{self.seed}/{dice or part}"
        order = sorted(by_source, key=lambda source: share(salt, source))
        if kind == "random":
            return [by_source[source] for source in order[:count]]
        pool = order[: round(count * settings.pool)]
        found = self.models.detect(champion, f"pool-{part}", pool)
        threshold = self.pipeline.evaluation.score_threshold
        chosen = replay.choose(
            {source: _classes(line) for source, line in by_source.items()},
            [_classes(line) for line in new],
            {source: difficulty(by_source[source], found[source], threshold) for source in pool},
            count,
            salt,
        )
        return [by_source[source] for source in chosen]

    # ---- below

    @functools.cached_property
    def _truth(self) -> list[dict[str, Any]]:
        return self._values(TRUTH)

    @functools.cached_property
    def _images(self) -> Path:
        self._temporary = tempfile.TemporaryDirectory()
        self._world.generate(self._sample, Path(self._temporary.name))
        return Path(self._temporary.name)

    def _image(self, source: str) -> bytes:
        return (self._images / source.split("/", 4)[4]).read_bytes()

    def _values(self, name: str) -> list[dict[str, Any]]:
        kept = self.models.folder / f"labels-{self._sample.batches}x{self._sample.batch_images}" / name
        if not kept.exists():
            replace(kept, (self._images / name).read_bytes())
        return [json.loads(line) for line in kept.read_bytes().split(b"\n") if line.strip()]

    def _identity(self, source: str) -> str:
        """Stands for the image's ETag and hash: all that is wanted of them is that they never change."""
        return f"{self.seed}/{source}"

    def _answer(
        self, source: str, seen: Iterable[Detection], truths: Truths, noise: Noise
    ) -> tuple[LabelledImage, float]:
        truth = truths.find(source)
        assert isinstance(truth, Truth), f"the sample does not know {source}"
        least = self.pipeline.review.prelabel_threshold
        prelabels = [
            _drawn(item, truth.width, truth.height, self.pipeline.classes)
            for item in seen
            if item.score >= least
        ]
        task = {"labels": self.pipeline.classes, "initialValue": prelabels}
        reviewed = review(task, truth, noise, Random(f"{self.seed}/{source}"), seconds_per_box=7.0)
        boxes = [
            {"class_id": self.pipeline.classes.index(box["label"])}
            | {side: box[side] for side in ("left", "top", "width", "height")}
            for box in reviewed.content["annotatedResult"]["boundingBoxes"]
        ]
        size = {"width": truth.width, "height": truth.height, "depth": 3}
        label = {"annotations": boxes, "image_size": [size]}
        return self._line({"source-ref": source, self.pipeline.label_attribute: label}), reviewed.seconds

    def _line(self, value: dict[str, Any]) -> LabelledImage:
        return read_value(value, self.pipeline.label_attribute, self.pipeline.classes)


def in_turns(
    weighed: Iterable[Weighed],
    shares: Mapping[str, float],
    reorder: Callable[[str, list[Candidate]], Iterable[Candidate]] = lambda _, some: some,
) -> Turns:
    """Who is asked about first, as the loop has it (nightly/candidates.py), of a batch that memory holds.
    ``reorder`` may change the order of what the strategy of this name has named.
    """
    by_share: dict[str, list[tuple[Rank, Row, str]]] = {name: [] for name in (AUDIT, *shares)}
    first = next(iter(shares))
    for item in weighed:
        if item.rank:
            by_share[first if item.rank.doubt else AUDIT].append((item.rank, item.row, item.why))
        for name, (rank, why) in item.further.items():
            by_share[name].append((rank, item.row, why))
    ordered = {
        name: [(row, why) for _, row, why in sorted(some, key=lambda one: (one[0], one[1].image))]
        for name, some in by_share.items()
    }
    audits = ordered.pop(AUDIT)
    return Turns(audits, {name: reorder(name, some) for name, some in ordered.items()}, shares)


def relabelled(line: LabelledImage, boxes: Iterable[ManifestBox]) -> LabelledImage:
    """The same image with other boxes."""
    label = line.value[PIPELINE.label_attribute] | {"annotations": [vars(box) for box in boxes]}
    value = line.value | {PIPELINE.label_attribute: label}
    return read_value(value, PIPELINE.label_attribute, PIPELINE.classes)


def _classes(line: LabelledImage) -> list[int]:
    return [box.class_id for box in line.boxes]


def _drawn(item: Detection, width: int, height: int, classes: Sequence[str]) -> dict[str, Any]:
    """A detection as the box, in pixels, that a reviewer starts from."""
    left, top = round(item.xmin * width), round(item.ymin * height)
    return {
        "label": classes[item.class_id],
        "left": left,
        "top": top,
        "width": max(1, round(item.xmax * width) - left),
        "height": max(1, round(item.ymax * height) - top),
    }
