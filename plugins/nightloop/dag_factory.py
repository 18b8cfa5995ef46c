"""What all DAGs have in common: an id per pipeline, owner, tags, retries, time limits, the labels asset.

Each YAML in `include/pipelines` gives each flow a DAG with the pipeline's name behind it
(`nightly_review__<name>`), so that no setting hands one pipeline's runs to another. Only names are read here:
one pipeline's broken YAML leaves the others' DAGs alone, and its own tasks say what is wrong with it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset

from include.loop.config import load_environment, pipeline_names

# The flow of a fixed date: it never moves, so that a DAG serialises to the same version at every parse.
START = datetime(2024, 1, 1, tzinfo=UTC)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "nightloop",
    "retries": 3,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
    # Of one execution on a worker; waiting is deferred, and its deadline is the trigger's.
    "execution_timeout": timedelta(minutes=30),
}


def pipelines() -> list[str]:
    """Every pipeline that has a file, the environment's own first."""
    default = load_environment().pipeline
    return [default, *(name for name in pipeline_names() if name != default)]


def dag_id(flow: str, pipeline: str) -> str:
    return f"{flow}__{pipeline}"


def loop_dag(
    flow: str, pipeline: str, *, manual: str | None, tags: list[str], schedule: Any, **kwargs: Any
) -> DAG:
    """The DAG of one flow for one pipeline.

    :param flow: name of the flow: the DAG's id begins with it.
    :param manual: the DAG file's docstring, shown in the UI; its first line is the description.
    """
    if not manual:
        raise ValueError(f"{flow}: the DAG file needs a docstring: it is the operator's manual")
    return DAG(
        dag_id(flow, pipeline),
        description=manual.strip().splitlines()[0].strip("# "),
        doc_md=manual,
        schedule=schedule,
        start_date=START,
        catchup=False,
        default_args=DEFAULT_ARGS,
        # "default" finds the DAGs of the environment's own pipeline without knowing its name.
        tags=[
            "nightloop",
            pipeline,
            *(["default"] if pipeline == load_environment().pipeline else []),
            *tags,
        ],
        **kwargs,
    )


def labels_asset(pipeline: str) -> Asset:
    """Tells training that it is time to look. What is new is read from S3, never from the event."""
    return Asset(name=f"nightloop_labels_{pipeline}")


def param(dag: DAG, name: str) -> Any:
    """A parameter of the run in its own type, resolved when the task runs: a template would make it text."""
    return dag.param(name)


def output(task_id: str, key: str, default: str | None = None) -> str:
    """Template for one value of the dict that a task returned; without a default the task must have run."""
    returned = f"ti.xcom_pull(task_ids='{task_id}')"
    if default is None:
        return f"{{{{ {returned}['{key}'] }}}}"
    return f"{{{{ ({returned} or {{}}).get('{key}', '{default}') }}}}"


def pushed(task_id: str, key: str) -> str:
    """Template for a value that a task left under a key of its own."""
    return f"{{{{ ti.xcom_pull(task_ids='{task_id}', key='{key}') }}}}"
