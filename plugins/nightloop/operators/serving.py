"""The endpoint as tasks: serve a model, choose which, return to an earlier one, tear down.

`include.loop.serving.deployment` goes as far as it can and says which endpoint to wait for; the base waits.
A change of an endpoint cannot be cancelled: a killed task leaves it to SageMaker, and
the next try waits for its end before it does anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseBranchOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.loop.core import layout
from nightloop.operators.loop_operator import AWS_CONN_ID, LoopClients, domain_errors
from nightloop.operators.sagemaker_jobs import SageMakerJobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.loop.aws.jobs import Pending

# SageMaker ends a blue/green update after eight hours at the latest; this includes the candidate's creation.
LONGEST_CHANGE = timedelta(hours=9)


class EndpointOperator(SageMakerJobOperator):
    """A step that changes endpoints."""

    ui_color = "#f0e9f7"

    def __init__(self, *, job_timeout: timedelta = LONGEST_CHANGE, **kwargs: Any) -> None:
        super().__init__(job_timeout=job_timeout, **kwargs)


class DeployOperator(EndpointOperator):
    """Serves a model whose package is Approved: a smoke test first, then the traffic. Skips where the model
    may not be served, or the environment serves nothing.

    :param training_job: name of the model's training job.
    """

    template_fields: Sequence[str] = (*EndpointOperator.template_fields, "training_job")

    def __init__(self, *, training_job: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_job = training_job

    def advance(self, waited_for: Pending | None) -> Any:
        from include.loop.serving.deployment import deploy

        return deploy(self.workspace, self.training_job, waited_for)

    def log_result(self, result: dict[str, Any]) -> None:
        from include.loop.core.records.models import TrainedModel

        if not result["deployed"]:
            raise AirflowSkipException(f"{self.training_job} is not served: {result['reason']}")
        self.log.info(
            "%s answers with %s, configuration %s",
            result["endpoint"], result["training_job"], result["config"],
        )  # fmt: skip
        storage = self.workspace.storage
        model = TrainedModel.read(storage, self.training_job)
        self.set_lineage([model.model_data], [storage.uri(layout.deployment_file(result["number"]))])


class ChooseModelOperator(LoopClients, BaseBranchOperator):
    """Chooses the model that the endpoint shall answer with, once for all tries of the tasks behind, and
    which of them run. Leaves `training_job` and `number` as XComs.

    :param rollback: an earlier champion instead of the newest approved model.
    :param number: which champion to return to; None is the one before.
    :param paths: task ids for "rollback" and for "serve".
    """

    template_fields: Sequence[str] = ("pipeline", "rollback", "number")
    ui_color = "#f0e9f7"

    def __init__(
        self,
        *,
        pipeline: str,
        paths: dict[str, list[str]],
        rollback: bool = False,
        number: int | None = None,
        aws_conn_id: str = AWS_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.paths = paths
        self.rollback = rollback
        self.number = number
        self.aws_conn_id = aws_conn_id

    def choose_branch(self, context: Context) -> list[str]:
        with domain_errors():
            job, number = self._earlier() if self.rollback else (self._newest(), None)
        self.log.info("%s: %s", "Return to" if self.rollback else "Serve", job)
        context["ti"].xcom_push(key="training_job", value=job)
        context["ti"].xcom_push(key="number", value=number)
        return self.paths["rollback" if self.rollback else "serve"]

    def _newest(self) -> str:
        from include.loop.core.errors import NotSetUp
        from include.loop.models.registry import newest_approved

        package = newest_approved(self.workspace)
        if package is None:
            raise NotSetUp(f"{self.pipeline} has no approved model yet: run initial_training first")
        return package.training_job

    def _earlier(self) -> tuple[str, int]:
        from include.loop.models.champion import read_numbered
        from include.loop.serving.deployment import previous

        number = self.number or previous(self.workspace).number
        return read_numbered(self.workspace, number).training_job, number


class RollbackOperator(EndpointOperator):
    """Returns endpoint and champion to an earlier champion, and rejects the package that is left.

    :param number: which champion.
    :param by: who wanted it: kept with the package that is left.
    """

    template_fields: Sequence[str] = (*EndpointOperator.template_fields, "number", "by")

    def __init__(self, *, number: int | str, by: str = "somebody in Airflow", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number
        self.by = by

    def execute_step(self, context: Context) -> dict[str, Any]:
        return self._with_event(context, super().execute_step(context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        return self._with_event(context, super().execute_complete(context, event))

    def _with_event(self, context: Context, result: dict[str, Any]) -> dict[str, Any]:
        """The event of the champion's asset, once the endpoint has come to its end."""
        self.describe_event(context, training_job=result["training_job"], number=result["number"])
        return result

    def advance(self, waited_for: Pending | None) -> Any:
        from include.loop.serving.deployment import rollback

        return rollback(self.workspace, waited_for, number=int(self.number), by=self.by)

    def log_result(self, result: dict[str, Any]) -> None:
        self.log.info(
            "Champion number %s is %s; %s", result["number"], result["training_job"], result["reason"]
        )


class TearDownOperator(EndpointOperator):
    """Deletes the pipeline's endpoints, endpoint configurations and models, and stops its labeling jobs, all
    of which cost money; nothing that was learned.

    :param only_list: delete nothing, say what would be deleted.
    :param confirm: the pipeline's name, typed by a person: without it nothing is deleted.
    """

    template_fields: Sequence[str] = (*EndpointOperator.template_fields, "only_list", "confirm")

    def __init__(self, *, only_list: bool = True, confirm: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.only_list = only_list
        self.confirm = confirm

    def execute_step(self, context: Context) -> dict[str, Any]:
        if not self.only_list and self.confirm != self.pipeline:
            raise AirflowFailException(
                f"Nothing was deleted: to confirm, give the pipeline's name ({self.pipeline}) as `confirm`, "
                f"not {self.confirm!r}."
            )
        return super().execute_step(context)

    def advance(self, waited_for: Pending | None) -> Any:
        from include.loop.serving.teardown import teardown

        return teardown(self.workspace, dry_run=self.only_list, waited_for=waited_for)

    def log_result(self, result: dict[str, Any]) -> None:
        verb = "would be" if result["dry_run"] else "are"
        for kind in ("endpoints", "endpoint_configs", "models"):
            names = ", ".join(result[kind]) or "none"
            self.log.info("%s that %s deleted: %s", kind.replace("_", " ").capitalize(), verb, names)
        asking = ", ".join(result["labeling_jobs"]) or "none"
        self.log.info("Labeling jobs that %s stopped: %s", verb, asking)
