"""
# Serve the approved model, or return to an earlier champion

Puts the newest approved model on the endpoint: the champion again, for instance after `teardown`, or one
that somebody approved in SageMaker after its round had ended. With `rollback`, returns endpoint and champion
to an earlier champion. `incremental_training` deploys by itself: this flow is for people.

| Task | What it does |
|---|---|
| `choose` | which model: the newest whose package is Approved, or the champion to return to |
| `deploy` | a smoke test of a candidate first, then the endpoint's traffic; verified afterwards |
| `promote` | makes it the champion, unless it is already |
| `rollback` | endpoint and champion return to the earlier champion's package |
| `report` | the page of the round and the history, with what happened now |

**After a rollback** the package that was left is Rejected ("rolled back by …"), so that the same labels
cannot promote it again by themselves. Its labels are new again, for the next round.

**Requests keep being answered** while the endpoint changes: SageMaker moves the traffic when the new fleet
is in service, and moves it back when an alarm of `deployment.alarms` goes off; the task then fails and says
so.

**Safe to run again**: an endpoint that has the wanted configuration already is left as it is. Another
change in progress is waited for.

**When it fails**: the log shows SageMaker's reason, or which image was answered otherwise than at
evaluation; the endpoint goes on with the model it had. A change of an endpoint cannot be cancelled:
clearing the task leaves it to end, and the next try waits for that.

Reads `deployment` in `include/environments/<environment>.yaml`; without it models are served nowhere, and
the tasks skip or only the champion changes.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, XComArg, chain

from nightloop.dag_factory import champion_asset, loop_dag, param, pipelines
from nightloop.operators.challenger import PromoteOperator, ReportOperator
from nightloop.operators.serving import ChooseModelOperator, DeployOperator, RollbackOperator
from nightloop.round import GOES_ON

PARAMS = {
    "rollback": Param(
        False,
        type="boolean",
        title="Roll back",
        description="Return to an earlier champion. Off: serve the newest approved model.",
    ),
    "number": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=9999,
        title="Number of the champion",
        description="Which champion to return to. Empty: the one before whose package is Approved.",
    ),
}


def deployment(pipeline: str) -> None:
    with loop_dag(
        "deployment",
        pipeline,
        manual=__doc__,
        tags=["serving"],
        schedule=None,
        params=PARAMS,
        max_active_runs=1,
    ) as dag:
        choose = ChooseModelOperator(
            pipeline=pipeline,
            task_id="choose",
            rollback=param(dag, "rollback"),
            number=param(dag, "number"),
            paths={"rollback": ["rollback"], "serve": ["deploy", "promote"]},
        )
        job: Any = XComArg(choose, "training_job")
        number: Any = XComArg(choose, "number")
        deploy = DeployOperator(pipeline=pipeline, task_id="deploy", training_job=job)
        promote = PromoteOperator(
            pipeline=pipeline,
            task_id="promote",
            training_job=job,
            trigger_rule=GOES_ON,
            outlets=[champion_asset(pipeline)],
        )
        rollback = RollbackOperator(
            pipeline=pipeline,
            task_id="rollback",
            number=number,
            outlets=[champion_asset(pipeline)],
            by="{{ dag_run.triggering_user_name or 'somebody in Airflow' }}",
        )
        report = ReportOperator(pipeline=pipeline, task_id="report", training_job=job, trigger_rule=GOES_ON)

        chain(choose, deploy, promote, report)
        chain(choose, rollback, report)
        choose >> promote  # where models are served nowhere, deploy skips and the champion still changes


for name in pipelines():
    deployment(name)
