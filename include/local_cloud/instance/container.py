"""A container without a container engine: an algorithm's process, its ``/opt/ml`` tree, and its log.

Starts ``python -m <package> train|serve`` behind the walls of ``sandbox`` with ``init`` as its first process,
hands on its output line by line, and ends it with all its children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from include.local_cloud import processes
from include.local_cloud.control import variables
from include.local_cloud.control.algorithms import Algorithm
from include.local_cloud.instance import files, init, sandbox
from include.local_cloud.instance.faults import ClientFault
from include.local_cloud.settings import Settings

SERVER_PORT = 8080  # of the container contract, in a network of the container's own
_CONNECTIONS = 128  # that wait for a server to take them
_MAX_LINE = 16 << 10  # bytes; a longer line of output comes in pieces
_DEATH_SECONDS = 5.0


class MlTree:
    """SageMaker's ``/opt/ml``, made empty below a directory of ours; ``scratch`` beside it is the container's
    ``/tmp``.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.scratch = root, root.with_name("scratch")
        self._writable = {"model": self.model, "output": root / "output"}
        for stale in (root, self.scratch):
            files.remove(stale)
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

    def add(self, path: PurePosixPath) -> Path:
        """One more directory that the container may write to: its path below /opt/ml."""
        directory = self.root / path
        directory.mkdir(parents=True, exist_ok=True)
        self._writable[str(path)] = directory
        return directory

    def shown(self, verb: str) -> dict[str, tuple[Path, bool]]:
        """Path below /opt/ml → (directory, whether the container may write there). What serves a model
        must not change it: the next server starts from the same files.
        """
        writable = {name: (path, verb == "train" or name != "model") for name, path in self._writable.items()}
        return {"input": (self.root / "input", False), **writable}

    def failure(self) -> str:
        """What the container says went wrong, at most the 1,024 characters that SageMaker reads."""
        said = files.head(self.root / "output" / "failure", 4 * 1024)
        return said.decode(errors="replace")[:1024].strip()


class Container:
    """A running container. ``say`` gets each line of its output; ``last_lines`` are the ends of it.

    Raises ``ClientFault`` for variables that no container is given, whoever let them pass until here.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        verb: str,
        tree: MlTree,
        settings: Settings,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        contract: Mapping[str, str] | None = None,
    ) -> None:
        if refusal := variables.refusal(environment):
            raise ClientFault(refusal)
        room = sandbox.Room(
            tree.scratch,
            settings.cache / algorithm.name,
            settings.data,
            algorithm.package,
            tree.shown(verb),
        )
        walls, given = sandbox.command(room), sandbox.environment(room, tree.root)
        given |= {**environment, **(contract or {})}
        self._control, theirs = socket.socketpair()
        with theirs, _listener(verb == "serve") as listener:
            self.port: int = listener.getsockname()[1] if listener else 0
            handed = [theirs.fileno()]
            door = [-1, self.port]
            if listener and walls:
                handed.append(listener.fileno())
                door = [listener.fileno(), SERVER_PORT]
            elif listener:
                listener.close()  # without a network of its own, the algorithm listens there itself
            if listener:
                given["SAGEMAKER_BIND_TO_PORT"] = str(door[1])
            first = [sys.executable, "-I", "-S", init.__file__, str(theirs.fileno()), *map(str, door)]
            self._process = subprocess.Popen(  # noqa: S603 -- our own program
                [*walls, *first, sys.executable, "-m", algorithm.package, verb],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=sandbox.PROJECT_ROOT,
                env=given,
                pass_fds=handed,
                start_new_session=True,
            )
        self.last_lines: deque[str] = deque(maxlen=5)
        self._say = say
        self._status: int | None = None
        if warning := sandbox.warning():
            say(f"[local cloud] {warning}")
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
        code = self._process.poll()
        if code is not None and self._status is None:
            said = self._said()
            # bubblewrap tells of a signal by 128 more.
            self._status = said if said is not None else 128 - code if code > 128 else code
        return self._status

    def terminate(self) -> None:
        """Ask the algorithm to end: SIGTERM, as SageMaker does."""
        with contextlib.suppress(OSError):  # it has ended
            self._control.send(b"T")

    def kill(self) -> None:
        """End it and whatever it started, now."""
        self.exit_code()
        self._control.close()  # which the first process takes for an order to end them all
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DEATH_SECONDS)
        with contextlib.suppress(ProcessLookupError):  # nobody of the group is left
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(timeout=5)

    def finish(self) -> int:
        """After it exited: collect the rest of its output and its stray children; returns its exit code."""
        code = self._process.wait()
        said = self.exit_code()
        self.kill()
        return code if said is None else said

    def _said(self) -> int | None:
        """The algorithm's own exit status, which ``init`` tells before it ends; None when it was killed."""
        with contextlib.suppress(OSError, ValueError):
            self._control.setblocking(False)
            return int(self._control.recv(16))
        return None

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 -- PIPE, above
        for raw in _lines(self._process.stdout):
            line = raw.decode(errors="replace").rstrip("\r\n")
            if line.strip():
                self.last_lines.append(line)
            self._say(line)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(_MAX_LINE):
        yield line


@contextlib.contextmanager
def _listener(wanted: bool) -> Iterator[socket.socket | None]:
    if not wanted:
        yield None
        return
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(_CONNECTIONS)
        yield sock


def wait_for(condition: Callable[[], bool], watch: Callable[[], None], pause: float = 0.05) -> None:
    """Wait until the condition holds, looking at the world at each turn (which may raise)."""
    while not condition():
        watch()
        time.sleep(pause)
