"""A person's yes or no to a model, asked in Airflow's own way ("Required actions" in the UI).

Built on ApprovalOperator of the standard provider. What is different: nobody is asked when the package is
decided already, the answer is written to the model registry, which is the one truth of what may be used, and
a decision made there with any SageMaker client counts as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from include.loop.config import NotifyEvent
from nightloop.links import ReportLink
from nightloop.operators.loop_operator import AWS_CONN_ID, LoopClients, domain_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.loop.core.records.verdict import Verdict

TIME_TO_ANSWER = timedelta(days=3)
OUTCOME = {True: "passed", False: "FAILED"}


class ApproveOperator(LoopClients, ApprovalOperator):
    """Asks a person whether a model may be used, when its package is PendingManualApproval; skips otherwise.

    The question shows each rule of the verdict with its numbers, and links to the report. A rejection
    rejects the package with the person's name, and the steps behind skip; that is a good end of the run. When
    nobody answers in time the package stays as it is, the run ends without a new champion, and clearing this
    task asks again.

    :param training_job: name of the challenger's training job.
    :param why: why a person is asked, as `RegisterOperator` returned it.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "pipeline", "training_job", "why")
    operator_extra_links = (ReportLink(),)
    ui_color = "#e6f4ea"

    def __init__(
        self,
        *,
        pipeline: str,
        training_job: str,
        why: str,
        response_timeout: timedelta = TIME_TO_ANSWER,
        aws_conn_id: str = AWS_CONN_ID,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("params", None)  # the DAG's own, which Airflow hands in once more below
        super().__init__(
            subject=f"May the new model of {pipeline} be used?",
            params={"comment": Param("", type="string", maxLength=500, title="Comment")},
            response_timeout=response_timeout,
            **kwargs,
        )
        self.pipeline = pipeline
        self.training_job = training_job
        self.why = why
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        from airflow.sdk.execution_time.hitl import upsert_hitl_detail

        from include.loop.core.records.verdict import Verdict
        from include.loop.models.registry import Approval, read_package
        from include.loop.report import publish
        from nightloop.triggers.package_decision import PackageDecisionTrigger

        with domain_errors():
            package = read_package(self.workspace, self.training_job)
        report = self.find_report(self.training_job)
        if package.status is not Approval.PENDING:
            raise AirflowSkipException(f"Nobody has to be asked: {package.arn} is {package.status}.")
        with domain_errors():
            # The question links to it, and the task `report` may still be making it.
            publish(self.workspace, self.training_job)
        verdict = Verdict.read(self.workspace.storage, self.training_job)
        self.body = "\n".join(question(verdict, self.why, report))
        ti_id = context["ti"].id
        upsert_hitl_detail(
            ti_id=ti_id,
            options=self.options,
            subject=self.subject,
            body=self.body,
            multiple=False,
            params=self.serialized_params,
        )
        for notifier in self.notifiers:
            notifier(context)
        self.notify(context, NotifyEvent.APPROVAL_WAITING, self.subject, f"It is asked because {self.why}.")
        until = datetime.now(UTC) + (self.response_timeout or TIME_TO_ANSWER)
        self.log.info("%s\nWaiting for an answer until %s, without a worker slot.", self.body, until)
        # Deferred, not parked for Airflow's answer alone: somebody may decide in SageMaker.
        self.defer(
            trigger=PackageDecisionTrigger(
                package_arn=package.arn,
                ti_id=str(ti_id),
                until=until.isoformat(),
                interval=self.workspace.environment.poll_seconds,
                aws_conn_id=self.aws_conn_id,
                region_name=self.workspace.environment.region,
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """`event` is Airflow's answer, or what the trigger saw."""
        from include.loop.models.registry import Approval, decide
        from nightloop.triggers.polling import Ending

        self.find_report(self.training_job)
        answer = event if "chosen_options" in event else event.get("answer")
        if answer:
            self.validate_chosen_options(answer["chosen_options"])
            self.validate_params_input(answer.get("params_input") or {})
            person = (answer.get("responded_by_user") or {}).get("name") or "somebody in Airflow"
            approve = answer["chosen_options"] == [self.APPROVE]
            comment = str((answer.get("params_input") or {}).get("comment") or "")
            with domain_errors():
                result = decide(self.workspace, self.training_job, approve, person, comment)
            self.log.info("%s says %s: %s", person, answer["chosen_options"], result.status)
            if not approve:
                self._turned_down(context, f"{person}: {comment}")
            return super().execute_complete(context, answer)
        if event["ending"] == Ending.ERROR:
            raise AirflowException(f"Could not watch the package: {event['message']}")
        if event["ending"] == Ending.DEADLINE:
            raise AirflowSkipException(
                f"Nobody answered within {self.response_timeout}: the package stays {event['status']}, and "
                "the champion stays. To go on, clear this task with those behind it."
            )
        if event["status"] != Approval.APPROVED:
            self._turned_down(context, f"The package was made {event['status']} in SageMaker.")
            raise AirflowSkipException(f"The package was made {event['status']} in SageMaker.")
        self.log.info("The package was approved in SageMaker.")
        return {"status": event["status"]}

    def _turned_down(self, context: Context, why: str) -> None:
        subject = f"a person turned {self.training_job} down"
        self.notify(context, NotifyEvent.MODEL_TURNED_DOWN, subject, why)


def question(verdict: Verdict, why: str, report: str) -> Iterator[str]:
    """The question's text in Markdown: why it is asked, each rule with its numbers, the report."""
    yield f"Asked because {cell(why)}." if why else "Asked because the package waits for a decision."
    yield ""
    challenger, champion = (code(name or "none yet") for name in (verdict.training_job, verdict.champion))
    yield f"Challenger `{challenger}`, champion `{champion}`. "
    yield f"**[Read the report]({quote(report, safe=':/')})** before you answer."
    yield ""
    yield "| Outcome | Rule | What was found |"
    yield "|---|---|---|"
    for rule in verdict.rules:
        outcome = OUTCOME[rule.passed] if rule.judged else "told only"
        yield f"| {outcome} | {cell(rule.rule)} | {cell(rule.text)} |"
    yield ""
    yield "Approve: it is served and becomes the champion. Reject: the champion stays; the labels stay new."


def code(value: str) -> str:
    """Text that stays within its backticks."""
    return " ".join(value.replace("`", "'").split())


def cell(value: str) -> str:
    """Text that stays within its cell and is no Markdown of its own."""
    return "".join(f"\\{mark}" if mark in r"\|`*_[]<>" else mark for mark in " ".join(value.split()))
