"""What a labeling job's two functions are given, what is read of their replies, and how they fail."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from include.review_server.labeling import callables
from include.review_server.labeling.consolidation import AnsweredObject
from include.review_server.labeling.function_errors import FunctionAway, FunctionFailed
from include.review_server.labeling.functions import Functions
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.layout import Layout
from include.review_server.labeling.task_types import TASK_TYPES
from include.review_server.s3 import ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings
from tests.support.cloud import eventually

OURS = "arn:aws:lambda:us-east-1:000000000000:function:"
ROLE = "arn:aws:iam::000000000000:role/labeler"
JOB = "arn:aws:sagemaker:us-east-1:000000000000:labeling-job/mood"
NOW = datetime(2026, 2, 11, 9, 14, 3, 120551, tzinfo=UTC)
SETTINGS = ReviewSettings(data_dir=Path("unused"), access_key_id="a", secret_access_key="b")
STORE = ObjectStore(SETTINGS)
LINE = {"source": "good morning", "weight": 1.5}
REQUEST = S3Location(
    "acme", "out/Mood/annotations/consolidated-annotation/consolidation-request/iteration-1/x.json"
)


def view(pre: str | None = None, acs: str | None = None, kind: str | None = None) -> JobView:
    human: dict[str, Any] = {"PreHumanTaskLambdaArn": pre} if pre else {}
    if acs:
        human["AnnotationConsolidationConfig"] = {"AnnotationConsolidationLambdaArn": acs}
    return JobView(
        id=1, name="Mood", arn=JOB, request={"HumanTaskConfig": human, "RoleArn": ROLE},
        task_type=TASK_TYPES[kind] if kind else None, label_attribute="mood", categories=("glad", "sad"),
        iteration=1, objects=2, human_labeled=0, machine_labeled=0, reference_code="r",
        output=Layout.of("s3://acme/out/", "Mood"),
    )  # fmt: skip


def functions(**settings: Any) -> Functions:
    return Functions(replace(SETTINGS, **settings), STORE)


# The callables of the tests: what they were called with, and what they are to do


class Told:
    """A callable that does as it is told, and remembers its event."""

    reply: Any = None
    event: Any = None
    context: Any = None

    def __call__(self, event: Any, context: Any) -> Any:
        self.event, self.context = event, context
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


told = Told()
HERE = {"labeling_functions": (f"own={__name__}:told",)}


def task_input(reply: Any) -> Any:
    told.reply = reply
    return functions(**HERE).task_input(view(pre=f"{OURS}own"), LINE)


def consolidated(reply: Any) -> list[Any]:
    told.reply = reply
    objects = [AnsweredObject(number, LINE, {}) for number in (3, 17)]
    return functions(**HERE).consolidated(view(acs=f"{OURS}own"), REQUEST, objects, {}, NOW)


def test_a_built_in_function_gives_the_object_the_labels_and_the_line():
    arn = "arn:aws:lambda:eu-west-1:568282634449:function:PRE-BoundingBox"
    line = {"source-ref": "s3://acme/1.jpg", "id": 7}
    found = functions().task_input(view(arn, arn.replace("PRE", "ACS"), "BoundingBox"), line)
    assert found == {"taskObject": "s3://acme/1.jpg", "labels": ["glad", "sad"], "manifestLine": line}
    text = functions().task_input(view(kind="TextMultiClass"), LINE)
    assert text == {"taskObject": "good morning", "labels": ["glad", "sad"], "manifestLine": LINE}


def test_without_functions_the_template_sees_the_line_and_the_answers_stay_in_their_file():
    job = view()
    assert functions().task_input(job, LINE) == LINE
    uri = "s3://acme/out/Mood/annotations/worker-response/iteration-1/3/2026-02-11_09:13:00.json"
    (label,) = functions().consolidated(job, REQUEST, [AnsweredObject(3, LINE, {})], {3: uri}, NOW)
    assert label.content == {
        "mood": {},
        "mood-metadata": {
            "job_name": "Mood",
            "type": "groundTruth/custom",
            "human-annotated": "yes",
            "creation_date": "2026-02-11T09:14:03.120551",
            "worker-response-ref": uri,
        },
    }
    passed = "arn:aws:lambda:us-east-1:432418664414:function:{}-PassThrough"
    job = view(passed.format("PRE"), passed.format("ACS"))
    assert functions().task_input(job, LINE) == LINE
    (label,) = functions().consolidated(job, REQUEST, [AnsweredObject(3, LINE, {})], {3: uri}, NOW)
    assert label.content is not None
    assert label.content["mood"] == {}


def test_a_pre_annotation_function_is_given_the_documented_event_and_says_what_is_shown():
    assert task_input({"taskInput": {"text": "hello"}}) == {"text": "hello"}
    assert told.event == {"version": "2018-10-16", "labelingJobArn": JOB, "dataObject": LINE}
    assert told.context.function_name == "own"
    assert told.context.s3.meta.service_model.service_name == "s3"


@pytest.mark.parametrize("name", ["isHumanAnnotationRequired", "humanAnnotationRequired"])
def test_a_pre_annotation_function_may_spare_people_an_object(name: str):
    for no in (False, "false", "False"):
        assert task_input({"taskInput": {}, name: no}) is None
        assert task_input({name: no}) is None
    for yes in (True, "true"):
        assert task_input({"taskInput": {}, name: yes}) == {}


@pytest.mark.parametrize(
    "reply",
    [None, [], "x", {}, {"taskInput": "x"}, {"taskInput": {}, "isHumanAnnotationRequired": "perhaps"}],
)
def test_what_a_pre_annotation_function_must_not_return_fails_the_job(reply: Any):
    with pytest.raises(FunctionFailed, match=r"function:own must return \{\"taskInput\""):
        task_input(reply)


def test_a_function_that_fails_fails_the_job_in_awss_words():
    with pytest.raises(FunctionFailed) as failed:
        task_input(KeyError("no such thing" + "!" * 2_000))
    assert str(failed.value).startswith(
        f"ClientError: Exception invoking the Lambda function {OURS}own. LambdaErrorCode: Unhandled. Ensure "
        f"the Lambda function exists, that the role {ROLE} has permissions to invoke it and try your request "
        "again. It said: KeyError: 'no such thing!!"
    )
    assert len(str(failed.value)) == 1024
    for reply in (float("nan"), object(), "\ud800"):
        with pytest.raises(FunctionFailed, match=r"MarshalError.*is not JSON"):
            task_input({"taskInput": {"x": reply}})


def test_a_consolidation_function_is_given_the_documented_event_and_each_object_its_label():
    own = {"mood": {"glad": 0.75}, "mood-metadata": {"by": "us", "creation_date": "then"}, "other": 1}
    found = consolidated(
        [
            {"datasetObjectId": "99", "consolidatedAnnotation": {"content": own}},
            {"datasetObjectId": 17, "consolidatedAnnotation": {"content": own}},
            {"datasetObjectId": "3", "consolidatedAnnotation": {"content": {"mood": "sad"}}},
        ]
    )
    assert told.event == {
        "version": "2018-10-06",
        "labelingJobArn": JOB,
        "labelCategories": ["glad", "sad"],
        "labelAttributeName": "mood",
        "roleArn": ROLE,
        "outputConfig": "s3://acme/out/Mood/annotations",
        "payload": {"s3Uri": REQUEST.uri},
    }
    metadata = {"job_name": "Mood", "type": "groundTruth/custom", "human-annotated": "yes"}
    assert [(label.number, label.content) for label in found] == [
        (3, {"mood": "sad", "mood-metadata": metadata | {"creation_date": "2026-02-11T09:14:03.120551"}}),
        (17, {"mood": {"glad": 0.75}, "mood-metadata": metadata | {"creation_date": "then", "by": "us"}}),
    ]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([], "left the object out"),
        ([None, 5, {}, {"datasetObjectId": []}], "left the object out"),
        ([{"datasetObjectId": "3"}], "its entry has no"),
        ([{"datasetObjectId": "3", "consolidatedAnnotation": {"content": "{}"}}], "its entry has no"),
        ([{"datasetObjectId": "3", "consolidatedAnnotation": {"content": {"m": 1}}}], "has no 'mood'"),
        (
            [
                {
                    "datasetObjectId": "3",
                    "consolidatedAnnotation": {"content": {"mood": 1, "mood-metadata": 2}},
                }
            ],
            "mood-metadata is a number",
        ),
        (
            [{"datasetObjectId": "3", "consolidatedAnnotation": {"content": {"mood": "x" * 20_000}}}],
            "more than 20,000 characters",
        ),
    ],
)
def test_a_bad_label_fails_its_own_object_only(entries: list[Any], why: str):
    good = {"datasetObjectId": "17", "consolidatedAnnotation": {"content": {"mood": 1}}}
    bad, other = consolidated([*entries, good])
    assert bad.content is None
    assert why in bad.failure_reason
    assert other.failure_reason is None
    assert other.content["mood"] == 1


def test_a_consolidation_function_that_returns_no_list_fails_the_job():
    with pytest.raises(FunctionFailed, match=r"function:own must return a list of .* returned an object"):
        consolidated({"datasetObjectId": "3"})


def test_only_the_operator_says_which_code_is_run():
    assert functions().problem(None, view(kind="BoundingBox").acs_arn) is None
    problem = functions(**HERE).problem(f"{OURS}own", f"{OURS}os.system")
    assert problem is not None
    assert "function:os.system is not here" in problem
    assert functions(**HERE).problem(f"{OURS}own:7") is None, "a version or an alias is of the same function"
    assert functions(lambda_endpoint="aws").problem(f"{OURS}any") is None
    with pytest.raises(FunctionFailed, match="--labeling-function NAME=MODULE:CALLABLE"):
        functions().task_input(view(pre=f"{OURS}own"), LINE)
    for text, why in (
        ("own", "write NAME=MODULE:CALLABLE"),
        ("own=no_such_module_here:f", "No module named"),
        ("own=json:no_such", "has no attribute 'no_such'"),
        ("own=json:__name__", "no callable"),
    ):
        with pytest.raises(callables.CallableMissing, match=why):
            callables.load((text,))
    with pytest.raises(callables.CallableMissing, match="two callables are named 'own'"):
        callables.load(("own=json:dumps", "own=json:loads"))


# Lambda itself: ministack's, in a process of its own, runs what it is given

_CODE = """
def handler(event, context):
    if "raise" in event["dataObject"]:
        raise KeyError("the line")
    return {"taskInput": {"version": event["version"], "line": event["dataObject"]}}
"""


def answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def lambda_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An endpoint of Lambda with the function ``before``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("lambda")),
        "SERVICES": "lambda,logs,sts", "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0", "LAMBDA_EXECUTOR": "local",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        client = boto3.client(
            "lambda",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("code.py", _CODE)
        eventually(lambda: answers(port))
        client.create_function(
            FunctionName="before",
            Runtime="python3.11",
            Role=ROLE,
            Handler="code.handler",
            Code={"ZipFile": packed.getvalue()},
            Timeout=60,
        )
        yield url
    finally:
        process.terminate()
        process.wait(60)


def test_lambda_is_asked_for_what_is_no_callable(lambda_endpoint: str):
    asked = functions(lambda_endpoint=lambda_endpoint, **HERE)
    job = view(pre=f"{OURS}before")
    assert asked.task_input(job, LINE) == {"version": "2018-10-16", "line": LINE}
    with pytest.raises(FunctionFailed, match=r"LambdaErrorCode: Unhandled\. Ensure .* It said: .*the line"):
        asked.task_input(job, {"raise": True})
    with pytest.raises(FunctionFailed, match="LambdaErrorCode: ResourceNotFoundException"):
        asked.task_input(view(pre=f"{OURS}none"), LINE)


class Unwritable(BaseHTTPRequestHandler):
    """A program that answers as Lambda does, with a number that no float holds."""

    def do_POST(self) -> None:
        body = b'{"taskInput": {"x": 1e999}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_what_lambda_returns_and_nobody_could_store_fails_the_job():
    with ThreadingHTTPServer(("127.0.0.1", 0), Unwritable) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = functions(lambda_endpoint=f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(FunctionFailed, match=r"MarshalError.*is not JSON"):
            asked.task_input(view(pre=f"{OURS}before"), LINE)
        server.shutdown()


def test_an_endpoint_that_does_not_answer_is_asked_again_later():
    asked = functions(lambda_endpoint="http://127.0.0.1:9")
    assert asked.ill == []
    with pytest.raises(FunctionAway, match="Lambda cannot be asked"):
        asked.task_input(view(pre=f"{OURS}before"), LINE)
    assert "Lambda did not answer" in asked.ill[0], "and health says so"
