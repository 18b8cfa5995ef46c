"""A year of nights that nobody has worked through, and the night after it.

Takes a folder and a number of nights; gives the workspace as these would have left it, and what is done with
the records of all of them. Each night has 10,000 pinned images, 200 labels and a round whose model was
promoted; its records are written by their own classes. What they say of a model is said by one real night of
200 images, which goes through the steps of fabricated_night.py first; the tables of a night's 10,000 images
are the same file for every night. Not there: the claims on the bytes of images and the questions of past
nights, which are read by their own names alone, and the validation sets of datasets before the last one.
"""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import fabricated_night as one_night
from benchmarks.counted_s3 import Fabricated
from benchmarks.fabricated_night import CHALLENGER, NIGHT, Night, open_night
from include.loop.core import copies, layout
from include.loop.core.identity import content_hash
from include.loop.core.records import tables
from include.loop.core.records.batch_facts import BatchFacts
from include.loop.core.records.dataset import Dataset, RejectedLine, ReplacedLabels
from include.loop.core.records.deployments import Deployment
from include.loop.core.records.facts import Facts, PromotionFacts, RoundOutcome
from include.loop.core.records.metrics import Metrics
from include.loop.core.records.models import Champion, Registration, TrainedModel
from include.loop.core.records.nightly import (
    Batch,
    BatchPart,
    LabelSummary,
    PinnedImage,
    PinnedModel,
    Predictions,
    Quarantined,
    QuestionsHeader,
)
from include.loop.core.records.parts import OUTPUTS, write_parts
from include.loop.core.records.splits import Entry, Split
from include.loop.core.records.triage import (
    Decision,
    Row,
    TriageSummary,
    Weighed,
    write_looked_at,
    write_part,
)
from include.loop.core.records.trials import Finding, Trial
from include.loop.core.records.verdict import Verdict
from include.loop.core.storage import Storage, dump
from include.loop.dataset.known_lines import find_lines
from include.loop.dataset.split_register import name_label, open_register
from include.loop.evaluation.gate import judge
from include.loop.models.champion import read_history
from include.loop.report.facts import read_all
from include.loop.report.gather import gather
from include.loop.trials.past import read_past
from include.loop.trials.shards import committed_shards, read_lineage, shard_manifest

IMAGES, LABELS = 10_000, 200  # of a night
REPLAYED = 540
FRESH = 8  # nights since the copies of small records were made: half of what they may be late
EARLIER = 12  # batches that a round's page tells of beside its own
Line = dict[str, Any]


def open_year(folder: Path, nights: int, latency: float = 0.0) -> Night:
    """The night after so many nights, as the steps so far have left it."""
    night = open_night(folder, IMAGES, latency)
    night.s3.fabricated += tuple(map(_images, _dates(nights)))
    pipeline = night.workspace.pipeline
    triage = pipeline.triage.model_copy(update={"cap": LABELS})
    pipeline = pipeline.model_copy(update={"triage": triage})
    return replace(night, workspace=replace(night.workspace, pipeline=pipeline))


def begin(folder: Path, nights: int, tell: Callable[[str], None]) -> None:
    """Fabricate what all nights have left."""
    with tempfile.TemporaryDirectory(prefix="nightloop-year-") as place:
        said = _one_real_night(Path(place))
    year = open_year(folder, nights)
    one_night.begin(year)
    maker = _Maker(year, said)
    for number, day in enumerate(_dates(nights), start=1):
        maker.night(number, day)
        if number == nights - FRESH:
            _keep_copies(year)
        if not number % 30:
            tell(f"    {number} of {nights} nights are fabricated")
    maker.end()


@cache
def _dates(nights: int) -> list[str]:
    last = date.fromisoformat(NIGHT)
    return [(last - timedelta(days=nights - number)).isoformat() for number in range(nights)]


def _images(day: str) -> Fabricated:
    return Fabricated(f"night/images/dt={day}/camera/", ".png", IMAGES, one_night.picture)


class _Said:
    """The records of one round that took place."""

    def __init__(self, night: Night) -> None:
        self.metrics = Metrics.read(night.storage, CHALLENGER)
        self.verdict = Verdict.read(night.storage, CHALLENGER)
        self.facts = gather(night.workspace, CHALLENGER)
        self.line: Line = next(night.storage.read_lines(layout.labels_manifest(NIGHT)))
        self.entry = next(Entry.read_all(night.storage, NIGHT))
        self.summary = LabelSummary.read(night.storage, NIGHT)


def _one_real_night(folder: Path) -> _Said:
    one_night.begin(open_night(folder, 200))
    for step in one_night.STEPS.values():
        step(open_night(folder, 200))
    night = open_night(folder, 200)
    judge(night.workspace, CHALLENGER)
    return _Said(night)


class _Maker:
    """Writes night after night; holds what later ones take over from earlier ones."""

    def __init__(self, year: Night, said: _Said) -> None:
        self.year, self.storage, self.said = year, year.storage, said
        self.champion = Champion.read(self.storage, 1)
        self.first = Dataset.read(self.storage, self.champion.dataset_id)
        self.dataset, self.learned = self.first, dict(self.first.learned)
        self.lines: list[tuple[Split, Line]] = []
        self.told: list[BatchFacts] = []
        self.tables: tuple[str, BatchPart] | None = None

    def night(self, number: int, day: str) -> None:
        """Everything of one night, in the order in which it came to be."""
        self._images(day)
        mine = self._labels(day)
        self._round(number, day, mine)
        self.lines += mine

    def end(self) -> None:
        """What is measured with: of the last dataset alone."""
        held_out = [line for split, line in self.lines if split is Split.VALIDATION]
        first = {
            name: list(self.storage.read_lines(self.first.manifest(name)))
            for name in ("validation", "retention")
        }
        for name, lines in (
            ("validation", first["validation"] + held_out),
            ("retention", first["retention"]),
            ("recent", held_out[-20:]),
            ("audit", []),
        ):
            self.storage.write_lines(self.dataset.manifest(name), lines)
        counts = {
            "validation": len(first["validation"]) + len(held_out),
            "retention": len(first["retention"]),
        }
        last = self.dataset.model_copy(update=counts)
        last.write(self.storage, last.dataset_id)
        ReplacedLabels.write_all(self.storage, [], last.dataset_id)
        RejectedLine.write_all(self.storage, [], last.dataset_id)

    def _images(self, day: str) -> None:
        """Pinned, predicted on and triaged: one table each, and the counts."""
        prefix = self.storage.uri(f"images/dt={day}/")
        if self.tables is None:
            self.tables = day, _write_tables(self.storage, day)
        first, pinned = self.tables
        if first != day:
            for place in ("batch", "predictions", "triage", "triage.parquet"):
                _link(self.year.s3.path(f"night/runs/dt={first}/{place}"), first, day)
        moved = {name: getattr(pinned, name).replace(first, day) for name in ("location", "first", "last")}
        part = pinned.model_copy(update=moved)
        model = PinnedModel(training_job=self.champion.training_job, model_data=self.champion.model_data)
        Batch(batch=day, prefix=prefix, parts=(part,), champion=model).write(self.storage, day)
        Predictions(champion=model.training_job, predicted=IMAGES).write(self.storage, day)
        counts = {"images": IMAGES, "ask": LABELS, "skip": IMAGES - LABELS, "unreadable": 0, "audit": 0}
        TriageSummary(
            batch=day, parts=1, again=0, expected_seconds=2_400.0, expected_dollars=8.0, **counts
        ).write(self.storage, day)
        flow = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/night"
        QuestionsHeader(flow_definition_arn=flow, asked=LABELS).write(self.storage, day)

    def _labels(self, day: str) -> list[tuple[Split, Line]]:
        """The committed labels of a night, and the splits of their images."""
        family, mine, entries = _images(day), [], []
        dice = random.Random(day)
        for number in range(0, IMAGES, IMAGES // LABELS):
            source = f"s3://night/{family.prefix}{number:07}{family.suffix}"
            loop = f"night-{day.replace('-', '')}-{content_hash(source, length=16)}"
            own = {"source-ref": source, "etag": family.etag(number), "loop": loop, "batch": day}
            line = self.said.line | own
            split = Split.VALIDATION if dice.random() < 0.1 else Split.TRAIN
            mine.append((split, line))
            update = {
                "source": source,
                "etag": family.etag(number),
                "sha256": hashlib.sha256(source.encode()).hexdigest(),
                "phash": dice.randbytes(32).hex(),
                "split": split,
                "label": name_label(line),
                "loop": loop,
                "created": f"{day}T09:00:00.000000",
            }
            entries.append(self.said.entry.model_copy(update=update))
        Entry.write_all(self.storage, entries, day)
        body = b"".join(dump(line) + b"\n" for _, line in mine)
        self.storage.write(shard_manifest(day), body)
        Quarantined.write_all(self.storage, [], day)
        counts = {"batch": day, "asked": LABELS, "labels": LABELS, "answers": LABELS}
        self.said.summary.model_copy(update=counts | {"late_loops": (), "open_loops": ()}).write(
            self.storage, day
        )
        self.learned[day] = hashlib.sha256(body).hexdigest()
        return mine

    def _round(self, number: int, day: str, mine: list[tuple[Split, Line]]) -> None:
        """A dataset, a model, its verdict, its trial, its promotion and its page."""
        storage, parent = self.storage, self.champion
        job = f"night-train-{content_hash(day)}-1"
        train = [line for split, line in mine if split is Split.TRAIN]
        dice = random.Random(number)
        known = [line for split, line in self.lines if split is Split.TRAIN]
        train += dice.sample(known, min(REPLAYED, len(known)))
        self.dataset = self.dataset.model_copy(
            update={
                "dataset_id": content_hash("dataset", day),
                "parent": parent.training_job,
                "parent_dataset": parent.dataset_id,
                "root": self.first.root,
                "shards": {day: self.learned[day]},
                "learned": dict(self.learned),
                "new": LABELS,
                "train": len(train),
            }
        )
        storage.write_lines(self.dataset.manifest("train"), train)
        self.dataset.write(storage, self.dataset.dataset_id)
        model_data = f"s3://night/night/models/{job}/output/model.tar.gz"
        TrainedModel(
            training_job=job,
            dataset_id=self.dataset.dataset_id,
            parent=parent.training_job,
            model_data=model_data,
        ).write(storage, job)
        same = {"training_job": job, "champion": parent.training_job}
        metrics = self.said.metrics.model_copy(update=same | {"dataset_id": self.dataset.dataset_id})
        metrics.write(storage, job)
        self.said.verdict.model_copy(update=same).write(storage, job)
        at = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
        Trial(
            training_job=job,
            dataset_id=self.dataset.dataset_id,
            champion=parent.training_job,
            shards=(day,),
            outcome=Finding.PROMOTE,
            at=at,
        ).write(storage, job)
        arn = f"{parent.package_arn.rpartition('/')[0]}/{number + 1}"
        Registration(package_arn=arn, group="night", version=number + 1).write(storage, job)
        self.champion = parent.model_copy(
            update={
                "number": number + 1,
                "training_job": job,
                "model_data": model_data,
                "dataset_id": self.dataset.dataset_id,
                "promoted_at": at.isoformat(),
                "package_arn": arn,
            }
        )
        self.champion.write(storage, number + 1)
        storage.write(layout.CHAMPION, self.champion.dump(storage))
        Deployment(training_job=job, package_arn=arn, endpoint="night", deployed_at=at.isoformat()).write(
            storage, number
        )
        self._facts(number, job, day, at)

    def _facts(self, number: int, job: str, day: str, at: datetime) -> None:
        told = self.said.facts
        batch = told.batches[0].model_copy(
            update={"batch": day, "images": IMAGES, "asked": LABELS, "labels": LABELS, "answers": LABELS}
        )
        Facts.model_validate(
            dict(told)
            | {
                "training_job": job,
                "outcome": RoundOutcome.PROMOTED,
                "parent": self.dataset.parent,
                "promotion": PromotionFacts(number=number + 1, promoted_at=at.isoformat()),
                "judged_at": at.isoformat(timespec="seconds"),
                "batches": (batch,),
                "earlier": tuple(self.told[-EARLIER:]),
            }
        ).write(self.storage, job)
        self.told.append(batch)


def _keep_copies(year: Night) -> None:
    """As the steps of the nights so far would have made them."""
    workspace, storage = year.workspace, year.storage
    learned = read_lineage(workspace).learned
    open_register(workspace, keep=True)
    read_past(workspace, CHALLENGER, learned, keep=True)
    list(find_lines(storage, [shard_manifest(shard) for shard in learned], ()))
    list(committed_shards(storage, keep=True))
    list(read_history(workspace, keep=True))
    read_all(workspace)
    deployments = storage.list(layout.DEPLOYMENTS)
    copies.read_all(storage, deployments, layout.copy_file("deployments"), keep=True)


def _write_tables(storage: Storage, day: str) -> BatchPart:
    """What is pinned, predicted and decided of 10,000 images."""
    family = _images(day)
    images = [
        PinnedImage(
            uri=f"s3://night/{family.prefix}{number:07}{family.suffix}", etag=family.etag(number), size=500
        )
        for number in range(IMAGES)
    ]
    (pinned,) = write_parts(storage, day, images)
    outputs = [
        {"uri": image.uri, "etag": image.etag, "output": f"{image.uri}.out", "refused": None}
        for image in images
    ]
    storage.write(layout.predictions_part(day, 0), tables.encode(outputs, OUTPUTS))
    rows = [
        Row(image.uri, image.etag, 0.9, 1, Decision.SKIP, "sure", expected_seconds=0.0) for image in images
    ]
    write_part(storage, day, 0, map(Weighed, rows))
    looked_at = [
        replace(row, decision=Decision.ASK, top_score=0.3, reason="least_confident", expected_seconds=12.0)
        for row in rows[:: IMAGES // LABELS]
    ]
    write_looked_at(storage, day, looked_at)
    return pinned


def _link(path: Path, day: str, other: str) -> None:
    """Let another day have the same files."""
    for source in [path] if path.is_file() else sorted(path.rglob("*")):
        target = Path(str(source).replace(day, other))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, target)
