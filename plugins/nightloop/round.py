"""The second half of a round, the same in both training flows: from the dataset to the champion.

Takes the pipeline, gives the tasks in their order, wired. Which task runs after what is decided here:

- a gate that says no, a person who says no, and an environment that serves nothing are good ends of a round;
  the steps that would use the model skip by themselves, because the model registry says that it may not be
  used, and `record` still puts the round on record;
- the report is made beside the steps that use the model: one that breaks holds no approved model back, and
  makes the run fail all the same; whoever is asked has the report before the question;
- a task that broke stops those behind it, and `record`, which runs in any case, makes the run fail.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Param, TaskGroup, TriggerRule, chain

from nightloop.dag_factory import champion_asset, dataset_asset, output
from nightloop.operators.approval import ApproveOperator
from nightloop.operators.challenger import (
    JudgeOperator,
    PromoteOperator,
    RecordOperator,
    RegisterOperator,
    ReportOperator,
)
from nightloop.operators.sagemaker_jobs import EvaluateModelsOperator, IncrementalTrainingOperator
from nightloop.operators.serving import DeployOperator

# The environment's max_runtime_seconds and max_wait_seconds end a job much earlier; SageMaker takes 28 days.
LONGEST_TRAINING = timedelta(days=29)
# A dataset that is trained from RecordIO is packed by the task itself, before it waits for the job.
LONGEST_PACKING = timedelta(hours=2)
# The parameter of a run that both training flows have.
APPROVAL = {
    "approval": Param(
        None,
        type=["null", "boolean"],
        title="Ask a person",
        description="Use the new model only after a person has agreed. Empty: as in the pipeline's YAML.",
    ),
}
# Skipped is fine (nobody had to be asked), failed is not; and when everything before was skipped, so is this.
GOES_ON = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


def train_to_record(pipeline: str, ask: Any) -> tuple[BaseOperator, BaseOperator]:
    """The tasks `train` … `record`; the first and the last, to be put behind and before others.

    :param ask: ask a person also where the pipeline does not say so (a parameter of the run).
    """
    # Without a prefix: ids, and what is stored under them, stay what they were.
    with TaskGroup("round", prefix_group_id=False, tooltip="From the dataset to the champion"):
        job = output("train", "training_job")
        train = IncrementalTrainingOperator(
            pipeline=pipeline,
            task_id="train",
            dataset_id=output("build_dataset", "dataset_id"),
            job_timeout=LONGEST_TRAINING,
            execution_timeout=LONGEST_PACKING,
            inlets=[dataset_asset(pipeline)],
        )
        evaluate = EvaluateModelsOperator(pipeline=pipeline, task_id="evaluate", training_job=job)
        gate = JudgeOperator(pipeline=pipeline, task_id="gate", training_job=job)
        register = RegisterOperator(pipeline=pipeline, task_id="register", training_job=job, ask=ask)
        report = ReportOperator(pipeline=pipeline, task_id="report", training_job=job)
        approve = ApproveOperator(
            pipeline=pipeline, task_id="approve", training_job=job, why=output("register", "why")
        )
        deploy = DeployOperator(pipeline=pipeline, task_id="deploy", training_job=job, trigger_rule=GOES_ON)
        promote = PromoteOperator(
            pipeline=pipeline,
            task_id="promote",
            training_job=job,
            trigger_rule=GOES_ON,
            outlets=[champion_asset(pipeline)],
        )
        record = RecordOperator(
            pipeline=pipeline,
            task_id="record",
            training_job=output("train", "training_job", default=""),
            trigger_rule=TriggerRule.ALL_DONE,
        )
        chain(train, evaluate, gate, register, approve, deploy, promote, record)
        # Nothing waits for the report but the end: a person who is asked gets it from `approve`.
        register >> report >> record
        # Else both would skip when `approve` does, because nobody has to be asked.
        register >> [deploy, promote]
    return train, record
