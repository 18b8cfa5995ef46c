"""
# Learn from the new labels

Trains the champion further on what people answered, and promotes the result only if it got better. Rung
by the labels of `nightly_review`; the clock rings as well (06:00 UTC), because an asset event can be
missed. The bell says only that it is time to look: what is new is read from S3, so every label is learned
from once, however often it rings.

| Task | What it does | Result below `s3://<bucket>/<pipeline>/` |
|---|---|---|
| `plan` | counts the new labels; leaves a rung run to the last night in progress | |
| `build_dataset` | new labels, replay, validation; **skips without new labels** | `datasets/<id>/` |
| `train` | a SageMaker training job from the champion's artifact | `models/<job>/output/model.tar.gz` |
| `evaluate` | measures champion and challenger on the fixed test sets | `evaluations/<job>/metrics.json` |
| `gate` | better on average, and on no test set much worse? | |
| `promote` | makes the challenger the champion, if so | `champion.json` |
| `look_again` | starts this flow again for labels that came in meanwhile, else skips | |

**By hand**: trigger it; it trains whenever there is something new. `plan_only` says what it would learn
(log and XCom `plan` of the first task) and stops.

**Safe to run again**: dataset and job names are computed from the labels and the champion, so a retry
attaches to the job that is there. A challenger that did not pass the gate is not trained again until
there are more labels: its labels stay new.

**When it fails**: `train` and `evaluate` show SageMaker's own reason. A failed or stopped job is started
again under the next attempt number, by the task's retry or by clearing the task. Clearing a task that
waits stops its job.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, chain

from a2i.dag_factory import dag_id, labels_asset, loop_dag, output, param, pipelines
from a2i.jobs import EvaluateModelsOperator, IncrementalTrainingOperator
from a2i.learning import (
    BuildDatasetOperator,
    JudgeOperator,
    PlanTrainingOperator,
    PromoteOperator,
    TrainAgainOperator,
)

PARAMS = {
    "plan_only": Param(
        False,
        type="boolean",
        title="Plan only",
        description="Say what would be learned, and train nothing.",
    ),
    "min_new_labels": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=1_000_000,
        title="Train from this many new labels",
        description="With fewer new labels the run skips. Empty: as in the pipeline's YAML.",
    ),
}


def incremental_training(pipeline: str) -> None:
    with loop_dag(
        "incremental_training",
        pipeline,
        manual=__doc__,
        tags=["training"],
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("0 6 * * *", timezone="UTC"), assets=[labels_asset(pipeline)]
        ),
        params=PARAMS,
        max_active_runs=1,  # a second training would start from the same champion
    ) as dag:
        dataset_id = output("build_dataset", "dataset_id")
        training_job = output("train", "training_job")

        plan = PlanTrainingOperator(
            pipeline=pipeline,
            task_id="plan",
            nights=(dag_id("nightly_review", pipeline), "ring_for_training"),
            plan_only=param(dag, "plan_only"),
        )
        build_dataset = BuildDatasetOperator(
            pipeline=pipeline, task_id="build_dataset", min_new_labels=param(dag, "min_new_labels")
        )
        train = IncrementalTrainingOperator(
            pipeline=pipeline, task_id="train", dataset_id=dataset_id, job_timeout=timedelta(days=1)
        )
        evaluate = EvaluateModelsOperator(pipeline=pipeline, task_id="evaluate", training_job=training_job)
        gate = JudgeOperator(pipeline=pipeline, task_id="gate", training_job=training_job)
        promote = PromoteOperator(pipeline=pipeline, task_id="promote", training_job=training_job)
        look_again = TrainAgainOperator(
            pipeline=pipeline,
            task_id="look_again",
            dataset_id=dataset_id,
            trigger_dag_id=dag_id("incremental_training", pipeline),
        )

        chain(plan, build_dataset, train, evaluate, gate, promote, look_again)


for name in pipelines():
    incremental_training(name)
