"""SageMaker jobs as tasks: batch inference, replay scores, training, evaluation, all on one base.

The domain describes, else creates, else attaches (`include.loop.aws.jobs`); the base waits while jobs run,
stops them when the task is killed or late, and calls the domain again when they have ended. Job names are
computed from what the job works on, so a retry or a second run attaches to the job that is there and
nothing is billed twice. Endpoints are waited for in the same manner (nightloop.operators.serving).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.loop.core import layout
from nightloop.links import SageMakerJobLink
from nightloop.operators.loop_operator import LoopOperator, domain_errors
from nightloop.seen_outside import gauge

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.loop.aws.jobs import Pending, ResourceKind

CONSOLE = "https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/{section}/{name}"
SECTIONS = {"training": "jobs", "transform": "transform-jobs", "endpoint": "endpoints"}


class SageMakerJobOperator(LoopOperator):
    """A step that needs SageMaker jobs: goes as far as it can, waits, goes on. After the environment's
    `airflow.wait_seconds` it waits without a worker slot.

    A job that failed raises with SageMaker's own reason and is tried again under the next attempt number,
    as often as the task has retries; a job that SageMaker calls the caller's fault (ClientError) fails
    the task at once.

    An endpoint's change cannot be stopped: killing the task leaves SageMaker to end it, and the next try
    waits for that end.

    :param job_timeout: the longest one job may take, counted from its creation; then it is stopped, and the
        task fails.
    """

    operator_extra_links = (SageMakerJobLink(),)
    ui_color = "#fdf2e0"

    def __init__(self, *, job_timeout: timedelta = timedelta(hours=12), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_timeout = job_timeout
        self.console_url = ""
        self._pending: Pending | None = None

    @abstractmethod
    def advance(self, waited_for: Pending | None) -> Any:
        """Call the domain: the ``Pending`` jobs to wait for next, or the finished step's result."""

    @abstractmethod
    def log_result(self, result: dict[str, Any]) -> None:
        """Log what came of the step, where it is, and what happens next."""

    def execute_step(self, context: Context) -> dict[str, Any]:
        return self._go_on(None)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        from include.loop.aws.jobs import Pending, ResourceKind, stop
        from nightloop.triggers.polling import Ending

        pending = self._watch(Pending.from_dict(event["pending"]))
        if event["ending"] == Ending.DEADLINE:
            stop(self.clients.sagemaker, pending)
            done = "Still changing" if pending.kind is ResourceKind.ENDPOINT else "Stopped"
            # Not tried again: it would be billed again, for as long.
            raise AirflowFailException(
                f"{done} after {self.job_timeout}, without an end: {', '.join(pending.names)}"
            )
        if event["ending"] == Ending.ERROR:
            # Nobody knows how the jobs are: the retry attaches to them again.
            raise AirflowException(f"Could not watch {', '.join(pending.names)}: {event['message']}")
        with domain_errors():
            return self._go_on(pending)

    def on_kill(self) -> None:
        from include.loop.aws.jobs import stop

        self.killed = True
        if self._pending:
            self.log.warning("The task is killed: asking %s to stop.", ", ".join(self._pending.names))
            stop(self.clients.sagemaker, self._pending)

    def _go_on(self, waited_for: Pending | None) -> dict[str, Any]:
        from include.loop.aws.jobs import Pending
        from nightloop.triggers.jobs_ended import SageMakerJobsTrigger

        self.stop_if_killed()
        outcome = self.advance(waited_for)
        if not isinstance(outcome, Pending):
            result: dict[str, Any] = outcome if isinstance(outcome, dict) else asdict(outcome)
            self._pending = None
            self.log_result(result)
            return result
        self._watch(outcome)
        if self.killed:  # while the job was created, when there was nothing to stop yet
            self.on_kill()
            self.stop_if_killed()
        self.log.info("Waiting for %s %s.", outcome.kind, ", ".join(outcome.names))
        if self.ends_soon(lambda: self._have_ended(outcome)):
            return self._go_on(outcome)
        self.log.info("From here on the wait takes no worker.")
        self.defer(
            trigger=SageMakerJobsTrigger(
                pending=outcome.to_dict(),
                seconds=self.job_timeout.total_seconds(),
                interval=self.workspace.environment.poll_seconds,
                aws_conn_id=self.aws_conn_id,
                region_name=self.workspace.environment.region,
            ),
            method_name="execute_complete",
        )

    def _have_ended(self, pending: Pending) -> bool:
        return all(self._has_ended(pending.kind, name) for name in pending.names)

    def _has_ended(self, kind: ResourceKind, name: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        from include.loop.aws.jobs import ResourceKind, has_ended, is_missing
        from nightloop.triggers.polling import is_passing

        describe = getattr(self.clients.sagemaker, kind.describe_operation)
        try:
            return has_ended(kind, describe(**{kind.name_field: name}))
        except (BotoCoreError, ClientError) as error:
            if kind is ResourceKind.ENDPOINT and isinstance(error, ClientError) and is_missing(error):
                return True  # it is deleted by now
            if not is_passing(error):
                raise
            self.log.warning("No answer, asking again: %s", error)
            return False

    def _watch(self, pending: Pending) -> Pending:
        self._pending = pending
        # An endpoint of one's own has no console to link to.
        if self.clients.sagemaker.meta.endpoint_url.endswith("amazonaws.com"):
            self.console_url = CONSOLE.format(
                region=self.workspace.environment.region,
                section=SECTIONS[pending.kind],
                name=pending.names[0],
            )
        return pending


class BatchInferenceOperator(SageMakerJobOperator):
    """Predicts on a batch's images by batch transform with the champion that the batch is pinned to.

    What has no prediction after the first job is submitted once more, alone; what then has none is
    quarantined later. Without a champion there is nothing to predict with: 0 predicted, no job.

    :param batch: id of the batch, as `ListBatchOperator` returned it.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "batch")

    def __init__(self, *, batch: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    def advance(self, waited_for: Pending | None) -> Any:
        from include.loop.nightly.predictions import predict

        return predict(self.workspace, self.batch, waited_for)

    def log_result(self, result: dict[str, Any]) -> None:
        self.log.info(
            "%s: %d images predicted, %d without a prediction; %s",
            self.batch, result["predicted"], result["missing"], result["predictions_uri"],
        )  # fmt: skip
        uri = self.workspace.storage.uri
        batch, champion = uri(layout.batch_file(self.batch)), uri(layout.CHAMPION)
        if result["jobs"]:  # without a champion nothing is predicted
            self.set_lineage([batch, champion], [result["predictions_uri"]])


class ScoreReplayOperator(SageMakerJobOperator):
    """Lets the champion predict on a bounded choice of earlier training images, to find those that it finds
    hard. Where nothing is replayed by hardness there is nothing to score: 0 scored, no job.

    :param min_new_labels: as `BuildDatasetOperator` has it, so that both choose the same batches.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "min_new_labels")

    def __init__(self, *, min_new_labels: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_new_labels = min_new_labels

    def advance(self, waited_for: Pending | None) -> Pending | dict[str, Any]:
        from include.loop.aws.jobs import Pending
        from include.loop.dataset.replay import score

        outcome = score(self.workspace, waited_for, self.min_new_labels)
        return outcome if isinstance(outcome, Pending) else asdict(outcome)

    def log_result(self, result: dict[str, Any]) -> None:
        self.log.info("%d earlier images have the champion's score.", result["scored"])


class IncrementalTrainingOperator(SageMakerJobOperator):
    """Trains a challenger on a dataset, from the champion's artifact when there is a champion, and keeps its
    training curves.

    :param dataset_id: id of the dataset, as `BuildDatasetOperator` returned it.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "dataset_id")

    def __init__(self, *, dataset_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset_id = dataset_id

    def advance(self, waited_for: Pending | None) -> Pending | dict[str, Any]:
        from include.loop.aws.jobs import Pending
        from include.loop.training.curves import keep
        from include.loop.training.job import train

        outcome = train(self.workspace, self.dataset_id, waited_for)
        if isinstance(outcome, Pending):
            return outcome
        if problem := keep(self.workspace, outcome.training_job).problem:
            self.log.warning("The report does without training curves: %s", problem)
        return asdict(outcome)

    def log_result(self, result: dict[str, Any]) -> None:
        self.log.info(
            "%s: trained in %.0f s, attempt %s; %s; next: evaluation",
            result["training_job"], result["seconds"], result["attempt"], result["model_data"],
        )  # fmt: skip
        dataset = self.workspace.storage.uri(layout.dataset_file(self.dataset_id))
        self.set_lineage([dataset], [result["model_data"]])


class EvaluateModelsOperator(SageMakerJobOperator):
    """Measures challenger and champion on the same images (test sets, retention set, recent labels,
    audits), by batch transform.

    :param training_job: name of the challenger's training job.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "training_job")

    def __init__(self, *, training_job: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.training_job = training_job

    def advance(self, waited_for: Pending | None) -> Any:
        from include.loop.evaluation.evaluate import evaluate

        return evaluate(self.workspace, self.training_job, waited_for)

    def log_result(self, result: dict[str, Any]) -> None:
        for name, scores in result["score"].items():
            self.log.info(
                "%s on %s: champion %s, challenger %s",
                result["metric"],
                name,
                scores.get("champion"),
                scores.get("challenger"),
            )
            for model, score in scores.items():
                gauge("score", score, pipeline=self.pipeline, slice=name, model=model)
        for item in result["unpredicted"]:
            self.log.warning(
                "%d images of %s got no prediction from the %s: %s; the first: %r (%s)",
                item["images"], item["slice"], item["model"],
                "left out, as another model has one" if item.get("left_out") else "counted as nothing found",
                item["first"], item["why"],
            )  # fmt: skip
        self.log.info("Measured %s; %s; next: the gate", result["training_job"], result["metrics_uri"])
