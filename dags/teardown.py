"""
# Delete what costs money

Deletes the pipeline's endpoints, their configurations, and the SageMaker models behind them, and stops
labeling jobs that still ask people. Images, labels, datasets, model artifacts, packages and reports stay:
`deployment` serves the champion again, `labeling_job` goes on where it was.

| Task | What it does |
|---|---|
| `teardown` | lists what there is; deletes it when `dry_run` is off and `confirm` is the pipeline's name |

**Safe to run again**: what is gone is not looked for. While it runs, the endpoint answers no more.

**When it fails**: the log says which resource SageMaker would not delete, and why. A change of the endpoint
in progress is waited for, because SageMaker deletes none that is changing.
"""

from __future__ import annotations

from airflow.sdk import Param

from nightloop.dag_factory import loop_dag, param, pipelines
from nightloop.operators.serving import TearDownOperator

PARAMS = {
    "dry_run": Param(
        True,
        type="boolean",
        title="Only list",
        description="Delete nothing: the log and the returned value say what would be deleted.",
    ),
    "confirm": Param(
        None,
        type=["null", "string"],
        maxLength=24,
        title="Confirm",
        description="The pipeline's name. Without it nothing is deleted.",
    ),
}


def teardown(pipeline: str) -> None:
    with loop_dag(
        "teardown",
        pipeline,
        manual=__doc__,
        tags=["serving"],
        schedule=None,
        params=PARAMS,
        max_active_runs=1,
    ) as dag:
        TearDownOperator(
            pipeline=pipeline,
            task_id="teardown",
            only_list=param(dag, "dry_run"),
            confirm=param(dag, "confirm"),
        )


for name in pipelines():
    teardown(name)
