"""Boxes of several reviewers, put together in several ways: how far is each from the truth?

    python -m benchmarks.consensus [--seeds 1 2 3 4 5] [--images 200]    # two CPU minutes

Scenes with handwritten digits, of which everything is known, are answered by simulated reviewers who start
from an empty image: with the errors of include/samples/reviewing.py, and every side of a box off by a few
per cent of its size. Each method gets the same answers:

- majority: include/consensus/boxes.py, as labeling jobs have it.
- averaging: as Ground Truth's documents describe it: the boxes of one thing are averaged. Nothing is said
  there of dropping any, so what a single reviewer drew stays.
- quorum: as CVAT merges replicas by default: same label, IoU 0.5, drawn by half of the reviewers or more; the
  result is the drawn box that is nearest to their mean.
- reliability: include/consensus/reliability.py, what is probably there; and with the boxes of a simulated
  model as one more voter.
- doubt and unsure: the same two rules, majority and reliability, but an image with an open box has no label:
  include/consensus/doubt.py as the night has it, and ``Candidate.is_open``.

Errors are what is missed, false, or of a wrong class, by pairs of overlapping boxes (the closest first, IoU
of 0.5 at least) whatever their labels, per 100 true boxes; IoU is the mean over these pairs.
"""

from __future__ import annotations

import argparse
import functools
import math
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from include.consensus.boxes import AgreedBox, Box, agree_on_boxes, group_boxes, iou
from include.consensus.doubt import BoxesInDoubt, agree_or_doubt
from include.consensus.pairs import closest_pairs
from include.consensus.reliability import Candidate, estimate
from include.samples.digits import CLASSES
from include.samples.reviewing import Noise, review
from include.samples.scenes import SIDE, draw
from include.samples.truths import Truth

SEEDS = (1, 2, 3, 4, 5)
IMAGES = 200


@dataclass(frozen=True)
class Voter:
    """Who answers: with these errors, and every side off by about this share of the box's width or height."""

    noise: Noise
    spread: float


CAREFUL = Voter(Noise(), 0.03)
CARELESS = Voter(Noise(missed=0.3, shifted=0.3, mislabelled=0.3, extra=0.3), 0.06)
MISNAMES = Voter(Noise(mislabelled=0.3), 0.03)
MODEL = Voter(Noise(missed=0.15, shifted=0.3, mislabelled=0.1, extra=0.2), 0.06)
PANELS: dict[str, tuple[Voter, ...]] = {
    "1 careful": (CAREFUL,),
    "1 careless": (CARELESS,),
    "2 careful": (CAREFUL,) * 2,
    "2, one careless": (CAREFUL, CARELESS),
    "3 careful": (CAREFUL,) * 3,
    "3, one careless": (CAREFUL, CAREFUL, CARELESS),
    "3, one misnames": (CAREFUL, CAREFUL, MISNAMES),
    "3, two careless": (CAREFUL, CARELESS, CARELESS),
    "5 careful": (CAREFUL,) * 5,
    "5, two careless": (CAREFUL,) * 3 + (CARELESS,) * 2,
    "5 careless": (CARELESS,) * 5,
}

Answers = Mapping[str, Sequence[Box]]  # of one image, by voter
# The boxes of each image; None where the rule gives no label.
Labels = list[list[Box] | None]


@dataclass(frozen=True)
class Score:
    """The errors per 100 true boxes of what has a label, the mean IoU, and the images without a label."""

    missed: float
    false: float
    misnamed: float
    overlap: float
    unlabelled: int

    @property
    def errors(self) -> float:
        return self.missed + self.false + self.misnamed


def answer(truth: Sequence[Box], voter: Voter, *seed: object) -> list[Box]:
    """What this voter draws on an image without pre-labels; the same for the same seed words."""
    chance = random.Random(repr(seed))
    scene = Truth(SIDE, SIDE, tuple(vars(box) for box in truth))
    task = {"labels": list(CLASSES)}
    drawn = review(task, scene, voter.noise, chance, 1.0, "boxes").content["boxes"]["boundingBoxes"]
    return list(dict.fromkeys(_by_hand(Box(**box), voter.spread, chance) for box in drawn))


def majority(images: Sequence[Answers]) -> Labels:
    return [[_mean(item) for item in agree_on_boxes(list(answers.values()))] for answers in images]


def averaging(images: Sequence[Answers]) -> Labels:
    return [[_mean(item) for item in _things(answers)] for answers in images]


def quorum(images: Sequence[Answers]) -> Labels:
    return [[_nearest(item) for item in _things(answers) if item.share >= 0.5] for answers in images]


def doubt(images: Sequence[Answers]) -> Labels:
    def label(answers: Answers) -> list[Box] | None:
        try:
            return [_mean(item) for item in agree_or_doubt(list(answers.values()))]
        except BoxesInDoubt:
            return None

    return [label(answers) for answers in images]


def reliability(images: Sequence[Answers]) -> Labels:
    return [
        [_box(item) for item in found if item.there > 0.5] for found in estimate(images, len(CLASSES)).images
    ]


def unsure(images: Sequence[Answers]) -> Labels:
    return [
        None if any(item.is_open for item in found) else [_box(item) for item in found if item.there > 0.5]
        for found in estimate(images, len(CLASSES)).images
    ]


# By the name of its column: the rule, and whether it hears the model.
RULES: dict[str, tuple[Callable[[Sequence[Answers]], Labels], bool]] = {
    "majority": (majority, False),
    "averaging": (averaging, False),
    "quorum": (quorum, False),
    "reliability": (reliability, False),
    "reliability and model": (reliability, True),
    "doubt": (doubt, False),
    "unsure": (unsure, False),
    "unsure and model": (unsure, True),
}
LEAVING_OUT = ("doubt", "unsure", "unsure and model")


def score(truths: Sequence[Sequence[Box]], labels: Labels) -> Score:
    """How far the labels are from what is there."""
    missed = false = misnamed = 0.0
    things = 0
    overlaps: list[float] = []
    for truth, boxes in zip(truths, labels, strict=True):
        if boxes is None:
            continue
        pairs = closest_pairs(truth, boxes, any_label=True)
        missed += len(truth) - len(pairs)
        false += len(boxes) - len(pairs)
        misnamed += sum(truth[one].label != boxes[other].label for one, other in pairs)
        overlaps += [iou(truth[one], boxes[other]) for one, other in pairs]
        things += len(truth)
    missed, false, misnamed = (100 * x / things if things else math.nan for x in (missed, false, misnamed))
    mean = statistics.fmean(overlaps) if overlaps else math.nan
    return Score(missed, false, misnamed, mean, labels.count(None))


def study(panel: Sequence[Voter], seed: int, images: int) -> dict[str, Score]:
    """Each rule's score on the same answers."""
    truths = _truths(seed, images)
    people: list[Answers] = [
        {f"person {p}": answer(truth, voter, seed, i, p) for p, voter in enumerate(panel)}
        for i, truth in enumerate(truths)
    ]
    with_model: list[Answers] = [
        {**answers, "model": answer(truth, MODEL, seed, i, "model")}
        for i, (answers, truth) in enumerate(zip(people, truths, strict=True))
    ]
    return {
        name: score(truths, rule(with_model if hears_model else people))
        for name, (rule, hears_model) in RULES.items()
    }


def table(results: Mapping[str, Sequence[Mapping[str, Score]]]) -> str:
    """Markdown: errors by panel and rule; the mean IoU; and the rules that leave images out."""
    asked = [name for name in RULES if name not in LEAVING_OUT]
    parts = [
        ("errors per 100 boxes", asked, lambda item: item.errors, 1),
        ("missed / false / wrong class", asked, None, 1),
        ("mean IoU", asked, lambda item: item.overlap, 3),
    ]
    lines: list[str] = []
    for title, names, value, digits in parts:
        lines += ["", f"| {title} | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
        for panel, runs in results.items():
            cells = (_cell([run[name] for run in runs], value, digits) for name in names)
            lines.append(f"| {panel} | {' | '.join(cells)} |")
    lines += ["", f"| images without a label; errors of the others | {' | '.join(LEAVING_OUT)} |"]
    lines.append(f"|---|{'---:|' * len(LEAVING_OUT)}")
    for panel, runs in results.items():
        cells = (
            f"{statistics.median(run[name].unlabelled for run in runs):g}; "
            + _cell([run[name] for run in runs], lambda item: item.errors, 1)
            for name in LEAVING_OUT
        )
        lines.append(f"| {panel} | {' | '.join(cells)} |")
    return "\n".join(lines[1:])


@functools.cache
def _truths(seed: int, images: int) -> list[list[Box]]:
    return [[Box(**vars(box)) for box in draw("night", "test", seed, i).boxes] for i in range(images)]


def _cell(scores: Sequence[Score], value: Callable[[Score], float] | None, digits: int) -> str:
    """The median and the range; without a value the medians of the three kinds of error."""
    if value is None:
        kinds = ([s.missed for s in scores], [s.false for s in scores], [s.misnamed for s in scores])
        return " / ".join(f"{statistics.median(kind):.{digits}f}" for kind in kinds)
    found = [value(item) for item in scores]
    if any(map(math.isnan, found)):
        return "–"
    low, high = min(found), max(found)
    return f"{statistics.median(found):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _things(answers: Answers) -> list[AgreedBox[Box]]:
    return [
        AgreedBox(tuple(box for _, box in group), len(group) / len(answers))
        for group in group_boxes(list(answers.values()))
    ]


def _mean(item: AgreedBox[Box]) -> Box:
    left, top = item.mean(lambda box: box.left), item.mean(lambda box: box.top)
    return Box(item.label, left, top, item.mean(lambda box: box.width), item.mean(lambda box: box.height))


def _nearest(item: AgreedBox[Box]) -> Box:
    middle = _mean(item)
    return max(item.drawn, key=lambda box: iou(box, middle))


def _box(item: Candidate[Box]) -> Box:
    return Box(item.label, item.left, item.top, item.width, item.height)


def _by_hand(box: Box, spread: float, chance: random.Random) -> Box:
    """The box with each side a little off, in whole pixels of the image."""

    def off(place: float, size: float) -> int:
        return round(min(max(place + chance.gauss(0, spread) * size, 0), SIDE))

    left, top = off(box.left, box.width), off(box.top, box.height)
    right, bottom = off(box.left + box.width, box.width), off(box.top + box.height, box.height)
    return Box(box.label, left, top, max(1, right - left), max(1, bottom - top))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.consensus", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="one run each (default: 1 to 5)")
    parser.add_argument("--images", type=int, default=IMAGES, help="of each run (default: %(default)s)")
    options = parser.parse_args()
    results = {}
    for name, panel in PANELS.items():
        results[name] = [study(panel, seed, options.images) for seed in options.seeds]
        print(f"{name}: done", file=sys.stderr, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
