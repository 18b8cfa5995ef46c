"""The wait for people: one deferred task, one trigger, one paged listing per interval, however many loops
there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowException

from include.loop.config import NotifyEvent
from nightloop.batch_queue import notify_of_queue
from nightloop.links import OwnersViewLink, ReviewPortalLink
from nightloop.operators.loop_operator import AWS_CONN_ID, REVIEW_CONN_ID, LoopClients, domain_errors
from nightloop.seen_outside import gauge

if TYPE_CHECKING:
    from airflow.sdk import Context


class HumanLoopsSensor(LoopClients, BaseSensorOperator):
    """Waits until a batch's human loops have come to an end, or until the batch's deadline, and returns
    counts.

    The deadline is no failure: the flow goes on with the answers that are there, and later ones are
    picked up by the next batch. It is carried by the trigger, because a deferral that times out would
    fail the sensor for good.

    :param batch: id of the batch.
    """

    template_fields: Sequence[str] = ("pipeline", "batch")
    operator_extra_links = (ReviewPortalLink(), OwnersViewLink())
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        pipeline: str,
        batch: str,
        aws_conn_id: str = AWS_CONN_ID,
        review_conn_id: str = REVIEW_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.batch = batch
        self.aws_conn_id = aws_conn_id
        self.review_conn_id = review_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.human_loops import watch
        from nightloop.triggers.loops_answered import HumanLoopsTrigger

        with domain_errors():
            waited_for = watch(self.workspace, self.batch)
        self.find_portal()
        if not waited_for.expected:
            self.log.info(
                "Nothing is asked about %s that is not in its labels yet: no one to wait for.", self.batch
            )
            return {"expected": 0}
        self.log.info(
            "Waiting for %d human loops of %s, until %s at the latest, without a worker slot.",
            waited_for.expected, self.batch, waited_for.deadline,
        )  # fmt: skip
        review = self.workspace.environment.review
        self.defer(
            trigger=HumanLoopsTrigger(
                watch=waited_for.to_dict(),
                events_queue=review.events_queue,
                queue_conn_id=self.aws_conn_id,
                interval=review.poll_seconds,
                aws_conn_id=self.review_conn_id,
                region_name=self.workspace.environment.region,
            ),
            method_name="execute_complete",
            kwargs={"expected": waited_for.expected},
        )

    def execute_complete(self, context: Context, event: dict[str, Any], expected: int) -> dict[str, Any]:
        from nightloop.triggers.polling import Ending

        if event["ending"] == Ending.ERROR:
            raise AirflowException(f"Could not watch the human loops of {self.batch}: {event['message']}")
        self.find_portal()  # the link is stored anew whenever an execution ends
        counts = {"expected": expected, **event["counts"]}
        gauge("human_loops.open", counts["open"], pipeline=self.pipeline)
        if event["ending"] == Ending.DEADLINE:
            self.log.warning("The deadline has passed, going on with what is there: %s", counts)
            subject = f"the deadline of {self.batch} has passed"
            text = f"{counts['open']} of {expected} questions have no answer; what comes later is not lost."
            self.notify(context, NotifyEvent.DEADLINE_PASSED, subject, text)
        else:
            self.log.info("Every human loop has come to an end: %s", counts)
            notify_of_queue(self, context, self.batch)
        return counts
