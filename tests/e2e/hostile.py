"""Batches of one pipeline on the real local cloud: objects put, reviewers by script, what became of each.

The DAGs' own operators are walked in their order. Two reviewers look at every picture in the portal's own
page, as a browser does, and answer through the worker API.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import os
import re
import subprocess
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from include.loop.core.storage import in_parallel
from include.stack.airflow import dag_id
from tests.review_server.rig import Person
from tests.support.cloud import DETECTION_IMAGE, ROLE, ROOT, LocalCloud
from tests.support.dag_walk import Walk
from tests.support.hostile_answers import Answer, Loop, cat
from tests.support.hostile_objects import BOX, SIZE, jpeg

BUCKET, PIPELINE = "hostile", "pets"
REVIEWERS = ("ada", "ben")
BROWSERS_SHOW = {"JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP"}

ENVIRONMENT = {
    "region": "us-east-1",
    "bucket": BUCKET,
    "pipeline": PIPELINE,
    "role_arn": ROLE,
    "algorithm": "local",
    "image": DETECTION_IMAGE,
    "poll_seconds": 0.2,
    "review": {"workteam": "reviewers", "poll_seconds": 0.2},
}
QUICK = {
    "hyperparameters": {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "mini_batch_size": 8,
        "epochs": 1,
        "use_pretrained_model": 0,
    }
}
SETTINGS: dict[str, Any] = {
    "classes": ["cat", "dog"],
    "test_sets": {"day": "test/day.manifest"},
    "triage": {"threshold": 1.0, "audit_share": 0, "cap": 1000},  # whatever can be asked about is
    "review": {"deadline_hours": 1, "task_count": len(REVIEWERS)},
    "training": {"image_shape": 96, "initial": QUICK, "incremental": QUICK, "replay": {"per_new": 0}},
    "gate": {
        "min_gain": 0, "max_loss": 1, "max_class_loss": 1, "max_calibration_error": 1, "confidence": 0.51,
        "min_images": 1, "min_objects": 0, "min_train_recall": 0,
    },
}  # fmt: skip


@dataclass(frozen=True)
class End:
    """Where an object is found when its batch is over: ``label``, ``skip``, ``open``, the stage of its
    quarantine (``batch``, ``predict``, ``ask``, ``answer``), or ``nowhere``. ``why`` is a pattern of what is
    told of it: the reason, or the boxes of its label.

    ``asked``: people are; ``learned``: its content is in a manifest of the dataset that is built next.
    """

    place: str
    why: str = ""
    asked: bool = False
    learned: bool = False


@dataclass(frozen=True)
class Object:
    """``name`` is the key below the batch's prefix, ``body`` makes the bytes from a seed (the object's own
    where none is given); ``cold`` and ``warm`` are its ends without a champion and, if another, with one.

    ``answers`` are the first and the second reviewer's. ``before`` they give them something happens to the
    human loop, or ``after``. When the task ``until`` begins, the object is gone, or ``replaced``.
    """

    name: str
    body: Callable[[str], bytes]
    cold: End
    warm: End | None = None
    answers: tuple[Answer, Answer] = (cat, cat)
    before: Callable[[Loop], None] | None = None
    after: Callable[[Loop], None] | None = None
    until: str = ""
    replaced: bool = False
    seed: str = "{date} {name}"

    def made(self, date: str) -> bytes:
        return self.body(self.seed.format(date=date, name=self.name))


LABEL = {
    "review": {
        "annotations": [dict(zip(("left", "top", "width", "height"), BOX, strict=True)) | {"class_id": 0}],
        "image_size": [{"width": SIZE[0], "height": SIZE[1], "depth": 3}],
    },
    "review-metadata": {"creation-date": "2026-09-01T00:00:00.000000", "class-map": {"0": "cat"}},
}


@dataclass(frozen=True)
class Batch:
    """A batch that is over: what its tasks left, place and reason of all that is told of each object, and of
    those of earlier batches (``late``); whom people were asked about, and whom they could not see.
    """

    date: str
    walk: Walk
    told: dict[str, list[tuple[str, str]]]
    late: dict[str, list[tuple[str, str]]]
    asked: set[str]
    unseen: dict[str, str]


@dataclass(frozen=True)
class Round:
    """A training that is over: the manifests of its dataset, the SHA-256 of the images in them, the images
    of rejected lines; how many samples the container was told of, and the lines that it wrote.
    """

    walk: Walk
    manifests: dict[str, list[dict[str, Any]]]
    contents: set[str]
    rejected: dict[str, str]
    samples: int
    log: list[str]

    @property
    def read(self) -> dict[str, tuple[int, int, int]]:
        """What the container says it has read of each channel: images, boxes, records skipped."""
        told = re.compile(r"(train|validation): (\d+) images, (\d+) boxes; (\d+) records skipped")
        found = [match.groups() for line in self.log if (match := told.search(line))]
        return {name: (int(images), int(boxes), int(skipped)) for name, images, boxes, skipped in found}


class Batches:
    """One pipeline, its bucket and its two reviewers; ``root`` is a directory of its own."""

    def __init__(self, cloud: LocalCloud, root: Path, objects: Sequence[Object]) -> None:
        self.cloud, self.objects = cloud, {item.name: item for item in objects}
        self.s3 = cloud.client("s3")
        self._config, self._programs = root / "config", root / "programs"
        self.called = root / "called"  # there when somebody has started Ghostscript
        for kind, name, value in (
            ("environments", "local", ENVIRONMENT),
            ("pipelines", PIPELINE, SETTINGS),
        ):
            (self._config / kind).mkdir(parents=True)
            (self._config / kind / f"{name}.yaml").write_text(yaml.safe_dump(value))
        self._programs.mkdir()
        (self._programs / "gs").write_text(f"#!/bin/sh\ntouch '{self.called}'\n")
        (self._programs / "gs").chmod(0o755)
        self.s3.create_bucket(Bucket=BUCKET)
        self._put_test_set()
        self.people = [self._hire(name) for name in REVIEWERS]
        self.unseen: dict[str, str] = {}

    def variables(self) -> dict[str, str]:
        """What Airflow's tasks find in their environment."""
        login, password = self.cloud.keys()
        extra = {"region_name": "us-east-1", "endpoint_url": self.cloud.endpoint_url}
        connection = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
        return {
            "NIGHTLOOP_CONFIG_DIR": str(self._config),
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "NIGHTLOOP_ENVIRONMENT": "local",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        }

    def set_up(self) -> None:
        """The review plane, by its own DAG."""
        Walk(dag_id("review_setup", PIPELINE), "set up").go()

    # ---- a batch

    def batch(self, date: str) -> Batch:
        """Put the objects of a date and walk the batch: people answer before it waits for them."""
        self.unseen = {}
        objects = self.objects.values()
        list(in_parallel(lambda item: self._put(_key(date, item.name), item.made(date)), objects))
        walk = Walk(dag_id("nightly_review", PIPELINE), f"batch of {date}", batch_date=date)
        before: dict[str, Callable[[], object]] = {
            task: partial(self._end, date, task) for task in {item.until for item in objects if item.until}
        }
        walk.go(before=before | {"wait_for_human_loops": lambda: self._review(date)})
        asked = {self._name(line["image"], date) for line in self._questions(date)}
        told = self._told(date)
        return Batch(
            date=date,
            walk=walk,
            told={name: told.pop(self.uri(date, name), []) for name in self.objects},
            late=told,
            asked=asked,
            unseen=self.unseen,
        )

    def _told(self, date: str) -> dict[str, list[tuple[str, str]]]:
        """Place and reason of all that a batch has on record of each image, by its URI."""
        told: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for line in self.lines(f"labels/dt={date}/augmented.manifest"):
            told[line["source-ref"]].append(("label", _boxes(line)))
        for line in self.lines(f"labels/dt={date}/quarantine.jsonl"):
            told[line["image"]].append((line["stage"], line["reason"]))
        labelled = set(told)  # also copies, which nobody is asked about
        for row in self._triage(date):
            if row["decision"] == "skip" and row["image"] not in labelled:
                told[row["image"]].append(("skip", row["reason"]))
        summary = json.loads(self.read(f"labels/dt={date}/summary.json"))
        for line in self._questions(date):
            if line["loop"] in summary["open_loops"]:
                told[line["image"]].append(("open", ""))
        return dict(told)

    def _questions(self, date: str) -> list[dict[str, Any]]:
        return self.lines(f"runs/dt={date}/questions.jsonl")

    def _end(self, date: str, task: str) -> None:
        """What happens to objects before a task."""
        for item in self.objects.values():
            key = _key(date, item.name)
            if item.until == task and item.replaced:
                self._put(key, item.body(f"{date} {item.name}, another"))
            elif item.until == task:
                self.s3.delete_object(Bucket=BUCKET, Key=f"{PIPELINE}/{key}")

    def _triage(self, date: str) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(self.read(f"runs/dt={date}/triage.parquet"))).to_pylist()

    # ---- a training

    def train(self, run_id: str) -> Round:
        """Walk a training to its record."""
        walk = Walk(dag_id("incremental_training", PIPELINE), run_id).go()
        job = walk.outputs["train"]["training_job"]
        request = self.cloud.client("sagemaker").describe_training_job(TrainingJobName=job)
        folder = f"datasets/{walk.outputs['build_dataset']['dataset_id']}"
        manifests = {
            name: self.lines(f"{folder}/{name}.manifest")
            for name in ("train", "validation", "retention", "audit")
        }
        images = {line["source-ref"] for lines in manifests.values() for line in lines}
        return Round(
            walk=walk,
            manifests=manifests,
            contents=set(in_parallel(self._sha256, images)),
            rejected=dict(map(self._rejected, self.lines(f"{folder}/rejected.jsonl"))),
            samples=int(request["HyperParameters"]["num_training_samples"]),
            log=self._log(job),
        )

    def _rejected(self, line: dict[str, str]) -> tuple[str, str]:
        """Image and reason of a line that was left out."""
        key = line["manifest"].removeprefix(f"s3://{BUCKET}/{PIPELINE}/")
        return self.lines(key)[int(line["line"]) - 1]["source-ref"], line["reason"]

    def _log(self, job: str) -> list[str]:
        pages = self.cloud.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{job}/")
        return [event["message"] for page in found for event in page["events"]]

    # ---- people

    def _review(self, date: str) -> None:
        """Both reviewers answer all that waits, and accidents happen."""
        runtime = self.cloud.client("sagemaker-a2i-runtime")
        loops = {
            self._name(line["image"], date): Loop(runtime, self.s3, line["loop"])
            for line in self._questions(date)
        }
        for name, loop in loops.items():
            if happen := self.objects[name].before:
                happen(loop)
        sizes: dict[str, tuple[int, int]] = {}
        for turn, person in enumerate(self.people):
            while (task := person.take()) is not None:
                name = self._name(task["input"]["taskObject"], date)
                if name not in sizes:  # the second reviewer is shown the same page
                    sizes[name] = self._look(person, task, name)
                reply = person.do("answer", task, self.objects[name].answers[turn](sizes[name]))
                assert reply.status_code == 200, reply.text
        for name, loop in loops.items():
            if happen := self.objects[name].after:
                happen(loop)

    def _look(self, person: Person, task: dict[str, Any], name: str) -> tuple[int, int]:
        """The size of the picture that the portal shows; ``unseen`` holds why there is none."""
        page = person.http.get(f"/work/{task['task_id']}")
        frame = person.http.get("/frame/" + one(r'/frame/([^"]+)', page.text))
        source = html.unescape(one(r'<crowd-bounding-box[^>]*\ssrc="([^"]*)"', frame.text))
        reply = person.http.get(source)
        try:
            assert reply.status_code == 200, f"HTTP {reply.status_code}: {reply.text}"
            return _seen(reply.content)
        except (AssertionError, OSError, Image.DecompressionBombError) as error:
            self.unseen[name] = str(error)
            return (1, 1)

    def _hire(self, name: str) -> Person:
        credentials = self.cloud.data / f"{name}.json"
        command = ["members", "add", name, "--team", "reviewers", "--data", str(self.cloud.data)]
        subprocess.run(
            [sys.executable, "-m", "include.review_server", *command, "--credentials", str(credentials)],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        [worker] = json.loads(credentials.read_text())["workers"]
        return Person(self.cloud.review_url, name, worker["password"])

    # ---- the bucket

    def uri(self, date: str, name: str) -> str:
        return f"s3://{BUCKET}/{PIPELINE}/{_key(date, name)}"

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=f"{PIPELINE}/{key}")["Body"].read()

    def lines(self, key: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read(key).split(b"\n") if line]

    def _put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=f"{PIPELINE}/{key}", Body=body)
        return f"s3://{BUCKET}/{PIPELINE}/{key}"

    def _sha256(self, uri: str) -> str:
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        return hashlib.sha256(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()

    def _name(self, image: str, date: str) -> str:
        prefix = self.uri(date, "")
        assert image.startswith(prefix), image
        return image.removeprefix(prefix)

    def _put_test_set(self) -> None:
        lines = []
        for number in range(6):
            source = self._put(f"test/{number}.jpg", jpeg(f"test {number}"))
            lines.append(json.dumps({"source-ref": source, **LABEL}))
        self._put("test/day.manifest", "\n".join(lines).encode())


def _seen(body: bytes) -> tuple[int, int]:
    """The size of a picture that a browser shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 92 megapixels and damaged metadata are shown
        with Image.open(io.BytesIO(body)) as image:
            assert image.format in BROWSERS_SHOW, f"no browser shows {image.format}"
            return image.size


def _boxes(line: dict[str, Any]) -> str:
    """What a label says: class, place and size of each box."""
    names = line["review-metadata"]["class-map"]
    boxes = (
        f"{names[str(box['class_id'])]} at {box['left']},{box['top']} of {box['width']} x {box['height']}"
        for box in line["review"]["annotations"]
    )
    return "; ".join(boxes) or "nothing"


def _key(date: str, name: str) -> str:
    return f"images/dt={date}/{name}"


def one(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"no {pattern} in {text[:2000]}"
    return found[1]
