"""Rounds as the other stages leave them in S3: real images, labels, predictions, metrics and verdicts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from include.loop.config import Environment, Pipeline
from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.core.records.base import Part
from include.loop.core.records.facts import SliceFacts
from include.loop.core.records.metrics import ModelScores
from include.loop.core.storage import Storage, dump
from include.loop.models.champion import Champion
from include.loop.workspace import Workspace
from tests.support.cloud import ROLE, LocalCloud

Kind = TypeVar("Kind", bound=Part)
SIZE = (64, 48)
TRUTH = {"class_id": 0, "left": 16, "top": 12, "width": 24, "height": 24}
RIGHT = [0.0, 0.91, 16 / 64, 12 / 48, 40 / 64, 36 / 48]
WRONG = [1.0, 0.77, 0.6, 0.1, 0.9, 0.4]


@dataclass
class Rounds:
    """One pipeline's bucket, and what a test puts into it."""

    workspace: Workspace

    @property
    def storage(self) -> Storage:
        return self.workspace.storage

    def put(self, key: str, body: bytes | dict[str, Any] | list[Any]) -> str:
        self.storage.write(key, body if isinstance(body, bytes) else dump(body))
        return self.storage.uri(key)

    def night(
        self,
        batch: str,
        scores: list[float],
        labels: int = 0,
        shares: Sequence[str] = (),
        **summary: Any,
    ) -> None:
        """A night whose images have these best scores; the least sure ones were asked about and labelled, for
        these ``shares`` (none: as an earlier version wrote it).
        """
        images = [self.storage.uri(f"images/dt={batch}/{n}.png") for n in range(len(scores))]
        run = f"runs/dt={batch}"
        self._batch(batch, images)
        outputs = {uri: f"{uri}.out" for uri in images}
        self.put(f"{run}/predictions.json", {"champion": "champion-1", "outputs": outputs, "missing": []})
        asked = sorted(range(len(scores)), key=lambda n: scores[n])[:labels]
        rows = [
            {
                "image": uri,
                "etag": str(n),
                "top_score": scores[n],
                "detections": 1,
                "decision": "ask" if n in asked else "skip",
                "reason": "audit" if n in asked[:1] else "least_confident",
                "expected_seconds": 20.0 if n in asked else 0.0,
                "expected_dollars": 0.08,
            }
            | ({"share": dict(zip(asked, shares, strict=True)).get(n)} if shares else {})
            for n, uri in enumerate(images)
        ]
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), sink)
        self.put(f"{run}/triage.parquet", sink.getvalue())
        self.put(layout.questions_header(batch), {"asked": labels, "flow_definition_arn": "arn:flow"})
        started = {
            "flow_definition_arn": "arn:flow",
            "asked": labels,
            "started_at": f"{batch}T22:00:00+00:00",
        }
        self.put(f"{run}/started.json", started | {"created_after": "", "deadline": ""})
        lines = [
            {"source-ref": images[n], "review": {"annotations": [TRUTH]}, "loop": f"loop-{n}", "batch": batch}
            for n in asked
        ]
        self.put(f"labels/dt={batch}/augmented.manifest", b"".join(dump(line) + b"\n" for line in lines))
        self.put(f"labels/dt={batch}/quarantine.jsonl", b"")
        self.put(
            f"labels/dt={batch}/summary.json",
            {
                "batch": batch,
                "asked": labels,
                "labels": labels,
                "negatives": 0,
                "answers": labels,
                "quarantined": 0,
                "reviewer_seconds": 30.0 * labels,
                "open_loops": [],
                "late_loops": [],
                **summary,
            },
        )

    def test_set(self, name: str, images: list[str], objects: dict[str, int] | None = None) -> None:
        """Labelled images; ``objects`` says how many boxes an image has when it is not one."""
        lines = []
        for n, image in enumerate(images):
            source = self.put(f"test/{image}", picture(60 + 20 * n))
            # Equal boxes would be one.
            boxes = [TRUTH | {"left": TRUTH["left"] + 2 * k} for k in range((objects or {}).get(image, 1))]
            label = {"annotations": boxes, "image_size": [{"width": 64, "height": 48, "depth": 3}]}
            lines.append(dump({"source-ref": source, "review": label, "review-metadata": {}}))
        self.put(f"test/{name}.manifest", b"\n".join(lines) + b"\n")

    def round(
        self,
        job: str,
        nights: list[str],
        parent: str | None = "champion-1",
        promote: bool = True,
        before: dict[str, float] | None = None,
        after: dict[str, float] | None = None,
        rules: list[dict[str, Any]] | None = None,
        classes: tuple[str, ...] = ("cat", "dog"),
        backfilled: list[str] | None = None,
    ) -> None:
        """A judged challenger, and a champion when it was promoted."""
        after = after or {"day": 0.81, "night": 0.63}
        before = (before or {"day": 0.82, "night": 0.31}) if parent else None
        self.put(
            f"models/{job}/model.json",
            {
                "training_job": job,
                "dataset_id": f"data-{job}",
                "parent": parent,
                "model_data": self.storage.uri(f"models/{job}/output/model.tar.gz"),
                "base_network": "resnet-50",
                "hyperparameters": {"epochs": "3", "learning_rate": "0.001"},
                "seconds": 94.0,
            },
        )
        epochs = [
            {"epoch": n, "validation_map": 0.3 + 0.1 * n, "cross_entropy": 1.0 / (n + 1), "smooth_l1": 0.4}
            for n in range(3)
        ]
        self.put(f"models/{job}/curves.json", {"epochs": epochs, "throughput": 110.0})
        self.put(
            f"datasets/data-{job}/dataset.json",
            {
                "schema_version": 2,
                "dataset_id": f"data-{job}",
                "shards": dict.fromkeys(nights, "hash"),
                "new": 40,
                "replayed": 120 if parent else 0,
                "train": 160,
                "validation": 12,
                "retention": 20,
                "recent": 4,
                "audit": 6,
                "backfilled": backfilled or [],
            },
        )
        self.put(
            f"evaluations/{job}/metrics.json",
            {
                "schema_version": 2,
                "training_job": job,
                "champion": parent,
                "metric": "mAP@0.5",
                "score_threshold": 0.5,
                "slices": {
                    name: slice_(value, before[name] if before else None, classes)
                    for name, value in after.items()
                },
                "train_recall": {},
                "latency": {
                    "challenger": 0.031,
                    "champion": 0.03,
                    "images": {"challenger": 80, "champion": 80},
                },
            },
        )
        self.put(
            f"evaluations/{job}/verdict.json",
            {
                "schema_version": 2,
                "training_job": job,
                "promote": promote,
                "rules": rules
                or [
                    {"rule": "gain", "value": 0.155, "limit": 0.01, "passed": promote, "text": "mean gain"},
                    {"rule": "loss", "slice": "day", "value": -0.01, "limit": -0.04, "passed": True},
                ],
                "reasons": ["mean gain +0.155"],
                "metric": "mAP@0.5",
                "score": after,
                "before": before,
            },
        )
        if promote:
            number = 1 + sum(1 for _ in self.storage.list("champions/"))
            self.put(layout.champion_history(number), champion(number, job))

    def examples(self, job: str, images: list[str], gains: list[float] | None = None) -> None:
        """Images of the test set ``night``: where the challenger gains it is right and the champion wrong."""
        lines = []
        for n, (image, gain) in enumerate(zip(images, gains or [1.0] * len(images), strict=True)):
            right, wrong = {"prediction": [RIGHT]}, {"prediction": [WRONG]}
            out = {
                "champion": self.put(f"out/{n}/before.out", wrong if gain > 0 else right),
                "challenger": self.put(f"out/{n}/after.out", right if gain > 0 else wrong),
            }
            line = {
                "slice": "night",
                "image": self.storage.uri(f"test/{image}"),
                "champion_f1": max(-gain, 0.0),
                "challenger_f1": max(gain, 0.0),
                "gain": gain,
                "out": out,
            }
            lines.append(dump(line))
        self.put(f"evaluations/{job}/images.jsonl", b"\n".join(lines) + b"\n")

    def labelled(
        self, night: str, job: str, outputs: dict[str, tuple[list[Any] | None, list[Any] | None]]
    ) -> None:
        """A night of images with one label each; for each what the champion saw in the night, and what the
        model of the job sees (None: no prediction).
        """
        lines, seen, learned = [], {}, []
        for n, (name, (before, after)) in enumerate(outputs.items()):
            source = self.put(f"images/dt={night}/{name}", picture(40 + 20 * n))
            label = {"annotations": [TRUTH], "image_size": [{"width": 64, "height": 48, "depth": 3}]}
            line = {
                "source-ref": source,
                "review": label,
                "batch": night,
                "etag": str(n),
                "loop": f"loop-{n}",
            }
            lines.append(line)
            if before is not None:
                seen[source] = self.put(f"out/{night}/{n}/before.out", {"prediction": before})
            after_out = f"out/{night}/{n}/after.out"
            out = None if after is None else self.put(after_out, {"prediction": after})
            learned.append({"image": source, "etag": str(n), "out": out})
        self.storage.write_lines(f"labels/dt={night}/augmented.manifest", lines)
        self._batch(night, [str(line["source-ref"]) for line in lines])
        self.put(f"runs/dt={night}/predictions.json", {"champion": "job-1", "outputs": seen})
        self.put(f"evaluations/{job}/outputs-1.json", {"job": None, "outputs": learned})

    def _batch(self, night: str, images: list[str]) -> None:
        """The images of a night as version 1 pinned them."""
        self.put(
            f"runs/dt={night}/batch.json",
            {
                "batch": night,
                "prefix": "",
                "images": [{"uri": uri, "etag": str(n), "size": 9} for n, uri in enumerate(images)],
                "rejected": [],
                "champion": {"training_job": "champion-1", "model_data": "s3://b/champion-1"},
            },
        )

    def serve_champion(self) -> None:
        """A champion that has learned from none of the nights."""
        current = Champion(
            number=1,
            training_job="champion-1",
            model_data="s3://bucket/model",
            dataset_id="data-1",
            promoted_at="",
            package_arn="arn",
        )
        self.put(layout.CHAMPION, current.dump(self.storage))
        classes = list(self.workspace.pipeline.classes)
        dataset: dict[str, Any] = {
            "dataset_id": "data-1",
            "classes": classes,
            "learned": {},
            "root": None,
            "initial": None,
        }
        self.put(layout.dataset_file("data-1"), dataset)

    def trial(
        self,
        job: str,
        nights: list[str],
        outcome: str,
        at: str = "2026-11-03T06:30:00+00:00",
        text: str = "fell",
    ) -> None:
        """What a challenger of the reigning champion made of these nights."""
        record = {
            "training_job": job,
            "dataset_id": f"data-{job}",
            "champion": "champion-1",
            "shards": nights,
            "kind": "round",
            "outcome": outcome,
            "failed": [{"rule": "loss", "slice": "night", "text": text}],
            "blamed": [],
            "at": at,
        }
        self.put(f"trials/{job.rpartition('/')[-1]}.json", record)


def champion(number: int, job: str, rolled_back_from: int | None = None) -> dict[str, Any]:
    return {
        "schema_version": 2,
        "number": number,
        "training_job": job,
        "model_data": f"s3://bucket/{job}",
        "dataset_id": f"data-{job}",
        "promoted_at": "2026-11-02T06:00:00+00:00",
        "package_arn": f"arn:{job}",
        "rolled_back_from": rolled_back_from,
    }


def discarded(batch: str, by: str, why: str) -> dict[str, Any]:
    return {"shard": batch, "by": by, "why": why, "at": "2026-11-05T06:00:00+00:00"}


def make_rounds(cloud: LocalCloud, bucket: str, **pipeline: Any) -> Rounds:
    """An empty bucket and a pipeline with the test sets day and night."""
    settings: dict[str, Any] = {
        "classes": ["cat", "dog"],
        "test_sets": {"day": "test/day.manifest", "night": "test/night.manifest"},
    }
    environment = Environment(
        name="test",
        path=Path("test.yaml"),
        region="us-east-1",
        bucket=bucket,
        pipeline="pets",
        role_arn=ROLE,
        algorithm="local",
    )
    return Rounds(
        Workspace(
            Pipeline(name="pets", path=Path("pets.yaml"), **(settings | pipeline)),
            environment,
            Storage(cloud.client("s3"), bucket, "pets"),
            Clients(lambda service, _: cloud.client(service)),
        )
    )


def picture(level: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", SIZE, (level, level, level + 20)).save(stream, "PNG")
    return stream.getvalue()


def scores(score: float, classes: tuple[str, ...] = ("cat", "dog")) -> dict[str, Any]:
    return {
        "score": score,
        "low": max(score - 0.05, 0),
        "high": min(score + 0.05, 1),
        "more": {"mAP@[.5:.95]": score / 2},
        "recall": score,
        "precision": min(score + 0.1, 1),
        "calibration_error": 0.08,
        "reliability": [
            {
                "low": n / 10,
                "high": (n + 1) / 10,
                "count": 5 * n,
                "mean_score": n / 10 + 0.05,
                "precision": n / 10,
            }
            for n in range(10)
        ],
        "classes": {
            name: {"score": score, "low": score - 0.1, "high": min(score + 0.1, 1), "objects": 45}
            for name in classes
        },
        "confusion": {
            **{name: {name: 40, "missed": 4, other(name, classes): 1} for name in classes[:-1]},
            classes[-1]: {"missed": 45},
            "background": {classes[0]: 3},
        },
        "unpredicted": 0,
    }


def but(value: Kind, **changes: Any) -> Kind:
    """The same record with other fields."""
    return value.model_copy(update=changes)


def as_scores(value: dict[str, Any]) -> ModelScores:
    return ModelScores.model_validate(value)


def slice_(after: float, before: float | None, classes: tuple[str, ...] = ("cat", "dog")) -> dict[str, Any]:
    return {
        "images": 40,
        "objects": 90,
        "challenger": scores(after, classes),
        "champion": None if before is None else scores(before, classes),
        "delta": None if before is None else delta(after - before),
        "best": before,
    }


def as_slice(
    name: str, after: float, before: float | None, classes: tuple[str, ...] = ("cat", "dog")
) -> SliceFacts:
    return SliceFacts.model_validate({"name": name, **slice_(after, before, classes)})


def other(name: str, classes: tuple[str, ...]) -> str:
    return next(item for item in classes if item != name)


def delta(value: float) -> dict[str, Any]:
    return {"score": value, "low": value - 0.03, "high": value + 0.03, "classes": {}}
