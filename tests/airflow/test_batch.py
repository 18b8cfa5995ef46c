"""A batch as Airflow's tasks: asked, waited for, labelled; and what happens when it does not go smoothly."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from include.loop.core.clients import Clients
from include.loop.core.identity import loop_name
from include.loop.core.records.live import Appearance, LiveQuality, Moved
from include.loop.nightly import human_loops
from nightloop.links import OwnersViewLink, ReviewPortalLink
from nightloop.operators.human_review import (
    LISTED,
    AugmentedManifestOperator,
    ListBatchOperator,
    NotifyTrainingOperator,
    StartHumanLoopsOperator,
    TriageOperator,
)
from nightloop.operators.sagemaker_jobs import BatchInferenceOperator
from nightloop.sensors.human_loops import HumanLoopsSensor
from nightloop.triggers.loops_answered import HumanLoopsTrigger
from tests.airflow.listeners import Listener
from tests.airflow.place import Place, first_event, notify, run
from tests.loop.place import count_loops
from tests.support.cloud import eventually

DATE = "2026-11-01"


class Batch:
    """The tasks of one batch, one after the other."""

    def __init__(self, place: Place, date: str = DATE) -> None:
        self.place, self.date = place, date

    def task(self, kind: Any, **kwargs: Any) -> Any:
        return kind(task_id=kind.__name__, pipeline=self.place.name, **kwargs)

    def list_batch(self, **kwargs: Any) -> dict[str, Any]:
        context = self.place.context(date=self.date)
        run(self.task(ListBatchOperator, **kwargs), context)
        return context["ti"][LISTED]

    def ask(self, **kwargs: Any) -> dict[str, Any]:
        """Everything up to the open questions."""
        self.list_batch()
        self.place.run(self.task(BatchInferenceOperator, batch=self.date))
        self.place.run(self.task(TriageOperator, batch=self.date, part=0))
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
        return count_loops(place.rig.a2i, human_loops.watch(place.workspace, self.date)).completed

    def assemble(self) -> dict[str, Any]:
        return self.place.run(self.task(AugmentedManifestOperator, batch=self.date))

    def notify(self, **kwargs: Any) -> dict[str, Any]:
        return self.place.run(self.task(NotifyTrainingOperator, **kwargs))


@pytest.fixture
def batch(place: Place) -> Batch:
    place.set_up_review()
    place.put_images(DATE, 5)
    return Batch(place)


def test_a_first_batch_asks_waits_and_labels(
    batch: Batch, slack: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    notify(batch.place, queue_overfull=2)
    moved = Moved(signal="scores", index=0.8, usual=0.1, batches=20, since=DATE)
    looks = Appearance(batch=DATE, model="job-1", images=5, moved=(moved,))
    looks.write(batch.place.workspace.storage, DATE)
    batch.place.settings["review"]["prelabel_endpoint"] = "nobody-there"
    batch.place.save()
    started = batch.ask()
    assert (started["asked"], started["started"], started["remaining"]) == (3, 3, 0)
    told = capsys.readouterr().out
    assert "How they were chosen: no model yet; among the most diverse of 5 images" in told
    assert "begin with the answers of endpoint nobody-there on 0 images" in told
    assert "On 3 images they begin with nothing" in told
    assert "nobody-there" in told.split("3 x ")[1]

    async def answered_meanwhile() -> Any:
        waiting = asyncio.create_task(first_event(batch.waiting()))
        assert await asyncio.to_thread(batch.place.answer, at_most=2) == 2
        assert not waiting.done()
        assert await asyncio.to_thread(batch.place.answer) == 1
        return await waiting

    event = asyncio.run(answered_meanwhile())
    assert event["ending"] == "done"
    assert event["counts"]["completed"] == 3
    assert "of 3 answered" in capsys.readouterr().out
    batch.wait()
    drift, full, empty = slack.slack_texts()
    assert ": the images look different\nThe images of batch 2026-11-01 look different" in drift
    assert "queue is overfull\n3 questions are open, more than 2." in full
    assert "queue is empty" in empty
    labels = batch.assemble()
    assert (labels["labels"], labels["quarantined"], labels["open"]) == (3, 0, 0)
    assert LiveQuality.read(batch.place.workspace.storage, DATE).audited == ()  # without a model, no audits
    assert batch.notify() == {"new_labels": 3}
    batch.ask()  # cleared, or tried again
    assert sum("the images look different" in text for text in slack.slack_texts()) == 1


def test_the_same_date_again_asks_nobody_and_writes_the_same_manifest(batch: Batch) -> None:
    batch.ask()
    batch.place.answer()
    batch.wait()
    manifest = batch.place.read(batch.assemble()["manifest_uri"])
    batch.place.put_images(DATE, 9)  # what came in since does not change the batch
    again = batch.ask()
    assert (again["started"], again["remaining"]) == (0, 0)
    assert batch.wait() == {"expected": 0}
    assert batch.place.read(batch.assemble()["manifest_uri"]) == manifest


def test_force_new_asks_again_as_a_new_batch_and_a_retry_makes_no_second_one(batch: Batch) -> None:
    assert batch.list_batch()["batch"] == DATE
    assert batch.list_batch(force_new=True)["batch"] == f"{DATE}.1"
    assert batch.list_batch(force_new=True)["batch"] == f"{DATE}.1"
    other = ListBatchOperator(task_id="other", pipeline=batch.place.name, batch_date=DATE, force_new=True)
    context = batch.place.context(run_id="manual__2")
    run(other, context)
    assert context["ti"][LISTED]["batch"] == f"{DATE}.2"


def test_a_batch_knows_whether_a_backfill_made_it(batch: Batch) -> None:
    def listed(date: str, run_type: str) -> Any:
        task = ListBatchOperator(task_id="list", pipeline=batch.place.name, batch_date=date)
        context = batch.place.context(dag_run=SimpleNamespace(run_type=run_type))
        run(task, context)
        return context["ti"][LISTED]["backfill"]

    batch.place.put_images("2026-10-31", 1)
    assert listed("2026-10-31", "backfill") is True
    assert listed(DATE, "scheduled") is False


def test_plan_only_says_what_it_would_cost_and_asks_nobody(batch: Batch) -> None:
    context = batch.place.context()
    batch.list_batch()
    batch.place.run(batch.task(BatchInferenceOperator, batch=DATE))
    batch.place.run(batch.task(TriageOperator, batch=DATE, part=0, cap=2))
    with pytest.raises(AirflowSkipException, match="would ask about 2 of 5 images"):
        run(batch.task(StartHumanLoopsOperator, batch=DATE, cap=2, plan_only=True), context)
    assert context["ti"]["plan"]["ask"] == 2
    assert context["ti"]["plan"]["expected_dollars"] > 0
    assert batch.place.answer() == 0, "nobody was asked"
    with pytest.raises(AirflowSkipException, match="plan_only"):
        batch.notify(plan_only=True)
    assert batch.ask()["asked"] == 3, "the real batch decides for itself"


def test_a_date_without_images_is_skipped_and_says_where_it_looked(batch: Batch) -> None:
    empty = Batch(batch.place, "2026-11-02")
    with pytest.raises(AirflowSkipException, match=r"no images for 2026-11-02 below s3://.*dt=2026-11-02/"):
        empty.list_batch()
    with pytest.raises(AirflowSkipException, match="no label that the pipeline has not learned from"):
        batch.notify()


def test_a_review_plane_that_was_never_set_up_fails_at_once_and_says_what_to_run(place: Place) -> None:
    place.put_images(DATE, 1)
    with pytest.raises(AirflowFailException, match="run review_setup"):
        Batch(place).ask()


def test_at_the_deadline_the_batch_goes_on_with_half_the_answers_and_somebody_is_told(
    batch: Batch, slack: Listener
) -> None:
    notify(batch.place, events=["deadline_passed"])
    batch.place.settings["review"]["deadline_hours"] = 4 / 3600
    batch.place.save()
    batch.ask()
    assert batch.place.answer(at_most=1) == 1
    eventually(lambda: batch.completed() == 1)
    counts = batch.wait()
    assert (counts["expected"], counts["completed"], counts["open"]) == (3, 1, 2)
    [text] = slack.slack_texts()
    assert f"the deadline of {DATE} has passed\n2 of 3 questions have no answer" in text
    labels = batch.assemble()
    assert (labels["labels"], labels["open"]) == (1, 2)

    # The others answer later: the next batch picks them up.
    assert batch.place.answer() == 2
    eventually(lambda: batch.completed() == 3)
    batch.place.put_images("2026-11-02", 1)
    following = Batch(batch.place, "2026-11-02")
    following.ask()
    batch.place.answer()
    eventually(lambda: following.completed() == 1)  # its deadline may have passed by now
    following.wait()
    labels = following.assemble()
    assert (labels["labels"], labels["late"]) == (3, 2)


def test_without_room_it_waits_deferred_and_asks_the_rest_when_people_have_answered(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.review_server.api.human_loops.LOOPS_IN_FLIGHT", 2)
    batch.list_batch()
    batch.place.run(batch.task(BatchInferenceOperator, batch=DATE))
    batch.place.run(batch.task(TriageOperator, batch=DATE, part=0))
    pauses: list[Any] = []

    def people_answer(trigger: Any) -> None:
        pauses.append(trigger)
        batch.place.answer(at_most=1)

    task = batch.task(StartHumanLoopsOperator, batch=DATE)
    started = run(task, batch.place.context(), while_deferred=people_answer)
    assert pauses, "it waited without a worker slot"
    assert started["remaining"] == 0
    batch.place.answer()
    assert batch.wait()["completed"] == 3


def test_waiting_asks_by_pages_of_a_hundred_and_not_by_loops(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred and fifty open loops are three calls to look once, none of them a describe."""
    monkeypatch.delenv("AIRFLOW_CONN_AWS_REVIEW")  # the local cloud's own review plane counts its requests
    place.clients = Clients(lambda service, _: place.cloud.client(service))
    place.save()
    place.set_up_review()
    place.put_images(DATE, 3)
    batch = Batch(place)
    batch.ask()
    trigger, runtime = batch.waiting(), place.cloud.client("sagemaker-a2i-runtime")
    arn = trigger.watch.flow_definition_arn
    for number in range(247):
        runtime.start_human_loop(
            HumanLoopName=loop_name(place.name, DATE, f"{number}.jpg", "etag", arn),
            FlowDefinitionArn=arn,
            HumanLoopInput={"InputContent": json.dumps({"taskObject": "text"})},
        )
    before = Counter(place.cloud.requests())

    async def look_once() -> None:
        async with await trigger.hook().get_async_conn() as client:
            assert not await trigger.look(client)

    asyncio.run(look_once())
    made = Counter(place.cloud.requests()) - before
    # A job of an earlier test may still read, write and log.
    assert {name: count for name, count in made.items() if ":" not in name} == {"ListHumanLoops": 3}
    assert trigger.counts.open == 250


def test_a_changed_setting_does_not_disturb_a_batch_that_has_asked_already(batch: Batch) -> None:
    """The new settings are not set up yet, and the old questions are still open."""
    batch.ask()
    batch.place.settings["review"]["title"] = "Look closely"
    batch.place.save()
    assert batch.ask()["existing"] == 3
    batch.place.answer()
    assert batch.wait()["completed"] == 3


def test_the_portal_is_one_click_away_while_people_are_waited_for(batch: Batch) -> None:
    batch.ask()
    sensor = batch.task(HumanLoopsSensor, batch=DATE)
    with pytest.raises(TaskDeferred):
        sensor.execute(batch.place.context())
    assert ReviewPortalLink().get_link(sensor, ti_key=None) == batch.place.rig.url  # type: ignore[arg-type]
    owners = OwnersViewLink().get_link(sensor, ti_key=None)  # type: ignore[arg-type]
    assert re.fullmatch(rf"{re.escape(batch.place.rig.url)}/owner/flows/[a-z0-9-]+", owners)
