"""People are told: the environment's `notify`, by the notifiers of Airflow's providers (SNS, SMTP, Slack).

A notice is a help and no step of the loop: whatever goes wrong while it is sent is logged, and nothing else
happens. Its text is never taken for a template: names of images and models come from outside.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.loop.config import NotifyEvent, load_environment

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.loop.config import Environment

log = logging.getLogger(__name__)

SLACK_SECONDS = 10  # a notice is not worth a longer wait
LONGEST_SUBJECT = 100  # SNS: ASCII, one line, up to so many characters


@dataclass(frozen=True)
class Notice:
    """What is told: one line, some sentences, and the page in Airflow, where its address is known."""

    event: NotifyEvent
    subject: str
    text: str
    link: str = ""


def send(notice: Notice) -> None:
    """Tell everybody whom the environment names for this event. Never raises."""
    try:
        environment = load_environment()
        settings = environment.notify
        if settings is None or notice.event not in settings.events:
            return
        for notifier in notifiers(environment, notice):
            _try(notifier, notice)
    except Exception as error:
        log.warning("Nobody was told of %s: %s: %s", notice.event, type(error).__name__, error)


def _try(notifier: Any, notice: Notice) -> None:
    name = type(notifier).__name__
    try:
        notifier.notify({})  # not by calling it, which would render the text as a template
        log.info("Told by %s: %s", name, notice.subject)
    except Exception as error:
        log.warning("%s told nobody of %s: %s: %s", name, notice.event, type(error).__name__, error)


def notifiers(environment: Environment, notice: Notice) -> Iterator[Any]:
    """The providers' notifiers for what the environment names, each made when its turn has come."""
    settings = environment.notify
    if settings is None:
        return
    subject = " ".join(f"Nightloop: {notice.subject}".split())
    body = f"{notice.text}\n{notice.link}".strip()
    if settings.slack_webhook_conn_id:
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

        yield SlackWebhookNotifier(
            slack_webhook_conn_id=settings.slack_webhook_conn_id,
            text=html.escape(f"{subject}\n{body}", quote=False),  # Slack's own rule: &, < and >
            timeout=SLACK_SECONDS,
        )
    if settings.email:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        yield SmtpNotifier(
            to=list(settings.email),
            from_email=settings.email_from,
            smtp_conn_id=settings.smtp_conn_id,
            subject=subject,
            html_content=html.escape(body).replace("\n", "<br>\n"),
        )
    if settings.sns_topic_arn:
        from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

        yield SnsNotifier(
            target_arn=settings.sns_topic_arn,
            subject=subject.encode("ascii", "replace").decode()[:LONGEST_SUBJECT],
            message=body,
            region_name=environment.region,
        )


def run_has_failed(context: Context) -> None:
    """Of a DAG (`on_failure_callback`): tells that its run has failed. Airflow's DAG processor calls it."""
    known: dict[str, Any] = dict(context)
    dag_id, run = known["dag"].dag_id, known["run_id"]
    why = f" ({known['reason']})" if known.get("reason") else ""
    text = f"Run {run}{why}. The log of the task that failed says what to do."
    send(Notice(NotifyEvent.RUN_FAILED, f"{dag_id} failed", text, run_page(dag_id, run)))


async def run_is_late(hours: float, context: dict[str, Any]) -> None:
    """Of a DAG (`deadline`): tells that its run takes longer than it should. Airflow's triggerer calls it."""
    from asgiref.sync import sync_to_async

    run = context["dag_run"]
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    text = f"Run {run_id} has not ended {hours:g} hours after it was queued."
    notice = Notice(NotifyEvent.RUN_LATE, f"{dag_id} is late", text, run_page(dag_id, run_id))
    await sync_to_async(send)(notice)  # in a thread: the notifiers block


def run_page(dag_id: str, run_id: str) -> str:
    """The address of a run in Airflow's UI; empty where Airflow does not know its own."""
    from urllib.parse import quote

    from airflow.sdk import conf

    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id)}" if base else ""
