"""Automated labeling of a job: what comes next, round after round, until nothing is left without a label.

People label a sample to learn from and one to judge by. Then, before each of people's further batches, a
round: a model is trained on what people have labelled, judged on the sample that it has not seen, and asked
about the rest; what it is sure enough of gets its label, and the objects it is least sure of go to people.
A job that is given a model (InitialActiveLearningModelArn) needs no sample to learn from: its first round is
that model's.

``next_step`` is asked when nothing is out with people. It never waits for a job, and remembers all in the
tables, in S3 and in the names of jobs: killed anywhere, the next call goes on.

What fails is decided so: a request that is refused, and a job that fails by its request or data, or twice by
chance, fails the labeling job with that reason. To let people label everything instead would spend the money
that the job was to save; the labels so far stay, and a job with the output manifest as its input goes on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import LabelingJob
from include.review_server.db.statuses import RoundStage
from include.review_server.labeling.auto import records, thresholds
from include.review_server.labeling.auto.algorithms import CLASSIFICATION, NO_SAGEMAKER, algorithm_of
from include.review_server.labeling.auto.place import Job, Kind, Place, Rejected, failure, model_name
from include.review_server.labeling.auto.predictions import (
    Prediction,
    agrees,
    label,
    overlaps,
    read_prediction,
)
from include.review_server.labeling.auto.requests import (
    Piece,
    Round,
    annotator_text,
    learning_split,
    manifest_text,
    pieces,
)
from include.review_server.labeling.auto.sampling import Samples, draw
from include.review_server.labeling.auto.steps import AskPeople, Done, Fail, Label, Step, Wait
from include.review_server.labeling.auto.thresholds import Threshold
from include.review_server.labeling.jobs import JobView
from include.review_server.s3 import S3_ERRORS, ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings

log = logging.getLogger(__name__)

Say = Callable[[str, str, str], None]

_JSON, _LINES, _TEXT = "application/json", "application/jsonlines", "text/plain"
# Of one call: a background job is to come back soon.
_SECONDS = 20.0
_READ_AT_ONCE, _READERS = 500, 8
_LABELS_AT_ONCE = 500
_MOST_OUTPUT = 1 << 20
_EVALUATED = "BATCH_ANNOTATION_STATUS_EVALUATED"


class AutoLabeling:
    """``say`` writes to the job's log: job name, event name, sentence."""

    def __init__(
        self, database: Database, clock: Clock, settings: ReviewSettings, store: ObjectStore, say: Say
    ) -> None:
        self._database, self._clock, self._settings = database, clock, settings
        self._store, self._say = store, say
        self._place = Place(settings)
        self._readers = ThreadPoolExecutor(_READERS, "review-predictions")
        self._samples: dict[int, Samples] = {}
        # To look at what is under way costs one call; only when it has ended is the round gone through.
        self._running: dict[int, tuple[Kind, str]] = {}
        self._stages: dict[RoundStage, Callable[[Round], Step | None]] = {
            RoundStage.TRAINING: self._train,
            RoundStage.VALIDATING: self._validate,
            RoundStage.PREDICTING: self._predict,
            RoundStage.READING: self._read,
            RoundStage.LABELING: self._label,
            RoundStage.ASKING: self._ask,
        }

    def next_step(self, job: JobView) -> Step:
        """What is to happen now that nothing is out with people. Raises ``S3_ERRORS``: ask again later."""
        round_ = self._round(job)
        if round_ is None:
            return Fail("ClientError: LabelingJobAlgorithmsConfig: this server has no such algorithm")
        if not self._place.is_there:
            return Fail(f"ClientError: {NO_SAGEMAKER}")
        try:
            return self._next(round_)
        except (Rejected, LookupError) as error:
            return Fail(str(error))

    def stop(self, job: JobView) -> None:
        """Stop what runs for a job that ends, and forget it. Never raises."""
        round_ = self._round(job)
        if round_ is None or not self._place.is_there:
            return
        try:
            stage = self._stage(round_)
            if stage is RoundStage.TRAINING:
                self._place.stop("training", round_.training_stem)
            elif stage is not None:
                for piece in self._pieces(round_, stage):
                    self._place.stop("transform", piece.stem)
        except S3_ERRORS as error:
            log.warning("labeling job %s: its SageMaker job may go on: %s", job.name, error)
        self._samples.pop(job.id, None)
        self._running.pop(job.id, None)

    def _round(self, job: JobView) -> Round | None:
        """The round before people's next batch."""
        algorithm = algorithm_of(job.request)
        return Round(job, job.iteration + 1, algorithm, self._settings) if algorithm else None

    def _next(self, round_: Round) -> Step:
        if (running := self._running.get(round_.job.id)) and not self._place.has_ended(*running):
            return Wait()
        self._running.pop(round_.job.id, None)
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            stage = self._stage(round_)
            step = self._begin(round_) if stage is None else self._stages[stage](round_)
            if step is not None:
                return step
        return Wait()

    def _stage(self, round_: Round) -> RoundStage | None:
        with self._database.read() as session:
            found = records.this_round(session, round_.job.id, round_.iteration)
            return found.stage if found else None

    def _move(self, round_: Round, stage: RoundStage, **changes: Any) -> None:
        with self._database.write() as session:
            found = records.move(session, round_.job.id, round_.iteration, stage)
            for name, value in changes.items():
                setattr(found, name, value)

    def _begin(self, round_: Round) -> Step | None:
        """People's samples, before the first round; then the round, unless nothing is left."""
        job, samples = round_.job, self._drawn(round_.job)
        with self._database.read() as session:
            is_first = records.is_first(session, job.id, round_.iteration)
        given = round_.first_model if is_first else None
        if given:
            # Before people work for a job that could not go on.
            self._place.first_artifact(given, round_.image)
        with self._database.read() as session:
            if is_first:
                for sample in ([] if given else samples.training, samples.validation):
                    if numbers := records.unlabelled(session, job.id, sample, job.batch_size):
                        return AskPeople(numbers)
            if not records.rest(session, job.id):
                return Done()
        if given:
            self._use(round_, given)
        else:
            self._move(round_, RoundStage.TRAINING)
        return None

    def _use(self, round_: Round, model_arn: str) -> None:
        """The model of this round is there."""
        with self._database.write() as session:
            row = session.get_one(LabelingJob, round_.job.id, with_for_update=True, populate_existing=True)
            row.final_model_arn = model_arn
            records.move(session, round_.job.id, round_.iteration, RoundStage.VALIDATING)

    def _drawn(self, job: JobView) -> Samples:
        if job.id not in self._samples:
            with self._database.read() as session:
                self._samples[job.id] = draw(
                    job.reference_code,
                    records.to_label(session, job.id),
                    records.probed(session, job.id),
                    job.batch_size,
                )
        return self._samples[job.id]

    # ---- the stages, in their order; each gives a step, or None when the next stage can begin

    def _train(self, round_: Round) -> Step | None:
        job = round_.job
        try:
            found = self._place.attach(
                "training", round_.training_stem, round_.training_output.uri, lambda: self._training(round_)
            )
        except _NothingToLearn:
            self._say(job.name, _EVALUATED, "people have labelled too little to train a model: they go on")
            self._move(round_, RoundStage.ASKING)
            return None
        if not found.has_ended:
            return self._wait(round_, found)
        if not found.completed:
            raise failure(found)
        artifact = found.details["ModelArtifacts"]["S3ModelArtifacts"]
        self._use(round_, self._place.model(found.name, round_.model_request(artifact)))
        return None

    def _training(self, round_: Round) -> dict[str, Any]:
        job = round_.job
        with self._database.read() as session:
            people = records.labelled_by_people(session, job.id, job.label_attribute)
            chosen = learning_split(round_, people, self._drawn(job).validation)
        if not all(chosen.values()):
            raise _NothingToLearn
        first = round_.first_model
        request = round_.training_request(
            chosen, self._place.first_artifact(first, round_.image) if first else None
        )
        for channel, items in chosen.items():
            self._put(round_, round_.manifest(channel), manifest_text(items), _LINES)
        return request

    def _validate(self, round_: Round) -> Step | None:
        job = round_.job
        parts = self._pieces(round_, RoundStage.VALIDATING)
        if step := self._transformed(round_, parts):
            return step
        outputs = self._outputs(parts)
        if parts and not outputs:
            raise Rejected(f"ClientError: there is no prediction to be read below {parts[0].output.uri}")
        threshold, passed = self._judge(round_, outputs)
        self._put(round_, round_.threshold, json.dumps(asdict(threshold)), _JSON)
        self._say(job.name, _EVALUATED, f"iteration {round_.iteration}: {threshold.sentence}")
        with self._database.read() as session:
            left = len(records.rest(session, job.id))
        # Without a threshold only the order of what goes to people is still to be found.
        is_over = threshold.confidence is None and left <= job.batch_size
        self._move(
            round_,
            RoundStage.ASKING if is_over else RoundStage.PREDICTING,
            threshold=json.dumps(asdict(threshold)),
            passed=json.dumps(passed),
            labeled_at=self._clock(),
        )
        return None

    def _predict(self, round_: Round) -> Step | None:
        if step := self._transformed(round_, self._pieces(round_, RoundStage.PREDICTING)):
            return step
        self._move(round_, RoundStage.READING)
        return None

    def _read(self, round_: Round) -> Step | None:
        """What the model says of the next objects goes into the table."""
        job = round_.job
        with self._database.read() as session:
            numbers = records.unread(session, job.id, _READ_AT_ONCE)
            images = records.images(session, job.id, numbers)
        if not numbers:
            self._move(round_, RoundStage.LABELING)
            return None
        outputs = self._outputs(pieces(round_, "unlabeled", images))
        said: dict[int, tuple[float, str | None]] = dict.fromkeys(numbers, (0.0, None))
        for number, output in outputs.items():
            if prediction := read_prediction(round_.algorithm, output, len(job.categories)):
                content = {"value": prediction.value, "confidences": prediction.confidences}
                said[number] = (prediction.confidence, json.dumps(content))
        with self._database.write() as session:
            records.keep(session, job.id, said)
        return None

    def _label(self, round_: Round) -> Step | None:
        job = round_.job
        with self._database.read() as session:
            row = records.this_round(session, job.id, round_.iteration)
            threshold = json.loads(row.threshold)["confidence"] if row and row.threshold else None
            made = row.labeled_at if row else None
            sure = records.sure(session, job.id, threshold, _LABELS_AT_ONCE) if threshold is not None else {}
        if not sure or made is None:
            self._move(round_, RoundStage.ASKING)
            return None
        labels = {
            number: label(
                round_.algorithm,
                Prediction(0.0, content["value"], tuple(content["confidences"])),
                job.label_attribute,
                job.categories,
                job.metadata_name,
                made,
            )
            for number, content in sure.items()
        }
        self._put(round_, round_.annotator_output(min(labels)), annotator_text(labels), _TEXT)
        return Label(round_.iteration, labels)

    def _ask(self, round_: Round) -> Step | None:
        with self._database.read() as session:
            numbers = records.least_sure(session, round_.job.id, round_.job.batch_size)
        return AskPeople(numbers) if numbers else Done()

    # ---- transforms

    def _pieces(self, round_: Round, stage: RoundStage) -> list[Piece]:
        """The transform jobs of a stage: the sample that judges, or all that have no label."""
        job = round_.job
        with self._database.read() as session:
            if stage is RoundStage.VALIDATING:
                before = records.judged_before(session, job.id, round_.iteration)
                numbers = [number for number in self._drawn(job).validation if number not in before]
                return pieces(round_, "validation", records.images(session, job.id, numbers))
            numbers = records.rest(session, job.id)
            return pieces(round_, "unlabeled", records.images(session, job.id, numbers))

    def _transformed(self, round_: Round, parts: Sequence[Piece]) -> Step | None:
        """None when all these jobs have ended; else the next one is under way."""
        for piece in parts:
            request = partial(self._transform, round_, piece)
            found = self._place.attach("transform", piece.stem, piece.output.uri, request)
            if not found.has_ended:
                return self._wait(round_, found)
            self._check(found, piece)
        return None

    def _wait(self, round_: Round, found: Job) -> Step:
        self._running[round_.job.id] = (found.kind, found.name)
        return Wait()

    def _transform(self, round_: Round, piece: Piece) -> dict[str, Any]:
        self._put(round_, piece.list, piece.list_text, _JSON)
        with self._database.read() as session:
            is_first = records.is_first(session, round_.job.id, round_.iteration)
        if round_.first_model and is_first:
            return piece.request(model_name(round_.first_model))
        return piece.request(self._place.latest_name("training", round_.training_stem))

    def _check(self, found: Job, piece: Piece) -> None:
        """A bad image fails its job and spoils only itself: a job that left outputs has done its work."""
        if found.completed:
            return
        for place in piece.outputs().values():
            if self._store.read(place, _MOST_OUTPUT) is not None:
                return
        raise failure(found)

    def _outputs(self, parts: Sequence[Piece]) -> dict[int, bytes]:
        """What the jobs said of each object; without those of which they said nothing."""
        places = {number: place for piece in parts for number, place in piece.outputs().items()}
        found = self._readers.map(lambda place: self._store.read(place, _MOST_OUTPUT), places.values())
        return {number: output for number, output in zip(places, found, strict=True) if output is not None}

    def _judge(self, round_: Round, outputs: Mapping[int, bytes]) -> tuple[Threshold, list[int]]:
        """The threshold, and the objects of the sample that reach it."""
        job, algorithm, classes = round_.job, round_.algorithm, len(round_.job.categories)
        with self._database.read() as session:
            people = records.labelled_by_people(session, job.id, job.label_attribute)
            truths = {
                item.number: item.content[job.label_attribute] for item in people if item.number in outputs
            }
        said = {number: read_prediction(algorithm, outputs[number], classes) for number in truths}
        known = {number: prediction for number, prediction in said.items() if prediction is not None}
        confidences = [prediction.confidence for prediction in known.values()]
        if algorithm is CLASSIFICATION:
            right = [agrees(prediction, truths[number]) for number, prediction in known.items()]
            threshold = thresholds.of_classes(confidences, right, algorithm.target)
        else:
            pairs = [overlaps(prediction, truths[number], classes) for number, prediction in known.items()]
            sums = np.array([pair[0] for pair in pairs]).reshape(-1, classes)
            counts = np.array([pair[1] for pair in pairs]).reshape(-1, classes)
            threshold = thresholds.of_boxes(confidences, sums, counts, algorithm.target)
        least = threshold.confidence
        passed = [number for number, item in known.items() if least is not None and item.confidence >= least]
        return threshold, passed

    def _put(self, round_: Round, place: S3Location, text: str, kind: str) -> None:
        self._store.put_bytes(place, text.encode(), kind, round_.job.kms_key_id)


class _NothingToLearn(Exception):
    """People have labelled nothing that a model could learn from."""
