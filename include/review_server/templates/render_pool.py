"""Templates rendered outside of the server: a few processes that wait for a template and its input.

Takes a template, the input as JSON text and the function that signs locations; gives HTML or what is wrong.
A template that takes too much memory or time costs its process, which is replaced, and is told to its
author; others wait at most for that. The processes are ``render_worker``; they end with the server.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.review_server.errors import RenderBusy
from include.review_server.s3_location import S3Location
from include.review_server.templates.liquid import Rendered, RenderingError
from include.review_server.templates.render_channel import Channel, Gone, Late
from include.review_server.templates.render_worker import MEMORY

logger = logging.getLogger(__name__)

PROCESSOR_SECONDS = 5
# Processor time is what bounds a template; this is for a machine too busy to give it.
WALL_SECONDS = 60
_START_SECONDS = 120
_PATIENCE_SECONDS = 60
_ROOT = Path(__file__).parents[3]

# The address of a location, or a ``ValueError`` that tells the template's author why there is none.
Sign = Callable[[S3Location], str]


@dataclass(frozen=True)
class Checked:
    """What the bench says of a template: findings as JSON objects, and the answer of an immediate submit."""

    findings: list[dict[str, Any]]
    content: dict[str, Any]
    first: list[str]


class RenderPool:
    """At most ``size`` processes. They start when they are needed; ``start`` has some ready before."""

    def __init__(self, size: int, most_waiting: int = 8, processor_seconds: int = PROCESSOR_SECONDS) -> None:
        self.size = size
        self._children = [_Child(processor_seconds) for _ in range(size)]
        # The one that was used last is warm.
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        for child in self._children:
            self._idle.put(child)
        self._places = threading.BoundedSemaphore(size + most_waiting)

    def start(self, ready: int = 1) -> None:
        """Have ``ready`` processes wait for the first templates. Also after ``stop``; safe to call again."""
        for child in self._children:
            child.stopped = False
        for child in self._children[self.size - ready :]:
            child.warm()

    def stop(self) -> None:
        """End all processes; what they are at fails, what comes is refused. Safe to call again."""
        for child in self._children:
            child.stopped = True
            child.end()

    @property
    def processes(self) -> list[int]:
        """The ids of the processes that run."""
        return [pid for child in self._children if (pid := child.pid)]

    def render(self, template: str, task_input: str, sign: Sign) -> Rendered:
        """The template with ``task.input`` filled in. ``RenderBusy`` when too many wait."""
        return _rendered(self._ask({"do": "render", "template": template, "input": task_input}, sign))

    def document(self, template: str, task_input: str, components_url: str, sign: Sign) -> Rendered:
        """The same as a whole page for the frame (``templates.frame_document``)."""
        job = {"do": "document", "template": template, "input": task_input, "components_url": components_url}
        return _rendered(self._ask(job, sign))

    def check(self, template: str, task_input: str, hosts: Sequence[str] = ()) -> Checked:
        """What is wrong with the template (``check.check``). Nothing is signed."""
        job = {"do": "check", "template": template, "input": task_input, "hosts": list(hosts)}
        reply = self._ask(job, _sign_nothing)
        if "errors" in reply:
            return Checked(_not_read(reply), {}, [])
        return Checked(reply["findings"], reply["answer"]["content"], reply["answer"]["first"])

    def static_check(self, template: str, hosts: Sequence[str] = ()) -> list[dict[str, Any]]:
        """What is wrong with it whatever its input (``static_check``)."""
        reply = self._ask({"do": "static", "template": template, "hosts": list(hosts)}, _sign_nothing)
        return _not_read(reply) if "errors" in reply else reply["findings"]

    def _ask(self, job: dict[str, Any], sign: Sign) -> dict[str, Any]:
        busy = RenderBusy("the server is busy with other templates: try again in a moment")
        if not self._places.acquire(blocking=False):
            raise busy
        try:
            child = self._idle.get(timeout=_PATIENCE_SECONDS)
        except queue.Empty:
            raise busy from None
        else:
            try:
                return child.ask(job, sign)
            finally:
                self._idle.put(child)
        finally:
            self._places.release()


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    channel: Channel
    ready: bool = False


class _Child:
    """One process, or the place for one. Used by one thread at a time, but for ``end``."""

    def __init__(self, processor_seconds: int) -> None:
        self._seconds = processor_seconds
        self._running: _Running | None = None
        self.stopped = False

    @property
    def pid(self) -> int | None:
        running = self._running
        return running.process.pid if running and running.process.poll() is None else None

    def warm(self) -> _Running:
        """Start the process unless it runs. Does not wait for it."""
        if self._running is not None:
            if self._running.process.poll() is None:
                return self._running
            self._running.channel.close()
        ours, theirs = socket.socketpair()
        with theirs:
            # Nothing of the server goes along: no variable, no open file, no folder, no terminal's signals.
            process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-B", "-m", "include.review_server.templates.render_worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PYTHONPATH": str(_ROOT)},
                start_new_session=True,
            )
        self._running = _Running(process, Channel(ours))
        return self._running

    def end(self) -> None:
        if self._running is not None:
            self._running.process.kill()
            self._running.process.wait()

    def ask(self, job: dict[str, Any], sign: Sign) -> dict[str, Any]:
        problem = ""
        for _ in range(2):
            running = self._started()
            try:
                return _converse(running.channel, job | {"seconds": self._seconds}, sign)
            except Late:
                problem = f"rendering it took more than {WALL_SECONDS} seconds"
            except Gone:
                problem = self._epitaph(running.process)
            self.end()
            if problem:
                break
            # It had retired after the job before, which it may do: this template has not been tried.
        if not self.stopped:
            self.warm()
        error = {"code": "TookTooMuch", "message": problem or "it was not rendered", "line": None}
        return {"content": "", "errors": [error]}

    def _started(self) -> _Running:
        if self.stopped:
            raise RenderBusy("the server is stopping: try again when it is back")
        running = self.warm()
        if not running.ready:
            try:
                running.channel.receive(time.monotonic() + _START_SECONDS)
            except (Gone, Late):
                self.end()
                raise RuntimeError(
                    "the process that renders templates does not start: see what "
                    "`python -m include.review_server.templates.render_worker < /dev/null` says"
                ) from None
            running.ready = True
        return running

    def _epitaph(self, process: subprocess.Popen[bytes]) -> str:
        """Why the process has ended, for the template's author; empty when it was for no fault."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.returncode == 0:
            return ""
        if process.returncode == -signal.SIGXCPU:
            return f"rendering it took more than {self._seconds} seconds of processor time"
        logger.warning("a process that rendered a template ended with status %s", process.returncode)
        return f"rendering it took more than {MEMORY >> 20} MiB of memory, or is nested too deeply"


def _converse(channel: Channel, job: dict[str, Any], sign: Sign) -> dict[str, Any]:
    """Give a job and sign what it asks for, until its reply comes."""
    deadline = time.monotonic() + WALL_SECONDS
    channel.send(job, deadline)
    while True:
        reply = channel.receive(deadline)
        if "sign" not in reply:
            break
        try:
            channel.send({"url": sign(S3Location.of_object(str(reply["sign"])))}, deadline)
        except ValueError as error:
            channel.send({"refused": str(error)}, deadline)
    if fault := reply.get("fault"):
        logger.error("rendering a template failed:\n%s", fault)
        raise RuntimeError("rendering a template failed: the server's log has the details")
    return reply


def _not_read(reply: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**error, "code": "liquid", "severity": "error"} for error in reply["errors"]]


def _rendered(reply: dict[str, Any]) -> Rendered:
    errors = tuple(RenderingError(**error) for error in reply["errors"])
    return Rendered(reply["content"], errors, tuple(reply.get("presigned", ())))


def _sign_nothing(location: S3Location) -> str:
    raise ValueError(f"{location.uri}: nothing is signed while a template is checked")
