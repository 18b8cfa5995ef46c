"""The background: a chore with a fault in it stops neither itself for good nor the others."""

from __future__ import annotations

import itertools

import httpx

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


def test_health_tells_of_a_failing_chore(rig: Rig, monkeypatch):
    health = f"{rig.url}/_nightloop/health"
    assert httpx.get(health).status_code == 200
    monkeypatch.setattr(type(rig.review.keeper), "failing", ["deliver: broken"])
    reply = httpx.get(health)
    assert (reply.status_code, reply.json()) == (503, {"status": "ill", "failing": ["deliver: broken"]})
