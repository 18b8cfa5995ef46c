"""Up, down and status of one local stack, in the order in which its parts need each other.

The cloud comes first, because Airflow's connections carry the keys it generates; Airflow's tables are
made meanwhile. A stack that cannot be brought up is taken down again, and what `down` leaves is nothing.
Prints for a person.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType

from include.stack import environment, health, stray_processes
from include.stack.processes import AIRFLOW, CLOUD, Supervisor
from include.stack.secrets import ADMINISTRATOR, load_or_create
from include.stack.settings import BUCKET, PROJECT, StackError, StackSettings


def up(settings: StackSettings, say: health.Say) -> bool:
    """Bring the stack up; False when it was up already. On any failure or Ctrl-C all of it is stopped again.

    Raises StackError with a message for the user.
    """
    supervisor = Supervisor(settings)
    return bring_up(
        settings, supervisor, say, lambda: is_up(settings), lambda: _start(settings, supervisor, say)
    )


def bring_up(
    settings: StackSettings,
    supervisor: Supervisor,
    say: health.Say,
    is_up: Callable[[], bool],
    start: Callable[[], None],
) -> bool:
    """Start a stack's programs by `start`, unless it `is_up`: then False. On any failure or Ctrl-C all of it
    is stopped again.

    Raises StackError with a message for the user.
    """
    settings.make_directories()
    with only_one(settings):
        if is_up():
            return False
        if not supervisor.running():
            if ended := stray_processes.end(settings.home):
                say(f"ended {ended} processes that an earlier stack had left behind")
            health.require_free(settings.ports)
        try:
            load_or_create(settings)
            if not supervisor.running():
                supervisor.start()
            start()
        except BaseException:
            say("stopping what was started")
            take_down(settings, supervisor)
            raise
    return True


def down(settings: StackSettings, *, below: bool = False) -> int:
    """Stop this stack (`below`: and the stacks inside its home); returns how many processes there were."""
    if not settings.home.exists():
        return 0
    with only_one(settings):
        count = len(stray_processes.find(settings.home, below=below))
        take_down(settings, Supervisor(settings), below=below)
    return count


def is_up(settings: StackSettings) -> bool:
    """Whether every part of the stack answers."""
    return Supervisor(settings).running() and not health.missing_parts(settings)


def is_running(settings: StackSettings) -> bool:
    """Whether there is a stack to stop, be it slow or broken."""
    return Supervisor(settings).running()


def that_runs(settings: StackSettings) -> StackSettings:
    """This stack, or the one that `KEEP=1 make demo` has left running, when only that is up."""
    left = not Supervisor(settings).running() and Supervisor(settings.demo).running()
    return settings.demo if left else settings


def addresses(settings: StackSettings) -> str:
    """Where everything is and how to sign in, for the end of `make up`."""
    relative = os.path.relpath(settings.cloud_data, PROJECT)
    data = settings.cloud_data if relative.startswith("..") else relative
    exports = environment.as_exports(environment.aws(settings))
    password = load_or_create(settings).password
    return f"""
  Airflow        {settings.airflow.url}   sign in as {ADMINISTRATOR}, password {password}
  Reports        {settings.airflow.url}/nightloop/reports/   the same sign-in
  Review portal  {settings.review.url}   accounts are made by
                 .venv/bin/python -m include.review_server members add NAME --team reviewers --data {data}
  Local cloud    {settings.cloud.url}   for any AWS tool, after these two lines:

{exports}
"""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does, so that it can stop what it started."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _start(settings: StackSettings, supervisor: Supervisor, say: health.Say) -> None:
    supervisor.start_program(CLOUD)
    say("starting the local cloud, and preparing Airflow's database")
    _migrate(settings)
    health.wait(settings, supervisor, say, of="cloud", patience=180)
    make_bucket(settings)
    for program in AIRFLOW:
        supervisor.start_program(program)
    say("starting Airflow (about half a minute)")
    health.wait(settings, supervisor, say, of="airflow", patience=600)


def take_down(
    settings: StackSettings, supervisor: Supervisor, *, below: bool = False, patience: float = 40
) -> None:
    """Stop a stack's programs, which have `patience` seconds for it, and end whatever is left."""
    # A second Ctrl-C must not leave half of it running.
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if below:
            Supervisor(settings.demo).shut_down()
            # The programs of a cluster are stopped in their order, and the workers finish their tasks.
            Supervisor(settings.cluster).shut_down(patience=600)
        supervisor.shut_down(patience)
        stray_processes.end(settings.home, below=below)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _migrate(settings: StackSettings) -> None:
    log = settings.logs / "migrate.log"
    with log.open("w") as stream:
        result = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment.inherited()
            | environment.airflow(settings)
            | {environment.MARKER: str(settings.home)},
            cwd=PROJECT,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    if result.returncode:
        raise StackError(f"airflow db migrate failed.\n{health.log_tails(settings, ['migrate'])}")
    # Readers and the writer do not block each other with a write-ahead log; the setting stays in the file.
    with contextlib.closing(sqlite3.connect(settings.airflow_home / "airflow.db", timeout=60)) as database:
        database.execute("PRAGMA journal_mode=WAL")


def make_bucket(settings: StackSettings) -> None:
    import boto3
    from botocore.config import Config

    session = boto3.Session(**environment.keys(settings), region_name=environment.REGION)
    s3 = session.client(
        "s3", endpoint_url=settings.cloud.url, config=Config(proxies={}, retries={"max_attempts": 5})
    )
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)


@contextlib.contextmanager
def only_one(settings: StackSettings) -> Iterator[None]:
    """Two commands on one home wait for each other."""
    settings.run.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 300
    with (settings.run / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = f"another command has been working on {settings.home} for 5 minutes"
                    raise StackError(message) from None
                time.sleep(0.2)
        yield
