"""A labeling job as tasks: planned, made or attached to and waited for, judged; and the first training.

Each calls one function of `include.loop.labeling`, logs what came of it and returns a small dict. Its labels
come in by the operator of every import (`imports`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from include.loop.core import layout
from nightloop.links import OwnersViewLink, ReportLink, ReviewPortalLink, SageMakerJobLink
from nightloop.operators.loop_operator import LoopOperator, domain_errors
from nightloop.seen_outside import gauge

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.loop.labeling.progress import Watch

CONSOLE = (
    "https://{region}.console.aws.amazon.com/sagemaker/groundtruth?region={region}"
    "#/labeling-jobs/details/{job}"
)


class PlanLabelingOperator(LoopOperator):
    """Lists the images, says what labelling them costs, and writes the files of the job.

    :param images: S3 URI of a folder, or of a manifest.
    :param workers: how many people label each image; None: as the pipeline says.
    :param automatic: let a model label what it is sure of.
    :param most_images: the most images that people label; None: all.
    :param plan_only: write nothing: leave counts and cost in the XCom `plan`, and skip.
    """

    template_fields: Sequence[str] = (
        *LoopOperator.template_fields, "images", "workers", "automatic", "most_images", "plan_only",
    )  # fmt: skip

    def __init__(
        self,
        *,
        images: str,
        workers: int | None = None,
        automatic: bool = False,
        most_images: int | None = None,
        plan_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.images = images
        self.workers = workers
        self.automatic = automatic
        self.most_images = most_images
        self.plan_only = plan_only

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.labeling.planning import Wish, plan_labeling

        wish = Wish(self.images, self.workers, self.automatic, self.most_images)
        plan = asdict(plan_labeling(self.workspace, wish, keep=not self.plan_only))
        for reason in plan.pop("first_left_out"):
            self.log.warning("left out: %s", reason)
        for warning in plan.pop("warnings"):
            self.log.warning("%s", warning)
        if self.plan_only:
            self.end_with_plan(context, plan, f"{plan['text']} Nobody was asked.")
        self.log.info("%s", plan["text"])
        storage = self.workspace.storage
        self.set_lineage([self.images], [storage.uri(layout.labeling_manifest(plan["name"]))])
        return plan | {"label_attribute": self.workspace.pipeline.label_attribute}


class LabelingJobOperator(LoopOperator):
    """Makes the labeling job of a plan, or attaches to it, and waits without a worker slot until it has
    ended. Returns counts, dollars and where the labels lie.

    Killing the task stops the job. A job that was stopped, or has failed, ends the task, and a further try
    goes on with the images that have no label yet: nobody is asked twice.

    :param name: name of the plan, as `PlanLabelingOperator` returned it.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "name")
    operator_extra_links = (ReviewPortalLink(), OwnersViewLink(), SageMakerJobLink())
    ui_color = "#e6f4ea"

    def __init__(self, *, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.console_url = ""
        self._job = ""

    def execute_step(self, context: Context) -> dict[str, Any]:
        return self._go_on(None)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        from include.loop.core.errors import JobRejected
        from include.loop.labeling.progress import LabelingStatus, Watch
        from nightloop.triggers.polling import Ending

        watch = Watch.from_dict(event["watch"])
        if event["ending"] != Ending.DONE:
            self._find_pages(watch.job)
            what = event.get("message", f"it is still {event['status']} after a month")
            raise AirflowException(f"Could not watch {watch.job}: {what}")
        with domain_errors():
            try:
                self._find_pages(watch.job)
                return self._go_on(watch)
            except (BotoCoreError, ClientError) as error:
                if watch.goes_on or event["status"] == LabelingStatus.COMPLETED:
                    raise
                # No matter of a retry: that would make another job, of which nobody has said a word.
                raise JobRejected(
                    f"labeling job {watch.job} is {event['status']}, and could not be looked at: {error}. "
                    "Clear this task to go on with the images that have no label yet"
                ) from error

    def on_kill(self) -> None:
        from include.loop.labeling.job import stop

        if self._job:
            self.log.warning("The task is killed: asking %s to stop.", self._job)
            stop(self.clients.review, self._job)

    def _go_on(self, waited_for: Watch | None) -> dict[str, Any]:
        from include.loop.labeling.job import LabelledImages, label
        from nightloop.triggers.labeling_ended import LabelingJobTrigger

        outcome = label(self.workspace, self.name, waited_for)
        if isinstance(outcome, LabelledImages):
            self._job = ""
            return self._log_result(asdict(outcome))
        self._job = outcome.job
        self._find_pages(outcome.job)
        self.log.info("People label at %s", self.portal_url)
        self.log.info("Waiting for %s, without a worker slot.", outcome.job)
        self.defer(
            trigger=LabelingJobTrigger(
                watch=outcome.to_dict(),
                interval=self.workspace.environment.review.poll_seconds,
                aws_conn_id=self.review_conn_id,
                region_name=self.workspace.environment.region,
            ),
            method_name="execute_complete",
        )

    def _log_result(self, result: dict[str, Any]) -> dict[str, Any]:
        self.log.info(
            "%s: %d images labelled by people, %d by machine; about %.2f dollars (estimate); %s",
            result["job"], result["human"], result["machine"], result["dollars"], result["manifest_uri"],
        )  # fmt: skip
        if result["failed"] or result["unlabeled"]:
            self.log.warning(
                "%d images failed and %d have no label: they are left out",
                result["failed"], result["unlabeled"],
            )  # fmt: skip
        for name in ("human", "machine", "failed", "dollars"):
            gauge(f"labeling.{name}", result[name], pipeline=self.pipeline)
        manifest = self.workspace.storage.uri(layout.labeling_manifest(self.name))
        self.set_lineage([manifest], [result["manifest_uri"]])
        return result

    def _find_pages(self, job: str) -> None:
        """Where people label, and where owners look, kept for the links."""
        from include.loop.nightly.review_setup import setup_workteam

        self.portal_url = setup_workteam(self.workspace).portal_url
        if self.clients.review.meta.endpoint_url.endswith("amazonaws.com"):
            self.console_url = CONSOLE.format(region=self.workspace.environment.region, job=job)
        else:
            self.owners_url = f"{self.portal_url}/owner/labeling-jobs/{job}"


class AnalyseLabelsOperator(LoopOperator):
    """Judges the labels of a job: how far people agree, how long they took, what they cost. A page of its
    own, beside the reports of the rounds.

    :param job: name of the labeling job.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "job")
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, job: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job = job

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.analysis.publishing import publish
        from include.loop.analysis.sources import Sources
        from include.loop.labeling.progress import prices_of
        from include.loop.report import publish_history

        workspace = self.workspace
        described = workspace.clients.review.describe_labeling_job(LabelingJobName=self.job)
        page = layout.report_page(self.job)
        prices = prices_of(workspace.pipeline, workspace.environment)
        found = publish(workspace.storage, Sources.of_job(described), page, prices=prices, title=self.job)
        report = self.find_report(self.job)
        publish_history(workspace)
        self.log.info("%s", found.headline)
        self.log.info("Its page: %s (link Report in the tab Details); in S3 %s", report, found.page_uri)
        return asdict(found)


class TrainFirstModelOperator(TriggerDagRunOperator):
    """Starts the flow that trains the first model, when the labels are those that it begins with; skips
    otherwise.

    The run is named after the import, so a retry of this task does not start a second one.

    :param target: what the labels have become: ``initial`` or ``labels``.
    """

    template_fields: Sequence[str] = (*TriggerDagRunOperator.template_fields, "target")

    def __init__(self, *, target: str, **kwargs: Any) -> None:
        super().__init__(logical_date=None, skip_when_already_exists=True, **kwargs)
        self.target = target

    def execute(self, context: Context) -> None:
        if self.target != "initial":
            raise AirflowSkipException("The next training learns these labels: it is notified.")
        if context["ti"].get_dag(self.trigger_dag_id).is_paused:
            self.log.warning("%s is paused: its run waits until somebody unpauses it.", self.trigger_dag_id)
        super().execute(context)
