"""With a queue of events nobody asks while nothing happens; an event that is lost costs time and no label."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from nightloop.sensors.human_loops import HumanLoopsSensor
from nightloop.triggers.loop_events import MOST_RECEIVES, Queue, loop_name_of
from nightloop.triggers.loops_answered import HumanLoopsTrigger
from tests.airflow.place import Place, again, first_event
from tests.loop.place import correct
from tests.review_server.rig import Rig
from tests.support.cloud import LocalCloud

NIGHTS = ["2026-11-01", "2026-11-02"]


@pytest.fixture(scope="module")
def queue(cloud: LocalCloud) -> str:
    url: str = cloud.client("sqs").create_queue(QueueName="ends-of-loops")["QueueUrl"]
    return url


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, queue: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A review server that tells the queue."""
    with Rig(cloud, tmp_path_factory.mktemp("telling"), events_to=queue) as running:
        yield running


@pytest.fixture
def asked(place: Place) -> Place:
    """One question of each of two nights is open."""
    place.set_up_review()
    for night in NIGHTS:
        place.put_images(night, 1)
        place.ask(night)
    return place


def trigger(place: Place, night: str, queue: str) -> HumanLoopsTrigger:
    """The one that the sensor of a night leaves, in an environment with this queue."""
    place.environment_settings["review"]["events_queue"] = queue
    place.save()
    sensor = HumanLoopsSensor(task_id="wait", pipeline=place.name, batch=night)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(place.context())
    made: HumanLoopsTrigger = again(deferred.value.trigger)
    return made


def answer_one(place: Place) -> str:
    """The night whose question a person has answered."""
    nights = []

    def respond(question: dict[str, Any]) -> dict[str, Any]:
        nights.append(question["batch"])
        return correct(question)

    assert place.answer(respond, at_most=1) == 1
    return str(nights[0])


def test_a_night_is_looked_at_when_one_of_its_own_questions_has_ended(
    asked: Place, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: Counter[str] = Counter()
    look = HumanLoopsTrigger.look

    async def counted(self: HumanLoopsTrigger, client: Any) -> bool:
        looks[self.watch.name_prefix] += 1
        return await look(self, client)

    monkeypatch.setattr(HumanLoopsTrigger, "look", counted)

    async def both() -> None:
        triggers = {night: trigger(asked, night, queue) for night in NIGHTS}
        waiting = {night: asyncio.create_task(first_event(one)) for night, one in triggers.items()}
        while len(looks) < len(NIGHTS):
            await asyncio.sleep(0.05)
        first = await asyncio.to_thread(answer_one, asked)
        assert (await waiting.pop(first))["ending"] == "done"
        ((other, still),) = waiting.items()
        assert not still.done()
        assert looks[triggers[other].watch.name_prefix] == 1, "nothing has happened there"
        await asyncio.to_thread(answer_one, asked)
        assert (await still)["counts"]["completed"] == 1

    asyncio.run(asyncio.wait_for(both(), 200))


def test_without_the_queue_that_it_was_given_it_looks_every_interval(asked: Place, queue: str) -> None:
    async def answered() -> Any:
        waiting = asyncio.create_task(first_event(trigger(asked, NIGHTS[0], f"{queue}-of-nobody")))
        await asyncio.to_thread(asked.answer)
        return await waiting

    event = asyncio.run(asyncio.wait_for(answered(), 200))
    assert event["ending"] == "done"


def message(name: str, receives: int) -> dict[str, Any]:
    body = json.dumps({"detail": {"humanLoopName": name}})
    return {"Body": body, "Attributes": {"ApproximateReceiveCount": str(receives)}}


def test_what_nobody_here_waits_for_is_left_to_other_triggerers_and_not_for_ever() -> None:
    messages = Queue("https://sqs.example/loops", connect=lambda: None)
    assert not messages._is_done_with(message("of-somebody", 1))
    assert messages._is_done_with(message("of-somebody", MOST_RECEIVES))


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "no JSON", '{"detail": {"humanLoopName": 7}}', '{"detail": null}', "[" * 100_000]
)
def test_what_is_no_event_of_a_loop_names_none(body: str) -> None:
    assert loop_name_of(body) is None
