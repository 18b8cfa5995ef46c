"""The steps behind a trained model: what each says, skips, and leaves in S3."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.types import TaskInstanceKey

from include.loop.core.records.verdict import Verdict
from nightloop.operators.approval import ApproveOperator, question
from nightloop.operators.challenger import PromoteOperator, RecordOperator, RegisterOperator
from nightloop.operators.serving import DeployOperator, TearDownOperator
from nightloop.triggers.package_decision import PackageDecisionTrigger
from tests.airflow.listeners import Listener
from tests.airflow.place import Place, again, first_event, notify

JOB = "pets-train-0123456789-1"
KEY = TaskInstanceKey("dag", "record", "run", 1)
FINE: dict[str, Any] = {
    "rule": "floor",
    "slice": "day",
    "value": 0.5,
    "limit": 0,
    "passed": True,
    "judged": True,
}
FEW: dict[str, Any] = {
    "rule": "images",
    "slice": "night",
    "value": 3,
    "limit": 10,
    "passed": True,
    "judged": False,
}
VERDICT: dict[str, Any] = {
    "training_job": JOB,
    "champion": None,
    "promote": True,
    "reasons": ["first model: day 0.5"],
    "schema_version": 2,
    "metric": "mAP@0.5",
    "score": {"day": 0.5},
    "before": None,
    "rules": [FINE | {"text": "fine"}, FEW | {"text": "few"}],
}


@pytest.fixture
def judged(place: Place) -> Place:
    """A model as training and the gate leave it, without having trained one."""
    model: dict[str, Any] = {
        "training_job": JOB,
        "dataset_id": "d1",
        "parent": None,
        "model_data": "s3://b/model.tar.gz",
    }
    model |= {"base_network": "resnet-50", "num_classes": 2, "image_shape": 300}
    place.put(f"models/{JOB}/model.json", json.dumps(model).encode())
    place.put("datasets/d1/dataset.json", b'{"dataset_id": "d1", "backfilled": []}')
    place.put(f"evaluations/{JOB}/verdict.json", json.dumps(VERDICT).encode())
    return place


def register(place: Place, ask: bool = True) -> dict[str, Any]:
    task = RegisterOperator(task_id="register", pipeline=place.name, training_job=JOB, ask=ask)
    return dict(place.run(task))


def status(place: Place) -> str:
    arn = json.loads(place.read(f"{place.name}/registry/{JOB}.json"))["package_arn"]
    found = place.cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
    return str(found["ModelApprovalStatus"])


def answer(option: str, name: str = "ada", **params: str) -> dict[str, Any]:
    """The event with which Airflow wakes a task that asked."""
    return {
        "chosen_options": [option],
        "params_input": params,
        "responded_at": datetime(2026, 11, 2, tzinfo=UTC),
        "responded_by_user": {"id": name, "name": name},
        "timedout": False,
    }


def approve(place: Place) -> ApproveOperator:
    with DAG("one"):
        return ApproveOperator(task_id="approve", pipeline=place.name, training_job=JOB, why="it was asked")


def test_a_rejection_in_airflow_rejects_the_package_by_name(judged: Place, slack: Listener) -> None:
    notify(judged)
    assert register(judged)["ask"] is True
    event = answer("Reject", comment="blurred at night")
    approve(judged).execute_complete(judged.context(), event)
    assert status(judged) == "Rejected"
    decision = json.loads(judged.read(f"{judged.name}/registry/{JOB}.decision.json"))
    assert (decision["by"], decision["comment"]) == ("ada", "blurred at night")
    [text] = slack.slack_texts()
    assert f"a person turned {JOB} down\nada: blurred at night" in text
    for task in (PromoteOperator, DeployOperator):
        with pytest.raises(AirflowSkipException, match=JOB):
            judged.run(task(task_id="next", pipeline=judged.name, training_job=JOB))


def test_an_approval_in_airflow_approves_the_package(judged: Place, slack: Listener) -> None:
    notify(judged)
    register(judged)
    approve(judged).execute_complete(judged.context(), answer("Approve"))
    assert status(judged) == "Approved"
    with pytest.raises(AirflowSkipException, match=r"Nobody has to be asked: .* is Approved"):
        judged.run(approve(judged))
    champion = Asset(name="champion", uri="s3://b/champion.json")
    promote = PromoteOperator(task_id="promote", pipeline=judged.name, training_job=JOB, outlets=[champion])
    events = {champion: SimpleNamespace()}
    assert judged.run(promote, outlet_events=events)["promoted"] is True
    assert events[champion].extra == {
        "training_job": JOB, "number": 1, "metric": "mAP@0.5", "score": {"day": 0.5},
    }  # fmt: skip
    [text] = slack.slack_texts()
    assert f"{JOB} is the champion\nIt is number 1." in text


def test_an_answer_the_trigger_saw_counts_as_well(judged: Place) -> None:
    register(judged)
    event = {"ending": "done", "status": "PendingManualApproval", "answer": answer("Approve", "ben")}
    approve(judged).execute_complete(judged.context(), event)
    assert status(judged) == "Approved"


def test_no_answer_leaves_the_package_waiting(judged: Place) -> None:
    register(judged)
    event = {"ending": "deadline", "status": "PendingManualApproval", "answer": None}
    with pytest.raises(AirflowSkipException, match=r"Nobody answered .* stays PendingManualApproval"):
        approve(judged).execute_complete(judged.context(), event)
    assert status(judged) == "PendingManualApproval"
    with pytest.raises(AirflowSkipException, match="waits for somebody to approve"):
        judged.run(PromoteOperator(task_id="promote", pipeline=judged.name, training_job=JOB))


def test_a_decision_in_sagemaker_is_taken_over(judged: Place) -> None:
    event = {"ending": "done", "status": "Approved", "answer": None}
    assert approve(judged).execute_complete(judged.context(), event) == {"status": "Approved"}
    with pytest.raises(AirflowSkipException, match="made Rejected in SageMaker"):
        approve(judged).execute_complete(judged.context(), event | {"status": "Rejected"})
    with pytest.raises(AirflowException, match="no credentials"):
        approve(judged).execute_complete(judged.context(), {"ending": "error", "message": "no credentials"})


def test_the_wait_ends_with_the_decision_or_the_deadline(
    judged: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nightloop.triggers.package_decision.find_answer", lambda ti_id: None
    )  # only a triggerer is told
    arn = register(judged)["package_arn"]

    def waits(until: str) -> Any:
        trigger = PackageDecisionTrigger(
            package_arn=arn, ti_id="0", until=until, interval=0.1, aws_conn_id="aws_default"
        )
        return asyncio.run(first_event(again(trigger)))

    late = waits("2020-01-01T00:00:00+00:00")
    assert (late["ending"], late["status"]) == ("deadline", "PendingManualApproval")
    judged.cloud.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    done = waits("2099-01-01T00:00:00+00:00")
    assert (done["ending"], done["status"], done["answer"]) == ("done", "Approved", None)


def test_the_question_shows_every_rule_and_lets_no_text_out_of_its_cell() -> None:
    hostile = {"rule": "floor", "passed": False, "judged": True, "text": "class <b>|x|</b> [a](http://b)"}
    text = "\n".join(
        question(Verdict.from_value(VERDICT | {"rules": [*VERDICT["rules"], hostile]}), "", "/page")
    )
    assert "| passed | floor | fine |" in text
    assert "| told only | images | few |" in text
    assert r"| FAILED | floor | class \<b\>\|x\|\</b\> \[a\](http://b) |" in text
    assert "**[Read the report](/page)**" in text
    hostile = VERDICT | {"training_job": "a` ![x](http://b) `\n# c", "champion": "`<b>`"}
    text = "\n".join(question(Verdict.from_value(hostile), "", "/page) ![x](http://b"))
    assert "Challenger `a' ![x](http://b) ' # c`, champion `'<b>'`." in text
    assert "**[Read the report](/page%29%20%21%5Bx%5D%28http://b)**" in text


def test_the_record_is_made_before_the_run_is_failed(judged: Place) -> None:
    task = RecordOperator(task_id="record", pipeline=judged.name, training_job=JOB)
    context = judged.context(dag=DAG("one"))
    context["ti"].states = {
        "train": "success",
        "deploy": "failed",
        "promote": "upstream_failed",
        "record": "running",
    }
    with pytest.raises(AirflowFailException, match="see deploy, promote"):
        task.execute(context)
    assert judged.read(f"{judged.name}/reports/{JOB}/index.html").startswith(b"<!")
    context["ti"].states = {"train": "success", "deploy": "skipped"}
    assert task.execute(context)["report_uri"]


@pytest.mark.parametrize(
    ("state", "error"), [("skipped", AirflowSkipException), ("failed", AirflowFailException)]
)
def test_without_a_model_there_is_nothing_to_record(place: Place, state: str, error: type) -> None:
    task = RecordOperator(task_id="record", pipeline=place.name, training_job="")
    context = place.context(dag=DAG("one"))
    context["ti"].states = {"train": state}
    with pytest.raises(error, match="No model was trained"):
        task.execute(context)


def test_the_link_to_the_report_is_the_page_below_airflow(judged: Place) -> None:
    task = RecordOperator(task_id="record", pipeline=judged.name, training_job=JOB)
    task.execute(judged.context(dag=DAG("one")))
    [link] = task.operator_extra_links
    assert link.name == "Report"
    assert link.get_link(task, ti_key=KEY) == f"/nightloop/reports/{judged.name}/{JOB}/index.html"


def test_a_teardown_deletes_only_when_confirmed(judged: Place) -> None:
    listed = judged.run(TearDownOperator(task_id="teardown", pipeline=judged.name))
    assert listed["dry_run"] is True
    for confirm in (None, "yes", "other"):
        task = TearDownOperator(task_id="teardown", pipeline=judged.name, only_list=False, confirm=confirm)
        with pytest.raises(AirflowFailException, match=judged.name):
            judged.run(task)
