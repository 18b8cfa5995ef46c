"""What a detector knows after so many labels, from nothing or from ImageNet, and after nights of review.

    python -m benchmarks.detector labels [--sample trees] [--counts 10 25 50 100] [--seeds 1 2 3 4 5]
    python -m benchmarks.detector nights [--sample trees] [--seeds 1 2 3 4 5]
    python -m benchmarks.detector speed

``labels``: a model is trained on the first so many labelled images of the sample and measured on its two
test sets, once with the compact network and once with pretrained features; every training is shown as many
images in all, but for what fills no batch; ``--sample sites`` has the whole photographs, one to learn from
and one to measure on. ``nights``: the first model, then what triage asks of each night, answered by the
sample's reviewers and learned beside replayed labels, with the settings of the sample's pipeline, but for the
gate: every model is the next one's parent. Numbers are mAP@0.5, the median over the seeds and its range; CPU
seconds are those of one training. Models and detections are kept (models.py): a run that was stopped goes on.
``speed``: how long a network looks at an image.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.batches import DIGITS, SITES, TREES, Study, World
from benchmarks.models import Model
from benchmarks.rounds import first, reviewed
from include.algorithms.object_detection.artifact import ArtifactSettings
from include.algorithms.object_detection.hyperparameters import parse_hyperparameters
from include.algorithms.object_detection.network import initial_variables
from include.algorithms.object_detection.predict import Predictor
from include.algorithms.pretrained import Features
from include.loop.tasks.detection.metrics import average_precision
from include.samples.reviewing import Noise

_SHOWN = 1800  # images that a training of `labels` is shown, over its epochs
_EPOCHS = (12, 180)  # but so many epochs
SAMPLES: dict[str, World] = {"trees": TREES, "digits": DIGITS, "sites": SITES}
# By the value of use_pretrained_model.
NETWORKS: dict[str, Features] = {"compact": "compact", "pretrained": "lite0"}


@dataclass(frozen=True)
class Measured:
    """One model: mAP@0.5 by test set; of its training CPU seconds, and images a second from its first line to
    its last, over all epochs.
    """

    scores: dict[str, float]
    cpu: float
    learned: float


def measure(study: Study, model: Model, epochs: int) -> Measured:
    scores = {}
    for name in study.pipeline.test_sets:
        lines = study.labels(f"test/{name}")
        found = study.models.detect(model, name, [line.source for line in lines])
        scores[name] = average_precision(lines, found, study.pipeline.classes).score or 0.0
    cost = model.cost
    return Measured(scores, cost["cpu"], cost["images"] * epochs / cost["seconds"])


def after_labels(study: Study, network: str, count: int, epochs: int | None) -> Measured:
    epochs = epochs or max(_EPOCHS[0], min(_EPOCHS[1], round(_SHOWN / count)))
    model = study.models.train(
        f"labels-{network}-{count}-{epochs}",
        "initial",
        study.labels("initial/train")[:count],
        study.halves()[0],
        hyperparameters={"use_pretrained_model": int(NETWORKS[network] != "compact"), "epochs": epochs},
    )
    return measure(study, model, epochs)


def after_nights(study: Study) -> list[Measured]:
    """The first model, then one after each night."""
    training = study.pipeline.training
    lineage = first(study)
    measured = [measure(study, lineage.champion, int(training.initial.hyperparameters["epochs"]))]
    for number in range(study.batches):
        lineage = reviewed(study, lineage, number, "good", Noise()).after
        epochs = int(training.incremental.hyperparameters["epochs"])
        measured.append(measure(study, lineage.champion, epochs))
    return measured


def speeds(times: int = 15) -> str:
    """Markdown: per network and size, milliseconds of wall and CPU time for an image alone and in a batch of
    8. Medians of calls that take turns. The networks are not trained, and find nothing: what hundreds of
    boxes cost besides is no part of it.
    """
    asked = []
    for network, features in NETWORKS.items():
        for side in (128, 256, 320):
            settings = parse_hyperparameters({"num_classes": "1", "num_training_samples": "1"})
            kept = ArtifactSettings.of(settings, features).model_copy(update={"image_shape": side})
            variables = initial_variables(1, 0, features)
            variables["params"]["head_objectness"]["bias"] -= 10
            predictor = Predictor(kept, variables)
            asked += [(network, side, batch, predictor) for batch in (1, 8)]
    spent: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for number in range(times + 1):
        for network, side, batch, predictor in asked:
            images = np.random.default_rng(number).integers(0, 256, (batch, side, side, 3), np.uint8)
            wall, cpu = time.perf_counter(), time.process_time()
            predictor.detect(images, batch)
            taken = (time.perf_counter() - wall, time.process_time() - cpu)
            spent.setdefault((network, side, batch), []).append(taken)
    lines = [
        "| network | image_shape | images at once | ms an image | CPU ms an image |",
        "|---|---:|---:|---:|---:|",
    ]
    for (network, side, batch), taken_each in spent.items():
        wall, cpu = (1000 / batch * statistics.median(one) for one in zip(*taken_each[1:], strict=True))
        lines.append(f"| {network} | {side} | {batch} | {wall:.1f} | {cpu:.1f} |")
    return "\n".join(lines)


def table(rows: Iterable[tuple[str, Sequence[Measured]]]) -> str:
    """Markdown: a row per name, of the same model for each seed."""
    rows = list(rows)
    tests = list(rows[0][1][0].scores)
    lines = [
        f"| | {' | '.join(tests)} | CPU s | images/s of the whole training |",
        f"|---|{'---:|' * (len(tests) + 2)}",
    ]
    for name, seeds in rows:
        cells = [_spread([one.scores[test] for one in seeds]) for test in tests]
        cells += [
            f"{statistics.median(getattr(one, what) for one in seeds):.0f}" for what in ("cpu", "learned")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("labels", "nights", "speed"))
    parser.add_argument("--sample", choices=SAMPLES, default="trees")
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 25, 50, 100], help="labelled images")
    parser.add_argument("--epochs", type=int, help="of each training, instead of so many images shown")
    parser.add_argument("--networks", choices=NETWORKS, nargs="+", default=list(NETWORKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    options = parser.parse_args(arguments)
    if options.what == "speed":
        print(speeds())
        return
    world = SAMPLES[options.sample]
    if options.what == "labels":
        rows: dict[str, list[Measured]] = {}
        for seed in options.seeds:
            with Study(seed, world=world) as study:
                for network in options.networks:
                    for count in options.counts:
                        name = f"{network}, {count} images"
                        rows.setdefault(name, []).append(after_labels(study, network, count, options.epochs))
        print(table(rows.items()))
        return
    runs = []
    for seed in options.seeds:
        with Study(seed, world=world) as study:
            runs.append(after_nights(study))
            told = [" / ".join(f"{score:.3f}" for score in one.scores.values()) for one in runs[-1]]
            print(f"seed {seed}: {', then '.join(told)}", flush=True)
    names = ["first model", *(f"after night {number}" for number in range(1, len(runs[0])))]
    print(table((name, [run[number] for run in runs]) for number, name in enumerate(names)))


if __name__ == "__main__":
    main()
