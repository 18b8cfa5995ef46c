"""The background: a chore with a fault in it stops neither itself for good nor the others."""

from __future__ import annotations

import itertools
import threading

import httpx

from include.review_server import keeper as keeper_module
from include.review_server.errors import DatabaseAway
from include.review_server.keeper import Keeper
from tests.review_server.rig import Rig
from tests.support.cloud import eventually


def test_a_faulty_chore_is_tried_again_while_the_others_go_on():
    tries, turns = itertools.count(), itertools.count()
    done = [0, 0]

    def faulty() -> bool:
        done[0] = next(tries) + 1
        if done[0] < 3:
            raise KeyError("a fault of ours")
        return False

    def sound() -> bool:
        done[1] = next(turns) + 1
        return False

    keeper = Keeper([faulty, sound])
    keeper.start()
    try:
        eventually(lambda: done[0] == 1)
        keeper.wake()
        eventually(lambda: done[1] > 1)
        assert done[0] == 1, "not at once again"
        assert keeper.is_alive
        (failing,) = keeper.failing
        assert "faulty" in failing
        assert "a fault of ours" in failing
        eventually(lambda: done[0] >= 3)
        eventually(lambda: not keeper.failing)
    finally:
        keeper.stop()
    assert not keeper.is_alive


def test_a_chore_that_hangs_holds_none_of_the_others_up_and_is_told_of(monkeypatch):
    monkeypatch.setattr(keeper_module, "_HANGS_SECONDS", 0.2)
    answered, turns = threading.Event(), itertools.count()
    last = [0]

    def hanging() -> bool:
        answered.wait()
        return False

    def sound() -> bool:
        last[0] = next(turns)
        return False

    keeper = Keeper([hanging, sound])
    keeper.start()
    try:
        eventually(lambda: last[0] >= 2)
        eventually(lambda: any("has not come back" in problem for problem in keeper.failing))
        answered.set()
        eventually(lambda: not keeper.failing)
    finally:
        answered.set()
        keeper.stop()


def test_a_database_that_is_away_is_told_of_until_it_is_back():
    away = threading.Event()
    away.set()

    def chore() -> bool:
        if away.is_set():
            raise DatabaseAway("does not answer")
        return False

    keeper = Keeper([chore])
    keeper.start()
    try:
        eventually(lambda: keeper.failing)
        assert "the database does not answer" in keeper.failing[0]
        away.clear()
        eventually(lambda: not keeper.failing)
    finally:
        keeper.stop()


def test_health_tells_of_a_failing_chore(rig: Rig, monkeypatch):
    health = f"{rig.url}/_nightloop/health"
    assert httpx.get(health).status_code == 200
    monkeypatch.setattr(type(rig.review.keeper), "failing", ["deliver: broken"])
    reply = httpx.get(health)
    assert (reply.status_code, reply.json()) == (503, {"status": "ill", "failing": ["deliver: broken"]})
