"""The reviewers' queue: how many questions are open, and whether that is worth telling somebody."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from include.loop.config import NotifyEvent

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightloop.operators.loop_operator import LoopClients

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=30)  # questions that are older are nobody's work any more


def open_questions(task: LoopClients, batch: str) -> int:
    """The open human loops of the flow definition that asks about a batch, other batches' included."""
    from include.loop.nightly.human_loops import list_loops, watch

    flow_definition = watch(task.workspace, batch).flow_definition_arn
    since = datetime.now(UTC) - LOOK_BACK
    loops = list_loops(task.workspace.clients.a2i, flow_definition, since)
    return sum(status.is_open for _, status in loops)


def notify_of_queue(task: LoopClients, context: Context, batch: str) -> None:
    """Tell when nothing is left to answer, or too much. No reason to fail a task."""
    from botocore.exceptions import BotoCoreError, ClientError

    settings = task.workspace.environment.notify
    if settings is None or not {NotifyEvent.QUEUE_EMPTY, NotifyEvent.QUEUE_OVERFULL} & set(settings.events):
        return
    try:
        count = open_questions(task, batch)
    except (BotoCoreError, ClientError) as error:
        log.warning("The reviewers' queue was not looked at: %s", error)
        return
    if count == 0:
        text = "Every question is answered."
        task.notify(context, NotifyEvent.QUEUE_EMPTY, "the reviewers' queue is empty", text)
    elif count > settings.queue_overfull:
        text = f"{count} questions are open, more than {settings.queue_overfull}."
        task.notify(context, NotifyEvent.QUEUE_OVERFULL, "the reviewers' queue is overfull", text)
