"""The process manager of a stack: supervisord, one per home, spoken to over its own Unix socket.

What it runs is given as a list of programs. `local_programs` are those of `make up`: the local cloud (with
the review server) and Airflow's scheduler, DAG processor, triggerer and API server.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from include.stack import environment
from include.stack.secrets import write_private
from include.stack.settings import PROJECT, StackError, StackSettings

CLOUD = "cloud"
AIRFLOW = ("scheduler", "dag-processor", "triggerer", "api-server")
PROGRAMS = (CLOUD, *AIRFLOW)


@dataclass(frozen=True)
class Program:
    """One supervised program. Programs of a higher `level` are stopped before those of a lower one."""

    name: str
    command: str  # as supervisord splits it
    level: int = 0
    restarts: bool = True  # whenever it ends; otherwise it runs once
    stop_signal: str = "TERM"
    stop_seconds: int = 15  # then SIGKILL
    stops_children: bool = True  # whether its children get the signal, too
    start_retries: int = 4  # about 10 s of trying, then `up` and `status` tell

    @property
    def group(self) -> str:
        return f"level-{self.level}"


@dataclass(frozen=True)
class ProgramState:
    """What supervisord says of one program; `state` is its word (RUNNING, BACKOFF, FATAL, STOPPED, …)."""

    name: str
    state: str
    pid: int
    description: str
    exit_code: int

    @property
    def given_up(self) -> bool:
        """supervisord has stopped trying to start it."""
        return self.state in ("FATAL", "UNKNOWN")


class Supervisor:
    """Starts, asks and stops the supervisord of one stack; without `programs`, that of `make up`."""

    def __init__(self, settings: StackSettings, programs: Sequence[Program] | None = None) -> None:
        self._settings = settings
        self._programs = local_programs(settings) if programs is None else programs

    @property
    def _rpc(self) -> Any:
        socket = self._settings.socket
        # Beside a long home it is in the temporary directory, where anybody could have put one before us.
        if socket.exists() and socket.lstat().st_uid != os.getuid():
            raise StackError(
                f"{socket} is somebody else's: remove it, or set NIGHTLOOP_HOME to a shorter path"
            )
        # A new transport for every call: one that has failed to connect keeps its broken connection.
        transport = SupervisorTransport(None, None, f"unix://{socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor  # the URL is not used

    def running(self) -> bool:
        try:
            self._rpc.getState()
        except (OSError, HTTPException, Fault):
            return False
        return True

    def start(self) -> None:
        """Start supervisord in a session of its own, with no program running yet."""
        settings = self._settings
        write_private(settings.run / "supervisord.conf", _configuration(settings, self._programs))
        result = subprocess.run(  # noqa: S603 -- our own program
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(settings.run / "supervisord.conf")],
            env=environment.inherited()
            | environment.base(settings)
            | {environment.MARKER: str(settings.home)},
            cwd=PROJECT,
            start_new_session=True,  # Ctrl-C is for the command, which then stops the stack in order
            capture_output=True,
            text=True,
        )
        deadline = time.monotonic() + 60
        log = log_file(settings, "supervisord")
        while not self.running():
            if result.returncode or time.monotonic() > deadline:
                raise StackError(f"supervisord did not start: {result.stderr.strip()} (log: {log})")
            time.sleep(0.1)

    def start_program(self, name: str) -> None:
        group = next(program.group for program in self._programs if program.name == name)
        with contextlib.suppress(Fault):  # already started
            self._rpc.startProcess(f"{group}:{name}", False)

    def programs(self) -> list[ProgramState]:
        """The programs in the order in which they were given; empty when supervisord is not running."""
        try:
            answers = self._rpc.getAllProcessInfo()
        except (OSError, HTTPException, Fault):
            return []
        states = {
            answer["name"]: ProgramState(
                name=answer["name"],
                state=answer["statename"],
                pid=answer["pid"],
                description=answer["spawnerr"] or answer["description"],
                exit_code=answer["exitstatus"],
            )
            for answer in answers
        }
        return [states[program.name] for program in self._programs if program.name in states]

    def shut_down(self, patience: float = 40) -> None:
        """Ask supervisord to stop all programs and itself; returns when it has, or after `patience` s."""
        try:
            self._rpc.shutdown()
        except (OSError, HTTPException, Fault):
            return
        deadline = time.monotonic() + patience
        while self._answers() and time.monotonic() < deadline:
            time.sleep(0.2)

    def _answers(self) -> bool:
        """Whether there is a supervisord, be it one that is shutting down and refuses every call."""
        try:
            self._rpc.getState()
        except Fault:
            return True
        except (OSError, HTTPException):
            return False
        return True


def log_file(settings: StackSettings, program: str) -> str:
    return str(settings.logs / f"{program}.log")


def local_programs(settings: StackSettings) -> list[Program]:
    """The programs of `make up`, in the order of PROGRAMS."""
    python = f'"{sys.executable}"'
    commands = {
        CLOUD: cloud_command(settings, settings.review.number),
        # The logs are read from disk by the API server, so nobody needs to serve them on another port.
        "scheduler": f"{python} -m include.stack run airflow scheduler --skip-serve-logs",
        "dag-processor": f"{python} -m include.stack run airflow dag-processor",
        "triggerer": f"{python} -m include.stack run airflow triggerer --skip-serve-logs",
        "api-server": f"{python} -m include.stack run airflow api-server",
    }
    return [Program(name, command) for name, command in commands.items()]


def cloud_command(settings: StackSettings, review_port: int) -> str:
    return (
        f'"{sys.executable}" -m include.local_cloud --port {settings.cloud.number}'
        f' --review-port {review_port} --data "{settings.cloud_data}"'
    )


def _configuration(settings: StackSettings, programs: Sequence[Program]) -> str:
    supervisord = {
        "logfile": log_file(settings, "supervisord"),
        "logfile_maxbytes": "5MB",
        "logfile_backups": 1,
        "pidfile": settings.run / "supervisord.pid",
        "directory": PROJECT,
        "umask": "077",  # it sets its own, 022 if not told, and its programs inherit that
    }
    common = {
        "directory": PROJECT,
        "autostart": "false",  # `up` starts them in the order in which they need each other
        "redirect_stderr": "true",
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 1,
    }
    factory = "supervisor.rpcinterface:make_main_rpcinterface"
    sections: dict[str, dict[str, object]] = {
        "supervisord": supervisord,
        "unix_http_server": {"file": settings.socket, "chmod": "0700"},
        "rpcinterface:supervisor": {"supervisor.rpcinterface_factory": factory},
    }
    # supervisord stops the programs of a group at the same time, and groups from the highest priority down.
    for level in sorted({program.level for program in programs}):
        members = [program for program in programs if program.level == level]
        names = ",".join(program.name for program in members)
        sections[f"group:{members[0].group}"] = {"programs": names, "priority": level}
    for program in programs:
        sections[f"program:{program.name}"] = {
            "command": program.command,
            "stdout_logfile": log_file(settings, program.name),
            "autorestart": _word(program.restarts),
            "startsecs": 2 if program.restarts else 0,
            "startretries": program.start_retries,
            "stopsignal": program.stop_signal,
            "stopwaitsecs": program.stop_seconds,
            "stopasgroup": _word(program.stops_children),
            "killasgroup": "true",
            **common,
        }
    return "\n".join(_section(title, options) for title, options in sections.items())


def _word(value: bool) -> str:
    return "true" if value else "false"


def _section(title: str, options: Mapping[str, object]) -> str:
    # supervisord expands %(name)s in values, so a percent sign in a path is doubled.
    lines = (f"{name} = {str(value).replace('%', '%%')}" for name, value in options.items())
    return f"[{title}]\n" + "\n".join(lines) + "\n"
