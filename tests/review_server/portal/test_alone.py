"""The server alone, as its own process on PostgreSQL: it needs an S3 by URL, and nothing else of ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import boto3
import botocore.session
import pytest
from playwright.sync_api import Browser, expect

from include.review_server.__main__ import main
from tests.review_server.portal.conftest import BOXES, LABELS, picture
from tests.review_server.process import Process
from tests.review_server.rig import CORS, MEMBERS
from tests.support.cloud import ROLE, LocalCloud, eventually
from tests.support.postgresql import PostgreSQL


def caller(data: Path) -> boto3.Session:
    """A boto3 session with the key that the server made for its callers."""
    core = botocore.session.Session()
    core.set_config_variable("credentials_file", str(data / "api-keys"))
    core.get_component("credential_provider").remove("env")
    return boto3.Session(botocore_session=core, region_name="us-east-1")


def test_a_boto3_client_asks_and_a_browser_answers(
    cloud: LocalCloud,
    bucket: str,
    browser: Browser,
    postgresql: PostgreSQL,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    s3 = cloud.client("s3")
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=CORS)
    s3.put_object(Bucket=bucket, Key="night/1.jpg", Body=picture())
    url = postgresql.database()
    with Process(cloud, tmp_path, own_keys=True, database_url=url).start() as server:
        aws = caller(tmp_path)
        control = aws.client("sagemaker", endpoint_url=server.url)
        runtime = aws.client("sagemaker-a2i-runtime", endpoint_url=server.url)
        ui = control.create_human_task_ui(HumanTaskUiName="boxes", UiTemplate={"Content": BOXES})
        team = control.create_workteam(WorkteamName="night", Description="night", MemberDefinitions=MEMBERS)
        flow = control.create_flow_definition(
            FlowDefinitionName="boxes",
            RoleArn=ROLE,
            OutputConfig={"S3OutputPath": f"s3://{bucket}/reviews"},
            HumanLoopConfig={
                "WorkteamArn": team["WorkteamArn"],
                "HumanTaskUiArn": ui["HumanTaskUiArn"],
                "TaskTitle": "Boxes",
                "TaskDescription": "Draw the boxes",
                "TaskCount": 1,
            },
        )["FlowDefinitionArn"]
        eventually(
            lambda: (
                control.describe_flow_definition(FlowDefinitionName="boxes")["FlowDefinitionStatus"]
                == "Active"
            )
        )
        question = {"taskObject": f"s3://{bucket}/night/1.jpg", "labels": LABELS, "initialValue": []}
        runtime.start_human_loop(
            HumanLoopName="one",
            FlowDefinitionArn=flow,
            HumanLoopInput={"InputContent": json.dumps(question)},
        )

        members = ["members", "add", "ada", "--team", "night", "--data", str(tmp_path), "--database", url]
        assert main(members) == 0
        password = capsys.readouterr().out.split()[-1]
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(server.url)
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.locator("[data-first]").click()
        page.wait_for_url(re.compile("/work/"))
        expect(page.locator("#frame[data-ready=yes]")).to_be_visible()
        # The button of the bar is enabled once the task has been seen for the least time.
        page.get_by_role("button", name="Submit").click()
        page.wait_for_url(f"{server.url}/")
        page.context.close()  # Page.close can wait for ever

        loop = eventually(
            lambda: (
                (found := runtime.describe_human_loop(HumanLoopName="one"))["HumanLoopStatus"] == "Completed"
                and found
            )
        )
    key = loop["HumanLoopOutput"]["OutputS3Uri"].removeprefix(f"s3://{bucket}/")
    output = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert [a["answerContent"]["annotatedResult"]["boundingBoxes"] for a in output["humanAnswers"]] == [[]]
