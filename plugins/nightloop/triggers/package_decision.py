"""Waiting for a person's decision about a model package, wherever it is made.

A person answers in Airflow, which wakes the waiting task by itself, or changes the package's approval status
with any SageMaker client, which only a look at SageMaker can see. The trigger looks for both: an answer that
comes in the moment before the task waits wakes nobody.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from include.loop.models.registry import Approval
from nightloop.triggers.polling import PollingTrigger

log = logging.getLogger(__name__)


class PackageDecisionTrigger(PollingTrigger):
    """Waits until a package is no longer PendingManualApproval, or somebody has answered in Airflow, or the
    time to answer is over. Ends with the status and Airflow's answer, if there is one.

    :param package_arn: the model package.
    :param ti_id: id of the task instance that asks.
    :param until: end of the time to answer, ISO 8601 with a time zone.
    """

    slowest = 10.0

    def __init__(self, *, package_arn: str, ti_id: str, until: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.package_arn = package_arn
        self.ti_id = ti_id
        self.until = until
        self.status = str(Approval.PENDING)
        self.answer: dict[str, Any] | None = None

    def watched(self) -> dict[str, Any]:
        return {"package_arn": self.package_arn, "ti_id": self.ti_id, "until": self.until}

    def hook(self) -> Any:
        from nightloop.hooks.loop_aws import LoopAwsHook

        return LoopAwsHook(self.aws_conn_id, client_type="sagemaker", region_name=self.region_name)

    async def look(self, client: Any) -> bool:
        self.answer = await sync_to_async(find_answer)(self.ti_id)
        package = await client.describe_model_package(ModelPackageName=self.package_arn)
        self.status = package["ModelApprovalStatus"]
        return self.answer is not None or self.status != Approval.PENDING

    def result(self) -> dict[str, Any]:
        return {"status": self.status, "answer": self.answer}

    def deadline(self) -> datetime:
        return datetime.fromisoformat(self.until)


def find_answer(ti_id: str) -> dict[str, Any] | None:
    """What somebody chose in Airflow, in the shape of the event with which Airflow wakes the task.

    None as well while Airflow cannot say: its API server is being restarted, or the task was cleared. The
    next look asks again.
    """
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.hitl import get_hitl_detail_content_detail

    try:
        detail = get_hitl_detail_content_detail(UUID(ti_id))
    except AirflowRuntimeError as error:
        log.warning("Airflow does not say whether somebody answered: %s", error)
        return None
    # `dag.test()` runs triggers in a process that is told nothing: there SageMaker alone can decide.
    if not (getattr(detail, "response_received", False) and detail.chosen_options):
        return None
    by = detail.responded_by_user
    return {
        "chosen_options": list(detail.chosen_options),
        "params_input": detail.params_input or {},
        "responded_at": detail.responded_at,
        "responded_by_user": {"id": by.id, "name": by.name} if by else None,
        "timedout": False,
    }
