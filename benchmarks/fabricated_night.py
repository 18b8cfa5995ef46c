"""A night of any number of images that nobody has taken: pipeline, pictures, predictions, steps.

Takes a folder and a number of images; gives the workspace, answered in process (counted_s3.py and
counted_services.py), and the steps of a night in their order, each of which goes on with what the one before
has left in the folder. Every twentieth image is one that the champion doubts, so five of a hundred are asked
about; one person answers each. Every picture is a noise of its own, 24 by 18 pixels: no two are alike.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.counted_s3 import Calls, CountedS3, Fabricated
from benchmarks.counted_services import CountedReview, CountedSageMaker
from include.loop.aws.jobs import Pending
from include.loop.config import Environment, Pipeline
from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.core.records.models import Champion, TrainedModel
from include.loop.core.storage import Storage
from include.loop.dataset import build, plan, replay
from include.loop.evaluation import evaluate
from include.loop.nightly import batch, labels, predictions, questions, triage
from include.loop.workspace import Workspace

NIGHT = "2026-11-01"
SIZE = (24, 18)
ASKED = 20  # one of so many
INITIAL = {"train": 300, "validation": 60}
CHAMPION, CHALLENGER = "night-train-0000000001-1", "night-train-0000000002-1"


@dataclass(frozen=True)
class Night:
    """The workspace of a fabricated night, and the clients behind it."""

    workspace: Workspace
    calls: Calls
    s3: CountedS3
    review: CountedReview

    @property
    def storage(self) -> Storage:
        return self.workspace.storage


def open_night(folder: Path, images: int, latency: float = 0.0) -> Night:
    """The night as the steps so far have left it."""
    calls = Calls(latency)
    families = [Fabricated(f"night/images/dt={NIGHT}/camera/", ".png", images, picture)]
    families += [
        Fabricated(f"night/initial/{name}/", ".png", count, partial(_known_picture, name))
        for name, count in INITIAL.items()
    ]
    s3 = CountedS3(folder / "s3", tuple(families), calls)
    review = CountedReview(s3, folder / "loops", calls)
    sagemaker = CountedSageMaker(s3, folder / "jobs", calls, prediction)
    clients: dict[str, Any] = {"s3": s3, "sagemaker": sagemaker, "sagemaker-a2i-runtime": review}
    environment = Environment(
        name="benchmark",
        path=Path("benchmark.yaml"),
        region="us-east-1",
        bucket="night",
        pipeline="night",
        role_arn="arn:aws:iam::000000000000:role/loop",
        algorithm="local",
    )
    pipeline = Pipeline(
        name="night",
        path=Path("night.yaml"),
        classes=("cat", "dog"),
        initial={"train": "initial/train.manifest", "validation": "initial/validation.manifest"},
        triage={"audit_share": 0, "cap": max(1, images // ASKED)},
    )
    storage = Storage(clients["s3"], "night", "night")
    return Night(
        Workspace(pipeline, environment, storage, Clients(lambda name, _: clients[name])), calls, s3, review
    )


def picture(number: int | str) -> bytes:
    """A PNG of noise, the same for the same number."""
    stream = io.BytesIO()
    noise = random.Random(number).randbytes(SIZE[0] * SIZE[1])
    Image.frombytes("L", SIZE, noise).save(stream, "PNG", compress_level=0)
    return stream.getvalue()


def _known_picture(split: str, number: int) -> bytes:
    return picture(f"{split}{number}")


def prediction(name: str) -> bytes:
    """What the model says of the image of this name: one box in the middle, doubtful for every twentieth."""
    found = re.search(r"(\d{7})\.png$", name)
    sure = found is not None and int(found[1]) % ASKED
    return json.dumps({"prediction": [[0, 0.9 if sure else 0.3, 0.3, 0.3, 0.7, 0.7]]}).encode()


def begin(night: Night) -> None:
    """A champion that has learned from a few hundred labels of its own."""
    for name, count in INITIAL.items():
        lines = (_label(f"s3://night/night/initial/{name}/{number:07}.png") for number in range(count))
        night.storage.write_lines(f"initial/{name}.manifest", lines)
    dataset_id = build.build_initial(night.workspace).dataset_id
    champion = Champion(
        number=1,
        training_job=CHAMPION,
        model_data="s3://night/night/model.tar.gz",
        dataset_id=dataset_id,
        metric="mAP@0.5",
        score={"validation": 0.5},
        promoted_at="2026-10-31T00:00:00+00:00",
        package_arn="arn:aws:sagemaker:us-east-1:000000000000:model-package/night/1",
    )
    night.storage.write(layout.CHAMPION, champion.dump(night.storage))
    champion.write(night.storage, 1)


def _label(source: str) -> dict[str, Any]:
    return {
        "source-ref": source,
        "review": {
            "annotations": [{"class_id": 0, "left": 8, "top": 6, "width": 10, "height": 8}],
            "image_size": [{"width": SIZE[0], "height": SIZE[1], "depth": 3}],
        },
        "review-metadata": {"creation-date": "2026-10-01T00:00:00.000000", "class-map": {"0": "cat"}},
    }


# ---- the steps, in order; each gives what it tells


def _list(night: Night) -> object:
    return batch.list_batch(night.workspace, NIGHT).images


def _predict(night: Night) -> object:
    return _finish(lambda waited: predictions.predict(night.workspace, NIGHT, waited)).predicted


def _triage(night: Night) -> object:
    return triage.triage(night.workspace, NIGHT).ask


def _prepare(night: Night) -> object:
    return questions.prepare(night.workspace, NIGHT).asked


def _start(night: Night) -> object:
    """As often as there is no room for all: meanwhile people answer what is open."""
    started = 0
    while True:
        told = questions.start(night.workspace, NIGHT)
        started += told.started
        night.review.answer()
        if not told.remaining:
            return started


def _assemble(night: Night) -> object:
    return labels.assemble(night.workspace, NIGHT).labels


def _plan(night: Night) -> object:
    return plan.plan_training(night.workspace, pictures=True).new_labels


def _replay(night: Night) -> object:
    return _finish(lambda waited: replay.score(night.workspace, waited)).scored


def _build(night: Night) -> object:
    built = build.build(night.workspace)
    TrainedModel(
        training_job=CHALLENGER,
        dataset_id=built.dataset_id,
        parent=CHAMPION,
        model_data="s3://night/night/model-2.tar.gz",
    ).write(night.storage, CHALLENGER)
    return built.new


def _evaluate(night: Night) -> object:
    return len(_finish(lambda waited: evaluate.evaluate(night.workspace, CHALLENGER, waited)).score)


def _finish(step: Callable[[Pending | None], Any]) -> Any:
    answer = step(None)
    while isinstance(answer, Pending):
        answer = step(answer)
    return answer


STEPS: dict[str, Callable[[Night], object]] = {
    "list_batch": _list,
    "predict": _predict,
    "triage": _triage,
    "prepare": _prepare,
    "start": _start,
    "assemble": _assemble,
    "plan": _plan,
    "replay": _replay,
    "build": _build,
    "evaluate": _evaluate,
}
