"""A container without a container engine: an algorithm's process, its ``/opt/ml`` tree, and its log.

Starts ``python -m <package> train|serve`` in a session of its own with ``SM_ML_ROOT`` in place of
``/opt/ml``, hands on its output line by line, and ends it with all its children. Knows ``processes`` and
``store``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from include.local_cloud import processes
from include.local_cloud.settings import PROJECT_ROOT, REGION

NICENESS = 5  # work gives way to what waits for an answer: the scheduler, the portal, the cloud itself


class MlTree:
    """SageMaker's ``/opt/ml``, made empty below a directory of ours."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.rmtree(root, ignore_errors=True)
        for directory in (self.config, self.data, self.model, self.output_data):
            directory.mkdir(parents=True)

    @property
    def config(self) -> Path:
        return self.root / "input" / "config"

    @property
    def data(self) -> Path:
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def output_data(self) -> Path:
        return self.root / "output" / "data"

    def failure(self) -> str:
        """What the container says went wrong, at most the 1,024 characters that SageMaker reads."""
        path = self.root / "output" / "failure"
        return path.read_text(errors="replace")[:1024].strip() if path.exists() else ""


class Container:
    """A running container. ``say`` gets each line of its output; ``last_lines`` are the ends of it."""

    def __init__(
        self,
        package: str,
        verb: str,
        tree: MlTree,
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        own = {"SM_ML_ROOT": str(tree.root), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        self._process = subprocess.Popen(  # noqa: S603 -- our own program
            [sys.executable, "-m", package, verb],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=PROJECT_ROOT,
            env=processes.clean_environment() | dict(environment) | own,
            start_new_session=True,
        )
        with contextlib.suppress(psutil.Error):  # it may have ended already
            psutil.Process(self.pid).nice(NICENESS)
        self.last_lines: deque[str] = deque(maxlen=5)
        self._say = say
        self._reader = threading.Thread(target=self._read, name="output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def identity(self) -> dict[str, float]:
        """What is written down so that a later process can end this one: pid and start time."""
        return {"pid": self.pid, "started": processes.started(self.pid)}

    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._process.poll()

    def terminate(self) -> None:
        """Ask it to end: SIGTERM, as SageMaker does."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it and whatever it started, now."""
        with contextlib.suppress(ProcessLookupError):  # nobody of the group is left
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(timeout=5)

    def finish(self) -> int:
        """After it exited: collect the rest of its output and its stray children; returns its exit code."""
        code = self._process.wait()
        self.kill()
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 -- PIPE, above
        for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip("\r\n")
            if line.strip():
                self.last_lines.append(line)
            self._say(line)


def wait_for(condition: Callable[[], bool], watch: Callable[[], None], pause: float = 0.05) -> None:
    """Wait until the condition holds, looking at the world at each turn (which may raise)."""
    while not condition():
        watch()
        time.sleep(pause)
