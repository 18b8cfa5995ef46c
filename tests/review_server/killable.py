"""The review server as a program that kills itself (-9) when it first reaches a given step.

    NIGHTLOOP_TEST_KILL_AT=answer-committed python -m tests.review_server.killable serve …

Steps are the edges of the transactions that take, answer and settle, and of the write to S3 between them.
Nothing of the server is replaced: its functions are wrapped to say where they are.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from include.review_server.__main__ import main
from include.review_server.s3 import ObjectStore
from include.review_server.work.deadlines import Deadlines
from include.review_server.work.delivery import Deliveries
from include.review_server.work.tasks import Tasks

VARIABLE = "NIGHTLOOP_TEST_KILL_AT"
STEPS = (
    "take-uncommitted",
    "take-committed",
    "answer-uncommitted",
    "answer-committed",
    "final-uncommitted",
    "final-committed",
    "write-not-begun",
    "write-done",
    "settle-uncommitted",
    "settle-committed",
)

_here = threading.local()


def reached(step: str) -> None:
    if os.environ.get(VARIABLE) == step:
        os.kill(os.getpid(), signal.SIGKILL)


def during(owner: type, name: str, what: str) -> None:
    """While the function runs, this thread's transactions are called ``what``."""
    function: Callable[..., Any] = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        _here.what = what
        try:
            return function(*arguments, **options)
        finally:
            _here.what = None

    setattr(owner, name, wrapped)


def _write(put: Callable[..., None]) -> Callable[..., None]:
    def wrapped(*arguments: Any) -> None:
        reached("write-not-begun")
        put(*arguments)
        reached("write-done")

    return wrapped


def watch() -> None:
    during(Tasks, "_take", "take")
    during(Tasks, "answer", "answer")
    during(Deadlines, "make_final", "final")
    during(Deliveries, "_settle", "settle")
    ObjectStore.put_json = _write(ObjectStore.put_json)  # type: ignore[method-assign]

    @event.listens_for(Engine, "commit")
    def uncommitted(_connection: Any) -> None:
        reached(f"{getattr(_here, 'what', None)}-uncommitted")

    @event.listens_for(Session, "after_commit")
    def committed(_session: Any) -> None:
        reached(f"{getattr(_here, 'what', None)}-committed")


if __name__ == "__main__":
    watch()
    sys.exit(main())
