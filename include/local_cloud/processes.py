"""Processes of ours: their environment, and how to end one for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil

from include.local_cloud.settings import PROJECT_ROOT

_DEATH_SECONDS = 2.0  # the dead whom nobody buries count as a group's, too
_CLOCK_TOLERANCE = 0.05  # seconds between two readings of one process's start time


def clean_environment() -> dict[str, str]:
    """This process's environment without anybody's AWS settings, and with our own packages importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW_"))}
    path = [str(PROJECT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}


def started(pid: int) -> float:
    """When a process started, in epoch seconds: with the pid, its identity. 0.0 when it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def kill_group(pid: int, start: float) -> None:
    """SIGKILL to the process group led by this process, if it still is the process that started then.

    Waits until nobody of the group writes any more: the first process of a container is gone only after all
    others in it.
    """
    if not psutil.pid_exists(pid) or abs(started(pid) - start) > _CLOCK_TOLERANCE:
        return
    deadline = time.monotonic() + _DEATH_SECONDS
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(pid, signal.SIGKILL)
            time.sleep(0.01)
