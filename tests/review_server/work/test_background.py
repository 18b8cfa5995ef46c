"""The background: a job with a fault in it stops neither itself for good nor the others."""

from __future__ import annotations

import itertools
import threading
import time

import httpx
import pytest

from include.review_server.errors import DatabaseAway
from include.review_server.work import background
from include.review_server.work.background import BackgroundWorker, in_turn
from tests.review_server.rig import Rig
from tests.support.cloud import eventually


def test_a_faulty_job_is_tried_again_ever_later_while_the_others_go_on():
    mended = threading.Event()
    done = [0, 0]

    def faulty() -> bool:
        done[0] += 1
        if not mended.is_set():
            raise KeyError("/var/lib/review")
        return False

    def sound() -> bool:
        done[1] += 1
        return False

    worker = BackgroundWorker([faulty, sound])
    worker.start()
    try:
        for _ in range(50):
            before = done[1]
            worker.wake()
            eventually(lambda before=before: done[1] > before)  # type: ignore[misc]
        # Pauses of 1, 2, 4 … seconds: not even a machine that takes minutes for this gets to fifteen.
        assert done[0] < 15, "not at once again"
        assert worker.is_alive
        (failing,) = worker.failing
        assert "faulty" in failing
        assert "KeyError" in failing
        assert "/var/lib" not in failing, "health is for everybody"
        mended.set()
        eventually(lambda: not worker.failing, within=120)
    finally:
        worker.stop()
    assert not worker.is_alive


def test_where_nothing_happens_a_job_looks_less_often_and_soon_again_after_it_was_woken(monkeypatch):
    shortest, longest = 0.05, 0.8
    monkeypatch.setattr(background, "_LOOK_SECONDS", shortest)
    monkeypatch.setattr(background, "_LONGEST_LOOK", longest)
    looks: list[float] = []

    def idle() -> bool:
        looks.append(time.monotonic())
        return False

    def looks_soon() -> bool:
        worker.wake()
        woken = len(looks)
        eventually(lambda: len(looks) > woken + 1)
        return looks[woken + 1] - looks[woken] < longest / 2

    worker = BackgroundWorker([idle])
    worker.start()
    try:
        # No wait is shorter than it was asked to be, so a busy machine changes nothing here.
        eventually(lambda: len(looks) > 1 and looks[-1] - looks[-2] >= longest)
        eventually(looks_soon)
    finally:
        worker.stop()


def test_a_fault_with_one_thing_is_told_when_all_others_have_had_their_turn():
    done = []

    def step(thing: int) -> bool:
        if thing in (1, 3):
            raise KeyError(thing)
        done.append(thing)
        return thing == 0

    with pytest.raises(KeyError, match="1"):
        in_turn(range(5), step)
    assert done == [0, 2, 4]
    assert in_turn([0, 2], step), "the first has more"
    assert not in_turn([2, 4], step)


def test_a_job_that_hangs_holds_none_of_the_others_up_and_is_told_of(monkeypatch):
    monkeypatch.setattr(background, "_HANGS_SECONDS", 0.2)
    answered, turns = threading.Event(), itertools.count()
    last = [0]

    def hanging() -> bool:
        answered.wait()
        return False

    def sound() -> bool:
        last[0] = next(turns)
        return False

    worker = BackgroundWorker([hanging, sound])
    worker.start()
    try:
        eventually(lambda: last[0] >= 2)
        eventually(lambda: any("has not come back" in problem for problem in worker.failing))
        answered.set()
        eventually(lambda: not worker.failing)
    finally:
        answered.set()
        worker.stop()


def test_a_database_that_is_away_is_told_of_until_it_is_back():
    away = threading.Event()
    away.set()

    def job() -> bool:
        if away.is_set():
            raise DatabaseAway("does not answer")
        return False

    worker = BackgroundWorker([job])
    worker.start()
    try:
        eventually(lambda: worker.failing)
        assert "the database does not answer" in worker.failing[0]
        away.clear()
        eventually(lambda: not worker.failing)
    finally:
        worker.stop()


def test_health_tells_of_a_failing_job(rig: Rig, monkeypatch):
    health = f"{rig.url}/_nightloop/health"
    eventually(lambda: httpx.get(health).status_code == 200)
    monkeypatch.setattr(type(rig.review.background), "failing", ["deliver: broken"])
    reply = httpx.get(health)
    assert (reply.status_code, reply.json()) == (503, {"status": "ill", "failing": ["deliver: broken"]})
