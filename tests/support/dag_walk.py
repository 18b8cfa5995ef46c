"""A DAG's own operators, run one after the other in the DAG's order: wired as the DAG file wires them,
without Airflow's database and processes around them.

Templates, parameters and XComs are resolved as a run does; deferrals by a trigger that is made anew from its
arguments. A skip goes on by the trigger rules. Any other exception is the test's to see: no retry hides it.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import tests.support.airflow_home  # noqa: F401 -- before anything that imports Airflow
from tests.airflow.place import StateStore, TaskInstance, run
from tests.support.cloud import ROOT

SUCCESS, SKIPPED = "success", "skipped"


class Walk:
    """One run of a DAG. ``states``, ``outputs`` and ``pushed`` are by task; ``params`` are the run's."""

    def __init__(self, dag_id: str, run_id: str, **params: Any) -> None:
        self.dag_id, self.run_id = dag_id, run_id
        self.states: dict[str, str] = {}
        self.outputs: dict[str, Any] = {}
        self._params = params
        self.pushed: dict[str, TaskInstance] = {}  # XComs by task

    def go(self, before: Mapping[str, Callable[[], object]] | None = None) -> Walk:
        """Run every task; ``before`` holds what happens in the world before a task begins."""
        from airflow.dag_processing.dagbag import DagBag

        dag = DagBag(str(ROOT / "dags")).dags[self.dag_id]
        for task in dag.topological_sort():
            if before and task.task_id in before:
                before[task.task_id]()
            self.states[task.task_id] = self._run(copy.copy(task))
        return self

    def _run(self, task: Any) -> str:
        from airflow.sdk.exceptions import AirflowSkipException

        upstream = [self.states[name] for name in task.upstream_task_ids]
        if not _may_run(task.trigger_rule, upstream):
            return SKIPPED
        context: Any = {
            "dag": task.dag,
            "dag_run": SimpleNamespace(run_type="manual", conf=None, triggering_user_name=None),
            "outlet_events": defaultdict(SimpleNamespace),
            "params": {**task.dag.params.dump(), **self._params},
            "run_id": self.run_id,
            "task_state_store": StateStore(),
            "ti": _Instance(self),
        }
        self.pushed[task.task_id] = context["ti"]
        try:
            if task.is_mapped:
                self.outputs[task.task_id] = [_execute(one, context) for one in self._unmapped(task)]
            else:
                self.outputs[task.task_id] = _execute(task, context)
        except AirflowSkipException as skip:
            self.outputs[task.task_id] = str(skip)
            return SKIPPED
        return SUCCESS

    def _unmapped(self, task: Any) -> list[Any]:
        """A task for each value that it is mapped over: a list that another task has returned."""
        [(name, argument)] = task.expand_input.value.items()
        return [task.unmap({name: value}) for value in self.outputs[argument.operator.task_id]]


def _execute(task: Any, context: Any) -> Any:
    task.render_template_fields(context)
    return run(task, context)


class _Instance(TaskInstance):
    """A task instance that sees what earlier tasks of the walk left."""

    def __init__(self, walk: Walk) -> None:
        super().__init__()
        self._walk = walk

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        if self._walk.states.get(task_ids) != SUCCESS:
            return None
        return (self._walk.pushed[task_ids] | {"return_value": self._walk.outputs[task_ids]}).get(key)

    def get_task_states(self, run_ids: list[str], **_: Any) -> dict[str, dict[str, str]]:
        return {run_id: dict(self._walk.states) for run_id in run_ids}


def _may_run(rule: str, upstream: list[str]) -> bool:
    """Of a walk nothing fails: what is left of a trigger rule is what it makes of skipped tasks."""
    if rule == "all_success":
        return SKIPPED not in upstream
    if rule == "none_failed_min_one_success":
        return SUCCESS in upstream
    if rule in ("none_failed", "all_done"):
        return True
    raise ValueError(f"what does a walk make of the trigger rule {rule}?")
