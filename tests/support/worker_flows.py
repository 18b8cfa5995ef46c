"""Runs of DAGs, each task in a process and an empty directory of its own, as on workers that share no disk.

Run by tests/airflow/test_no_shared_disk.py with a Python that has requirements.txt alone:
``FILE '[[dag id, logical date], ...]'``. What tasks have in common is Airflow's database, which every worker
reaches, and what their connections lead to. FILE then holds the states of each run and of its tasks.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import pkgutil
import shutil
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import airflow.sdk.definitions.dag as runner
import httpx
from airflow import settings
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import plugins_manager
from airflow.sdk._shared.module_loading import import_string
from airflow.sdk.execution_time.comms import DeferTask
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor, in_process_api_server
from airflow.sdk.serde import deserialize, serialize
from airflow.utils.db import initdb
from airflow.utils.session import create_session

import include.loop
import nightloop


def main() -> None:
    _import_everything()
    with create_session() as session:
        initdb(session=session)
    bag = DagBag()
    assert not bag.import_errors, bag.import_errors
    told = [_run(bag.dags[dag_id], date) for dag_id, date in json.loads(sys.argv[2])]
    Path(sys.argv[1]).write_text(json.dumps(told))


def _import_everything() -> None:
    """What tasks import, once for all of them: a worker of Celery has it from its last task, too."""
    for package in (include.loop, nightloop):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    plugins_manager._get_plugins()
    asyncio.run(_ask_api_server())
    gc.freeze()


async def _ask_api_server() -> None:
    """Once: the first answer takes it seconds of a core, and each task's process would make it anew."""
    transport = in_process_api_server().atransport
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
        (await client.get("/health")).raise_for_status()


def _run(dag: Any, date: str) -> dict[str, Any]:
    run = dag.test(logical_date=datetime.fromisoformat(date).replace(tzinfo=UTC))
    tasks = {f"{task.task_id} {task.map_index}": str(task.state) for task in run.get_task_instances()}
    return {"state": str(run.state), "tasks": tasks}


_run_task = runner._run_task


def _run_and_resume(ti: Any, task: Any, run_triggerer: bool) -> None:
    """A task and its deferrals. `dag.test()` by itself forgets the arguments that a task defers with."""
    while (ended := _run_task(ti=ti, task=task)) and isinstance(ended.msg, DeferTask):
        stored: Any = ended.msg.trigger_kwargs
        arguments: Any = deserialize(stored)
        trigger = import_string(ended.msg.classpath)(**arguments)
        event = InProcessTestSupervisor.run_trigger_in_process(trigger=trigger, ti=ended.ti)
        ti.next_method = ended.msg.next_method
        ti.next_kwargs = {**(ended.msg.next_kwargs or {}), "event": serialize(event.payload)}
        with create_session() as session:
            ti.state = "scheduled"
            session.add(ti)


def _run_elsewhere(**task: Any) -> None:
    """One task by Airflow's own function, in a process of its own that has never seen another one's files."""
    session: Any = settings.Session
    session.commit()
    engine: Any = settings.engine
    engine.dispose()  # no connection is shared with the process of a task
    if process := os.fork():
        os.waitpid(process, 0)
        return
    place = tempfile.mkdtemp(prefix="worker-")
    status = 1
    try:
        os.chdir(place)
        os.environ.update(HOME=place, TMPDIR=place)
        tempfile.tempdir = None
        _run_and_resume(**task)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        shutil.rmtree(place, ignore_errors=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    setattr(runner, "_run_task", _run_elsewhere)  # noqa: B010 -- Airflow's own name, which mypy takes for fixed
    main()
