"""output.json: exactly what A2I writes, exactly once, and never lost."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import Delivery, HumanLoop, WorkItem
from include.review_server.people.accounts import Accounts
from include.review_server.settings import ReviewSettings
from include.review_server.work.outputs import LoopOutputs, Output
from include.review_server.work.retries import LONGEST_WAIT
from tests.review_server.killable import STEPS
from tests.review_server.process import Process
from tests.review_server.rig import CORS, MEMBERS, TEMPLATE, Person, Rig, checked_client, read_output
from tests.support.cloud import ROLE, LocalCloud, eventually

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_the_output_is_a2is_with_one_entry_per_worker(rig: Rig):
    flow = rig.flow(TaskCount=3)
    name = flow.start(content={"taskObject": "x", "nested": {"n": [1, 2.5, None]}})
    people = [rig.worker(flow.team) for _ in range(3)]
    boxes = {"annotatedResult": {"boundingBoxes": [], "inputImageProperties": {"height": 2, "width": 3}}}
    for person in people[:2]:
        person.answer(boxes, flow)
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"
    listed = rig.s3.list_objects_v2(Bucket=flow.bucket).get("Contents", [])
    assert not listed, "nothing is written before all answers are in"
    with rig.clock.stopped():
        task = people[2].take(flow)
        rig.clock.advance(12.5)
        assert people[2].do("answer", task, boxes).status_code == 200
    output = flow.output(name)
    assert sorted(output) == ["flowDefinitionArn", "humanAnswers", "humanLoopName", "inputContent"]
    assert output["flowDefinitionArn"] == flow.arn
    assert output["humanLoopName"] == name
    assert output["inputContent"] == {"taskObject": "x", "nested": {"n": [1, 2.5, None]}}
    assert [a["workerId"] for a in output["humanAnswers"]] == [p.id for p in people]
    for answer in output["humanAnswers"]:
        assert sorted(answer) == [
            "acceptanceTime",
            "answerContent",
            "submissionTime",
            "timeSpentInSeconds",
            "workerId",
            "workerMetadata",
        ]
        assert answer["answerContent"] == boxes
        assert re.fullmatch(r"[0-9a-f]{16}", answer["workerId"])
        assert _TIME.fullmatch(answer["acceptanceTime"])
        assert _TIME.fullmatch(answer["submissionTime"])
        assert sorted(answer["workerMetadata"]["identityData"]) == ["identityProviderType", "issuer", "sub"]
    assert output["humanAnswers"][2]["timeSpentInSeconds"] == 12.5
    head = rig.s3.list_objects_v2(Bucket=flow.bucket)["Contents"]
    assert len(head) == 1


def test_inputs_and_answers_leave_as_they_came(rig: Rig):
    flow = rig.flow()
    # What parsing and writing again would change: large and precise numbers, escapes, order, repeated keys.
    content = '{"b": 1.10, "a": 1e400, "big": 12345678901234567890123, "s": "\\ud800 \\u00e9 é", "b": 2}'
    name = flow.start(content=content)
    rig.worker(flow.team).answer({"comment": "naïve 😀"}, flow)
    bucket, _, key = flow.until(name, "Completed")["HumanLoopOutput"]["OutputS3Uri"][5:].partition("/")
    text = rig.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    assert content in text
    assert json.loads(text)["humanAnswers"][0]["answerContent"] == {"comment": "naïve 😀"}


def test_completed_means_that_the_object_is_there_also_when_s3_comes_back_late(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    rig.s3.delete_bucket(Bucket=flow.bucket)
    rig.worker(flow.team).answer(flow=flow)
    eventually(lambda: "NoSuchBucket" in _delivery_error(rig, name))
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"
    rig.s3.create_bucket(Bucket=flow.bucket)
    rig.clock.advance(LONGEST_WAIT.total_seconds())
    assert len(flow.output(name)["humanAnswers"]) == 1


def test_a_fault_with_one_result_keeps_no_other_back(rig: Rig, monkeypatch: pytest.MonkeyPatch):
    flow = rig.flow()
    faulty, sound = flow.start(), flow.start()
    made = LoopOutputs.output

    def output(self: LoopOutputs, session: Session, item: WorkItem) -> Output:
        if isinstance(item, HumanLoop) and item.name == faulty:
            raise KeyError(faulty)
        return made(self, session, item)

    monkeypatch.setattr(LoopOutputs, "output", output)
    person = rig.worker(flow.team)
    person.answer(flow=flow)
    person.answer(flow=flow)
    flow.until(sound, "Completed")
    eventually(lambda: _delivery_error(rig, faulty) == "KeyError")
    assert flow.loop(faulty)["HumanLoopStatus"] == "InProgress"
    monkeypatch.undo()
    rig.clock.advance(LONGEST_WAIT.total_seconds())
    flow.until(faulty, "Completed")


def _delivery_error(rig: Rig, loop: str) -> str:
    query = select(Delivery.last_error).join(HumanLoop, HumanLoop.id == Delivery.item_id)
    with rig.review.database.read() as session:
        return session.scalars(query.where(HumanLoop.name == loop)).first() or ""


def _holds(accepted: dict, count: int) -> bool:
    return len(accepted) >= count


class _Cell:
    """A server process with a flow definition, and people who answer whatever happens to it."""

    def __init__(
        self, cloud: LocalCloud, data: Path, task_count: int = 1, database_url: str | None = None
    ) -> None:
        self.server = Process(cloud, data, database_url=database_url).start()
        self.s3 = cloud.client("s3")
        self.bucket = f"killed-{uuid4().hex}"  # a port may come again
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration=CORS)
        sagemaker = checked_client(cloud, "sagemaker", self.server.url)
        self.a2i = checked_client(cloud, "sagemaker-a2i-runtime", self.server.url)
        ui = sagemaker.create_human_task_ui(HumanTaskUiName="ui", UiTemplate={"Content": TEMPLATE})
        team = sagemaker.create_workteam(WorkteamName="team", Description="t", MemberDefinitions=MEMBERS)
        self.arn = sagemaker.create_flow_definition(
            FlowDefinitionName="flow",
            RoleArn=ROLE,
            OutputConfig={"S3OutputPath": f"s3://{self.bucket}/out"},
            HumanLoopConfig={
                "WorkteamArn": team["WorkteamArn"],
                "HumanTaskUiArn": ui["HumanTaskUiArn"],
                "TaskTitle": "t",
                "TaskDescription": "d",
                "TaskCount": task_count,
            },
        )["FlowDefinitionArn"]
        describe = sagemaker.describe_flow_definition
        eventually(lambda: describe(FlowDefinitionName="flow")["FlowDefinitionStatus"] == "Active")
        settings = ReviewSettings(data_dir=data, database_url=database_url)
        self._accounts = Accounts(Database(settings.database), utc_now)

    def start(self, name: str) -> None:
        self.a2i.start_human_loop(
            HumanLoopName=name, FlowDefinitionArn=self.arn, HumanLoopInput={"InputContent": "{}"}
        )

    def person(self, name: str) -> Person:
        _, password = self._accounts.add(name, "team")
        assert password is not None
        return Person(self.server.url, name, password)

    def loop(self, name: str) -> dict:
        return self.a2i.describe_human_loop(HumanLoopName=name)

    def output(self, name: str) -> dict:
        eventually(lambda: self.loop(name)["HumanLoopStatus"] == "Completed")
        return read_output(self.s3, self.loop(name))


def test_an_answer_accepted_before_a_kill_is_written_once_after_it(cloud: LocalCloud, tmp_path: Path):
    cell = _Cell(cloud, tmp_path)
    with cell.server, socket.socket() as nobody:
        # An S3 that never answers: the server dies between the answer and its output.
        nobody.bind(("127.0.0.1", 0))
        cell.server.terminate()
        cell.server.start(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        cell.start("one")
        person = cell.person("ann")
        task = person.take()
        assert person.do("answer", task, {"n": 1}).status_code == 200
        assert cell.loop("one")["HumanLoopStatus"] == "InProgress"
        cell.server.kill()
        cell.server.start()
        output = cell.output("one")
        assert [answer["answerContent"] for answer in output["humanAnswers"]] == [{"n": 1}]
        # The reply may have been lost in the crash: the same answer again is accepted and changes nothing.
        assert person.do("answer", task, {"n": 1}).status_code == 200
        assert person.take() is None
        assert cell.output("one") == output


def test_kills_at_any_moment_lose_no_answer_and_count_none_twice(cloud: LocalCloud, tmp_path: Path):
    cell = _Cell(cloud, tmp_path, task_count=2)
    names = [f"loop-{i:02}" for i in range(30)]
    for name in names:
        cell.start(name)
    people = [cell.person(f"person-{i}") for i in range(3)]
    accepted: dict[tuple[str, str], int] = {}
    counter = itertools.count()
    done = threading.Event()

    def work(person: Person) -> None:
        while not done.is_set():
            try:
                task = person.take()
                if task is None:
                    done.wait(0.05)
                    continue
                mark = next(counter)
                if person.do("answer", task, {"mark": mark}).status_code == 200:
                    key = (task["item"], person.id)
                    assert key not in accepted
                    accepted[key] = mark
            except httpx.TransportError:
                # The server is down; an answer whose reply was lost is asked about below.
                done.wait(0.05)

    with cell.server, ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work, person) for person in people]
        for progress in (8, 20, 33, 47):
            eventually(partial(_holds, accepted, progress), within=60)
            cell.server.kill()
            cell.server.start()
        outputs = {name: cell.output(name) for name in names}
        done.set()
        for worker in workers:
            worker.result()
        for name, output in outputs.items():
            answers = output["humanAnswers"]
            assert len(answers) == len({answer["workerId"] for answer in answers}) == 2
            for answer in answers:
                # An answer that was accepted without our seeing the reply has no mark here.
                mark = accepted.get((name, answer["workerId"]))
                assert mark in (None, answer["answerContent"]["mark"])
        written = {(n, a["workerId"]) for n, output in outputs.items() for a in output["humanAnswers"]}
        assert accepted.keys() <= written
        summaries = cell.a2i.list_human_loops(FlowDefinitionArn=cell.arn)["HumanLoopSummaries"]
        assert {s["HumanLoopStatus"] for s in summaries} == {"Completed"}


@pytest.mark.slow
def test_a_kill_at_every_step_leaves_each_accepted_answer_in_the_output_exactly_once(
    cloud: LocalCloud, tmp_path: Path, database_url: str
):
    """Half of the steps on each database; all of them, so often, with ``NIGHTLOOP_KILL_ROUNDS=3``."""
    rounds = int(os.environ.get("NIGHTLOOP_KILL_ROUNDS", "0"))
    url = None if database_url.startswith("sqlite") else database_url
    planned = STEPS * rounds or STEPS[url is None :: 2]
    cell = _Cell(cloud, tmp_path, task_count=2, database_url=url)
    people = [cell.person(name) for name in ("ann", "ben")]
    steps = deque(planned)
    names = [f"step-{number:03}" for number in range(len(steps))]
    accepted: dict[tuple[str, str], int] = {}
    done = threading.Event()
    statuses = []

    def keep_alive() -> None:
        """Start the server again as often as it dies, with the next step to die at."""
        while not done.is_set():
            statuses.append(cell.server.wait())
            cell.server.start(kill_at=steps.popleft() if steps else None)

    def work(person: Person, marks: range) -> None:
        """Answer everything; ask again for every reply that was lost, as the reviewers' program does."""
        for mark in marks:
            task = eventually(lambda: _patiently(person.take))
            answer = partial(person.do, "answer", task, {"mark": mark})
            assert _patiently(answer).status_code == 200
            accepted[task["item"], person.id] = mark

    with cell.server, ThreadPoolExecutor(3) as pool:
        for name in names:
            cell.start(name)
        pool.submit(keep_alive)
        cell.server.kill()
        count = len(names)
        workers = [
            pool.submit(work, person, range(i * count, (i + 1) * count)) for i, person in enumerate(people)
        ]
        for worker in workers:
            worker.result()
        outputs = {name: _patiently(partial(cell.output, name)) for name in names}
        done.set()
        eventually(lambda: not steps)
        cell.server.kill()
    assert statuses.count(-signal.SIGKILL) > len(planned), "it died at every step"
    written = {
        (name, answer["workerId"]): answer["answerContent"]["mark"]
        for name, output in outputs.items()
        for answer in output["humanAnswers"]
    }
    assert written == accepted
    assert all(len(output["humanAnswers"]) == 2 for output in outputs.values())


def _patiently(call: Callable[[], Any]) -> Any:
    """The reply, however often the server is away meanwhile."""

    def reply() -> tuple[Any] | None:
        try:
            return (call(),)
        except (httpx.TransportError, EndpointConnectionError, ConnectionClosedError, ReadTimeoutError):
            return None

    return eventually(reply, within=120)[0]
