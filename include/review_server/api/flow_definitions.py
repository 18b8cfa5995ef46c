"""Control plane: flow definitions, from Initializing to gone.

A flow definition cannot be changed. Creating one only records it; ``FlowJobs`` then looks at its output
bucket and makes it Active (or Failed, with the reason), and takes apart what is being deleted, in steps small
enough for five thousand open loops.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.review_server.api.task_uis import live_task_ui
from include.review_server.arns import Arns
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import FlowDefinition, HumanLoop, HumanTaskUi, Workteam, inline
from include.review_server.db.pages import page
from include.review_server.db.statuses import FlowStatus, ItemStatus
from include.review_server.s3 import S3_ERRORS, ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.templates.first_look import first_look
from include.review_server.templates.render_pool import RenderPool
from include.review_server.work.complaints import complain
from include.review_server.work.lifecycle import locked_all, stop
from include.wire import AwsError

log = logging.getLogger(__name__)

_MOST = 100  # the account's quota
# The model gives no default for the first; older references capped it at ten days. The second is documented.
_AVAILABILITY_SECONDS = 864_000
_TIME_LIMIT_SECONDS = 3_600
_ECHOED = (
    "HumanLoopRequestSource",
    "HumanLoopActivationConfig",
    "HumanLoopConfig",
    "OutputConfig",
    "RoleArn",
)


class FlowDefinitionOperations:
    """The operations on flow definitions. ``wake`` tells the background that there is work."""

    def __init__(
        self, database: Database, clock: Clock, arns: Arns, wake: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._clock = clock
        self._arns = arns
        self._wake = wake

    def create_flow_definition(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["FlowDefinitionName"]
        config = params.get("HumanLoopConfig")
        if params.get("HumanLoopRequestSource") or params.get("HumanLoopActivationConfig"):
            raise _invalid(
                "built-in task types (HumanLoopRequestSource, HumanLoopActivationConfig) need Rekognition or "
                "Textract: leave both out, and start loops yourself"
            )
        if config is None:
            raise _invalid("HumanLoopConfig is required")
        try:
            S3Location.parse(params["OutputConfig"]["S3OutputPath"])
        except ValueError as error:
            raise _invalid(f"OutputConfig.S3OutputPath: {error}") from None
        taken = AwsError("ResourceInUse", f"Flow definition {name} exists already and cannot be changed")
        try:
            with self._database.write() as session:
                if live_flow(session, name):
                    raise taken
                self._check_quota(session)
                flow = FlowDefinition(
                    name=name,
                    status=FlowStatus.INITIALIZING,
                    is_open=False,
                    created_at=self._clock(),
                    workteam_name=self._workteam(session, config["WorkteamArn"]),
                    human_task_ui_id=self._task_ui(session, config["HumanTaskUiArn"]),
                    title=config["TaskTitle"],
                    description=config["TaskDescription"],
                    workers_per_item=config["TaskCount"],
                    availability_seconds=config.get(
                        "TaskAvailabilityLifetimeInSeconds", _AVAILABILITY_SECONDS
                    ),
                    time_limit_seconds=config.get("TaskTimeLimitInSeconds", _TIME_LIMIT_SECONDS),
                    output_path=params["OutputConfig"]["S3OutputPath"],
                    kms_key_id=params["OutputConfig"].get("KmsKeyId"),
                    request=json.dumps({key: params[key] for key in _ECHOED if key in params}),
                )
                session.add(flow)
        except IntegrityError:
            raise taken from None
        self._wake()
        return {"FlowDefinitionArn": self._arns.flow_definition(name)}

    def describe_flow_definition(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            flow = self._existing(session, params["FlowDefinitionName"])
            return json.loads(flow.request) | {
                "FlowDefinitionArn": self._arns.flow_definition(flow.name),
                "FlowDefinitionName": flow.name,
                "FlowDefinitionStatus": flow.status.value,
                "CreationTime": flow.created_at,
                "FailureReason": flow.failure_reason,
            }

    def list_flow_definitions(self, params: dict[str, Any]) -> dict[str, Any]:
        with self._database.read() as session:
            live = select(FlowDefinition).where(FlowDefinition.status != FlowStatus.DELETED)
            flows, token = page(session, live, FlowDefinition, params)
            return {
                "FlowDefinitionSummaries": [
                    {
                        "FlowDefinitionName": flow.name,
                        "FlowDefinitionArn": self._arns.flow_definition(flow.name),
                        "FlowDefinitionStatus": flow.status.value,
                        "CreationTime": flow.created_at,
                        "FailureReason": flow.failure_reason,
                    }
                    for flow in flows
                ],
                "NextToken": token,
            }

    def delete_flow_definition(self, params: dict[str, Any]) -> None:
        with self._database.write() as session:
            flow = self._existing(session, params["FlowDefinitionName"])
            # Documented for Active only; a Failed one has no loops and would otherwise stay for ever.
            if flow.status not in (FlowStatus.ACTIVE, FlowStatus.FAILED):
                raise AwsError(
                    "ResourceInUse", f"Flow definition {flow.name} is {flow.status}, not Active: wait"
                )
            flow.status, flow.is_open = FlowStatus.DELETING, False
        self._wake()

    def _existing(self, session: Session, name: str) -> FlowDefinition:
        flow = live_flow(session, name)
        if flow is None:
            raise AwsError("ResourceNotFound", f"Could not find flow definition {name}")
        return flow

    def _check_quota(self, session: Session) -> None:
        live = select(func.count()).where(FlowDefinition.status != FlowStatus.DELETED)
        if session.scalars(live).one() >= _MOST:
            raise AwsError("ResourceLimitExceeded", f"the account has {_MOST} flow definitions: delete one")

    def _workteam(self, session: Session, arn: str) -> str:
        name = self._arns.name_in(arn, "workteam")
        if name is None or session.get(Workteam, name) is None:
            raise _invalid(
                f"HumanLoopConfig.WorkteamArn: could not find work team {arn}; teams of this server are "
                f"{self._arns.workteam('<name>')}"
            )
        return name

    def _task_ui(self, session: Session, arn: str) -> int:
        name = self._arns.name_in(arn, "human-task-ui")
        ui = live_task_ui(session, name) if name else None
        if ui is None:
            raise _invalid(f"HumanLoopConfig.HumanTaskUiArn: could not find human task UI {arn}")
        return ui.id


class FlowJobs:
    """What flow definitions need in the background. Each method returns whether more is waiting.

    ``renderers`` look at the template when work with it begins.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        store: ObjectStore,
        renderers: RenderPool,
        steps: int = 200,
    ) -> None:
        self._database = database
        self._renderers = renderers
        self._clock = clock
        self._store = store
        self._steps = steps
        self._told: set[int] = set()

    def activate(self) -> bool:
        """Initializing → Active, or Failed when the output bucket is not there."""
        for flow_id, output_path in self._with_status(FlowStatus.INITIALIZING):
            found = first_look(self._renderers, self._database, self._template(flow_id))
            try:
                problem = self._store.bucket_problem(S3Location.parse(output_path).bucket)
            except S3_ERRORS as error:
                # Asked again every time, told once.
                if flow_id not in self._told:
                    log.warning("a flow definition stays Initializing, S3 does not answer: %s", error)
                    self._told.add(flow_id)
                continue
            with self._database.write() as session:
                flow = session.get(FlowDefinition, flow_id, with_for_update=True)
                if flow and flow.status is FlowStatus.INITIALIZING:
                    flow.status = FlowStatus.FAILED if problem else FlowStatus.ACTIVE
                    flow.is_open = not problem
                    flow.failure_reason = f"S3OutputPath: {problem}" if problem else None
                    for message in found:
                        complain(session, flow_id, message, self._clock())
        return False

    def delete(self) -> bool:
        """Deleting: stop the open loops step by step; gone once none is in flight."""
        more = False
        for flow_id, _ in self._with_status(FlowStatus.DELETING):
            with self._database.write() as session:
                query = select(HumanLoop.id).where(
                    HumanLoop.queue_id == flow_id, HumanLoop.status == inline(ItemStatus.IN_PROGRESS)
                )
                open_loops = list(session.scalars(query.order_by(HumanLoop.id).limit(self._steps)))
                for loop in locked_all(session, open_loops):
                    stop(session, loop, self._clock())
                session.flush()
                flow = session.get(FlowDefinition, flow_id, with_for_update=True, populate_existing=True)
                if flow and not open_loops and flow.in_flight == 0:
                    flow.status = FlowStatus.DELETED
                more = more or len(open_loops) == self._steps
        return more

    def _template(self, flow_id: int) -> str:
        query = select(HumanTaskUi.content).join(
            FlowDefinition, FlowDefinition.human_task_ui_id == HumanTaskUi.id
        )
        with self._database.read() as session:
            return session.scalars(query.where(FlowDefinition.id == flow_id)).one()

    def _with_status(self, status: FlowStatus) -> list[tuple[int, str]]:
        with self._database.read() as session:
            query = select(FlowDefinition.id, FlowDefinition.output_path)
            rows = session.execute(query.where(FlowDefinition.status == status))
            return [(row.id, row.output_path) for row in rows]


def live_flow(session: Session, name: str) -> FlowDefinition | None:
    """The flow definition of that name that is not gone."""
    query = select(FlowDefinition).where(
        FlowDefinition.name == name, FlowDefinition.status != FlowStatus.DELETED
    )
    return session.scalars(query).one_or_none()


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
