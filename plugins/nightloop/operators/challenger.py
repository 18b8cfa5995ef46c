"""What a trained model goes through, as operators: judged, registered, reported, promoted, put on record.

Each takes the name of the challenger's training job, calls one function of `include.loop`, logs what came of
it and returns a small dict. Asking a person is in `approval`, the endpoint in `serving`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskInstanceState
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.loop.config import NotifyEvent
from nightloop.links import ReportLink
from nightloop.operators.loop_operator import LoopOperator
from nightloop.seen_outside import count

if TYPE_CHECKING:
    from airflow.sdk import Context

BROKEN = frozenset({TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED})


class ChallengerOperator(LoopOperator):
    """A step about one trained model.

    :param training_job: name of the challenger's training job.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "training_job")

    def __init__(self, *, training_job: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_job = training_job


class JudgeOperator(ChallengerOperator):
    """Holds the challenger's metrics against the pipeline's gate. A no is a verdict, not a failure.

    Batches that did harm are suspended or set aside from here on: the log warns of each, and says what
    happens next and what a person may do.
    """

    operator_extra_links = (ReportLink(),)

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.evaluation.gate import judge

        verdict = asdict(judge(self.workspace, self.training_job))
        self.find_report(self.training_job)
        for reason in verdict["reasons"]:
            self.log.info("%s", reason)
        for warning in verdict["warnings"]:
            self.log.warning("%s", warning)
        self.log.info(
            "%s %s; %s",
            self.training_job,
            "passes" if verdict["promote"] else "does not pass",
            verdict["verdict_uri"],
        )
        count("verdicts", pipeline=self.pipeline, promote=str(verdict["promote"]).lower())
        if not verdict["promote"]:
            why = "\n".join([*verdict["reasons"], *verdict["warnings"]])
            subject = f"the gate turned {self.training_job} down"
            self.notify(context, NotifyEvent.MODEL_TURNED_DOWN, subject, why)
        return verdict


class RegisterOperator(ChallengerOperator):
    """Makes the challenger a model package: Rejected by the gate, Approved, or waiting for a person.

    :param ask: ask a person also where the pipeline does not say so.
    """

    template_fields: Sequence[str] = (*ChallengerOperator.template_fields, "ask")

    def __init__(self, *, ask: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ask = ask

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.models.registry import register

        result = asdict(register(self.workspace, self.training_job, ask=self.ask))
        self.log.info(
            "Version %s of %s is %s; %s",
            result["version"], result["group"], result["status"], result["package_arn"],
        )  # fmt: skip
        if result["ask"]:
            self.log.info("A person has to decide: %s", result["why"])
        return result


class ReportOperator(ChallengerOperator):
    """Makes the round's page and the pipeline's history from the stored facts."""

    operator_extra_links = (ReportLink(),)

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.report import publish

        result = asdict(publish(self.workspace, self.training_job))
        self.find_report(self.training_job)
        self.log.info("The round's report: %s; all rounds: %s", result["report_uri"], result["history_uri"])
        return result


class RecordOperator(ReportOperator):
    """Makes the report again, with the outcome, however far the round came; then fails if a task before it
    did.

    It ends the run, and a run's state is that of its last tasks: so it runs when all others are done
    (trigger rule `all_done`) and says itself whether something broke. A gate or a person who said no broke
    nothing.
    """

    def execute_step(self, context: Context) -> dict[str, Any]:
        broken = self._broken(context)
        if not self.training_job:
            if broken:
                raise AirflowFailException(f"No model was trained: see {', '.join(broken)}.")
            raise AirflowSkipException("No model was trained in this run.")
        result = super().execute_step(context)
        if broken:
            raise AirflowFailException(f"The round did not come to its end: see {', '.join(broken)}.")
        return result

    def _broken(self, context: Context) -> list[str]:
        run = context["run_id"]
        states = context["ti"].get_task_states(dag_id=context["dag"].dag_id, run_ids=[run]).get(run, {})
        return sorted(task for task, state in states.items() if state in BROKEN)


class PromoteOperator(ChallengerOperator):
    """Makes the challenger the champion when its package is Approved; otherwise the champion stays, and the
    task skips."""

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.core.records.models import Champion
        from include.loop.models.champion import promote

        result = asdict(promote(self.workspace, self.training_job))
        if not result["promoted"]:
            raise AirflowSkipException(f"{self.training_job} is not promoted: {result['reason']}")
        self.log.info(
            "Champion number %s is %s; %s", result["number"], self.training_job, result["champion_uri"]
        )
        champion = Champion.read(self.workspace.storage, result["number"])
        self.describe_event(
            context,
            training_job=champion.training_job,
            number=champion.number,
            metric=champion.metric,
            score=champion.score,
        )
        subject = f"{self.training_job} is the champion"
        self.notify(context, NotifyEvent.MODEL_PROMOTED, subject, f"It is number {result['number']}.")
        return result
