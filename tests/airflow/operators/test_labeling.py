"""A labeling job as Airflow's tasks: planned, waited for, stopped with its task, judged, handed on."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, NoReturn

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from botocore.exceptions import EndpointConnectionError

from include.loop.core import layout
from include.loop.core.clients import Clients
from include.loop.labeling import job
from nightloop.links import OwnersViewLink, ReviewPortalLink
from nightloop.operators.labeling import (
    AnalyseLabelsOperator,
    LabelingJobOperator,
    PlanLabelingOperator,
    TrainFirstModelOperator,
)
from nightloop.triggers.labeling_ended import LabelingJobTrigger
from tests.airflow.place import Place, first_event, run
from tests.loop.labeling.test_job import drawn
from tests.loop.place import picture
from tests.support.cloud import eventually


class Labeling:
    """The tasks of one job."""

    def __init__(self, place: Place, images: int = 3) -> None:
        self.place = place
        for number in range(images):
            place.put(f"new/{number}.jpg", picture(40 + number))

    def task(self, kind: Any, **kwargs: Any) -> Any:
        return kind(task_id=kind.__name__, pipeline=self.place.name, **kwargs)

    def plan(self, **kwargs: Any) -> dict[str, Any]:
        source = self.place.storage.uri("new/")
        return self.place.run(self.task(PlanLabelingOperator, **{"images": source, **kwargs}))

    def job(self) -> Any:
        return self.task(LabelingJobOperator, name=self.plan()["name"])

    def waiting(self, task: Any | None = None) -> LabelingJobTrigger:
        with pytest.raises(TaskDeferred) as deferred:
            (task or self.job()).execute(self.place.context())
        assert isinstance(deferred.value.trigger, LabelingJobTrigger)
        return deferred.value.trigger

    def status(self, job: str) -> str:
        return self.place.control.describe_labeling_job(LabelingJobName=job)["LabelingJobStatus"]

    def answer(self, count: int) -> None:
        def one() -> bool:
            answered[0] += self.place.answer(lambda _: drawn(), at_most=1)
            return answered[0] >= count

        answered = [0]
        eventually(one)


def test_plan_only_says_what_it_would_cost_and_asks_nobody(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    context = place.context()
    task = PlanLabelingOperator(
        task_id="plan", pipeline=place.name, images=Labeling(place).place.storage.uri("new/"), plan_only=True
    )
    with pytest.raises(
        AirflowSkipException, match=r"plan_only: .* 3 of 3 images .* dollars.*Nobody was asked"
    ):
        run(task, context)
    assert f"{context['ti']['plan']['text']} Nobody was asked." in capsys.readouterr().out, (
        "a line of the log"
    )
    assert context["ti"]["plan"]["asked"] == 3
    assert context["ti"]["plan"]["expected_dollars"] > 0
    assert not list(place.storage.list(layout.LABELING))


def test_a_folder_without_images_is_told_so(place: Place) -> None:
    labeling = Labeling(place, 0)
    with pytest.raises(AirflowFailException, match="has no image to be labelled"):
        labeling.plan()


def test_it_waits_without_a_slot_and_gives_counts_and_the_manifest(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.environment_settings["labeling"] = {"service_dollars": 0.5}
    place.settings["review"]["dollars_per_hour"] = 0
    place.save()
    labeling = Labeling(place)
    task = labeling.job()
    found = run(task, place.context(), while_deferred=lambda _: labeling.answer(3))
    assert (found["human"], found["machine"], found["failed"], found["dollars"]) == (3, 0, 0, 1.5)
    assert found["job"] == f"{task.name}-1"
    assert len(list(place.storage.read_lines(found["manifest_uri"]))) == 3
    assert f"{found['job']}: 3 images have a label (3 by people, 0 by machine), 0 failed, 0 are left; " in (
        capsys.readouterr().out
    )
    assert ReviewPortalLink().get_link(task, ti_key=None) == place.rig.url  # type: ignore[arg-type]
    owners = OwnersViewLink().get_link(task, ti_key=None)  # type: ignore[arg-type]
    assert owners == f"{place.rig.url}/owner/labeling-jobs/{found['job']}"
    assert run(labeling.job(), place.context()) == found, "cleared, it attaches and asks nobody"

    analysed = place.run(labeling.task(AnalyseLabelsOperator, job=found["job"]))
    assert analysed["labels"] == 3
    assert f"/nightloop/reports/{place.name}/{found['job']}/index.html" in capsys.readouterr().out
    assert place.storage.exists(layout.report_page(found["job"]))


def _no_connection(*_: object) -> NoReturn:
    raise EndpointConnectionError(endpoint_url="https://nowhere")


def test_clearing_the_waiting_task_stops_the_job_and_the_next_try_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeling = Labeling(place)
    task = labeling.job()
    trigger = labeling.waiting(task)

    async def clear() -> None:
        waiting = asyncio.create_task(first_event(trigger))
        while trigger.status is None:
            await asyncio.sleep(0.05)
        waiting.cancel()  # the triggerer cancels the wait and then calls on_kill
        await trigger.on_kill()
        await trigger.on_kill()  # it may have ended by then

    asyncio.run(clear())
    eventually(lambda: labeling.status(trigger.watch.job) == "Stopped")
    event = asyncio.run(first_event(trigger))
    assert (event["ending"], event["status"]) == ("done", "Stopped")
    with monkeypatch.context() as away:
        # A retry would make another job: so a network that fails just now ends the task, too.
        away.setattr(job, "attempts", _no_connection)
        with pytest.raises(
            AirflowFailException, match=r"is Stopped, and could not be looked at.*Clear this task"
        ):
            task.execute_complete(place.context(), event)
    with pytest.raises(AirflowFailException, match=r"was stopped\. 0 images have a label.*Clear this task"):
        task.execute_complete(place.context(), event)
    again = labeling.job()
    assert labeling.waiting(again).watch.job == f"{task.name}-2"
    again.on_kill()
    eventually(lambda: labeling.status(f"{task.name}-2") == "Stopped")


def test_waiting_is_one_description_for_each_look(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_AWS_REVIEW")  # the local cloud's own review plane counts its requests
    place.clients = Clients(lambda service, _: place.cloud.client(service))
    place.save()
    trigger = Labeling(place).waiting()
    before = Counter(place.cloud.requests())

    async def look() -> None:
        async with await trigger.hook().get_async_conn() as client:
            assert not await trigger.look(client)
            assert not await trigger.look(client)

    asyncio.run(look())
    made = Counter(place.cloud.requests()) - before
    # The server reads the job's files meanwhile, and writes its log.
    assert {name: count for name, count in made.items() if ":" not in name} == {"DescribeLabelingJob": 2}
    assert trigger.deadline() is not None
    asyncio.run(trigger.on_kill())


def test_labels_for_the_next_training_start_no_first_one() -> None:
    task = TrainFirstModelOperator(task_id="train", target="labels", trigger_dag_id="none")
    with pytest.raises(AirflowSkipException, match="it is notified"):
        task.execute({})
