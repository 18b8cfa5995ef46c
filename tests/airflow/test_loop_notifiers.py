"""Who is told of what, by real clients of the three services; and that a notice is no step of the loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from airflow.sdk import DAG

from include.loop.config import NotifyEvent, load_environment
from include.loop.core.errors import ConfigurationError
from nightloop.loop_notifiers import Notice, run_has_failed, send
from tests.airflow.listeners import Listener, Mailbox, Webhook, listening
from tests.support.cloud import ROOT

TOPIC = "arn:aws:sns:us-east-1:000000000000:nightloop"
NOTICE = Notice(
    NotifyEvent.MODEL_TURNED_DOWN,
    "pets: the gate said no",
    "class <b> {{ 7 * 7 }} & co",
    "http://airflow/run",
)


class Told:
    """An environment that tells people at a mail server and at webhooks of the test's own."""

    def __init__(self, config: Path, mail: Listener, slack: Listener, sns: Listener) -> None:
        self.config, self.mail, self.slack, self.sns = config, mail, slack, sns
        self.everybody: dict[str, Any] = {
            "sns_topic_arn": TOPIC,
            "email": ["team@example.com"],
            "slack_webhook_conn_id": "slack_team",
        }

    def save(self, notify: dict[str, Any] | None) -> None:
        environment = {
            "region": "us-east-1",
            "bucket": "a-bucket",
            "pipeline": "pets",
            "role_arn": "arn:aws:iam::000000000000:role/nightloop",
            "algorithm": "local",
            **({} if notify is None else {"notify": notify}),
        }
        for kind, name, value in (
            ("environments", "local", environment),
            ("pipelines", "pets", {"classes": ["cat"]}),
        ):
            (self.config / kind).mkdir(parents=True, exist_ok=True)
            (self.config / kind / f"{name}.yaml").write_text(yaml.safe_dump(value))


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    with listening(Mailbox) as mail, listening(Webhook) as slack, listening(Webhook) as sns:
        aws = {"region_name": "us-east-1", "endpoint_url": sns.url}
        aws_connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": aws}
        for name, value in {
            "NIGHTLOOP_CONFIG_DIR": str(tmp_path),
            "NIGHTLOOP_ENVIRONMENT": "local",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws_connection),
            "AIRFLOW_CONN_SMTP_DEFAULT": mail.smtp_connection(),
            "AIRFLOW_CONN_SLACK_TEAM": slack.slack_connection(),
            "AIRFLOW__API__BASE_URL": "http://airflow.example.com/",
        }.items():
            monkeypatch.setenv(name, value)
        yield Told(tmp_path, mail, slack, sns)


def test_a_notice_reaches_the_mailbox_the_channel_and_the_topic_as_it_was_written(told: Told) -> None:
    told.save(told.everybody)
    send(NOTICE)
    [mail] = told.mail.mails
    assert (mail["To"], mail["From"]) == ("team@example.com", "nightloop@example.com")
    assert mail["Subject"] == "Nightloop: pets: the gate said no"
    [part] = cast(Any, mail.get_payload())
    text = part.get_payload(decode=True).decode()
    assert "class &lt;b&gt; {{ 7 * 7 }} &amp; co<br>" in text, "neither HTML nor a template"
    assert "http://airflow/run" in text
    assert told.slack.slack_texts() == [
        "Nightloop: pets: the gate said no\nclass &lt;b&gt; {{ 7 * 7 }} &amp; co\nhttp://airflow/run"
    ]
    [message] = told.sns.sns_messages()
    assert (message["TargetArn"], message["Subject"]) == ([TOPIC], ["Nightloop: pets: the gate said no"])
    assert [json.loads(text)["default"] for text in message["Message"]] == [
        "class <b> {{ 7 * 7 }} & co\nhttp://airflow/run"
    ]


def test_a_service_that_is_away_fails_nothing_and_the_others_are_still_told(
    told: Told, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(Webhook) as gone:
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_TEAM", gone.slack_connection())
    told.save({name: value for name, value in told.everybody.items() if name != "sns_topic_arn"})
    send(NOTICE)
    assert len(told.mail.mails) == 1
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    send(NOTICE)  # no such connection
    (told.config / "environments" / "local.yaml").write_text("region: [")
    send(NOTICE)  # and not even an environment
    assert "SlackWebhookNotifier told nobody of model_turned_down" in caplog.text
    assert "SmtpNotifier told nobody of model_turned_down" in caplog.text
    assert "Nobody was told of model_turned_down: ConfigurationError" in caplog.text


def test_only_the_events_that_were_asked_for_are_told(told: Told) -> None:
    slack = {"slack_webhook_conn_id": "slack_team"}
    for notify in (None, slack | {"events": ["run_failed"]}, slack | {"events": ["model_turned_down"]}):
        told.save(notify)
        send(NOTICE)
    assert len(told.slack.posts) == 1


def test_an_event_that_does_not_exist_is_refused_with_those_that_do(told: Told) -> None:
    told.save({"events": ["run_fails"]})
    with pytest.raises(
        ConfigurationError, match=r"notify\.events\.0: .*'run_failed'.*'queue_overfull' or 'drift'"
    ):
        load_environment()


def test_a_failed_run_is_told_with_its_reason_and_its_page(told: Told) -> None:
    told.save({"slack_webhook_conn_id": "slack_team"})
    dag = DAG("nightly_review__pets")
    context: Any = {"dag": dag, "run_id": "manual__2026-11-02T00:00:00+00:00", "reason": "task_failure"}
    run_has_failed(context)
    [text] = told.slack.slack_texts()
    assert text.startswith("Nightloop: nightly_review__pets failed\n")
    assert "(task_failure)" in text
    page = (
        "http://airflow.example.com/dags/nightly_review__pets/runs/manual__2026-11-02T00%3A00%3A00%2B00%3A00"
    )
    assert page in text


@pytest.mark.usefixtures("airflow_database")
def test_a_run_that_takes_too_long_is_told_by_airflows_own_deadline(told: Told) -> None:
    """From the DAG file by way of Airflow's database to the callback as the triggerer makes it."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbag import DBDagBag
    from airflow.models.deadline import Deadline
    from airflow.sdk import DagRunState
    from airflow.sdk._shared.module_loading import import_string
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    told.save({"slack_webhook_conn_id": "slack_team", "late_hours": 36})
    bag = DagBag(str(ROOT / "dags"), bundle_path=ROOT / "dags", bundle_name="dags-folder")
    assert not bag.dags["deployment__pets"].deadline, "nothing waits for a run that a person starts"
    DagBundlesManager().sync_bundles_to_db()
    with create_session() as session:
        sync_bag_to_db(bag, "dags-folder", None, session=session)
        session.commit()
        stored: Any = DBDagBag().get_latest_version_of_dag("nightly_review__pets", session=session)
        now = datetime.now(UTC)
        run = stored.create_dagrun(
            run_id="late", run_type=DagRunType.MANUAL, state=DagRunState.QUEUED, run_after=now,
            triggered_by=DagRunTriggeredByType.TEST, session=session,
        )  # fmt: skip
        session.flush()
        [deadline] = session.query(Deadline).filter(Deadline.dagrun_id == run.id)
        assert abs(deadline.deadline_time - now - timedelta(hours=36)) < timedelta(minutes=5)
        deadline.handle_miss(session)  # as the scheduler does when the time has come
        trigger = import_string(deadline.callback.trigger.classpath)(**deadline.callback.trigger.kwargs)
        session.rollback()

    async def events() -> list[Any]:
        return [event.payload["state"] async for event in trigger.run()]

    assert asyncio.run(events()) == ["running", "success"]
    [text] = told.slack.slack_texts()
    assert "nightly_review__pets is late\nRun late has not ended 36 hours after it was queued." in text
