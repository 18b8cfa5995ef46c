"""Which images are worth a person's time: what a model learns from each choice, by reviewers' seconds.

    python -m benchmarks.asking [--seeds 1 2 3 4 5] [--nights 5] [--ways random expected_errors]
    python -m benchmarks.asking --sample trees --nights 3

A model that knows day scenes (of the trees: site A) meets batches by night (site B), and of each may ask so
many seconds (--seconds) of reviewers with the errors of people (samples/reviewing.py), who begin with its
boxes. How long an image takes is learned from their answers, as the loop does; scores are calibrated on
images that were never learned from. What they answer is learned, beside replayed labels, and the new model
meets the next batch: there is no gate here, so that a bad choice shows. Every way begins with the same model,
meets the same batches, and asks what fits into the same seconds; its threshold lets every image be asked
about, so that order alone decides.

Told are mAP@0.5 on the test set of the new world after each night, and the area under it over seconds (its
mean over the time spent, as far as every way has spent it), each as the median over the seeds with the least
and the most; and by how much the area is more than that of asking at random with the same seed: the mean over
the seeds and its 95 % interval (Student's t). Models are kept (models.py): a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.batches import DIGITS, TREES, Lines, Study, World, in_turns
from benchmarks.models import Detections, Model
from include.loop.config import TriageSettings
from include.loop.core.images import read_image
from include.loop.core.records.metrics import SliceMetrics
from include.loop.core.records.nightly import AnswerTimes
from include.loop.core.records.triage import Decision, Row
from include.loop.nightly.choosing import ask, scores_of, weigh, with_cost
from include.loop.nightly.class_weights import weights
from include.loop.nightly.cold_start import COMPARED, SPARE
from include.loop.nightly.diversity import SIDE, describe, farthest_first
from include.loop.nightly.effort import BATCHES, Estimate, learn, times_of
from include.loop.nightly.looks import Look
from include.loop.nightly.predictions import Predicted
from include.loop.nightly.turns import Candidate
from include.loop.strategies import ImageScores
from include.loop.tasks.calibrating import Wish
from include.loop.tasks.detection.calibration import apply, calibrate
from include.loop.tasks.detection.metrics import average_precision
from include.samples.reviewing import Noise

SEEDS = (1, 2, 3, 4, 5)
SAMPLES: dict[str, tuple[World, int]] = {"digits": (DIGITS, 600), "trees": (TREES, 400)}
RANDOM = "random"
# By name the strategies with their shares, and a threshold that leaves no image out.
WAYS: dict[str, tuple[str | dict[str, float], float]] = {
    RANDOM: ("random", 1.0),
    "least_confident": ("least_confident", 1.0),
    "expected_errors": ("expected_errors", 0.0),
    "class_balanced": ("class_balanced", 0.0),
    "diverse": ("diverse", 0.0),
    "errors 80 random 20": ({"expected_errors": 0.8, "random": 0.2}, 0.0),
    "errors 60 diverse 20 random 20": ({"expected_errors": 0.6, "diverse": 0.2, "random": 0.2}, 0.0),
    "balanced 60 diverse 20 random 20": ({"class_balanced": 0.6, "diverse": 0.2, "random": 0.2}, 0.0),
}
# Half of the 95 % interval of a mean, in its standard errors, by degrees of freedom from 1.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Point:
    """A model: reviewers' seconds and images up to here, and its mAP@0.5 on the new world."""

    seconds: float
    images: int
    score: float


def run(study: Study, way: str, nights: int, seconds: float) -> list[Point]:
    """The first model, then one after each night."""
    models, noise = study.models, Noise()
    validation, memory = study.halves()
    known = study.first_labels()
    held_out: Lines = []
    times: list[AnswerTimes] = []
    champion = models.train("first", "initial", known, validation)
    points = [Point(0.0, 0, score(study, champion))]
    for number in range(nights):
        seen = calibrated(study, champion, number, memory + held_out)
        estimate = learn(times[-BATCHES:]) or Estimate.of(study.pipeline.review)
        rows = chosen(study, way, seen, balance(study, champion, memory + held_out), estimate, seconds)
        images = [row.image for row in rows]
        batch = study.answers(images, noise, seen={image: seen[image] for image in images})
        times.append(times_of((row.shown or 0, batch.seconds[row.image]) for row in rows))
        part = f"ask-{seconds:g}-{way.replace(' ', '-')}-{number + 1}"
        choose, dice = study.pipeline.training.replay.choose, f"ask-{number + 1}"
        again = study.replayed(champion, known, batch.learned, part, choose, dice)
        held_out = held_out + batch.held_out
        champion = models.train(part, "incremental", batch.learned + again, validation + held_out, champion)
        known = known + batch.learned
        spent = points[-1].seconds + sum(batch.seconds.values())
        points.append(Point(spent, points[-1].images + len(images), score(study, champion)))
    return points


def chosen(
    study: Study,
    way: str,
    seen: Detections,
    class_weights: tuple[float, ...],
    estimate: Estimate,
    seconds: float,
) -> list[Row]:
    """Whom of these images this way asks about, as many as fit into the seconds."""
    strategy, threshold = WAYS[way]
    settings = TriageSettings(strategy=strategy, threshold=threshold, audit_share=0, cap=len(seen))
    review = study.pipeline.review

    def show(item: Predicted) -> ImageScores:
        plain = scores_of(item)
        return ImageScores(plain.scores, plain.share, weights=class_weights)

    said = [Predicted(image, f"{study.seed}/{image}", found) for image, found in seen.items()]

    def reorder(name: str, some: list[Candidate]) -> Iterable[Candidate]:
        if name != "diverse":
            return some
        # About as many as will be asked about, as the cap says it in the loop.
        return diverse_first(study, some, math.ceil(seconds / estimate.usual * settings.shares[name]))

    weighed = weigh(said, settings, show, review.prelabel_threshold)
    turns = in_turns(weighed, settings.shares, reorder)
    rows = ask(
        turns,
        settings.cap,
        lambda images: (Look() for _ in images),
        lambda row: with_cost(row, estimate.seconds(row.shown), review),
        seconds,
        turns.give_back,
    )
    return [row for row in rows if row.decision is Decision.ASK]


def diverse_first(study: Study, candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """As triage has it (nightly/cold_start.py), of images that nothing keeps us from reading."""
    sample, rest = candidates[: COMPARED * count], candidates[COMPARED * count :]
    pictures = (read_image(study.models.read(row.image), "RGB", SIDE).image for row, _ in sample)
    first = farthest_first(np.stack([describe(picture) for picture in pictures]), SPARE * count)
    others = sorted(set(range(len(sample))) - set(first))
    return [*(sample[place] for place in (*first, *others)), *rest]


def calibrated(study: Study, model: Model, number: int, held_out: Lines) -> Detections:
    """What the model says of a batch, as its scores on images that it has not learned are worth."""
    images, classes = list(study.objects(number)), study.pipeline.classes
    seen = study.models.detect(model, f"batch-{number}", images)
    known = study.models.detect(model, f"held-out-{len(held_out)}", [line.source for line in held_out])
    found = calibrate({"held out": held_out}, {}, known, classes, Wish())
    return {image: tuple(apply(items, found, classes)) for image, items in seen.items()}


def balance(study: Study, model: Model, held_out: Lines) -> tuple[float, ...]:
    """What each class weighs, by the same images."""
    classes = study.pipeline.classes
    seen = study.models.detect(model, f"held-out-{len(held_out)}", [line.source for line in held_out])
    scores = average_precision(held_out, seen, classes).classes
    counts = {
        name: sum(classes[box.class_id] == name for line in held_out for box in line.boxes)
        for name in classes
    }
    by_class = {name: {"score": scores[name], "objects": counts[name]} for name in classes}
    told = {"score": None, "recall": None, "calibration_error": None, "classes": by_class}
    one = {"images": len(held_out), "challenger": told, "champion": None, "delta": None, "best": None}
    return weights({"held out": SliceMetrics.model_validate(one)}, classes)


def score(study: Study, model: Model) -> float:
    lines = study.labels(f"test/{study.new}")
    found = study.models.detect(model, study.new, [line.source for line in lines])
    return average_precision(lines, found, study.pipeline.classes).score or 0.0


def area(points: Sequence[Point], until: float) -> float:
    """The mean of the score over the seconds up to ``until``, with straight lines between the models."""
    seconds, scores = [point.seconds for point in points], [point.score for point in points]
    inside = [one for one in seconds if one < until]
    at = np.array([*inside, until])
    return float(np.trapezoid(np.interp(at, seconds, scores), at) / until)


def table(results: dict[str, dict[int, list[Point]]]) -> str:
    """Markdown, a row per way; ``results`` are the points by way and seed."""
    seeds = sorted(set.intersection(*(set(runs) for runs in results.values())))
    until = {seed: min(runs[seed][-1].seconds for runs in results.values()) for seed in seeds}
    areas = {way: [area(runs[seed], until[seed]) for seed in seeds] for way, runs in results.items()}
    nights = min(len(points) for runs in results.values() for points in runs.values()) - 1
    head = [f"night {number}" for number in range(1, nights + 1)]
    head += ["at last", "minutes", "images", "area", "area less random's"]
    lines = [f"| asked | {' | '.join(head)} |", f"|---|{'---:|' * len(head)}"]
    for way, runs in results.items():
        ends = [runs[seed][nights] for seed in seeds]
        cells = [
            f"{statistics.median(runs[seed][number].score for seed in seeds):.3f}"
            for number in range(1, nights + 1)
        ]
        cells += [
            _spread([end.score for end in ends]),
            f"{statistics.median(end.seconds for end in ends) / 60:.0f}",
            f"{statistics.median(end.images for end in ends):.0f}",
            _spread(areas[way]),
            "" if way == RANDOM else _difference(areas[way], areas[RANDOM]),
        ]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The mean of what belongs together, and its interval; of one seed there is none."""
    each = [one - other for one, other in zip(ours, theirs, strict=True)]
    mean = statistics.fmean(each)
    if len(each) < 2:
        return f"{mean:+.3f}"
    half = _STUDENT[min(len(each) - 1, len(_STUDENT)) - 1] * statistics.stdev(each) / math.sqrt(len(each))
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sample", choices=SAMPLES, default="digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--nights", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="of reviewers, a night; not said: 600, of trees 400")
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=list(WAYS))
    options = parser.parse_args(arguments)
    if options.nights < 1:
        parser.error("--nights: one at least")
    world, usual = SAMPLES[options.sample]
    results: dict[str, dict[int, list[Point]]] = {way: {} for way in dict.fromkeys([RANDOM, *options.ways])}
    for seed in options.seeds:
        with Study(seed, world=world) as study:
            nights = min(options.nights, study.batches)
            for way, runs in results.items():
                runs[seed] = run(study, way, nights, options.seconds or usual)
                told = ", then ".join(f"{point.score:.3f} ({point.seconds:.0f} s)" for point in runs[seed])
                print(f"seed {seed}, {way}: {told}", file=sys.stderr, flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
