"""The process in which templates are read and rendered.

It is started by ``render_pool`` with a socket as its standard input, takes jobs there and answers them, and
ends when the server does. A template is a stranger's program, so this process has next to nothing: no
secret, no database, no S3, no file to write, and bounded memory and processor time. What must be signed is
asked of the server.
"""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from include.review_server.s3_location import S3Location
from include.review_server.templates.check import check
from include.review_server.templates.documents import presigned, with_links
from include.review_server.templates.initial_answer import immediate_answer
from include.review_server.templates.liquid import Rendered, RenderingError, Templates, frame_document
from include.review_server.templates.render_channel import Channel, Gone
from include.review_server.templates.static_check import static_check

# A page of 16 MiB is held several times while it is made; three MiB of input take a tenth of a GiB as values.
MEMORY = 512 * 1024 * 1024
# Addresses go into the page's policy, three times each, and browsers take 256 KiB of headers.
MOST_GRANTS = 500
# When so much is still held after a job, memory is in pieces: the next template gets a new process.
_HELD = MEMORY // 3


def main() -> int:
    """Answer jobs until the server closes the socket."""
    _confine()
    channel = Channel(socket.socket(fileno=0))
    with contextlib.suppress(Gone):
        channel.send({"ready": True})
        while _held() < _HELD:
            job = channel.receive()
            _start_counting(job["seconds"])
            try:
                reply = _JOBS[job["do"]](job, channel)
            except MemoryError:
                reply = _failure("TooLarge", f"it takes more than {MEMORY >> 20} MiB of memory")
            except _NotJson as error:
                reply = _failure("BadInput", f"the input is not JSON: {error}")
            except Exception:
                reply = {"fault": traceback.format_exc()}
            try:
                channel.send(reply)
            except ValueError as error:
                channel.send(_failure("TooLarge", f"what it renders is too large: {error}"))
    return 0


def _render(job: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """``template`` and ``input`` → ``content`` and ``errors``."""
    return asdict(Templates(_Signatures(channel)).render(job["template"], _input(job)))


def _document(job: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """The same, with ``content`` a whole page that loads the components from ``components_url``."""
    signatures = _Signatures(channel)
    rendered = Templates(signatures).render(job["template"], _input(job))
    if not rendered.content:
        return asdict(rendered)
    shown = with_links(rendered.content, signatures.addresses)
    page = frame_document(shown, job["components_url"])
    return asdict(Rendered(page, rendered.errors, tuple(presigned(shown, signatures.addresses))))


def _check(job: dict[str, Any], _channel: Channel) -> dict[str, Any]:
    """``template`` and ``input`` → ``findings``, and the ``answer`` of an immediate submit."""
    template, task_input = job["template"], _input(job)
    findings = [finding.to_dict() for finding in check(template, task_input, job["hosts"])]
    return {"findings": findings, "answer": asdict(immediate_answer(template, task_input))}


def _static(job: dict[str, Any], _channel: Channel) -> dict[str, Any]:
    """``template`` → ``findings`` that hold for any input."""
    return {"findings": [finding.to_dict() for finding in static_check(job["template"], job["hosts"])]}


_JOBS: dict[str, Callable[[dict[str, Any], Channel], dict[str, Any]]] = {
    "render": _render,
    "document": _document,
    "check": _check,
    "static": _static,
}


class _Signatures:
    """Asks the server for the address of an object: each once, and no more than ``MOST_GRANTS``."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: dict[S3Location, str] = {}

    @property
    def addresses(self) -> set[str]:
        return set(self._known.values())

    def __call__(self, location: S3Location) -> str:
        if location in self._known:
            return self._known[location]
        if len(self._known) == MOST_GRANTS:
            raise ValueError(f"a task shows at most {MOST_GRANTS} objects, and {location.uri} is one more")
        self._channel.send({"sign": location.uri})
        reply = self._channel.receive()
        if "refused" in reply:
            raise ValueError(reply["refused"])
        self._known[location] = reply["url"]
        return self._known[location]


class _NotJson(ValueError):
    pass


def _input(job: dict[str, Any]) -> Any:
    """The server has checked what it takes from callers; here it only must not cost more than a process."""
    text = job["input"]
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():
            # Half of a character, as a text cut by its code units leaves it, is shown as a question mark.
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise _NotJson("it is nested too deeply") from None
    except ValueError as error:
        raise _NotJson(str(error)) from None
    return value


def _failure(code: str, message: str) -> dict[str, Any]:
    return asdict(Rendered("", (RenderingError(code, message),)))


def _confine() -> None:
    """Give up what rendering does not need; none of it can be had back."""
    # Where the machine itself runs out of memory, this process goes, not the server.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        most = _allowed(what, most)
        resource.setrlimit(what, (most, most))


def _start_counting(seconds: int) -> None:
    """Grant processor time for one job; the kernel ends the process that takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soon = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_allowed(resource.RLIMIT_CPU, soon), hard))


def _held() -> int:
    """The bytes of memory that this process has, used or not. (``ru_maxrss`` would be the server's own.)"""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _allowed(what: int, most: int) -> int:
    """No more than whoever started the server allows."""
    _, hard = resource.getrlimit(what)
    return most if hard == resource.RLIM_INFINITY else min(most, hard)


if __name__ == "__main__":
    sys.exit(main())
