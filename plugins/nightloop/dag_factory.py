"""What all DAGs have in common: an id per pipeline, owner, tags, retries, limits, who is told, assets.

Each YAML in `include/pipelines` gives each flow a DAG with the pipeline's name behind it
(`nightly_review__<name>`), so that no setting hands one pipeline's runs to another. Only names are read here:
one pipeline's broken YAML leaves the others' DAGs alone, and its own tasks say what is wrong with it.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (  # type: ignore[attr-defined]  # the SDK's stubs leave out three of them
    DAG,
    Asset,
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    Param,
)

from include.loop.config import Environment, NotifyEvent, load_environment, pipeline_names
from include.loop.core import layout
from nightloop.loop_notifiers import run_has_failed, run_is_late

# The flow of a fixed date: it never moves, so that a DAG serialises to the same version at every parse.
START = datetime(2024, 1, 1, tzinfo=UTC)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "nightloop",
    "retries": 3,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    # Of one execution on a worker, the environment's `wait_seconds` included; the rest of a wait is deferred,
    # and its deadline is the trigger's.
    "execution_timeout": timedelta(minutes=30),
}


def pipelines() -> list[str]:
    """Every pipeline that has a file, the environment's own first."""
    default = load_environment().pipeline
    return [default, *(name for name in pipeline_names() if name != default)]


def dag_id(flow: str, pipeline: str) -> str:
    return f"{flow}__{pipeline}"


def loop_dag(
    flow: str,
    pipeline: str,
    *,
    manual: str | None,
    tags: list[str],
    schedule: Any,
    params: dict[str, Param] | None = None,
    **kwargs: Any,
) -> DAG:
    """The DAG of one flow for one pipeline.

    :param flow: name of the flow: the DAG's id begins with it.
    :param manual: the DAG file's docstring, shown in the UI; its first line is the description.
    """
    if not manual:
        raise ValueError(f"{flow}: the DAG file needs a docstring: it is the operator's manual")
    environment = load_environment()
    # "default" finds the DAGs of the environment's own pipeline without knowing its name.
    own = ["default"] if pipeline == environment.pipeline else []
    return DAG(
        dag_id(flow, pipeline),
        description=manual.strip().splitlines()[0].strip("# "),
        doc_md=manual,
        schedule=schedule,
        start_date=START,
        catchup=False,
        default_args=DEFAULT_ARGS | capacity(environment),
        on_failure_callback=run_has_failed,
        deadline=late(environment) if schedule is not None else None,
        tags=["nightloop", pipeline, *own, *tags],
        # Airflow keeps a run's value in the Param itself (dag.test): no two DAGs may have the same one.
        params=copy.deepcopy(params),
        **kwargs,
    )


def capacity(environment: Environment) -> dict[str, Any]:
    """Where the tasks run and how urgent they are; what the environment leaves open is Airflow's to say."""
    given = environment.airflow.model_dump(include={"pool", "queue", "executor", "priority_weight"})
    return {name: value for name, value in given.items() if value is not None}


def late(environment: Environment) -> DeadlineAlert | None:
    """Tells when a run takes longer than the environment allows; the run goes on."""
    notify = environment.notify
    if notify is None or notify.late_hours is None or NotifyEvent.RUN_LATE not in notify.events:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=notify.late_hours),
        callback=AsyncCallback(run_is_late, kwargs={"hours": notify.late_hours}),
    )


def jobs_at_once() -> int:
    """Of a task that starts SageMaker jobs: how many runs may do so, or wait for theirs, at the same time."""
    return load_environment().airflow.jobs_at_once


def labels_asset(pipeline: str) -> Asset:
    """Tells training that it is time to look. What is new is read from S3, never from the event."""
    return _asset("labels", pipeline, "labels")


def dataset_asset(pipeline: str) -> Asset:
    """What the next model learns from."""
    return _asset("dataset", pipeline, "datasets")


def champion_asset(pipeline: str) -> Asset:
    """The model that predicts and is served: other DAGs can be scheduled by its change."""
    return _asset("champion", pipeline, layout.CHAMPION)


def _asset(kind: str, pipeline: str, location: str) -> Asset:
    # Not "nightloop_labels_…": Airflow keeps a name at the URI that it first had, and that one had another.
    bucket = load_environment().bucket
    return Asset(name=f"{pipeline}_{kind}", uri=f"s3://{bucket}/{pipeline}/{location}", group="nightloop")


def param(dag: DAG, name: str) -> Any:
    """A parameter of the run in its own type, resolved when the task runs: a template would make it text."""
    return dag.param(name)


def param_as_text(name: str) -> str:
    """A parameter of the run as text, "" for none: the template for arguments of mapped tasks. Airflow would
    serialise what `param` gives there by its address, and the DAG as another version at every parse.
    """
    return f"{{{{ '' if params.{name} is none else params.{name} }}}}"


def output(task_id: str, key: str, default: str | None = None, xcom: str = "return_value") -> str:
    """Template for one value of a task's dict, which it returned or pushed as an XCom of another name;
    without a default the task must have run.
    """
    returned = f"ti.xcom_pull(task_ids='{task_id}', key='{xcom}')"
    if xcom != "return_value":  # a run that waits for people may have begun when it was returned
        returned = f"({returned} or ti.xcom_pull(task_ids='{task_id}'))"
    if default is None:
        return f"{{{{ {returned}['{key}'] }}}}"
    return f"{{{{ ({returned} or {{}}).get('{key}', '{default}') }}}}"
