"""Tells whether the stack's parts answer, waits until they do, and finds out who holds a port that is needed.

Asks over HTTP only: the cloud's health route, and Airflow's monitor, which knows its scheduler, DAG
processor and triggerer by their heartbeats.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import psutil

from include.stack.environment import MARKER
from include.stack.processes import AIRFLOW, CLOUD, Supervisor, log_file
from include.stack.settings import Port, StackError, StackSettings

Say = Callable[[str], None]
# Local addresses never go through a proxy, whatever the user's environment says.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def cloud_parts(settings: StackSettings) -> dict[str, bool]:
    """Which of the cloud's two ports answer."""
    ports = {"local cloud": settings.cloud, "review server": settings.review}
    return {name: _get(f"{port.url}/_nightloop/health") is not None for name, port in ports.items()}


def airflow_parts(settings: StackSettings) -> dict[str, bool]:
    """Which of Airflow's four processes answer or have had a heartbeat of late."""
    report = _get(f"{settings.airflow.url}/api/v2/monitor/health")
    reported = {"scheduler": "scheduler", "DAG processor": "dag_processor", "triggerer": "triggerer"}
    return {"API server": report is not None} | {
        name: ((report or {}).get(key) or {}).get("status") == "healthy" for name, key in reported.items()
    }


def missing_parts(settings: StackSettings) -> list[str]:
    """The parts of the whole stack that do not answer now."""
    parts = cloud_parts(settings) | airflow_parts(settings)
    return [name for name, ready in parts.items() if not ready]


def wait(settings: StackSettings, supervisor: Supervisor, say: Say, *, of: str, patience: float) -> None:
    """Return when all parts of `of` ("cloud" or "airflow") are ready, as `wait_for_parts` does."""
    parts, programs = (cloud_parts, (CLOUD,)) if of == "cloud" else (airflow_parts, AIRFLOW)
    wait_for_parts(settings, supervisor, say, lambda: parts(settings), programs, patience)


def wait_for_parts(
    settings: StackSettings,
    supervisor: Supervisor,
    say: Say,
    parts: Callable[[], dict[str, bool]],
    programs: Collection[str],
    patience: float,
) -> None:
    """Return when all of `parts`, each with whether it is ready, are; they are asked again and again.

    Says which have come up as they do. Raises StackError, with the end of the log, when supervisord has
    given one of the programs up or `patience` seconds have passed.
    """
    started = time.monotonic()
    last_said, ready_before = started, set[str]()
    while True:
        state = parts()
        ready = {name for name, is_ready in state.items() if is_ready}
        missing = [name for name in state if name not in ready]
        if new := [name for name in state if name in ready - ready_before]:
            say(f"ready: {', '.join(new)}")
        if not missing:
            return
        now = time.monotonic()
        if now - last_said > 15:
            say(f"waiting for {', '.join(missing)} ({now - started:.0f} s)")
            last_said = now
        dead = [program for program in supervisor.programs() if program.name in programs and program.given_up]
        if dead or now - started > patience:
            names = [program.name for program in dead] or programs
            why = "does not start" if dead else f"is not ready after {patience:.0f} s"
            raise StackError(f"{', '.join(missing)} {why}.\n{log_tails(settings, names)}")
        ready_before |= ready
        time.sleep(0.5)


def log_tails(settings: StackSettings, names: Iterable[str], lines: int = 15) -> str:
    """The last lines of the named programs' logs, each under its file's name."""
    tails = []
    for name in names:
        path = Path(log_file(settings, name))
        written = path.read_text(errors="replace") if path.exists() else "(nothing was written)"
        # A log tells what programs and their callers said, and a terminal obeys control characters.
        shown = (
            "".join(char if char.isprintable() or char == "\t" else "?" for char in line)
            for line in written.rstrip("\n").split("\n")[-lines:]
        )
        tails.append("\n".join([f"--- {path}", *shown]))
    return "\n".join(tails)


def require_free(ports: Iterable[Port]) -> None:
    """Raise StackError when one of the ports is taken; the message names who holds it and what to do."""
    taken = [port for port in ports if not _is_free(port)]
    if taken:
        lines = [
            f"Port {port.number}, for {port.purpose}, is in use by {_holder(port)}.\n"
            f"  Stop that, or choose another port, for example {port.variable}={port.number + 1000}"
            for port in taken
        ]
        raise StackError("\n".join(lines))


def _is_free(port: Port) -> bool:
    with socket.socket() as probe:
        # As the servers do: a connection in TIME_WAIT is no listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port.number))
        except OSError:
            return False
    return True


def _holder(port: Port) -> str:
    try:
        process = next(
            psutil.Process(connection.pid)
            for connection in psutil.net_connections("tcp")
            if connection.pid
            and connection.status == psutil.CONN_LISTEN
            and connection.laddr.port == port.number
        )
        described = f"process {process.pid} ({' '.join(process.cmdline())[:120]})"
        if home := process.environ().get(MARKER):
            described += (
                f", the Nightloop of NIGHTLOOP_HOME={home} (`NIGHTLOOP_HOME={home} make down` ends it)"
            )
        return described
    except (psutil.Error, StopIteration):  # another user's process: the system does not tell
        return "another process"


def _get(url: str) -> dict | None:
    try:
        with _OPENER.open(url, timeout=5) as response:
            return json.load(response)
    except (OSError, ValueError, urllib.error.URLError):
        return None
