"""A night as Airflow's tasks: asked, waited for, labelled; and what happens when it does not go smoothly."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from include.loop.core.identity import loop_name
from include.loop.nightly import human_loops
from nightloop.links import OwnersViewLink, ReviewPortalLink
from nightloop.operators.human_review import (
    AugmentedManifestOperator,
    ListBatchOperator,
    RingForTrainingOperator,
    StartHumanLoopsOperator,
    TriageOperator,
)
from nightloop.operators.sagemaker_jobs import BatchInferenceOperator
from nightloop.sensors.human_loops import HumanLoopsSensor
from nightloop.triggers.polling import HumanLoopsTrigger
from tests.airflow.place import Place, first_event, run
from tests.support.cloud import eventually

DATE = "2026-11-01"


class Night:
    """The tasks of one night, one after the other."""

    def __init__(self, place: Place, date: str = DATE) -> None:
        self.place, self.date = place, date

    def task(self, kind: Any, **kwargs: Any) -> Any:
        return kind(task_id=kind.__name__, pipeline=self.place.pipeline, **kwargs)

    def list_batch(self, **kwargs: Any) -> dict[str, Any]:
        return self.place.run(self.task(ListBatchOperator, **kwargs), date=self.date)

    def ask(self, **kwargs: Any) -> dict[str, Any]:
        """Everything up to the open questions."""
        self.list_batch()
        self.place.run(self.task(BatchInferenceOperator, batch=self.date))
        self.place.run(self.task(TriageOperator, batch=self.date))
        return self.place.run(self.task(StartHumanLoopsOperator, batch=self.date, **kwargs))

    def wait(self) -> dict[str, Any]:
        return self.place.run(self.task(HumanLoopsSensor, batch=self.date))

    def waiting(self) -> HumanLoopsTrigger:
        with pytest.raises(TaskDeferred) as deferred:
            self.task(HumanLoopsSensor, batch=self.date).execute(self.place.context())
        assert isinstance(deferred.value.trigger, HumanLoopsTrigger)
        return deferred.value.trigger

    def completed(self) -> int:
        """How many loops the review plane has finished with, outputs in the bucket included."""
        place = self.place
        return human_loops.count_loops(
            place.rig.a2i, human_loops.watch(place.workspace(), self.date)
        ).completed

    def assemble(self) -> dict[str, Any]:
        return self.place.run(self.task(AugmentedManifestOperator, batch=self.date))

    def ring(self, **kwargs: Any) -> dict[str, Any]:
        return self.place.run(self.task(RingForTrainingOperator, **kwargs))


@pytest.fixture
def night(place: Place) -> Night:
    place.set_up_review()
    place.put_images(DATE, 5)
    return Night(place)


def test_a_first_night_asks_waits_and_labels(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    started = night.ask()
    assert (started["asked"], started["started"], started["remaining"]) == (3, 3, 0)

    async def answered_meanwhile() -> Any:
        waiting = asyncio.create_task(first_event(night.waiting()))
        assert await asyncio.to_thread(night.place.answer, 2) == 2
        assert not waiting.done()
        assert await asyncio.to_thread(night.place.answer) == 1
        return await waiting

    event = asyncio.run(answered_meanwhile())
    assert event["ending"] == "done"
    assert event["counts"]["completed"] == 3
    assert "of 3 answered" in capsys.readouterr().out
    labels = night.assemble()
    assert (labels["labels"], labels["quarantined"], labels["open"]) == (3, 0, 0)
    assert night.ring() == {"new_labels": 3}


def test_the_same_date_again_asks_nobody_and_writes_the_same_manifest(night: Night) -> None:
    night.ask()
    night.place.answer()
    night.wait()
    manifest = night.place.read(night.assemble()["manifest_uri"])
    night.place.put_images(DATE, 9)  # what came in since does not change the batch
    again = night.ask()
    assert (again["started"], again["remaining"]) == (0, 0)
    assert night.wait() == {"expected": 0}
    assert night.place.read(night.assemble()["manifest_uri"]) == manifest


def test_force_new_asks_again_as_a_new_batch_and_a_retry_makes_no_second_one(night: Night) -> None:
    assert night.list_batch()["batch"] == DATE
    assert night.list_batch(force_new=True)["batch"] == f"{DATE}.1"
    assert night.list_batch(force_new=True)["batch"] == f"{DATE}.1"
    other = ListBatchOperator(task_id="other", pipeline=night.place.pipeline, batch_date=DATE, force_new=True)
    assert night.place.run(other, run_id="manual__2")["batch"] == f"{DATE}.2"


def test_a_batch_knows_whether_a_backfill_made_it(night: Night) -> None:
    def listed(date: str, run_type: str) -> Any:
        task = ListBatchOperator(task_id="list", pipeline=night.place.pipeline, batch_date=date)
        return night.place.run(task, dag_run=SimpleNamespace(run_type=run_type))["backfill"]

    night.place.put_images("2026-10-31", 1)
    assert listed("2026-10-31", "backfill") is True
    assert listed(DATE, "scheduled") is False


def test_plan_only_says_what_it_would_cost_and_asks_nobody(night: Night) -> None:
    context = night.place.context()
    night.list_batch()
    night.place.run(night.task(BatchInferenceOperator, batch=DATE))
    night.place.run(night.task(TriageOperator, batch=DATE, cap=2))
    with pytest.raises(AirflowSkipException, match="would ask about 2 of 5 images"):
        run(night.task(StartHumanLoopsOperator, batch=DATE, plan_only=True), context)
    assert context["ti"]["plan"]["ask"] == 2
    assert context["ti"]["plan"]["expected_dollars"] > 0
    assert night.place.answer() == 0, "nobody was asked"
    with pytest.raises(AirflowSkipException, match="plan_only"):
        night.ring(plan_only=True)
    assert night.ask()["asked"] == 3, "the real night decides for itself"


def test_a_date_without_images_is_skipped_and_says_where_it_looked(night: Night) -> None:
    empty = Night(night.place, "2026-11-02")
    with pytest.raises(AirflowSkipException, match=r"no images for 2026-11-02 below s3://.*dt=2026-11-02/"):
        empty.list_batch()
    with pytest.raises(AirflowSkipException, match="learned from every label"):
        night.ring()


def test_a_review_plane_that_was_never_set_up_fails_at_once_and_says_what_to_run(place: Place) -> None:
    place.put_images(DATE, 1)
    with pytest.raises(AirflowFailException, match="run review_setup"):
        Night(place).ask()


def test_at_the_deadline_the_night_goes_on_with_half_the_answers(night: Night) -> None:
    night.place.settings["review"]["deadline_hours"] = 4 / 3600
    night.place.save()
    night.ask()
    assert night.place.answer(1) == 1
    eventually(lambda: night.completed() == 1)
    counts = night.wait()
    assert (counts["expected"], counts["completed"], counts["open"]) == (3, 1, 2)
    labels = night.assemble()
    assert (labels["labels"], labels["open"]) == (1, 2)

    # The others answer later: the next night picks them up.
    assert night.place.answer() == 2
    eventually(lambda: night.completed() == 3)
    night.place.put_images("2026-11-02", 1)
    following = Night(night.place, "2026-11-02")
    following.ask()
    night.place.answer()
    following.wait()
    labels = following.assemble()
    assert (labels["labels"], labels["late"]) == (3, 2)


def test_without_room_it_waits_deferred_and_asks_the_rest_when_people_have_answered(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.review_server.api.human_loops.LOOPS_IN_FLIGHT", 2)
    night.list_batch()
    night.place.run(night.task(BatchInferenceOperator, batch=DATE))
    night.place.run(night.task(TriageOperator, batch=DATE))
    pauses: list[Any] = []

    def people_answer(trigger: Any) -> None:
        pauses.append(trigger)
        night.place.answer(1)

    task = night.task(StartHumanLoopsOperator, batch=DATE)
    started = run(task, night.place.context(), while_deferred=people_answer)
    assert pauses, "it waited without a worker slot"
    assert started["remaining"] == 0
    night.place.answer()
    assert night.wait()["completed"] == 3


def test_waiting_asks_by_pages_of_a_hundred_and_not_by_loops(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred and fifty open loops are three calls to look once, none of them a describe."""
    monkeypatch.delenv("AIRFLOW_CONN_AWS_REVIEW")  # the local cloud's own review plane counts its requests
    place.set_up_review(place.cloud.client("sagemaker"))
    place.put_images(DATE, 3)
    night = Night(place)
    night.ask()
    trigger, runtime = night.waiting(), place.cloud.client("sagemaker-a2i-runtime")
    arn = trigger.watch.flow_definition_arn
    for number in range(247):
        runtime.start_human_loop(
            HumanLoopName=loop_name(place.pipeline, DATE, f"{number}.jpg", "etag", arn),
            FlowDefinitionArn=arn,
            HumanLoopInput={"InputContent": json.dumps({"taskObject": "text"})},
        )
    before = Counter(place.cloud.requests())

    async def look_once() -> None:
        async with await trigger.hook().get_async_conn() as client:
            assert not await trigger.look(client)

    asyncio.run(look_once())
    assert Counter(place.cloud.requests()) - before == {"ListHumanLoops": 3}
    assert trigger.counts.open == 250


def test_a_changed_setting_does_not_disturb_a_night_that_has_asked_already(night: Night) -> None:
    """The new settings are not set up yet, and the old questions are still open."""
    night.ask()
    night.place.settings["review"]["title"] = "Look closely"
    night.place.save()
    assert night.ask()["existing"] == 3
    night.place.answer()
    assert night.wait()["completed"] == 3


def test_the_portal_is_one_click_away_while_people_are_waited_for(night: Night) -> None:
    night.ask()
    sensor = night.task(HumanLoopsSensor, batch=DATE)
    with pytest.raises(TaskDeferred):
        sensor.execute(night.place.context())
    assert ReviewPortalLink().get_link(sensor, ti_key=None) == night.place.rig.url  # type: ignore[arg-type]
    owners = OwnersViewLink().get_link(sensor, ti_key=None)  # type: ignore[arg-type]
    assert re.fullmatch(rf"{re.escape(night.place.rig.url)}/owner/flows/[a-z0-9-]+", owners)
