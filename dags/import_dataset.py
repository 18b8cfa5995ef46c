"""
# Take in labels of another tool

Makes labels and pictures that lie in S3 those of the pipeline: PASCAL VOC, COCO, YOLO, Ground Truth's output
manifests, RecordIO, folders by class, Open Images, Label Studio, CVAT. What lies on a machine is imported by
`python -m include.loop data import`, which does the same.

| Task | What it does | Result below `s3://<bucket>/<pipeline>/` |
|---|---|---|
| `import_dataset` | reads the source, checks labels and pictures, writes manifests | `imports/import-…/` |
| `notify_training` | emits the labels asset when labels came in that are to be learned, else **skips** | |

**What they become** (`target`): `labels` are a batch that `incremental_training` learns in its next round,
like one that people have answered; `initial` are the manifests that `initial_training` begins with;
`test:NAME` is the test set of this name in the pipeline's YAML.

**Look first**: `plan_only` reads everything and writes nothing. The log says what would come in, what would
be refused and why; the XCom `plan` has it as a value.

**Classes** are matched by their names, in whatever order the source has them. One that the pipeline has not
stops the run before anything is written: say in `map` which one of ours it is, or leave its labels out.

**Safe to run again**: an import is named after what it brings. One that was interrupted is finished, one
that is there changes nothing, and no picture is copied twice.

**When it fails**: the log names the file, what is wrong and what to do. Single bad images, records and boxes
never fail a run: the report (link **Report**) counts them, and `problems.jsonl` beside the record has all of
them.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, chain

from nightloop.dag_factory import labels_asset, loop_dag, output, param, pipelines
from nightloop.operators.imports import FORMATS, ImportDatasetOperator, NotifyOfImportOperator

PARAMS = {
    "source": Param(
        None,
        type=["null", "string"],
        pattern="^s3://",
        maxLength=1100,
        title="Source",
        description="S3 URI of a folder, a .zip, .tar or .tar.gz, or one file.",
    ),
    "target": Param(
        "labels",
        type="string",
        pattern="^(labels|initial|test:.+)$",
        maxLength=80,
        title="Import as",
        description="labels (the next training learns them), initial (the first model's), or test:NAME.",
    ),
    "plan_only": Param(
        False,
        type="boolean",
        title="Plan only",
        description="Read everything and write nothing: the log says what would come in.",
    ),
    "format": Param(
        None,
        type=["null", "string"],
        enum=[None, *FORMATS],
        title="Format",
        description="Empty: as the source looks.",
        section="When the source needs it",
    ),
    "images": Param(
        None,
        type=["null", "string"],
        pattern="^s3://",
        maxLength=1100,
        title="Pictures",
        description="S3 URI of the pictures, when they are not in the source.",
        section="When the source needs it",
    ),
    "sets": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Parts to read",
        description="Splits or sets of the source, one on each line. Empty: all.",
        section="When the source needs it",
    ),
    "label": Param(
        None,
        type=["null", "string"],
        maxLength=127,
        title="Label attribute",
        description="Of a manifest that has several.",
        section="When the source needs it",
    ),
    "classes": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Names of class numbers",
        description="In order, one on each line, where the source has numbers only.",
        section="When the source needs it",
    ),
    "map": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": "^[^=]+=.+$"},
        title="Classes of other names",
        description="Lines of theirs=ours.",
        section="When the source needs it",
    ),
    "drop_others": Param(
        False,
        type="boolean",
        title="Leave out other classes",
        description="Labels of classes that the pipeline has not are left out, and counted.",
        section="When the source needs it",
    ),
    "replace": Param(
        False,
        type="boolean",
        title="Write over",
        description="Write over other manifests that lie where these belong (initial, test:NAME).",
        section="When the source needs it",
    ),
}


def import_dataset(pipeline: str) -> None:
    with loop_dag(
        "import_dataset",
        pipeline,
        manual=__doc__,
        tags=["data"],
        schedule=None,
        params=PARAMS,
        max_active_runs=1,
    ) as dag:
        import_step = ImportDatasetOperator(
            pipeline=pipeline,
            task_id="import_dataset",
            source=param(dag, "source"),
            target=param(dag, "target"),
            format=param(dag, "format"),
            images=param(dag, "images"),
            label_attribute=param(dag, "label"),
            classes=param(dag, "classes"),
            sets=param(dag, "sets"),
            renamed=param(dag, "map"),
            drop_others=param(dag, "drop_others"),
            replace=param(dag, "replace"),
            plan_only=param(dag, "plan_only"),
            execution_timeout=timedelta(hours=2),
        )
        notify_training = NotifyOfImportOperator(
            pipeline=pipeline,
            task_id="notify_training",
            batch=output("import_dataset", "batch"),
            outlets=[labels_asset(pipeline)],
        )

        chain(import_step, notify_training)


for name in pipelines():
    import_dataset(name)
