"""
# Ask people about the hardest images of a day

The run of a date works on the images of that date, after it has ended (midnight, UTC): predict with the
champion, ask people about the images worth asking about, turn their answers into labels, and notify
training.

| Task | What it does | Result below `s3://<bucket>/<pipeline>/` |
|---|---|---|
| `list_batch` | pins the images and the champion; **skips a date without images** | `runs/dt=D/batch.json` |
| `batch_inference` | predicts by batch transform | `runs/dt=D/predictions/` |
| `triage` | for each 10,000 images: who is worth asking about, and how urgently | `runs/dt=D/triage/` |
| `start_human_loops` | chooses under the cap: why, seconds, dollars | `runs/dt=D/triage.parquet` |
| | one question per chosen image, none twice | `runs/dt=D/questions.jsonl` |
| `wait_for_human_loops` | waits, without a worker slot, until all is answered or the deadline | |
| `assemble_manifest` | labels, and a quarantine with a reason for each bad record | `labels/dt=D/` |
| `notify_training` | emits the labels asset when there is something new to learn, else skips | |

**One batch by hand**: trigger it with `batch_date`. `plan_only` shows how many it would ask about and
what that would cost (log of `start_human_loops`, XCom `plan`) and asks nobody.

**No model yet**: the images that differ most from each other are asked about, or random ones
(`triage.cold_start`). With `review.prelabel_endpoint` people begin with the answers of that endpoint; where
it gives none, they begin with nothing, and the log of `start_human_loops` says why.

**Many batches**: `airflow backfill create --dag-id nightly_review__<pipeline> --from-date 2026-10-01
--to-date 2026-10-08`; both ends are included. What is learned from them is not used before a person has
agreed.

**The same date again** attaches to the finished job, asks nobody a second time and writes the same
manifest, even after a new champion. `force_new` is the way to ask again on purpose: it makes a new batch,
`2026-10-01.1`.

**The same file again**, in the batch or in a later one, is one question: its label serves every key. It is
asked anew when that question ended without a label. Where reviewers disagree without a majority either way
there is no label; the quarantine tells what each of them said.

**A batch that is set aside** (see `incremental_training`) is doubted: the next batch asks about ten of its
images again, within its own cap, without prelabels, once. Our review server offers these questions to people
who did not answer before as long as there are any; Amazon's A2I offers them to anybody.

**The deadline** (`review.deadline_hours`) is no failure: the flow goes on with the answers that are
there; later ones are picked up by the next batch. Clearing or failing `wait_for_human_loops` leaves the
questions open.

**When it fails**: a task's log ends with the reason and where to look. `NotSetUp`: run `review_setup`.
Bad records never fail a run: see `quarantine.jsonl`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, Param, chain

from nightloop.dag_factory import (
    champion_asset,
    jobs_at_once,
    labels_asset,
    loop_dag,
    output,
    param,
    param_as_text,
    pipelines,
)
from nightloop.operators.human_review import (
    LISTED,
    AugmentedManifestOperator,
    ListBatchOperator,
    NotifyTrainingOperator,
    StartHumanLoopsOperator,
    TriageOperator,
)
from nightloop.operators.sagemaker_jobs import BatchInferenceOperator
from nightloop.sensors.human_loops import HumanLoopsSensor

PARAMS = {
    "batch_date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Date of the images",
        description="The day whose images are looked at. Empty: the run's own date.",
    ),
    "plan_only": Param(
        False,
        type="boolean",
        title="Plan only",
        description="Predict and count, but ask nobody: the log of start_human_loops shows counts and cost.",
    ),
    "threshold": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=1,
        title="Ask below this score",
        description="Ask about an image whose best score is lower. Empty: as in the pipeline's YAML.",
        section="Only for this run",
    ),
    "cap": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=5000,
        title="Ask about at most",
        description="The most images people are asked about. Empty: as in the pipeline's YAML.",
        section="Only for this run",
    ),
    "force_new": Param(
        False,
        type="boolean",
        title="Ask again",
        description="Make a new batch of a date that was done before, and ask about its images again.",
        section="Only for this run",
    ),
}


def nightly_review(pipeline: str) -> None:
    with loop_dag(
        "nightly_review",
        pipeline,
        manual=__doc__,
        tags=["review"],
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        params=PARAMS,
        max_active_runs=8,  # people may take days, and a new batch comes every day
    ) as dag:
        batch = output("list_batch", "batch", xcom=LISTED)

        list_batch = ListBatchOperator(
            pipeline=pipeline,
            task_id="list_batch",
            batch_date=param(dag, "batch_date"),
            force_new=param(dag, "force_new"),
            inlets=[champion_asset(pipeline)],
        )
        batch_inference = BatchInferenceOperator(
            pipeline=pipeline,
            task_id="batch_inference",
            batch=batch,
            max_active_tis_per_dag=jobs_at_once(),  # of a backfill all batches would start theirs together
        )
        triage = TriageOperator.partial(
            pipeline=pipeline,
            task_id="triage",
            batch=batch,
            threshold=param_as_text("threshold"),
            cap=param_as_text("cap"),
        ).expand(part=list_batch.output)
        start_human_loops = StartHumanLoopsOperator(
            pipeline=pipeline,
            task_id="start_human_loops",
            batch=batch,
            plan_only=param(dag, "plan_only"),
            threshold=param(dag, "threshold"),
            cap=param(dag, "cap"),
        )
        wait_for_human_loops = HumanLoopsSensor(
            pipeline=pipeline, task_id="wait_for_human_loops", batch=batch
        )
        assemble_manifest = AugmentedManifestOperator(
            pipeline=pipeline,
            task_id="assemble_manifest",
            batch=batch,
            execution_timeout=timedelta(hours=2),
            max_active_tis_per_dag=1,  # two batches would both pick up the same late answers
        )
        notify_training = NotifyTrainingOperator(
            pipeline=pipeline,
            task_id="notify_training",
            batch=output("list_batch", "batch", default="", xcom=LISTED),
            plan_only=param(dag, "plan_only"),
            outlets=[labels_asset(pipeline)],
            # A date without images may be the last of a backfill: the batches before it rely on this event.
            trigger_rule="none_failed",
        )

        chain(
            list_batch,
            batch_inference,
            triage,
            start_human_loops,
            wait_for_human_loops,
            assemble_manifest,
            notify_training,
        )


for name in pipelines():
    nightly_review(name)
