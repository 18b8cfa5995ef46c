"""
# Train the first model

Trains a model from labels that already exist (`initial` in the pipeline's YAML: augmented manifests or
RecordIO files for training and validation) and makes it the champion that `nightly_review` predicts with.

| Task | What it does |
|---|---|
| `build_dataset` | unpacks `.rec` files, checks the labels one by one, writes the dataset |
| `train` | a SageMaker training job from scratch |
| `evaluate` | measures it on the pipeline's test sets and held-out images |
| `gate` | holds it against the pipeline's limits, and against a champion if there is one |
| `register` | a model package: Approved, Rejected, or PendingManualApproval |
| `report` | the page of the round (link **Report**, and *Nightloop reports* in the menu) |
| `approve` | asks a person, when one has to be asked; **skips otherwise** |
| `deploy` | a smoke test first, then the endpoint's traffic; **skips** if not approved |
| `promote` | makes it the champion; **skips** if not approved |
| `record` | the report again, with the outcome; fails if a step before it did |

**No labels yet?** Leave this flow out: without a champion, `nightly_review` asks about a diverse choice of
images, and `incremental_training` trains the first model from the answers.

**RecordIO** (`initial.train: s3://…/train.rec`) is unpacked once, to images and a manifest below
`unpacked/`, for the loop compares, replays and asks about single images. Jobs then train from RecordIO files
in File mode, unless `training.format` says `augmented-manifest`: `train` packs each dataset to
`datasets/<id>/train.rec` and `validation.rec`. It does not hand on the file as it came, because images that
are held out, or look like some that are, must not be learned.

**A person is asked** when `gate.approval` of the pipeline says so, or with the parameter `approval`.

**Safe to run again**: dataset and job names are computed from the labels, so the same labels attach to
the jobs that are there, finished or running, and nothing is billed twice.

**When it fails**: `train`, `evaluate` and `deploy` show SageMaker's own reason. A failed or stopped job is
started again under the next attempt number, by the task's retry or by clearing the task. Clearing a task
that waits stops its job.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain

from nightloop.dag_factory import dataset_asset, loop_dag, param, pipelines
from nightloop.operators.datasets import BuildDatasetOperator
from nightloop.round import APPROVAL, train_to_record


def initial_training(pipeline: str) -> None:
    with loop_dag(
        "initial_training",
        pipeline,
        manual=__doc__,
        tags=["training"],
        schedule=None,
        params=APPROVAL,
        max_active_runs=1,
    ) as dag:
        build_dataset = BuildDatasetOperator(
            pipeline=pipeline,
            task_id="build_dataset",
            initial=True,
            outlets=[dataset_asset(pipeline)],
            execution_timeout=timedelta(hours=2),  # 100,000 images of a .rec take minutes to unpack
        )
        train, _ = train_to_record(pipeline, ask=param(dag, "approval"))

        chain(build_dataset, train)


for name in pipelines():
    initial_training(name)
