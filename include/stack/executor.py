"""LocalExecutor that survives the death of a worker process.

Airflow's own hands tasks to its workers through one multiprocessing queue, and an idle worker holds the
queue's lock while it waits. Killed at that moment (kill -9, the kernel's out-of-memory killer), it takes the
lock with it: every later task stays queued for ever. The lock cannot be given back, so the scheduler ends
itself with everything below it, the process manager starts a new one, and that one takes up the tasks of the
old. Named in the environment of the stack's Airflow; knows Airflow only.
"""

from __future__ import annotations

import os

import psutil
from airflow.executors.local_executor import LocalExecutor


class WatchfulLocalExecutor(LocalExecutor):
    """Workers end only when the executor does, so one that is gone before was killed."""

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
