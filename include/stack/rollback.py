"""`make rollback`: the previous model answers again, by way of the `deployment` DAG of the running stack.

Triggers the DAG over Airflow's REST API as the form in its UI does, follows it, and tells what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from include.stack.airflow import Airflow
from include.stack.settings import StackError, StackSettings

FLOW = "deployment"
_TASK = "rollback"


def rollback(
    settings: StackSettings,
    say: Callable[[str], None],
    pipeline: str | None = None,
    number: int | None = None,
) -> dict[str, Any]:
    """Return to the previous champion, or to champion `number`; what the DAG's task has returned.

    Without a pipeline, that of the environment. Raises StackError when Airflow does not answer or does not
    know the pipeline, and when the run fails.
    """
    airflow = Airflow.of(settings, say)
    dag = airflow.find_dag(FLOW, pipeline)
    airflow.unpause(dag)
    run = airflow.trigger(dag, rollback=True, number=number)
    airflow.follow(dag, run)
    told = airflow.returned(dag, run, _TASK)
    if told is None:  # the task skipped: there is something to read, but nothing has failed
        raise StackError(f"nothing was rolled back; the log of {_TASK} says why: {airflow.run_url(dag, run)}")
    return dict(told)


def in_words(told: dict[str, Any]) -> str:
    """What the task has returned, for a person."""
    lines = [f"Champion number {told['number']} is {told['training_job']}, {told['package_arn']}."]
    if told["endpoint"]:
        lines.append(f"The endpoint {told['endpoint']} answers with it: configuration {told['config']}.")
    if told["left"]:
        lines.append(f"{told['left']} was left, and its package is Rejected.")
    return "\n".join(lines)
