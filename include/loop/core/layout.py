"""Where everything lies below ``s3://{bucket}/{pipeline}/``: one function or constant for each kind of file.

A batch is "2026-11-01", or "2026-11-01.1" when it was forced anew. Pure names: storage.py reads and writes.
"""

from __future__ import annotations

import re

RUNS = "runs/"
LABELS = "labels/"
CONTENTS = "contents/"
AGAIN = "again/"
DISCARDED = "discarded/"
RELEASED = "released/"
TRIALS = "trials/"
SPLITS = "splits/"
MODELS = "models/"
REPORTS = "reports/"
HISTORY_PAGE = "reports/index.html"
# SageMaker's rule for the names of training jobs: no slash and no dot, so that nothing else can be meant.
TRAINING_JOB = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"
REVIEWS = "reviews"
CHAMPION = "champion.json"
CHAMPIONS = "champions/"
DEPLOYMENTS = "deployments/"


def run_file(batch: str, name: str) -> str:
    """What one night knows: batch.json, predictions.json, triage.parquet,
    questions.jsonl, …
    """
    return f"{RUNS}dt={batch}/{name}"


def questions_header(batch: str) -> str:
    """Written when a night's questions are complete: from then on its decisions are final."""
    return run_file(batch, "questions.json")


def content_file(sha256: str) -> str:
    """Which question some bytes belong to, whatever they are called."""
    return f"{CONTENTS}{sha256}.json"


def again_file(shard: str) -> str:
    """Which night has asked about some images of a set-aside night again; written once."""
    return f"{AGAIN}{shard}.json"


def label_file(batch: str, name: str) -> str:
    """What one night learned from people: augmented.manifest, quarantine.jsonl, summary.json."""
    return f"{LABELS}dt={batch}/{name}"


def split_file(split: str) -> str:
    """The sides of the images of one shard, for ever."""
    return f"{SPLITS}{split}.jsonl"


def discarded_file(shard: str) -> str:
    """Who discarded the labels of a night, when and why."""
    return f"{DISCARDED}{shard}.json"


def released_file(shard: str) -> str:
    """Who said that what was tried with a night no longer counts against it, when and why; the last word."""
    return f"{RELEASED}{shard}.json"


def trial_file(training_job: str) -> str:
    """Which new nights a challenger learned, from which champion, and what the gate found; written once."""
    return f"{TRIALS}{training_job}.json"


def replay_file(digest: str, name: str = "") -> str:
    """``replay/<digest>.jsonl``, and below ``replay/<digest>/`` the predictions it was made from."""
    return f"replay/{digest}/{name}" if name else f"replay/{digest}.jsonl"


def dataset_file(dataset_id: str, name: str) -> str:
    """train, validation, memory, newest and audit.manifest; history.jsonl, rejected.jsonl, dataset.json."""
    return f"datasets/{dataset_id}/{name}"


def model_file(training_job: str, name: str) -> str:
    """model.json; SageMaker adds output/model.tar.gz."""
    return f"{MODELS}{training_job}/{name}"


def report_file(training_job: str, name: str) -> str:
    """index.html, the page of a round, and facts.json, which it is made from."""
    return f"{REPORTS}{training_job}/{name}"


def is_training_job(name: str) -> bool:
    """Whether a job can have this name: only then does a link lead to its page."""
    return len(name) <= 63 and re.fullmatch(TRAINING_JOB, name) is not None


def evaluation_file(training_job: str, name: str) -> str:
    """metrics.json, verdict.json, and the predictions on the test sets."""
    return f"evaluations/{training_job}/{name}"


def champion_history(number: int) -> str:
    return f"{CHAMPIONS}{number:04d}.json"


def checkpoints(stem: str) -> str:
    """The folder in which a training job keeps what it needs to go on after an interruption."""
    return f"checkpoints/{stem}/"


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
    """How far the known images' answers were from evaluation's, for one endpoint configuration."""
    return f"checks/{config}.json"
