"""Every documented limit of the API, on both sides: the last value that is taken, the first that is not.

Those that need many loops, teams or flow definitions are with those (``test_loops``, ``test_flows``).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.review_server.rig import MEMBERS, TEMPLATE, Flow, Rig, refused
from tests.support.cloud import ROLE, eventually


@pytest.fixture(scope="module")
def flow(rig: Rig) -> Flow:
    return rig.flow()


def _takes(call: Any, what: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    code, status, message = refused(call, **bad)
    assert (code, status) == ("ValidationException", 400)
    assert what in message
    call(**good)


@pytest.mark.parametrize("value", [{"MaxResults": 0}, {"MaxResults": 101}, {"NextToken": "x" * 8193}])
@pytest.mark.parametrize("listing", ["list_human_loops", "list_flow_definitions", "list_human_task_uis"])
def test_pages(rig: Rig, flow: Flow, listing: str, value: dict[str, Any]):
    (name,) = value
    of = {"FlowDefinitionArn": flow.arn} if listing == "list_human_loops" else {}
    call = getattr(rig.a2i if of else rig.sagemaker, listing)
    _takes(
        call, name[0].lower() + name[1:], of | {"MaxResults": 1 if value.get(name) == 0 else 100}, of | value
    )


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("SortOrder", "Ascending", "Upwards"),
        ("FlowDefinitionArn", None, "arn:aws:sagemaker:us-east-1:000000000000:human-loop/x"),
        ("FlowDefinitionArn", None, "x" * 1025),
    ],
)
def test_what_a_listing_is_asked(rig: Rig, flow: Flow, field: str, good: str | None, bad: str):
    of = {"FlowDefinitionArn": flow.arn}
    kept = of | ({field: good} if good else {})
    _takes(rig.a2i.list_human_loops, field[0].lower() + field[1:], kept, of | {field: bad})


def _classifiers(*values: str) -> dict[str, Any]:
    return {"DataAttributes": {"ContentClassifiers": list(values)}}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (_classifiers("FreeOfAdultContent"), _classifiers("Harmless")),
        (_classifiers(*["FreeOfAdultContent"] * 256), _classifiers(*["FreeOfAdultContent"] * 257)),
    ],
)
def test_content_classifiers(rig: Rig, flow: Flow, good: dict[str, Any], bad: dict[str, Any]):
    start = {
        "HumanLoopName": rig.name("loop"),
        "FlowDefinitionArn": flow.arn,
        "HumanLoopInput": {"InputContent": "{}"},
    }
    _takes(rig.a2i.start_human_loop, "dataAttributes.contentClassifiers", start | good, start | bad)


def _arn(length: int) -> str:
    return f"arn:aws:iam::000000000000:role/{'x' * length}"[:length]


def _path(length: int) -> str:
    return f"s3://limits/{'x' * length}"[:length]


@pytest.mark.parametrize(
    ("what", "good", "bad"),
    [
        ("flowDefinitionName", {"FlowDefinitionName": "x" * 63}, {"FlowDefinitionName": "x" * 64}),
        ("flowDefinitionName", {"FlowDefinitionName": "x"}, {"FlowDefinitionName": "X"}),
        ("roleArn", {"RoleArn": ROLE}, {"RoleArn": ROLE[:19]}),
        ("roleArn", {"RoleArn": _arn(2048)}, {"RoleArn": _arn(2049)}),
        (
            "outputConfig.s3OutputPath",
            {"OutputConfig": {"S3OutputPath": _path(1024)}},
            {"OutputConfig": {"S3OutputPath": _path(1025)}},
        ),
        (
            "outputConfig.s3OutputPath",
            {"OutputConfig": {"S3OutputPath": "https://s3.amazonaws.com/limits/x"}},
            {"OutputConfig": {"S3OutputPath": "ftp://limits/x"}},
        ),
        (
            "outputConfig.kmsKeyId",
            {"OutputConfig": {"S3OutputPath": _path(20), "KmsKeyId": "k" * 2048}},
            {"OutputConfig": {"S3OutputPath": _path(20), "KmsKeyId": "k" * 2049}},
        ),
        (
            "tags",
            {"Tags": [{"Key": str(i), "Value": "v"} for i in range(50)]},
            {"Tags": [{"Key": str(i), "Value": "v"} for i in range(51)]},
        ),
        (
            "workteamArn",
            {},
            {"WorkteamArn": "arn:aws:sagemaker:us-east-1:000000000000:workteam/" + "x" * 257},
        ),
        ("workteamArn", {}, {"WorkteamArn": "private-crowd/team"}),
        ("taskDescription", {"TaskDescription": "x"}, {"TaskDescription": ""}),
        ("taskCount", {"TaskCount": 2}, {"TaskCount": 1000}),
        ("taskKeywords", {"TaskKeywords": ["a b1"]}, {"TaskKeywords": ["a  b"]}),
        ("taskKeywords", {"TaskKeywords": ["a"]}, {"TaskKeywords": []}),
    ],
)
def test_flow_definitions(rig: Rig, flow: Flow, what: str, good: dict[str, Any], bad: dict[str, Any]):
    described = rig.sagemaker.describe_flow_definition(FlowDefinitionName=flow.name)
    config = described["HumanLoopConfig"]
    whole = {
        "FlowDefinitionName": rig.name("limit"),
        "RoleArn": ROLE,
        "OutputConfig": described["OutputConfig"],
    }

    def request(changes: dict[str, Any]) -> dict[str, Any]:
        of_task = {key: value for key, value in changes.items() if key.startswith(("Task", "Workteam"))}
        rest = {key: value for key, value in changes.items() if key not in of_task}
        return whole | rest | {"HumanLoopConfig": config | of_task}

    _takes(rig.sagemaker.create_flow_definition, what, request(good), request(bad))


@pytest.mark.parametrize(
    ("what", "good", "bad"),
    [
        ("workteamName", {"WorkteamName": "x" * 63}, {"WorkteamName": "x" * 64}),
        ("description", {"Description": "x" * 200}, {"Description": "x" * 201}),
        ("description", {"Description": "x"}, {"Description": ""}),
        ("memberDefinitions", {"MemberDefinitions": MEMBERS * 10}, {"MemberDefinitions": MEMBERS * 11}),
        ("memberDefinitions", {"MemberDefinitions": MEMBERS}, {"MemberDefinitions": []}),
        (
            "groups",
            {"MemberDefinitions": [{"OidcMemberDefinition": {"Groups": ["g"] * 10}}]},
            {"MemberDefinitions": [{"OidcMemberDefinition": {"Groups": ["g"] * 11}}]},
        ),
    ],
)
def test_work_teams(rig: Rig, what: str, good: dict[str, Any], bad: dict[str, Any]):
    team = {"WorkteamName": rig.name("limit"), "Description": "d", "MemberDefinitions": MEMBERS}
    _takes(rig.sagemaker.create_workteam, what, team | good, team | bad)
    rig.sagemaker.delete_workteam(WorkteamName=(team | good)["WorkteamName"])


@pytest.mark.parametrize(("good", "bad"), [("x" * 63, "x" * 64), ("a-1", "a_1")])
def test_names_of_templates(rig: Rig, good: str, bad: str):
    ui = {"UiTemplate": {"Content": TEMPLATE}}
    create = rig.sagemaker.create_human_task_ui
    _takes(create, "humanTaskUiName", ui | {"HumanTaskUiName": good}, ui | {"HumanTaskUiName": bad})


@pytest.mark.parametrize(("good", "bad"), [(128_000, 128_001), (2, 1)])
def test_the_input_of_a_rendering(rig: Rig, good: int, bad: int):
    def request(length: int) -> dict[str, Any]:
        text = "1" if length < 2 else json.dumps("x" * (length - 2))
        assert len(text) == length
        return {"UiTemplate": {"Content": TEMPLATE}, "Task": {"Input": text}, "RoleArn": ROLE}

    _takes(rig.sagemaker.render_ui_template, "task.input", request(good), request(bad))


def test_a_hundred_templates(rig: Rig):
    pages = rig.sagemaker.get_paginator("list_human_task_uis").paginate()
    count = sum(len(page["HumanTaskUiSummaries"]) for page in pages)
    create = rig.sagemaker.create_human_task_ui
    added = [f"quota-{number}" for number in range(100 - count)]
    for name in added:
        create(HumanTaskUiName=name, UiTemplate={"Content": TEMPLATE})
    too_many = {"HumanTaskUiName": "quota-too-many", "UiTemplate": {"Content": TEMPLATE}}
    assert refused(create, **too_many)[:2] == ("ResourceLimitExceeded", 400)
    for name in added:
        rig.sagemaker.delete_human_task_ui(HumanTaskUiName=name)
    create(**too_many)


def test_a_task_is_available_to_the_millisecond(rig: Rig):
    flow = rig.flow(TaskAvailabilityLifetimeInSeconds=60, TaskTimeLimitInSeconds=30)
    worker = rig.worker(flow.team)
    with rig.clock.stopped():
        name = flow.start()
        rig.clock.advance(59.999)
        task = worker.take(flow)
        assert task["item"] == name
        rig.clock.advance(0.001)
        assert worker.do("answer", task, {"a": 1}).status_code == 409
        eventually(lambda: flow.loop(name)["HumanLoopStatus"] == "Failed")
