"""Where everything lies below ``s3://{bucket}/{pipeline}/``: one function or constant for each kind of file.

A batch is "2026-11-01", or "2026-11-01.1" when it was forced anew. Nobody else builds a key. Pure names:
storage.py reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RUNS = "runs/"
LABELS = "labels/"
CONTENTS = "contents/"
AGAIN = "again/"
DISCARDED = "discarded/"
RELEASED = "released/"
TRIALS = "trials/"
LIVE = "live/"
APPEARANCE = "appearance/"
SPLITS = "splits/"
# A copy of what is below SPLITS, as one table: it may be deleted at any time.
LEDGER = "ledger/splits.parquet"
# The same of the manifests below LABELS, line by line.
LINES = "ledger/lines.parquet"
LABELING = "labeling/"
IMPORTS = "imports/"
IMPORTED = "imported/"
MODELS = "models/"
REPORTS = "reports/"
HISTORY_PAGE = "reports/index.html"
REVIEWS = "reviews"
CHAMPION = "champion.json"
CHAMPIONS = "champions/"
DEPLOYMENTS = "deployments/"
# What the folder of a batch starts with, below RUNS and LABELS.
BATCH_FOLDER = "dt="
# SageMaker's rule for the names of training jobs: no slash and no dot, so that nothing else can be meant.
TRAINING_JOB = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"


# One batch: what is pinned, predicted, decided and asked.


def batch_file(batch: str) -> str:
    """What is pinned: the model, and the parts in which the images are."""
    return _run(batch, "batch.json")


def batch_part(batch: str, digest: str) -> str:
    """Some of the pinned images, named after their content: of two listings at once only one is pinned."""
    return _run(batch, f"batch/{digest}.parquet")


def epochs_file(date: str) -> str:
    """How often a date was forced anew; in the folder of its first batch."""
    return _run(date, "epochs.json")


def predictions_file(batch: str) -> str:
    """How many images have an output; written when the last transform job has ended."""
    return _run(batch, "predictions.json")


def predictions_part(batch: str, part: int) -> str:
    """Which image of a part has which output."""
    return f"{predictions_folder(batch)}/part-{part:05}.parquet"


def predictions_folder(batch: str) -> str:
    """For the inputs and outputs of the batch's transform jobs."""
    return _run(batch, "predictions")


def triage_part(batch: str, part: int) -> str:
    """What the model's answers say of the images of a part: who might be asked about, and how urgently."""
    return _run(batch, f"triage/part-{part:05}.parquet")


def triage_file(batch: str) -> str:
    """One row per image that was looked at: ask or leave, and why."""
    return _run(batch, "triage.parquet")


def triage_header(batch: str) -> str:
    """The counts of a batch's decisions; written when all of them are made."""
    return _run(batch, "triage.json")


def questions_file(batch: str) -> str:
    """One line per human loop that is to be started."""
    return _run(batch, "questions.jsonl")


def questions_header(batch: str) -> str:
    """Written when a batch's questions are complete: from then on its decisions are final."""
    return _run(batch, "questions.json")


def started_file(batch: str) -> str:
    """When the first human loops were started, and their deadline; written once."""
    return _run(batch, "started.json")


def refused_file(batch: str) -> str:
    """The questions that the review service turned down."""
    return _run(batch, "refused.json")


def content_file(sha256: str) -> str:
    """Which question some bytes belong to, whatever they are called."""
    return f"{CONTENTS}{sha256}.json"


def again_file(shard: str) -> str:
    """Which batch has asked about some images of a set-aside batch again; written once."""
    return f"{AGAIN}{shard}.json"


# One batch's labels: its shard.


def labels_manifest(batch: str) -> str:
    """The labels, as an augmented manifest."""
    return _labels(batch, "augmented.manifest")


def quarantine_file(batch: str) -> str:
    """Every record that became no label, with its reason."""
    return _labels(batch, "quarantine.jsonl")


def summary_file(batch: str) -> str:
    """The counts; written last, so it is the shard's commit mark."""
    return _labels(batch, "summary.json")


def batch_folders(names: Iterable[str]) -> list[str]:
    """The batches among the names of the folders below RUNS or LABELS, in order.

    S3 would put 2026-11-01.1/ before 2026-11-01/.
    """
    return sorted(name.removeprefix(BATCH_FOLDER) for name in names if name.startswith(BATCH_FOLDER))


def split_file(shard: str) -> str:
    """The splits of the images of one shard, for ever."""
    return f"{SPLITS}{shard}.jsonl"


def pictures_file(shard: str) -> str:
    """What the pictures of a shard are, until their splits are settled; may be deleted at any time."""
    return f"fingerprints/{shard}.jsonl"


def copy_file(name: str) -> str:
    """Many small records of one kind, as one table; a copy, too."""
    return f"ledger/{name}.parquet"


def live_file(shard: str) -> str:
    """What the audits of a shard say of the model at work; may be deleted at any time."""
    return f"{LIVE}{shard}.json"


def appearance_file(batch: str) -> str:
    """How a batch looks to the model at work, and whether that has moved; written once."""
    return f"{APPEARANCE}{batch}.json"


def discarded_file(shard: str) -> str:
    """Who discarded the labels of a batch, when and why."""
    return f"{DISCARDED}{shard}.json"


def released_file(shard: str) -> str:
    """Who said that what was tried with a batch no longer counts against it, when and why; the last word."""
    return f"{RELEASED}{shard}.json"


def trial_file(training_job: str) -> str:
    """Which new batches a challenger learned, from which champion, and what the gate found; written once."""
    return f"{TRIALS}{training_job}.json"


def is_summary(uri: str) -> bool:
    """Whether a listed object below LABELS is the commit mark of a shard."""
    return uri.endswith("/summary.json")


def is_labels_manifest(uri: str) -> bool:
    """Whether a listed object below LABELS has the labels of a shard."""
    return uri.endswith("/augmented.manifest")


def is_facts(uri: str) -> bool:
    """Whether a listed object below REPORTS is what a round's page is made from."""
    return uri.endswith("/facts.json")


def folder_of(uri: str) -> str:
    """The name of the folder that an object lies in: the job of ``s3://…/reports/<job>/facts.json``."""
    return uri.rsplit("/", 2)[1]


def named_after(uri: str) -> str:
    """The shard or job that a file is named after: ``2026-11-01`` of ``s3://…/splits/2026-11-01.jsonl``."""
    return uri.rpartition("/")[2].removesuffix(".jsonl").removesuffix(".json")


# What came in from elsewhere.


def import_file(name: str) -> str:
    """What one import brought, and what of it is not used; written last."""
    return f"{IMPORTS}{name}/import.json"


def import_started(name: str) -> str:
    """When an import was first made; written once, before everything else of it."""
    return f"{IMPORTS}{name}/started.json"


def import_problems(name: str) -> str:
    """Every record and label of the source that is not used or was changed, with the reason."""
    return f"{IMPORTS}{name}/problems.jsonl"


def imported_image(sha256: str, suffix: str) -> str:
    """A picture that lay in no S3 bucket, named after its bytes: imported twice, it lies there once."""
    return f"{IMPORTED}{sha256}{suffix}"


# Labeling jobs: what people are asked about all at once. Ground Truth writes beside it, below the job's name.


def labeling_file(name: str) -> str:
    """What a labeling job is made of; written last, so it says that the rest is there."""
    return _labeling(name, "job.json")


def labeling_manifest(name: str) -> str:
    """Its input manifest."""
    return _labeling(name, "input.manifest")


def labeling_categories(name: str) -> str:
    """Its label category file."""
    return _labeling(name, "categories.json")


def labeling_template(name: str) -> str:
    """Its worker task template."""
    return _labeling(name, "template.liquid.html")


def labeling_left_out(name: str) -> str:
    """What of its source nobody is asked about, with the reason."""
    return _labeling(name, "left-out.jsonl")


def labeling_output(job: str) -> str:
    """The labels of one job as far as it is, as Ground Truth writes them."""
    return _labeling(job, "manifests/output/output.manifest")


# Datasets, and the replay that goes into them.


def replay_file(digest: str) -> str:
    """How difficult the champion finds what it might see again; one line per image."""
    return f"replay/{digest}.jsonl"


def replay_folder(digest: str) -> str:
    """The predictions that a replay's scores are made from."""
    return f"replay/{digest}/predictions"


def dataset_file(dataset_id: str) -> str:
    """What the dataset was made of; written last, so it is the dataset's commit mark."""
    return _dataset(dataset_id, "dataset.json")


def dataset_manifest(dataset_id: str, name: str) -> str:
    """The labels of one split or slice: train, validation, …"""
    return _dataset(dataset_id, f"{name}.manifest")


def dataset_history(dataset_id: str) -> str:
    """Labels that newer ones took the place of."""
    return _dataset(dataset_id, "history.jsonl")


def dataset_rejected(dataset_id: str) -> str:
    """Label lines and boxes that were left out, with the reason."""
    return _dataset(dataset_id, "rejected.jsonl")


def dataset_records(dataset_id: str, split: str) -> str:
    """The images and labels of a split as RecordIO, for pipelines that train from it."""
    return _dataset(dataset_id, f"{split}.rec")


def packed_file(dataset_id: str) -> str:
    """How many records those have; written last, so it says that they are complete."""
    return _dataset(dataset_id, "packed.json")


def coco_annotations(dataset_id: str) -> str:
    """The folder of train.json and validation.json in COCO's format, for images of one's own that read it."""
    return _dataset(dataset_id, "coco/annotations/")


def coco_images(dataset_id: str, split: str) -> str:
    """Which images those are about, as SageMaker lists the objects of a channel."""
    return _dataset(dataset_id, f"coco/{split}.images.json")


def coco_file(dataset_id: str) -> str:
    """How many images those have; written last, so it says that they are complete."""
    return _dataset(dataset_id, "coco/coco.json")


def not_packed(dataset_id: str) -> str:
    """Images of the dataset that its RecordIO files or COCO's annotations leave out, with the reason."""
    return _dataset(dataset_id, "not-packed.jsonl")


# A RecordIO file with the labels of the first model, unpacked; the digest is of its bytes and its classes.


def unpacked_images(digest: str) -> str:
    """Its images are below this, one object each."""
    return _unpacked(digest, "images/")


def unpacked_refused(digest: str) -> str:
    """Its records that hold no image with a label, with the reason."""
    return _unpacked(digest, "refused.jsonl")


def unpacked_manifest(digest: str) -> str:
    """Its labels, as an augmented manifest; written last, so it says that all is unpacked."""
    return _unpacked(digest, "labels.manifest")


# Models: trained, measured, judged, told of, registered, served.


def model_file(training_job: str) -> str:
    """What came from where; written when the training job has completed."""
    return _model(training_job, "model.json")


def artifact_file(training_job: str) -> str:
    """Where SageMaker puts the trained model."""
    return _model(training_job, "output/model.tar.gz")


def curves_file(training_job: str) -> str:
    """Loss and validation score by epoch."""
    return _model(training_job, "curves.json")


def checkpoints(stem: str) -> str:
    """The folder in which a training job keeps what it needs to go on after an interruption."""
    return f"checkpoints/{stem}/"


def metrics_file(training_job: str) -> str:
    """What champion and challenger score, and by how much they differ."""
    return _evaluation(training_job, "metrics.json")


def measured_images_file(training_job: str) -> str:
    """The same image by image."""
    return _evaluation(training_job, "images.jsonl")


def verdict_file(training_job: str) -> str:
    """What the gate decided, and why."""
    return _evaluation(training_job, "verdict.json")


def outputs_file(training_job: str, digest: str) -> str:
    """What the model has predicted for one list of images of its evaluations."""
    return f"{outputs_files(training_job)}{digest}.json"


def outputs_files(training_job: str) -> str:
    """What all of those start with."""
    return _evaluation(training_job, "outputs-")


def outputs_folder(training_job: str, digest: str) -> str:
    """For the inputs and outputs of an evaluation's transform jobs."""
    return _evaluation(training_job, f"predictions-{digest}")


def report_page(training_job: str) -> str:
    """The page of a round."""
    return _report(training_job, "index.html")


def report_numbers(labeling_job: str) -> str:
    """All numbers of a labeling job's page."""
    return _report(labeling_job, "index.json")


def report_facts(training_job: str) -> str:
    """What that page is made from."""
    return _report(training_job, "facts.json")


def is_training_job(name: str) -> bool:
    """Whether a job can have this name: only then does a link lead to its page."""
    return len(name) <= 63 and re.fullmatch(TRAINING_JOB, name) is not None


def champion_history(number: int) -> str:
    """The champion of this number, as it was set; written once."""
    return f"{CHAMPIONS}{number:04d}.json"


def registry_file(training_job: str) -> str:
    """Which model package a trained model became; written once."""
    return f"registry/{training_job}.json"


def decision_file(training_job: str) -> str:
    """Who approved or rejected that package, and why; not there before somebody did."""
    return f"registry/{training_job}.decision.json"


def deployment_file(number: int) -> str:
    """One per change of what the endpoint serves, numbered from 1."""
    return f"{DEPLOYMENTS}{number:04d}.json"


def check_file(config: str) -> str:
    """How far the smoke test's answers were from evaluation's, for one endpoint configuration."""
    return f"checks/{config}.json"


# What a person has asked a model by hand.


def asked_image(sha256: str) -> str:
    """An image that somebody had on a machine of their own."""
    return f"asked/images/{sha256}"


def asked_folder(digest: str) -> str:
    """For the inputs and outputs of the transform jobs of one question."""
    return f"asked/{digest}"


# Inside the folder of one transform.


def transform_input(folder: str, attempt: int) -> str:
    """The input manifest of one attempt."""
    return f"{folder}/input-{attempt}.json"


def transform_refused(folder: str) -> str:
    """What no job can predict, which is therefore not sent, each with its reason."""
    return f"{folder}/refused.json"


def transform_outputs(folder: str) -> str:
    """Where a transform job writes what the model says, one object for each image."""
    return f"{folder}/out/"


def _run(batch: str, name: str) -> str:
    return f"{RUNS}{BATCH_FOLDER}{batch}/{name}"


def _labels(batch: str, name: str) -> str:
    return f"{LABELS}{BATCH_FOLDER}{batch}/{name}"


def _labeling(name: str, file: str) -> str:
    return f"{LABELING}{name}/{file}"


def _dataset(dataset_id: str, name: str) -> str:
    return f"datasets/{dataset_id}/{name}"


def _unpacked(digest: str, name: str) -> str:
    return f"unpacked/{digest}/{name}"


def _model(training_job: str, name: str) -> str:
    return f"{MODELS}{training_job}/{name}"


def _evaluation(training_job: str, name: str) -> str:
    return f"evaluations/{training_job}/{name}"


def _report(training_job: str, name: str) -> str:
    return f"{REPORTS}{training_job}/{name}"
