"""
# Set up human review

Makes everything that people need to answer questions. Run it once before the first `nightly_review`, and
again after changing the classes, the instructions or the team of a pipeline.

| Task | What it makes sure of |
|---|---|
| `setup_bucket` | the bucket's CORS rule, without which a reviewer's browser cannot load an image |
| `setup_workteam` | the team of reviewers |
| `setup_template` | the worker task template (its name carries a hash of its text) |
| `setup_flow_definition` | the flow definition, Active |
| `show_portal` | logs the address at which the reviewers sign in |

**Safe to run again**: each task looks first and changes only what differs. Templates and flow definitions
cannot be changed once made, so a change makes new ones beside the old; questions that are open stay with
the old one.

**When it fails**: the message names the setting or the permission. Amazon has closed A2I to new
customers: let the connection `aws_review` point at the review server then.

Reads `include/pipelines/<pipeline>.yaml` (`review`) and `include/environments/<environment>.yaml` (`review`).
"""

from __future__ import annotations

from airflow.sdk import chain

from nightloop.dag_factory import loop_dag, pipelines
from nightloop.operators.review_setup_steps import (
    SetupBucketOperator,
    SetupFlowDefinitionOperator,
    SetupTemplateOperator,
    SetupWorkteamOperator,
    ShowPortalOperator,
)


def review_setup(pipeline: str) -> None:
    with loop_dag(
        "review_setup", pipeline, manual=__doc__, tags=["review"], schedule=None, max_active_runs=1
    ):
        setup_bucket = SetupBucketOperator(pipeline=pipeline, task_id="setup_bucket")
        setup_workteam = SetupWorkteamOperator(pipeline=pipeline, task_id="setup_workteam")
        setup_template = SetupTemplateOperator(pipeline=pipeline, task_id="setup_template")
        setup_flow_definition = SetupFlowDefinitionOperator(
            pipeline=pipeline, task_id="setup_flow_definition"
        )
        show_portal = ShowPortalOperator(pipeline=pipeline, task_id="show_portal")

        chain([setup_bucket, setup_workteam, setup_template], setup_flow_definition, show_portal)


for name in pipelines():
    review_setup(name)
