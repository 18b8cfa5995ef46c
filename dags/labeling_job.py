"""
# From a folder of images to a served model

For a team that has images and no labels: people label all of them in one labeling job, and the first model
is trained from what they say. Trigger it with the folder; `nightly_review` goes on from there.

| Task | What it does | Result below `s3://<bucket>/<pipeline>/` |
|---|---|---|
| `plan` | lists the images, says what labelling costs, writes the job's files | `labeling/<name>/` |
| `label` | makes the labeling job, and waits until it is done, without a worker slot | `labeling/<name>-1/` |
| `analyse` | whether people agree, how long they took, what it cost (link **Report**) | `reports/<name>-1/` |
| `import_labels` | the labels become the pipeline's, those of a job that ended well | `imports/import-…/` |
| `notify_training` | emits the labels asset, when the next training is to learn them; **skips otherwise** | |
| `train` | starts `initial_training`, when they are the first model's; **skips otherwise** | |

**What they become**: the manifests that `initial_training` begins with, where the pipeline's YAML names some
(`initial`) and nothing lies there; else a batch of labels, which `incremental_training` learns in its next
round, and trains the first model from when there is none. Either flow measures the model on images that it
has not seen and deploys it. Both have to be unpaused.

**Look first**: `plan_only` counts the images that would be asked about, says what is left out and why, and
what asking would cost (log and XCom `plan` of the first task). Nobody is asked, and nothing is written.

**Whom it asks** is the team of the environment's `review`; what they are told is in `labeling` and `review`
of the pipeline's YAML. The tab Details of `label` links to the portal where they label, and for owners to a
page that shows how far they are; its log has counts, the cost so far and the end at this pace.

**A manifest instead of a folder**: lines that have a label of the pipeline's attribute keep it, and nobody is
asked about them. So the output manifest of another job is a good beginning.

**Safe to run again**: a job is named after its images and after what people are asked. The same again
attaches to the job that is there, running or done. When images were added to the folder, another job asks
about these alone; with other classes or instructions it asks about all of them.

**When it fails**: `label` says why the service gave up, or that somebody stopped the job. Clear it, and the
next job goes on with the images that have no label yet; or take what there is with `import_dataset`. Clearing
it while it waits stops the job. Single images that nobody could label never fail a run: `import_labels`
counts them.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, chain

from nightloop.dag_factory import dag_id, labels_asset, loop_dag, output, param, pipelines
from nightloop.operators.imports import ImportDatasetOperator, NotifyOfImportOperator
from nightloop.operators.labeling import (
    AnalyseLabelsOperator,
    LabelingJobOperator,
    PlanLabelingOperator,
    TrainFirstModelOperator,
)

PARAMS = {
    "images": Param(
        # Without a default the form asks for it, and no run starts without.
        type="string",
        pattern="^s3://",
        maxLength=1100,
        title="Images",
        description="S3 URI of a folder, with all below it, or of a manifest: a source-ref in each line.",
    ),
    "plan_only": Param(
        False,
        type="boolean",
        title="Plan only",
        description="Count the images and say what labelling them costs; ask nobody.",
    ),
    "workers": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=9,
        title="People for each image",
        description="How many people label each image. Empty: as in the pipeline's YAML.",
        section="Only for this run",
    ),
    "most_images": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=1_000_000,
        title="Images by people, at most",
        description="The job is complete when people have labelled so many. Empty: all.",
        section="Only for this run",
    ),
    "automatic": Param(
        False,
        type="boolean",
        title="Automatic labeling",
        description="A model learns meanwhile, and labels what it is sure of. Takes 1,250 images and more.",
        section="Only for this run",
    ),
}


def labeling_job(pipeline: str) -> None:
    with loop_dag(
        "labeling_job",
        pipeline,
        manual=__doc__,
        tags=["data", "review"],
        schedule=None,
        params=PARAMS,
        max_active_runs=1,
    ) as dag:
        plan = PlanLabelingOperator(
            pipeline=pipeline,
            task_id="plan",
            images=param(dag, "images"),
            workers=param(dag, "workers"),
            automatic=param(dag, "automatic"),
            most_images=param(dag, "most_images"),
            plan_only=param(dag, "plan_only"),
            execution_timeout=timedelta(hours=2),  # it reads how each image begins: 100,000 in 15 minutes
        )
        label = LabelingJobOperator(pipeline=pipeline, task_id="label", name=output("plan", "name"))
        analyse = AnalyseLabelsOperator(pipeline=pipeline, task_id="analyse", job=output("label", "job"))
        import_labels = ImportDatasetOperator(
            pipeline=pipeline,
            task_id="import_labels",
            source=output("label", "manifest_uri"),
            target=output("plan", "target"),
            format="ground-truth",
            label_attribute=output("plan", "label_attribute"),
            trains_itself=True,
            execution_timeout=timedelta(hours=2),
        )
        notify_training = NotifyOfImportOperator(
            pipeline=pipeline,
            task_id="notify_training",
            batch=output("import_labels", "batch"),
            outlets=[labels_asset(pipeline)],
        )
        train = TrainFirstModelOperator(
            task_id="train",
            target=output("plan", "target"),
            trigger_dag_id=dag_id("initial_training", pipeline),
            trigger_run_id="labeling__" + output("import_labels", "import"),
        )

        chain(plan, label, [analyse, import_labels])
        chain(import_labels, [notify_training, train])


for name in pipelines():
    labeling_job(name)
