"""
# Train the first model

Trains a model from labels that already exist (`initial` in the pipeline's YAML: augmented manifests for
training and validation) and makes it the champion that `nightly_review` predicts with.

| Task | What it does |
|---|---|
| `build_dataset` | checks the initial manifests line by line, writes the dataset |
| `train` | a SageMaker training job from scratch |
| `evaluate` | measures it on the pipeline's test sets |
| `gate` | compares it with the champion; a first model only needs finite metrics |
| `promote` | makes it the champion, if the verdict says so |

**No labels yet?** Leave this flow out: without a champion, `nightly_review` asks about a random choice of
images, and `incremental_training` trains the first model from the answers.

**Safe to run again**: dataset and job names are computed from the labels, so the same labels attach to
the jobs that are there, finished or running, and nothing is billed twice.

**When it fails**: `train` and `evaluate` show SageMaker's own reason. A failed or stopped job is started
again under the next attempt number, by the task's retry or by clearing the task. Clearing a task that
waits stops its job.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain

from a2i.dag_factory import loop_dag, output, pipelines
from a2i.jobs import EvaluateModelsOperator, IncrementalTrainingOperator
from a2i.learning import BuildDatasetOperator, JudgeOperator, PromoteOperator


def initial_training(pipeline: str) -> None:
    with loop_dag(
        "initial_training", pipeline, manual=__doc__, tags=["training"], schedule=None, max_active_runs=1
    ):
        training_job = output("train", "training_job")

        build_dataset = BuildDatasetOperator(pipeline=pipeline, task_id="build_dataset", initial=True)
        train = IncrementalTrainingOperator(
            pipeline=pipeline,
            task_id="train",
            dataset_id=output("build_dataset", "dataset_id"),
            job_timeout=timedelta(days=1),
        )
        evaluate = EvaluateModelsOperator(pipeline=pipeline, task_id="evaluate", training_job=training_job)
        gate = JudgeOperator(pipeline=pipeline, task_id="gate", training_job=training_job)
        promote = PromoteOperator(pipeline=pipeline, task_id="promote", training_job=training_job)

        chain(build_dataset, train, evaluate, gate, promote)


for name in pipelines():
    initial_training(name)
