"""The steps around training as operators: is it time to learn, build the dataset, look again.

Each calls one function of `include.loop`, logs what came of it and returns a small dict. The jobs between
them are in `sagemaker_jobs`, what a trained model goes through in `challenger`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DagRunState, TaskInstanceState
from airflow.sdk.exceptions import AirflowSkipException

from include.loop.core import layout
from nightloop.operators.loop_operator import LoopClients, LoopOperator, domain_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

ENDED = {
    TaskInstanceState.SUCCESS,
    TaskInstanceState.FAILED,
    TaskInstanceState.SKIPPED,
    TaskInstanceState.UPSTREAM_FAILED,
    TaskInstanceState.REMOVED,
}
# A task instance in one of these has not ended; "null" is how the API spells a task without a state yet.
UNFINISHED_TASK = ["null", *(state.value for state in TaskInstanceState if state not in ENDED)]
UNFINISHED_RUN = [DagRunState.QUEUED.value, DagRunState.RUNNING.value]
EVENT_TRIGGERED = {"asset_triggered", "operator_triggered"}
DATASET = "dataset"  # under which a task keeps the dataset it has built


class PlanTrainingOperator(LoopOperator):
    """Says what there is to learn, and skips the run when this is not the time for it.

    A run that the labels asset started, or the run before it, leaves the work to the last of the batches in
    progress: each notifies when it ends, so ten backfilled batches cause one training instead of ten. Runs of
    the clock and of people do not wait for anybody.

    :param batches: (dag id, task id) of the task that notifies at the end of a batch.
    :param plan_only: print the plan and stop.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "plan_only")

    def __init__(self, *, batches: tuple[str, str], plan_only: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batches = batches
        self.plan_only = plan_only

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.dataset.plan import plan_training

        plan = asdict(plan_training(self.workspace))
        if self.plan_only:
            self.end_with_plan(context, plan, plan["text"])
        self.log.info("%d labels in %d shards would be learned.", plan["new_labels"], plan["shards"])
        if plan["note"]:
            self.log.info("%s", plan["note"])
        if context["dag_run"].run_type in EVENT_TRIGGERED and (others := self._batches_in_progress(context)):
            raise AirflowSkipException(
                f"Left to the last of {others} batches that are still in progress: each notifies when it"
                " ends, and the clock trains anyway."
            )
        return plan

    def _batches_in_progress(self, context: Context) -> int:
        """How many batches are still going to notify.

        The task that notifies ends in the same transaction as its event, so a batch that has done so is never
        counted, even while its run is still being closed. Its run is counted as well, because a run that
        died may leave tasks without a state.
        """
        dag_id, task_id = self.batches
        ti = context["ti"]
        notifiers = ti.get_ti_count(dag_id=dag_id, task_ids=[task_id], states=UNFINISHED_TASK)
        return min(notifiers, ti.get_dr_count(dag_id=dag_id, states=UNFINISHED_RUN)) if notifiers else 0


class BuildDatasetOperator(LoopOperator):
    """Writes the manifests that the next model learns from: new labels, replay, and a validation part.
    Batches that did harm are left out, or tried by themselves: the log says which and why.

    A run that is cleared takes its own dataset again, also after its model was promoted: so the whole round
    comes to the same verdict. What came in since is for another run.

    :param initial: take the pipeline's initial labels instead of what people answered.
    :param min_new_labels: overrides the pipeline's: with fewer new labels there is nothing to learn, and
        the run skips. A further trial of batches that were suspended takes any.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "min_new_labels")

    def __init__(self, *, initial: bool = False, min_new_labels: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = initial
        self.min_new_labels = min_new_labels

    def execute_step(self, context: Context) -> dict[str, Any]:
        from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined]  # not in the SDK's stubs

        # Airflow keeps a task's state through retries and clears.
        kept: Any = context["task_state_store"].get(DATASET)
        if kept:
            self.log.info("This run has its dataset already.")
        result: dict[str, Any] = kept or self._build()
        context["task_state_store"].set(DATASET, result, retention=NEVER_EXPIRE)
        self.log.info(
            "Dataset %s: %d to train (%d new, %d replayed), %d to validate, champion %s; %s",
            result["dataset_id"], result["train"], result["new"], result["replayed"], result["validation"],
            result["parent"] or "none", result["dataset_uri"],
        )  # fmt: skip
        if result.get("note"):  # a dataset kept by an earlier version has none
            self.log.warning("%s", result["note"])
        if result["rejected"] or result.get("rejected_boxes"):
            parts = result.get("rejected_boxes", 0)
            self.log.warning(
                "%d label lines%s were left out; the dataset's rejected.jsonl says which and why.",
                result["rejected"], f" and {parts} boxes" if parts else "",
            )  # fmt: skip
        labels = self.workspace.storage.uri(layout.LABELS)
        self.set_lineage([labels], [result["dataset_uri"]])
        told = ("dataset_id", "train", "new", "replayed", "validation", "parent")
        self.describe_event(context, **{name: result[name] for name in told})
        return result

    def _build(self) -> dict[str, Any]:
        from include.loop.dataset.build import build, build_initial

        if self.initial:
            return asdict(build_initial(self.workspace))
        return asdict(build(self.workspace, self.min_new_labels))


class TrainAgainOperator(LoopClients, TriggerDagRunOperator):
    """Starts the same flow again when labels came in after its dataset was built (an asset event can stay
    unconsumed), or when suspended batches are to be tried: as often in a day as the pipeline allows.

    The new run is named after the dataset, so a retry of this task does not start a second one.

    :param dataset_id: the dataset this run learned from.
    """

    template_fields: Sequence[str] = (*TriggerDagRunOperator.template_fields, "pipeline", "dataset_id")

    def __init__(
        self, *, pipeline: str, dataset_id: str, aws_conn_id: str = "aws_default", **kwargs: Any
    ) -> None:
        super().__init__(logical_date=None, skip_when_already_exists=True, **kwargs)
        self.pipeline = pipeline
        self.dataset_id = dataset_id
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        from include.loop.dataset.build import find_untried

        with domain_errors():
            untried = find_untried(self.workspace, self.dataset_id)
        if not untried.labels:
            raise AirflowSkipException("No labels came in meanwhile, and no batch is to be tried again now.")
        self.log.info(
            "Training again (%s) from %d labels: %s", untried.kind, untried.labels, ", ".join(untried.batches)
        )
        self.trigger_run_id = f"again__{self.dataset_id}"
        super().execute(context)
