"""What every task of the loop shares: its workspace, its AWS clients, and how an error of the domain ends
a task.

`LoopOperator` is the base of all operators here. A subclass says in `execute_step` which function of
`include.loop` it calls and logs what came of it; the small dict that function returns becomes the task's
XCom.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from include.loop.core.errors import Fatal, Skip

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.loop.config import NotifyEvent
    from include.loop.core.clients import Clients
    from include.loop.workspace import Workspace

log = logging.getLogger(__name__)

REPORTS_PATH = "/nightloop/reports"  # of the plugin's pages, below Airflow's own address

LOOK_EVERY = 0.5  # seconds, while a task keeps its worker
AWS_CONN_ID = "aws_default"  # S3 and SageMaker
REVIEW_CONN_ID = "aws_review"  # A2I or the review server; aws_default where it is not defined


class LoopClients:
    """The workspace and the clients of a task, made when first used.

    Those of the review plane come from a connection of their own.
    """

    pipeline: str
    aws_conn_id: str
    review_conn_id: str
    portal_url: str = ""
    owners_url: str = ""
    report_url: str = ""
    _lineage: tuple[list[str], list[str]] = ([], [])

    @cached_property
    def workspace(self) -> Workspace:
        from include.loop.workspace import open_workspace

        return open_workspace(self.clients, self.pipeline)

    @cached_property
    def clients(self) -> Clients:
        from include.loop.core.clients import Clients

        return Clients(self._client)

    def notify(self, context: Context, event: NotifyEvent, subject: str, text: str) -> None:
        """Tell whom the environment names; no reason to fail a task, whatever goes wrong."""
        from nightloop.loop_notifiers import Notice, run_page, send

        dag = context.get("dag")
        page = run_page(dag.dag_id, context["run_id"]) if dag else ""
        send(Notice(event, f"{self.pipeline}: {subject}", text, page))

    def describe_event(self, context: Context, **extra: Any) -> None:
        """Give the asset events that this task is about to emit what other DAGs may want to know."""
        events: Any = context
        for outlet in getattr(self, "outlets", ()):
            events["outlet_events"][outlet].extra = extra

    def set_lineage(self, inputs: list[str], outputs: list[str]) -> None:
        """The S3 URIs that the task has read and written, for OpenLineage."""
        self._lineage = inputs, outputs

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What Airflow's OpenLineage provider asks an operator for."""
        from nightloop.seen_outside import lineage

        return lineage(*self._lineage)

    def find_portal(self) -> str:
        """Where the reviewers sign in and where owners look, kept for the links. No reason to fail a task."""
        from botocore.exceptions import BotoCoreError, ClientError

        from include.loop.nightly.review_setup import portal

        self.portal_url = self.workspace.environment.review.portal_url or ""
        try:
            found = portal(self.workspace)
        except (Fatal, BotoCoreError, ClientError) as error:
            log.info("No link to the review portal: %s", error)
            return self.portal_url
        self.portal_url = found.portal_url
        # Amazon's own portal has no page for owners; the review server has one per flow definition.
        if not self.clients.review.meta.endpoint_url.endswith("amazonaws.com"):
            flow = found.flow_definition_arn.rpartition("/")[2]
            self.owners_url = f"{self.portal_url}/owner/flows/{flow}"
        return self.portal_url

    def find_report(self, training_job: str | None = None) -> str:
        """Where Airflow shows a round's report, or the pipeline's history; kept for the links."""
        from urllib.parse import urlsplit

        from airflow.sdk import conf

        # The path only: a browser has Airflow's host already, and may know it under another name.
        prefix = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        page = f"{training_job}/index.html" if training_job else "index.html"
        self.report_url = f"{prefix}{REPORTS_PATH}/{self.pipeline}/{page}"
        return self.report_url

    def _client(self, service: str, review: bool) -> Any:
        from nightloop.hooks.loop_aws import AugmentedAIHook, LoopAwsHook

        if review:
            hook: LoopAwsHook = AugmentedAIHook(
                self.review_conn_id, client_type=service, region_name=self._region()
            )
        else:
            hook = LoopAwsHook(self.aws_conn_id, client_type=service, region_name=self._region())
        return hook.get_conn()

    def _region(self) -> str:
        from include.loop.config import load_environment

        return load_environment().region


class LoopOperator(LoopClients, BaseOperator):
    """Runs one step of the loop for one pipeline.

    :param pipeline: name of a file in `include/pipelines`, without `.yaml`.
    :param aws_conn_id: connection for S3 and SageMaker.
    :param review_conn_id: connection for the review plane.
    """

    template_fields: Sequence[str] = ("pipeline",)
    ui_color = "#e8f0fb"
    killed = False

    def __init__(
        self,
        *,
        pipeline: str,
        aws_conn_id: str = AWS_CONN_ID,
        review_conn_id: str = REVIEW_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.aws_conn_id = aws_conn_id
        self.review_conn_id = review_conn_id

    def execute(self, context: Context) -> Any:
        with domain_errors():
            return self.execute_step(context)

    @abstractmethod
    def execute_step(self, context: Context) -> dict[str, Any] | list[int]:
        """Do the step, log what came of it, return counts and S3 URIs, or what tasks are mapped over."""

    def ends_soon(self, has_ended: Callable[[], bool]) -> bool:
        """Whether something ends within the seconds for which a task keeps its worker in this environment:
        so many in all, however much it waits for. Raises when the task is killed meanwhile.

        Where what is waited for takes seconds, that is less work than to defer and to begin the task anew.
        """
        began = time.monotonic()
        while time.monotonic() < self._keeps_worker_until:
            ended = has_ended()
            self.stop_if_killed()
            if ended:
                return True
            waited = time.monotonic() - began
            time.sleep(min(max(LOOK_EVERY, waited / 20), self.workspace.environment.poll_seconds))
            self.stop_if_killed()
        return False

    def stop_if_killed(self) -> None:
        """Airflow calls `on_kill` in the middle of whatever the task does, and the task goes on after it: it
        must not start what nobody would watch.
        """
        if self.killed:
            raise AirflowException("The task was killed.")

    @cached_property
    def _keeps_worker_until(self) -> float:
        return time.monotonic() + self.workspace.environment.airflow.wait_seconds

    def end_with_plan(self, context: Context, plan: dict[str, Any], *lines: str) -> NoReturn:
        """End a run that was to look only: the plan as XCom and in the log, and skip."""
        for line in lines:
            # Airflow's page cuts the reason of a skip off at its edge.
            self.log.info("%s", line)
        context["ti"].xcom_push(key="plan", value=plan)
        raise AirflowSkipException(f"plan_only: {lines[0]}")


@contextmanager
def domain_errors() -> Iterator[None]:
    """Nothing to do: skip. A person must change something: fail at once. All else is left to the retries."""
    try:
        yield
    except Skip as error:
        raise AirflowSkipException(str(error)) from error
    except Fatal as error:
        raise AirflowFailException(str(error)) from error
