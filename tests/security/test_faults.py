"""What breaks around the review server stops nobody's work for longer than it is broken, and loses nothing.

S3 that hangs, a full disk, a database that is read-only or restarted under load, a clock that is put back:
real faults of real services. Answers are refused with a reason, health says what is wrong, and when it is
over all goes on by itself.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError
from sqlalchemy import select

from include.review_server.db.models import Delivery
from tests.review_server.rig import Person, Rig, refused
from tests.support.cloud import ROOT, LocalCloud, eventually
from tests.support.postgresql import PostgreSQL


class Relay:
    """A port before S3 that can stop to answer: it goes on to accept connections and to take what is sent."""

    def __init__(self, url: str) -> None:
        self._there = (str(urlsplit(url).hostname), int(urlsplit(url).port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.hangs = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._there)
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with near, far, selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
            for side in other:
                ready.register(side, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    end: Any = key.fileobj
                    data = end.recv(65536)
                    if not data:
                        return
                    if not self.hangs.is_set():
                        other[end].sendall(data)

    def close(self) -> None:
        self._listener.close()


def _health(rig: Rig) -> list[str]:
    """What health says is wrong."""
    reply = httpx.get(f"{rig.url}/_nightloop/health", timeout=60)
    failing: list[str] = reply.json().get("failing", [])
    assert reply.status_code == (503 if failing else 200)
    return failing


def _says(rig: Rig, what: str) -> Callable[[], bool]:
    return lambda: any(what in problem for problem in _health(rig))


def test_an_s3_that_hangs_stops_neither_reviewers_nor_leases(cloud: LocalCloud, tmp_path: Path):
    relay = Relay(cloud.endpoint_url)
    with Rig(cloud, tmp_path, s3_endpoint_url=relay.url) as rig, ThreadPoolExecutor(45) as callers:
        flow = rig.flow(TaskTimeLimitInSeconds=600)
        names = [flow.start() for _ in range(5)]
        left, ann, ben = (rig.worker(flow.team) for _ in range(3))
        assert not _health(rig)
        relay.hangs.set()
        left.take(flow)
        images = [{"taskObject": f"s3://never-answers-{number}/1.jpg"} for number in range(45)]
        starts = [callers.submit(flow.start, None, image) for image in images]
        eventually(lambda: _says(rig, "S3 did not answer")())
        for _ in range(2):
            ann.answer(flow=flow)
            assert ben.http.get("/worker/queue").status_code == 200
        rig.clock.advance(601)
        eventually(lambda: ben.answer(flow=flow) if ben.http.get("/worker/queue").json()["queues"] else None)
        waiting = [start for start in starts if not start.done()]
        assert waiting, "the work above was done while the callers waited"
        # What cannot be told about a bucket holds no loop up, as at Amazon.
        for start in starts:
            start.result()
        written = {name for name in names if flow.loop(name)["HumanLoopStatus"] == "Completed"}
        assert not written
        relay.hangs.clear()
        rig.clock.advance(64)
        eventually(
            lambda: len([name for name in names if flow.loop(name)["HumanLoopStatus"] == "Completed"]) == 3
        )
        eventually(lambda: not _health(rig))
    relay.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 48 MiB, to be filled."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here: this needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_refuses_answers_and_loses_none(cloud: LocalCloud, small_disk: Path):
    with Rig(cloud, small_disk / "data") as rig:
        flow = rig.flow()
        name = flow.start()
        worker = rig.worker(flow.team)
        task = worker.take(flow)
        assert not _health(rig)
        _fill(small_disk / "ballast")
        # Larger than what the database's log has room for already.
        answer = {"picture": "x" * 8_000_000}
        reply = worker.do("answer", task, answer)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "DatabaseAway")
        assert "no room left" in reply.json()["error"]["message"]
        assert int(reply.headers["retry-after"]) > 0
        eventually(_says(rig, "the disk cannot be written: No space left"))
        assert worker.http.get("/worker/queue").json()["in_hand"], "reading goes on"
        (small_disk / "ballast").unlink()
        assert worker.do("answer", task, answer).status_code == 200
        assert [a["answerContent"] for a in flow.output(name)["humanAnswers"]] == [answer]
        eventually(lambda: not _health(rig))


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass


def test_a_read_only_disk_ends_the_start_with_a_reason(cloud: LocalCloud, small_disk: Path):
    command = [sys.executable, "-m", "include.review_server", "members", "list", "--data", str(small_disk)]
    run = partial(subprocess.run, command, cwd=ROOT, capture_output=True, text=True)
    assert run().returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused = run()
    assert refused.returncode == 1
    assert "error: the database cannot be opened" in refused.stderr
    assert "Traceback" not in refused.stderr
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert run().returncode == 0


def test_health_answers_while_the_database_does_not(cloud: LocalCloud, tmp_path: Path):
    with Rig(cloud, tmp_path) as rig:
        assert not _health(rig)
        with contextlib.closing(sqlite3.connect(tmp_path / "review.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            eventually(_says(rig, "the database has not answered"))
            assert "has not answered" in _health(rig)[0], "however often it is asked"
            other.execute("ROLLBACK")
        eventually(lambda: not _health(rig))


def test_a_clock_that_is_put_back_holds_no_output_up(cloud: LocalCloud, tmp_path: Path):
    with Rig(cloud, tmp_path) as rig:
        flow = rig.flow(TaskTimeLimitInSeconds=300)
        late = flow.start()
        ann, ben = rig.worker(flow.team), rig.worker(flow.team)
        rig.s3.delete_bucket(Bucket=flow.bucket)
        ann.answer(flow=flow)
        eventually(partial(_tried, rig))
        held = flow.start()
        task = ann.take(flow)
        rig.clock.advance(-3 * 3600)
        rig.s3.create_bucket(Bucket=flow.bucket)
        # Spent no less than nothing, whatever the clock says.
        assert flow.output(late)["humanAnswers"][0]["timeSpentInSeconds"] >= 0
        # The lease begins anew: it ends after its own time, not when the clock is where it was.
        eventually(
            lambda: (
                ann.http.get(f"/worker/tasks/{task['task_id']}").json()["accepted_at"] < task["accepted_at"]
            )
        )
        assert ben.take(flow) is None
        rig.clock.advance(301)
        eventually(lambda: ben.http.get("/worker/queue").json()["queues"][0]["waiting"] == 1)
        ben.answer(flow=flow)
        assert flow.output(held)["humanAnswers"][0]["workerId"] == ben.id


def _tried(rig: Rig) -> str | None:
    with rig.review.database.read() as session:
        return session.scalars(select(Delivery.last_error)).first()


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgreSQL]:
    """A PostgreSQL of its own: other tests share theirs and would not like what happens to this one."""
    with PostgreSQL(durable=True) as running:
        yield running


def test_a_read_only_postgresql_refuses_and_says_so(cloud: LocalCloud, cluster: PostgreSQL, tmp_path: Path):
    with Rig(cloud, tmp_path, database_url=cluster.database()) as rig:
        flow = rig.flow()
        name = flow.start()
        worker = rig.worker(flow.team)
        task = worker.take(flow)
        # As after a failover: the connections are to a standby now.
        cluster.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        cluster.execute("SELECT pg_reload_conf()")
        try:
            eventually(_says(rig, "the database is read-only"))
            reply = worker.do("answer", task, {"n": 1})
            assert (reply.status_code, reply.json()["error"]["code"]) == (503, "DatabaseAway")
            assert "read-only" in reply.json()["error"]["message"]
            start = {"FlowDefinitionArn": flow.arn, "HumanLoopInput": {"InputContent": "{}"}}
            code, status, _ = refused(rig.a2i.start_human_loop, HumanLoopName=rig.name("loop"), **start)
            assert (code, status) == ("ServiceUnavailable", 503)
            page = worker.http.get("/")
            assert page.status_code == 200, "reading goes on"
        finally:
            cluster.execute("ALTER SYSTEM RESET default_transaction_read_only")
            cluster.execute("SELECT pg_reload_conf()")
        eventually(lambda: worker.do("answer", task, {"n": 1}).status_code == 200)
        assert len(flow.output(name)["humanAnswers"]) == 1
        eventually(lambda: not _health(rig))


@pytest.mark.slow
def test_restarts_of_postgresql_under_load_lose_no_answer_and_count_none_twice(
    cloud: LocalCloud, cluster: PostgreSQL, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    restarts = int(os.environ.get("NIGHTLOOP_RESTARTS", "3"))
    loops, answers = 15 * restarts, 30 * restarts
    with Rig(cloud, tmp_path, database_url=cluster.database()) as rig, ThreadPoolExecutor(8) as pool:
        flow = rig.flow(TaskCount=2)
        people = [rig.worker(flow.team) for _ in range(4)]
        statuses: Counter[int] = Counter()
        accepted: dict[tuple[str, str], int] = {}
        marks = itertools.count()

        def patiently(call: Callable[[], httpx.Response]) -> httpx.Response:
            """The reply, asked for again for as long as the server says that it should be."""

            def reply() -> httpx.Response | None:
                reply = call()
                statuses[reply.status_code] += 1
                if reply.status_code == 503:
                    assert int(reply.headers["retry-after"]) > 0
                    return None
                return reply

            return eventually(reply, within=120, pause=0.3)

        def start(numbers: range) -> None:
            for number in numbers:
                config = {"FlowDefinitionArn": flow.arn, "HumanLoopInput": {"InputContent": "{}"}}
                call = partial(rig.a2i.start_human_loop, HumanLoopName=f"restart-{number}", **config)
                eventually(partial(_started, call, statuses), within=120, pause=0.3)

        def work(person: Person) -> None:
            while len(accepted) < answers:
                reply = patiently(lambda: person.http.post("/worker/tasks", json={}))
                if reply.status_code == 204:
                    continue
                task, mark = reply.json(), next(marks)
                reply = patiently(partial(person.do, "answer", task, {"mark": mark}))
                assert reply.status_code == 200, reply.text
                assert accepted.setdefault((task["item"], person.id), mark) == mark

        jobs = [pool.submit(work, person) for person in people]
        jobs += [pool.submit(start, range(part, loops, 2)) for part in range(2)]
        for number in range(restarts):
            eventually(lambda: len(accepted) >= answers * number // restarts, within=120)  # noqa: B023
            cluster.restart()
        for job in jobs:
            job.result()
        names = [f"restart-{number}" for number in range(loops)]
        written = {
            (name, answer["workerId"]): answer["answerContent"]["mark"]
            for name in names
            for answer in flow.output(name)["humanAnswers"]
        }
        print(f"{restarts} restarts, {len(accepted)} answers, replies by status {dict(statuses)}")
        assert written == accepted
        assert len(written) == answers
        assert statuses[503] > 0, "it was refused while the database was away"
        assert not [status for status in statuses if status >= 500 and status != 503]
        assert not [record for record in caplog.records if record.exc_info], "no fault of ours"
        eventually(lambda: not _health(rig))


def _started(call: Callable[[], object], statuses: Counter[int]) -> bool:
    try:
        call()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        statuses[status] += 1
        assert status == 503
        return False
    return True
