"""LocalExecutor that survives the death of a worker process, and whose tasks start quickly.

Airflow's own hands tasks to its workers through one multiprocessing queue, and an idle worker holds the
queue's lock while it waits. Killed at that moment (kill -9, the kernel's out-of-memory killer), it takes the
lock with it: every later task stays queued for ever. The lock cannot be given back, so the scheduler ends
itself with everything below it, the process manager starts a new one, and that one takes up the tasks of the
old.

Airflow's own also lets every task import anew what all of them import: each is forked from a worker that has
imported none of it. Here the libraries are imported before the workers are forked. Named in the environment
of the stack's Airflow; imports nothing of this project.
"""

from __future__ import annotations

import os
from importlib import import_module

import psutil
from airflow.executors.local_executor import LocalExecutor

# What most tasks import, of others only: who edits a file of this project sees it in the next task. Nothing
# that starts a thread, which a fork would lose: environment.py switches off those of OpenBLAS and Arrow.
LIBRARIES = (
    "airflow.sdk.execution_time.supervisor",
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.standard.operators.hitl",
    "airflow.providers.standard.operators.trigger_dagrun",
    "asgiref.sync",
    "boto3.s3.transfer",
    "boto3.session",
    "faster_coco_eval",
    "imagehash",
    "jinja2",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "numpy",
    "pandas",
    "PIL.ImageDraw",
    "PIL.ImageOps",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "requests",
    "yaml",
)


class WatchfulLocalExecutor(LocalExecutor):
    """Workers end only when the executor does, so one that is gone before was killed."""

    def start(self) -> None:
        for name in LIBRARIES:
            try:
                import_module(name)
            except ImportError as error:  # the task that needs it says so better
                self.log.warning("%s is not imported ahead of the tasks: %s", name, error)
        super().start()  # forks the workers

    def sync(self) -> None:
        killed = [pid for pid, worker in self.workers.items() if not worker.is_alive()]
        if killed:
            self.log.error(
                "Worker process %s was killed and may have taken the lock of the task queue with it."
                " The scheduler ends, so that a new one takes over its tasks.",
                ", ".join(map(str, killed)),
            )
            _end_at_once()
        super().sync()


def _end_at_once() -> None:
    # SIGKILL for the tasks as well: after SIGTERM they would run their on_kill and stop the jobs that the
    # next attempt wants to attach to.
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(1)
