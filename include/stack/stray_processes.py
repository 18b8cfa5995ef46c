"""Finds and ends the processes of a stack by the marker in their environment, whoever their parent is now.

supervisord ends its own children. Airflow's workers and the cloud's jobs outlive it when it is killed
with -9: they are found here. Works on Linux and macOS for processes of the same user.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

from include.stack.environment import MARKER
from include.stack.settings import StackError


def find(home: Path, program: str | None = None, *, below: bool = False) -> list[psutil.Process]:
    """The living processes of the stack at `home`, or of one of its supervised programs; never this process.

    With `below`, also those of stacks whose home lies inside `home` (the demo's).
    """
    found = []
    for process in psutil.process_iter():
        try:
            variables = process.environ()
        except (psutil.Error, OSError):  # ended meanwhile, a zombie, or another user's
            continue
        owner = variables.get(MARKER)
        if owner is None or process.pid == os.getpid():
            continue
        belongs = Path(owner) == home or (below and home in Path(owner).parents)
        if belongs and program in (None, variables.get("SUPERVISOR_PROCESS_NAME")):
            found.append(process)
    return found


def end(home: Path, program: str | None = None, *, below: bool = False, grace: float = 5) -> int:
    """End those processes: SIGTERM, SIGKILL after `grace` seconds, and again until none is left.

    Returns how many there were. Looks again after each round, because a process may start another while it is
    ended. Raises StackError when one survives SIGKILL for half a minute (it hangs inside the kernel).
    """
    ended: set[int] = set()
    deadline = time.monotonic() + grace
    while alive := find(home, program, below=below):
        if time.monotonic() > deadline + 30:
            raise StackError(f"processes that cannot be ended: {', '.join(str(p.pid) for p in alive)}")
        for process in alive:
            try:
                if time.monotonic() > deadline:
                    process.kill()
                elif process.pid not in ended:
                    process.terminate()
            except psutil.NoSuchProcess:
                continue
            ended.add(process.pid)
        psutil.wait_procs(alive, timeout=0.5)
    return len(ended)
