"""The A2I runtime as an unmodified boto3 client meets it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from itertools import chain

import httpx
import pytest
from aiobotocore.session import get_session
from sqlalchemy import update

from include.review_server.db.models import FlowDefinition
from tests.review_server.rig import CORS, Flow, Rig, refused
from tests.support.cloud import eventually


@pytest.fixture(scope="module")
def flow(rig: Rig) -> Flow:
    return rig.flow()


def _start(flow: Flow, name: str, content: str, arn: str | None = None) -> tuple[str, int, str]:
    return refused(
        flow.rig.a2i.start_human_loop,
        HumanLoopName=name,
        FlowDefinitionArn=arn or flow.arn,
        HumanLoopInput={"InputContent": content},
    )


def test_a_started_loop_is_in_progress_and_says_where_its_output_will_be(flow: Flow):
    loop = flow.loop(flow.start("said-where"))
    assert loop["HumanLoopStatus"] == "InProgress"
    assert loop["HumanLoopArn"] == "arn:aws:sagemaker:us-east-1:000000000000:human-loop/said-where"
    assert loop["FlowDefinitionArn"] == flow.arn
    created = loop["CreationTime"].astimezone(tz=None).utctimetuple()
    day = f"{created.tm_year}/{created.tm_mon:02}/{created.tm_mday:02}"
    time = f"{created.tm_hour:02}/{created.tm_min:02}/{created.tm_sec:02}"
    assert loop["HumanLoopOutput"]["OutputS3Uri"] == (
        f"s3://{flow.bucket}/reviews/{flow.name}/{day}/{time}/said-where/output.json"
    )
    assert "FailureCode" not in loop


def test_the_same_start_again_is_the_same_loop_also_after_it_completed(rig: Rig, flow: Flow):
    name = flow.start("again", {"n": 1})
    before = flow.loop(name)["CreationTime"]
    flow.start(name, {"n": 1})
    worker = rig.worker(flow.team)
    while worker.take(flow):
        worker.answer(flow=flow)
    flow.until(name, "Completed")
    flow.start(name, {"n": 1})
    assert flow.loop(name)["CreationTime"] == before
    assert flow.loop(name)["HumanLoopStatus"] == "Completed"


def test_another_input_or_flow_definition_under_the_same_name_is_a_conflict(rig: Rig, flow: Flow):
    name = flow.start("taken", {"n": 1})
    code, status, message = _start(flow, name, '{"n": 2}')
    assert (code, status) == ("ConflictException", 409)
    assert "input" in message
    other = rig.flow()
    code, status, message = _start(other, name, '{"n": 1}')
    assert (code, status) == ("ConflictException", 409)
    assert "flow definition" in message


@pytest.mark.parametrize(
    "content", ["", "{", "taskObject", "NaN", '{"a": Infinity}', "[" * 100_000 + "]" * 100_000]
)
def test_input_that_is_not_json_is_refused(flow: Flow, content: str):
    code, status, message = _start(flow, "not-json", content)
    assert (code, status) == ("ValidationException", 400)
    assert "InputContent" in message


def test_input_may_have_three_mebibytes_and_not_one_character_more(flow: Flow):
    largest = json.dumps({"text": "x" * (3_145_728 - len('{"text": ""}'))})
    assert len(largest) == 3_145_728
    name = flow.start("largest", largest)
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"
    assert _start(flow, "too-large", largest + " ")[:2] == ("ValidationException", 400)


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a--b", "a" * 63])
def test_names_by_the_model_are_accepted(flow: Flow, name: str):
    assert flow.start(name) == name


@pytest.mark.parametrize("name", ["a" * 64, "A", "-a", "a-", "a_b", "a.b", "ä"])
def test_other_names_are_refused(flow: Flow, name: str):
    assert _start(flow, name, "{}")[:2] == ("ValidationException", 400)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/nobody-made-it",
        "arn:aws:sagemaker:eu-west-1:000000000000:flow-definition/{name}",
        "arn:aws:sagemaker:us-east-1:111111111111:flow-definition/{name}",
    ],
)
def test_an_unknown_flow_definition_is_refused(flow: Flow, arn: str):
    code, status, message = _start(flow, "no-flow", "{}", arn.format(name=flow.name))
    assert (code, status) == ("ValidationException", 400)
    assert "does not exist" in message


def test_five_thousand_loops_are_in_flight_and_no_more(rig: Rig, flow: Flow):
    crowded = rig.flow()
    _set_in_flight(crowded, 4_999)
    name = crowded.start("the-last")
    code, status, message = _start(crowded, "one-too-many", "{}")
    assert (code, status) == ("ServiceQuotaExceededException", 402)
    assert "5000" in message
    # A retry of a start that succeeded asks for no more room.
    crowded.start(name)
    # Another flow definition has room of its own, and an ended loop makes some.
    flow.start("elsewhere")
    rig.a2i.stop_human_loop(HumanLoopName=name)
    crowded.start("one-too-many")


def _set_in_flight(flow: Flow, count: int) -> None:
    with flow.rig.review.database.write() as session:
        session.execute(
            update(FlowDefinition).where(FlowDefinition.name == flow.name).values(in_flight=count)
        )


def test_a_listing_comes_in_pages_of_a_hundred_with_each_loop_once(rig: Rig):
    many = rig.flow()
    names = [many.start(f"page-{i:03}") for i in range(203)]
    for order, expected in (("Ascending", names), ("Descending", names[::-1])):
        pages = rig.a2i.get_paginator("list_human_loops").paginate(
            FlowDefinitionArn=many.arn, SortOrder=order
        )
        found = [[loop["HumanLoopName"] for loop in page["HumanLoopSummaries"]] for page in pages]
        assert [len(page) for page in found] == [100, 100, 3]
        assert list(chain.from_iterable(found)) == expected
    first = rig.a2i.list_human_loops(FlowDefinitionArn=many.arn)["HumanLoopSummaries"]
    assert first[0]["HumanLoopName"] == names[-1], "newest first, unless told otherwise"
    assert len(rig.a2i.list_human_loops(FlowDefinitionArn=many.arn, MaxResults=1)["HumanLoopSummaries"]) == 1
    for size in (0, 101):
        code, _, _ = refused(rig.a2i.list_human_loops, FlowDefinitionArn=many.arn, MaxResults=size)
        assert code == "ValidationException"


def test_a_listing_can_be_cut_by_creation_time(rig: Rig):
    timed = rig.flow()
    names = []
    for i in range(3):
        names.append(timed.start(f"timed-{i}"))
        rig.clock.advance(2)
    middle = timed.loop(names[1])["CreationTime"]

    def between(**limits) -> list[str]:
        reply = rig.a2i.list_human_loops(FlowDefinitionArn=timed.arn, SortOrder="Ascending", **limits)
        return [loop["HumanLoopName"] for loop in reply["HumanLoopSummaries"]]

    second = timedelta(seconds=1)
    assert between(CreationTimeAfter=middle - second) == names[1:]
    assert between(CreationTimeAfter=middle + second) == names[2:]
    assert between(CreationTimeBefore=middle - second) == names[:1]
    assert between(CreationTimeAfter=middle - second, CreationTimeBefore=middle + second) == names[1:2]


def test_a_listing_refuses_a_foreign_token_and_an_unknown_flow_definition(rig: Rig, flow: Flow):
    for token in ("x", "!!", "MTIzLg==", "OTk5OTk5OTk5OTk5OTk5OTk5OS4x"):
        code, status, _ = refused(rig.a2i.list_human_loops, FlowDefinitionArn=flow.arn, NextToken=token)
        assert (code, status) == ("ValidationException", 400)
    arn = flow.arn.replace(flow.name, "nobody-made-it")
    assert refused(rig.a2i.list_human_loops, FlowDefinitionArn=arn)[:2] == ("ResourceNotFoundException", 404)


def test_an_unknown_loop_is_not_found(rig: Rig):
    for call in (rig.a2i.describe_human_loop, rig.a2i.stop_human_loop, rig.a2i.delete_human_loop):
        assert refused(call, HumanLoopName="nobody-started-it")[:2] == ("ResourceNotFoundException", 404)


def test_a_stop_withdraws_a_loop_that_nobody_holds(rig: Rig):
    stopped = rig.flow()
    name = stopped.start()
    rig.a2i.stop_human_loop(HumanLoopName=name)
    loop = stopped.loop(name)
    assert loop["HumanLoopStatus"] == "Stopped"
    assert "HumanLoopOutput" not in loop, "nothing was answered, so nothing will be written"
    assert rig.worker(stopped.team).take(stopped) is None
    rig.a2i.stop_human_loop(HumanLoopName=name)


def test_a_stop_waits_for_the_worker_who_holds_the_task_and_writes_the_answer(rig: Rig):
    flow = rig.flow(TaskCount=2)
    name = flow.start()
    worker, other = rig.worker(flow.team), rig.worker(flow.team)
    task = worker.take(flow)
    rig.a2i.stop_human_loop(HumanLoopName=name)
    assert flow.loop(name)["HumanLoopStatus"] == "Stopping"
    assert other.take(flow) is None
    assert worker.do("answer", task, {"verdict": "late but here"}).status_code == 200
    loop = flow.until(name, "Stopped")
    bucket, _, key = loop["HumanLoopOutput"]["OutputS3Uri"].removeprefix("s3://").partition("/")
    output = json.loads(rig.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert [answer["answerContent"] for answer in output["humanAnswers"]] == [{"verdict": "late but here"}]


def test_a_worker_who_leaves_a_stopping_loop_cannot_return(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    rig.a2i.stop_human_loop(HumanLoopName=name)
    assert worker.do("return", task).status_code == 200
    assert flow.loop(name)["HumanLoopStatus"] == "Stopped"
    assert worker.take(flow) is None


def test_only_a_loop_in_progress_can_be_stopped(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    rig.worker(flow.team).answer(flow=flow)
    flow.until(name, "Completed")
    assert refused(rig.a2i.stop_human_loop, HumanLoopName=name)[:2] == ("ValidationException", 400)


def test_a_loop_fails_as_expired_when_its_availability_ends(rig: Rig):
    flow = rig.flow(TaskCount=2, TaskAvailabilityLifetimeInSeconds=60)
    name = flow.start()
    rig.worker(flow.team).answer(flow=flow)
    holder = rig.worker(flow.team)
    task = holder.take(flow)
    rig.clock.advance(61)
    loop = flow.until(name, "Failed")
    assert loop["FailureCode"] == "Expired"
    assert "1 of 2 answers" in loop["FailureReason"]
    assert "HumanLoopOutput" not in loop
    assert holder.do("answer", task, {"verdict": "too late"}).status_code == 409
    summary = rig.a2i.list_human_loops(FlowDefinitionArn=flow.arn)["HumanLoopSummaries"][0]
    assert summary["HumanLoopStatus"] == "Failed"
    assert summary["FailureReason"] == loop["FailureReason"]


def test_only_an_ended_loop_can_be_deleted_and_its_output_stays(rig: Rig):
    flow = rig.flow()
    name = flow.start(content={"n": 1})
    assert refused(rig.a2i.delete_human_loop, HumanLoopName=name)[:2] == ("ValidationException", 400)
    rig.worker(flow.team).answer(flow=flow)
    loop = flow.until(name, "Completed")
    rig.a2i.delete_human_loop(HumanLoopName=name)
    assert refused(rig.a2i.describe_human_loop, HumanLoopName=name)[0] == "ResourceNotFoundException"
    assert rig.a2i.list_human_loops(FlowDefinitionArn=flow.arn)["HumanLoopSummaries"] == []
    bucket, _, key = loop["HumanLoopOutput"]["OutputS3Uri"].removeprefix("s3://").partition("/")
    assert rig.s3.get_object(Bucket=bucket, Key=key)
    flow.start(name, {"n": 2})
    assert flow.loop(name)["HumanLoopStatus"] == "InProgress"


def test_images_in_a_bucket_without_cors_are_refused_with_the_reason(rig: Rig, flow: Flow):
    closed = rig.bucket(cors=False)
    content = json.dumps({"pages": [{"image": f"s3://{closed}/a/1.JPG"}]})
    code, status, message = _start(flow, "no-cors", content)
    assert (code, status) == ("ValidationException", 400)
    assert closed in message
    assert "CORS" in message
    missing = json.dumps({"taskObject": "s3://no-such-bucket-anywhere/1.png"})
    assert "does not exist" in _start(flow, "no-bucket", missing)[2]
    # Objects that no browser shows need no CORS.
    flow.start("manifest-only", {"manifest": f"s3://{closed}/train.manifest"})
    rig.s3.put_bucket_cors(Bucket=closed, CORSConfiguration=CORS)
    flow.start("no-cors", content)


def test_an_unsigned_call_is_refused(rig: Rig, flow: Flow):
    reply = httpx.get(f"{rig.url}/human-loops", params={"FlowDefinitionArn": flow.arn})
    assert reply.status_code == 403
    assert reply.json()["__type"] == "MissingAuthenticationTokenException"


def test_what_is_not_implemented_says_so(rig: Rig):
    code, status, message = refused(rig.sagemaker.list_training_jobs)
    assert (code, status) == ("NotImplementedException", 501)
    assert "ListTrainingJobs" in message


def test_aiobotocore_starts_and_pages_loops_too(rig: Rig):
    flow = rig.flow()
    access_key, secret_key = rig.cloud.keys()

    async def run() -> list[str]:
        async with get_session().create_client(
            "sagemaker-a2i-runtime",
            endpoint_url=rig.url,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
        ) as client:
            await asyncio.gather(
                *(
                    client.start_human_loop(
                        HumanLoopName=f"async-{i}",
                        FlowDefinitionArn=flow.arn,
                        HumanLoopInput={"InputContent": "{}"},
                    )
                    for i in range(12)
                )
            )
            pages = client.get_paginator("list_human_loops").paginate(
                FlowDefinitionArn=flow.arn, PaginationConfig={"PageSize": 5}
            )
            return [loop["HumanLoopName"] async for page in pages for loop in page["HumanLoopSummaries"]]

    assert sorted(asyncio.run(run())) == sorted(f"async-{i}" for i in range(12))
    eventually(lambda: flow.in_flight() == 12)
