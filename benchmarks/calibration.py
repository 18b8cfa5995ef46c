"""What a score means before and after it is calibrated, and what the map is worth that does it.

First models of a sample (``trees``: 60 labelled images; ``digits``: 200) are read by their calibration,
fitted as an evaluation does on the held-out half of the validation images, and measured on the sample's test
sets, of which nothing was fitted. `maps` compares ways to fit on fewer held-out images.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from benchmarks.batches import DIGITS, TREES, Lines, Study, World
from benchmarks.models import Detections, Model
from include.loop.tasks import calibrating, shares
from include.loop.tasks.calibrating import IDENTITY, Answers, Wish
from include.loop.tasks.detection.calibration import LOWEST_FITTED, apply, calibrate
from include.loop.tasks.detection.matching import Floats, match
from include.loop.tasks.detection.metrics import LOWEST_SCORE, recall_and_precision

SAMPLES: dict[str, tuple[World, int]] = {"trees": (TREES, 60), "digits": (DIGITS, 200)}
MIDDLE = (0.4, 0.6)  # of these scores one in two should be right
_DRAWS = 20


@dataclass(frozen=True)
class Judged:
    """A model on a test set: detections of the middle scores, the share of them that is right, and the
    calibration error; each before and after. Then recall and precision from a score of 0.5 on, as scores are
    and calibrated, and from the working point on.
    """

    middle: tuple[tuple[int, float], tuple[int, float]]
    error: tuple[float, float]
    raw: tuple[float, float]
    read: tuple[float, float]
    point: tuple[float, float, float]


def first_model(study: Study, count: int) -> Model:
    learned = study.labels("initial/train")[:count]
    return study.models.train(f"first-{count}", "initial", learned, study.halves()[0])


def found_on(study: Study, model: Model, part: str) -> tuple[Lines, Detections]:
    """Labelled images and what the model says of them: ``retention``, ``validation`` or a test set."""
    halves = dict(zip(("validation", "retention"), study.halves(), strict=True))
    lines = halves.get(part) or study.labels(f"test/{part}")
    return lines, study.models.detect(model, part, [line.source for line in lines])


def judge(study: Study, count: int) -> Iterator[tuple[str, Judged]]:
    model, classes = first_model(study, count), study.pipeline.classes
    held_out, seen = found_on(study, model, "retention")
    for part in study.pipeline.test_sets:
        lines, said = found_on(study, model, part)
        found = calibrate({"retention": held_out}, {part: lines}, {**seen, **said}, classes, Wish())
        assert found.working_point is not None
        read = {source: apply(items, found, classes) for source, items in said.items()}
        before, after = (match(lines, items, len(classes)) for items in (said, read))
        counted = before.score >= LOWEST_SCORE
        error = shares.calibration(before.score[counted], before.hit[counted] >= 0, 0.0)[0]
        at = found.working_point.score
        yield (
            part,
            Judged(
                middle=(_middle(before.score, before.hit >= 0), _middle(after.score, after.hit >= 0)),
                error=(error or 0.0, found.measured[part].error or 0.0),
                raw=_work(recall_and_precision(before, 0.5)),
                read=_work(recall_and_precision(after, 0.5)),
                point=(at, *_work(recall_and_precision(after, at))),
            ),
        )


def _middle(score: Floats, right: calibrating.Bools) -> tuple[int, float]:
    own = (score >= MIDDLE[0]) & (score < MIDDLE[1])
    return int(own.sum()), float(right[own].mean()) if own.any() else float("nan")


def _work(values: tuple[float | None, float | None]) -> tuple[float, float]:
    return values[0] or 0.0, values[1] or 0.0


def table(rows: Sequence[tuple[str, Judged]]) -> str:
    """Markdown: a row for each seed and test set."""
    lines = [
        "| sample, seed, test set | calibration error | right of the scores from 0.4 to 0.6 "
        "| recall / precision from 0.5 | from a calibrated 0.5 | from the best F1 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, one in rows:
        middle = " → ".join(f"{share:.2f} of {count}" for count, share in one.middle)
        point, recall, precision = one.point
        lines.append(
            f"| {name} | {one.error[0]:.3f} → {one.error[1]:.3f} | {middle} "
            f"| {one.raw[0]:.2f} / {one.raw[1]:.2f} | {one.read[0]:.2f} / {one.read[1]:.2f} "
            f"| {point:.2f}: {recall:.2f} / {precision:.2f} |"
        )
    return "\n".join(lines)


# ---- ways to fit


Way = Callable[[Answers, Answers], Floats]


def _isotonic(known: Answers, asked: Answers) -> Floats:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(known.score, known.right)
    return np.asarray(fitted.predict(asked.score))


def _free(known: Answers, asked: Answers) -> Floats:
    one = calibrating.fit_one(known, IDENTITY, (1e3, 1e3))
    return calibrating.calibrated(asked.score, one)


def _alone(known: Answers, asked: Answers) -> Floats:
    """By class, each for itself: a class that was not seen keeps its scores."""
    found = asked.score.copy()
    for index in np.unique(known.class_id):
        own = asked.class_id == index
        found[own] = _free(known.of(known.class_id == index), asked.of(own))
    return found


WAYS: Mapping[str, Way] = {
    "scores as they are": lambda known, asked: asked.score,
    "Platt, one map, nothing before it": _free,
    "isotonic, one map": _isotonic,
    "Platt, each class alone": _alone,
    "the loop's": lambda known, asked: calibrating.fit(known).calibrated(asked),
}


def compare_maps(study: Study, count: int, numbers: Sequence[int]) -> dict[str, list[str]]:
    """By way: mean log loss and calibration error on the first test set, for each number of held-out images,
    over the same draws of them from both halves of the validation images.
    """
    model, classes = first_model(study, count), len(study.pipeline.classes)
    pools = [found_on(study, model, part) for part in ("validation", "retention")]
    lines = [line for some, _ in pools for line in some]
    said = {source: items for _, some in pools for source, items in some.items()}
    asked = _answers(*found_on(study, model, next(iter(study.pipeline.test_sets))), classes)
    cells: dict[str, list[str]] = {name: [] for name in WAYS}
    for number in numbers:
        draws = [Random(f"{study.seed}/{number}/{n}").sample(lines, number) for n in range(_DRAWS)]
        known = [_answers(some, said, classes) for some in draws]
        for name, way in WAYS.items():
            shares_ = [way(one, asked) for one in known]
            losses = [calibrating.log_loss(share, asked.right) for share in shares_]
            counted = asked.score >= LOWEST_SCORE
            errors = [shares.calibration(one[counted], asked.right[counted], 0.0)[0] or 0 for one in shares_]
            cells[name].append(f"{statistics.mean(losses):.3f} / {statistics.mean(errors):.3f}")
    return cells


def _answers(lines: Lines, said: Detections, classes: int) -> Answers:
    matches = match(lines, said, classes)
    fold = (np.arange(len(lines)) % calibrating.FOLDS)[matches.image]
    answers = Answers(matches.score, matches.hit >= 0, matches.class_id, fold)
    return answers.of(matches.score >= LOWEST_FITTED)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("scores", "maps"), nargs="?", default="scores")
    parser.add_argument("--samples", choices=SAMPLES, nargs="+", default=list(SAMPLES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--images", type=int, nargs="+", default=[3, 6, 12, 24], help="held out, for maps")
    options = parser.parse_args(arguments)
    rows: list[tuple[str, Judged]] = []
    for sample in options.samples:
        world, count = SAMPLES[sample]
        for seed in options.seeds:
            with Study(seed, world=world) as study:
                if options.what == "scores":
                    rows += [(f"{sample}, {seed}, {part}", one) for part, one in judge(study, count)]
                    continue
                heads = " | ".join(map(str, options.images))
                print(f"\n| {sample}, seed {seed}; images held out | {heads} |")
                print(f"|---|{'---:|' * len(options.images)}")
                for name, cells in compare_maps(study, count, options.images).items():
                    print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if rows:
        print(table(rows))


if __name__ == "__main__":
    main()
