"""
# Learn from the new labels

Trains the champion further on what people answered, and promotes the result only if it got better.
Event-triggered by the labels of `nightly_review`; the clock starts it as well (06:00 UTC), because an asset
event can be missed. The event says only that it is time to look: what is new is read from S3, so every label
is learned from once, however many events there are.

**One bad batch costs only itself.** When the gate finds harm (`loss`, `class_loss`, `train_recall`), the
batches that were new are suspended, or the one whose labels could not be learned; the rounds after learn from
the others. Suspended batches are tried again in halves, and the last one alone, by `look_again` and by the
clock: at most `training.trials` more trainings within 24 hours, and never the same batches with the same
champion. A batch that does harm by itself is set aside: `gate` warns of it. It is tried once more with a
later champion, for a training may go wrong by chance, and is learned if that goes well; else it waits for a
person, who says `python -m include.loop release-labels` or `discard-labels` (on the local stack with `python
-m include.stack run` before it). `python -m include.loop batches` shows where each batch stands.

Labels that brought no gain come again with the next batch's; when those fail as well, the newer half is
tried by itself. A batch that others were promoted without three times, after they brought no gain with it,
is tried alone and then set aside as well.

| Task | What it does | Result below `s3://<bucket>/<pipeline>/` |
|---|---|---|
| `plan` | says what would be learned; leaves an event-triggered run to the last batch in progress | |
| `score_replay` | the champion scores some earlier images, to find those that it finds hard | `replay/` |
| `build_dataset` | new labels, replay, validation; **skips with nothing to try** | `datasets/<id>/` |
| `train` | a SageMaker training job from the champion's artifact | `models/<job>/output/model.tar.gz` |
| `evaluate` | measures champion and challenger on the same images | `evaluations/<job>/metrics.json` |
| `gate` | better where it should be, nowhere worse? | `evaluations/<job>/verdict.json`, `trials/` |
| `register` | a model package: Approved, Rejected, or PendingManualApproval | `registry/<job>.json` |
| `report` | the page of the round (link **Report**, and *Nightloop reports* in the menu) | `reports/<job>/` |
| `approve` | asks a person, when one has to be asked; **skips otherwise** | |
| `deploy` | a smoke test first, then the endpoint's traffic; **skips** if not approved | `deployments/` |
| `promote` | makes the challenger the champion; **skips** if not approved | `champion.json` |
| `record` | the report again, with the outcome; fails if a step before it did | `reports/<job>/` |
| `look_again` | starts this flow again for labels that came in, or batches to try again; else skips | |

**A model that is not promoted is a good end of a run**, not a failure: the gate or a person said no, the
champion stays, and its labels stay new.

**A person is asked** when `gate.approval` of the pipeline says so, with the parameter `approval`, and
always about what was learned from a backfilled batch. The answer is given in Airflow (*Required actions*)
or by setting the package's approval status with any SageMaker client; meanwhile no other round begins, and
the batches go on. After three days without an answer the package stays as it is: clear `approve` with the
tasks behind it, or approve the package in SageMaker and run `deployment`.

**By hand**: trigger it; it trains whenever there is something new. `plan_only` says what it would learn
(log and XCom `plan` of the first task) and stops.

**Safe to run again**: dataset and job names are computed from the labels and the champion, so a retry
attaches to the job that is there. A run that is cleared as a whole learns from its own dataset again and
comes to the same verdict; for labels that came in since, trigger a new one. The batches of a challenger that
did not pass the gate are not tried again, all of them together, until there are more labels.

**When it fails**: `train`, `evaluate` and `deploy` show SageMaker's own reason. A failed or stopped job is
started again under the next attempt number, by the task's retry or by clearing the task. Clearing a task
that waits stops its job; an endpoint's change cannot be stopped, and is waited for. To undo a promotion,
run `deployment` with `rollback`.
"""

from __future__ import annotations

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param, chain

from nightloop.dag_factory import dag_id, dataset_asset, labels_asset, loop_dag, output, param, pipelines
from nightloop.operators.datasets import BuildDatasetOperator, PlanTrainingOperator, TrainAgainOperator
from nightloop.operators.sagemaker_jobs import ScoreReplayOperator
from nightloop.round import APPROVAL, train_to_record

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
    **APPROVAL,
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
        plan = PlanTrainingOperator(
            pipeline=pipeline,
            task_id="plan",
            batches=(dag_id("nightly_review", pipeline), "notify_training"),
            plan_only=param(dag, "plan_only"),
        )
        enough = param(dag, "min_new_labels")
        score_replay = ScoreReplayOperator(pipeline=pipeline, task_id="score_replay", min_new_labels=enough)
        build_dataset = BuildDatasetOperator(
            pipeline=pipeline,
            task_id="build_dataset",
            min_new_labels=enough,
            inlets=[labels_asset(pipeline)],
            outlets=[dataset_asset(pipeline)],
        )
        train, record = train_to_record(pipeline, ask=param(dag, "approval"))
        look_again = TrainAgainOperator(
            pipeline=pipeline,
            task_id="look_again",
            dataset_id=output("build_dataset", "dataset_id"),
            trigger_dag_id=dag_id("incremental_training", pipeline),
        )

        chain(plan, score_replay, build_dataset, train)
        chain(record, look_again)


for name in pipelines():
    incremental_training(name)
