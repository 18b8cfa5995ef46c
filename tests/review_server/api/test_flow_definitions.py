"""The control plane as an unmodified boto3 client meets it: templates, work teams, flow definitions."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any

import pytest

from tests.review_server.rig import MEMBERS, TEMPLATE, Rig, refused
from tests.support.cloud import ROLE, eventually


@pytest.fixture(scope="module")
def parts(rig: Rig) -> dict[str, Any]:
    """A valid CreateFlowDefinition request, but for its name."""
    ui = rig.sagemaker.create_human_task_ui(HumanTaskUiName="parts-ui", UiTemplate={"Content": TEMPLATE})
    team = rig.sagemaker.create_workteam(
        WorkteamName="parts-team", Description="d", MemberDefinitions=MEMBERS
    )
    return {
        "RoleArn": ROLE,
        "OutputConfig": {"S3OutputPath": f"s3://{rig.bucket()}/out"},
        "HumanLoopConfig": {
            "WorkteamArn": team["WorkteamArn"],
            "HumanTaskUiArn": ui["HumanTaskUiArn"],
            "TaskTitle": "t",
            "TaskDescription": "d",
            "TaskCount": 1,
        },
    }


def _with(parts: dict[str, Any], **config: Any) -> dict[str, Any]:
    return parts | {"HumanLoopConfig": parts["HumanLoopConfig"] | config}


def _active(rig: Rig, name: str) -> bool:
    reply = rig.sagemaker.describe_flow_definition(FlowDefinitionName=name)
    return reply["FlowDefinitionStatus"] == "Active"


def test_a_flow_definition_becomes_active_and_is_told_as_it_was_made(rig: Rig, parts: dict[str, Any]):
    request = _with(
        parts, TaskAvailabilityLifetimeInSeconds=86_400, TaskTimeLimitInSeconds=30, TaskKeywords=["boxes"]
    )
    arn = rig.sagemaker.create_flow_definition(FlowDefinitionName="told", **request)["FlowDefinitionArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/told"
    eventually(lambda: _active(rig, "told"))
    described = rig.sagemaker.describe_flow_definition(FlowDefinitionName="told")
    for key, value in request.items():
        assert described[key] == value
    assert "FailureReason" not in described
    listed = rig.sagemaker.list_flow_definitions()["FlowDefinitionSummaries"]
    assert arn in [flow["FlowDefinitionArn"] for flow in listed]


def test_a_flow_definition_cannot_be_changed(rig: Rig, parts: dict[str, Any]):
    rig.sagemaker.create_flow_definition(FlowDefinitionName="fixed", **parts)
    code, status, _ = refused(rig.sagemaker.create_flow_definition, FlowDefinitionName="fixed", **parts)
    assert (code, status) == ("ResourceInUse", 400)


def test_a_flow_definition_whose_bucket_is_missing_fails_with_the_reason(rig: Rig):
    flow = rig.flow(bucket="there-is-no-such-bucket")
    described = rig.sagemaker.describe_flow_definition(FlowDefinitionName=flow.name)
    assert described["FlowDefinitionStatus"] == "Failed"
    assert "there-is-no-such-bucket does not exist" in described["FailureReason"]
    code, _, message = refused(
        rig.a2i.start_human_loop,
        HumanLoopName="on-failed",
        FlowDefinitionArn=flow.arn,
        HumanLoopInput={"InputContent": "{}"},
    )
    assert code == "ValidationException"
    assert "Failed" in message
    rig.sagemaker.delete_flow_definition(FlowDefinitionName=flow.name)
    eventually(lambda: _is_gone(rig, flow.name))


def _is_gone(rig: Rig, name: str) -> bool:
    listed = rig.sagemaker.list_flow_definitions()["FlowDefinitionSummaries"]
    return name not in [flow["FlowDefinitionName"] for flow in listed]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("TaskCount", 1, 0),
        ("TaskCount", 3, 4),
        ("TaskTimeLimitInSeconds", 30, 29),
        ("TaskAvailabilityLifetimeInSeconds", 1, 0),
        ("TaskTitle", "x" * 128, "x" * 129),
        ("TaskTitle", "x", ""),
        ("TaskDescription", "x" * 255, "x" * 256),
        ("TaskKeywords", ["a b"] * 5, ["a"] * 6),
        ("TaskKeywords", ["x" * 30], ["x" * 31]),
    ],
)
def test_limits_hold_on_both_sides(rig: Rig, parts: dict[str, Any], field: str, good: Any, bad: Any):
    create = rig.sagemaker.create_flow_definition
    code, status, message = refused(create, FlowDefinitionName="limit", **_with(parts, **{field: bad}))
    assert (code, status) == ("ValidationException", 400)
    assert field[0].lower() + field[1:] in message
    create(FlowDefinitionName=rig.name("limit"), **_with(parts, **{field: good}))


def test_what_cannot_be_reviewed_is_refused_with_the_reason(rig: Rig, parts: dict[str, Any]):
    def message(**changes: Any) -> str:
        request = {"FlowDefinitionName": "refused", **parts, **changes}
        request = {key: value for key, value in request.items() if value is not None}
        code, status, text = refused(rig.sagemaker.create_flow_definition, **request)
        assert (code, status) == ("ValidationException", 400)
        return text

    config = parts["HumanLoopConfig"]
    crowd = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"
    assert "work team" in message(HumanLoopConfig=config | {"WorkteamArn": crowd})
    ui = "arn:aws:sagemaker:us-east-1:000000000000:human-task-ui/unknown"
    assert "human task UI" in message(HumanLoopConfig=config | {"HumanTaskUiArn": ui})
    assert "HumanLoopConfig is required" in message(HumanLoopConfig=None)
    source = {"AwsManagedHumanLoopRequestSource": "AWS/Textract/AnalyzeDocument/Forms/V1"}
    assert "Textract" in message(HumanLoopRequestSource=source)
    assert "S3OutputPath" in message(OutputConfig={"S3OutputPath": "https://example.com/out"})
    assert "roleArn" in message(RoleArn="arn:aws:iam::1:role/x")


def test_a_deleted_flow_definition_stops_its_loops_and_waits_for_workers(rig: Rig):
    flow = rig.flow()
    held, waiting = flow.start(), flow.start()
    worker = rig.worker(flow.team)
    task = worker.take(flow)
    rig.sagemaker.delete_flow_definition(FlowDefinitionName=flow.name)
    flow.until(waiting, "Stopped")
    assert flow.until(held, "Stopping")
    assert flow.status() == "Deleting"
    assert worker.do("answer", task, {"a": 1}).status_code == 200
    eventually(lambda: _is_gone(rig, flow.name))
    assert flow.loop(held)["HumanLoopStatus"] == "Stopped", "its loops can still be described"
    describe = rig.sagemaker.describe_flow_definition
    assert refused(describe, FlowDefinitionName=flow.name)[0] == "ResourceNotFound"
    assert refused(rig.a2i.list_human_loops, FlowDefinitionArn=flow.arn)[0] == "ResourceNotFoundException"
    code, _, _ = refused(rig.sagemaker.delete_flow_definition, FlowDefinitionName=flow.name)
    assert code == "ResourceNotFound"


def test_the_name_of_a_flow_definition_that_is_gone_can_be_used_again(rig: Rig, parts: dict[str, Any]):
    for _ in range(2):
        rig.sagemaker.create_flow_definition(FlowDefinitionName="reborn", **parts)
        eventually(lambda: _active(rig, "reborn"))
        rig.sagemaker.delete_flow_definition(FlowDefinitionName="reborn")
        eventually(lambda: _is_gone(rig, "reborn"))


def test_there_may_be_a_hundred_flow_definitions(rig: Rig, parts: dict[str, Any]):
    create = rig.sagemaker.create_flow_definition
    listed = rig.sagemaker.get_paginator("list_flow_definitions").paginate(PaginationConfig={"PageSize": 7})
    names = [f["FlowDefinitionName"] for page in listed for f in page["FlowDefinitionSummaries"]]
    assert len(names) == len(set(names))
    added = [f"quota-{i}" for i in range(100 - len(names))]
    for name in added:
        create(FlowDefinitionName=name, **parts)
    code, status, message = refused(create, FlowDefinitionName="quota-too-many", **parts)
    assert (code, status) == ("ResourceLimitExceeded", 400)
    assert "100" in message
    for name in added:
        eventually(partial(_active, rig, name))
        rig.sagemaker.delete_flow_definition(FlowDefinitionName=name)
    eventually(lambda: all(_is_gone(rig, name) for name in added[-2:]))


def test_templates_are_described_listed_and_cannot_be_changed(rig: Rig):
    create = rig.sagemaker.create_human_task_ui
    arn = create(HumanTaskUiName="ui-told", UiTemplate={"Content": TEMPLATE})["HumanTaskUiArn"]
    described = rig.sagemaker.describe_human_task_ui(HumanTaskUiName="ui-told")
    assert described["HumanTaskUiArn"] == arn
    assert described["HumanTaskUiStatus"] == "Active"
    assert described["UiTemplate"]["ContentSha256"] == hashlib.sha256(TEMPLATE.encode()).hexdigest()
    assert refused(create, HumanTaskUiName="ui-told", UiTemplate={"Content": "x"})[0] == "ResourceInUse"
    listed = rig.sagemaker.list_human_task_uis()["HumanTaskUiSummaries"]
    assert arn in [ui["HumanTaskUiArn"] for ui in listed]
    rig.sagemaker.delete_human_task_ui(HumanTaskUiName="ui-told")
    describe = rig.sagemaker.describe_human_task_ui
    assert refused(describe, HumanTaskUiName="ui-told")[:2] == ("ResourceNotFound", 400)
    create(HumanTaskUiName="ui-told", UiTemplate={"Content": "x"})


def test_a_template_has_at_most_128000_characters(rig: Rig):
    create = rig.sagemaker.create_human_task_ui
    create(HumanTaskUiName="ui-largest", UiTemplate={"Content": "x" * 128_000})
    for content in ("x" * 128_001, ""):
        code, _, _ = refused(create, HumanTaskUiName="ui-other", UiTemplate={"Content": content})
        assert code == "ValidationException"


def test_with_a_deleted_template_running_loops_go_on_and_no_new_ones_start(rig: Rig):
    flow = rig.flow()
    name = flow.start()
    config = rig.sagemaker.describe_flow_definition(FlowDefinitionName=flow.name)["HumanLoopConfig"]
    ui = config["HumanTaskUiArn"].rpartition("/")[2]
    rig.sagemaker.delete_human_task_ui(HumanTaskUiName=ui)
    code, _, message = refused(
        rig.a2i.start_human_loop,
        HumanLoopName="after-delete",
        FlowDefinitionArn=flow.arn,
        HumanLoopInput={"InputContent": "{}"},
    )
    assert code == "ValidationException"
    assert "human task UI was deleted" in message
    rig.worker(flow.team).answer(flow=flow)
    flow.until(name, "Completed")


def test_work_teams_are_made_told_changed_and_deleted(rig: Rig):
    sagemaker = rig.sagemaker
    arn = sagemaker.create_workteam(WorkteamName="Told", Description="d", MemberDefinitions=MEMBERS)[
        "WorkteamArn"
    ]
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/Told"
    team = sagemaker.describe_workteam(WorkteamName="Told")["Workteam"]
    assert team["MemberDefinitions"] == MEMBERS
    assert team["SubDomain"] in rig.url
    again = {"WorkteamName": "Told", "Description": "d", "MemberDefinitions": MEMBERS}
    assert refused(sagemaker.create_workteam, **again)[0] == "ResourceInUse"
    changed = sagemaker.update_workteam(WorkteamName="Told", Description="e")["Workteam"]
    assert (changed["Description"], changed["MemberDefinitions"]) == ("e", MEMBERS)
    listed = sagemaker.list_workteams(NameContains="tol", SortBy="Name")["Workteams"]
    assert [t["WorkteamName"] for t in listed] == ["Told"]
    assert sagemaker.delete_workteam(WorkteamName="Told")["Success"] is True
    assert refused(sagemaker.describe_workteam, WorkteamName="Told")[0] == "ValidationException"


def test_a_work_team_that_is_needed_stays_and_there_are_at_most_25(rig: Rig):
    sagemaker = rig.sagemaker
    flow = rig.flow()
    code, _, message = refused(sagemaker.delete_workteam, WorkteamName=flow.team)
    assert code == "ValidationException"
    assert flow.name in message
    count = sum(
        len(page["Workteams"])
        for page in sagemaker.get_paginator("list_workteams").paginate(PaginationConfig={"PageSize": 2})
    )
    request = {"Description": "d", "MemberDefinitions": MEMBERS}
    for i in range(25 - count):
        sagemaker.create_workteam(WorkteamName=f"quota-{i}", **request)
    code, _, _ = refused(sagemaker.create_workteam, WorkteamName="quota-too-many", **request)
    assert code == "ResourceLimitExceeded"
    for i in range(25 - count):
        sagemaker.delete_workteam(WorkteamName=f"quota-{i}")


def test_the_one_workforce_is_told(rig: Rig):
    listed = rig.sagemaker.list_workforces()["Workforces"]
    assert [force["WorkforceName"] for force in listed] == ["private-crowd"]
    told = rig.sagemaker.describe_workforce(WorkforceName="private-crowd")["Workforce"]
    assert told["Status"] == "Active"
    assert refused(rig.sagemaker.describe_workforce, WorkforceName="other")[0] == "ValidationException"
    vendors = rig.sagemaker.get_paginator("list_subscribed_workteams").paginate()
    assert vendors.build_full_result() == {"SubscribedWorkteams": []}
    arn = "arn:aws:sagemaker:us-east-1:123456789012:workteam/vendor-crowd/them"
    assert "subscription" in refused(rig.sagemaker.describe_subscribed_workteam, WorkteamArn=arn)[2]
