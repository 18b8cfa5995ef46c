"""The steps of a batch as operators: list it, triage, ask, collect the labels, notify training.

Each calls one function of `include.loop`, logs the counts, the place of the result and what happens next,
and returns a small dict. Takes the batch id from the step before; knows the domain and Airflow, no AWS by
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from include.loop.config import NotifyEvent
from nightloop.batch_date import resolve_batch_date
from nightloop.batch_queue import notify_of_queue
from nightloop.links import OwnersViewLink, ReviewPortalLink
from nightloop.operators.loop_operator import LoopOperator, domain_errors
from nightloop.seen_outside import gauge

if TYPE_CHECKING:
    from airflow.sdk import Context

    from include.loop.core.records.nightly import EndpointPrelabels


REASONS = 8  # why records could not be used, named in the log
LISTED = "listed"  # XCom of `ListBatchOperator`: what it found
BACKFILL = "backfill"  # DagRunType of a run that a backfill made; the SDK does not export the enum


class ListBatchOperator(LoopOperator):
    """Pins the images of a date, and the champion that will predict on them, in `batch.json`, which also
    says whether a backfill did so. Skips a date without images. Returns the number of each part of some
    thousand images, because tasks are mapped over nothing but what a task returns; what was found is the XCom
    `listed`.

    :param batch_date: YYYY-MM-DD; None takes the start of the run's data interval.
    :param force_new: ask again about a date that was done before, as a new batch (`2026-11-01.1`).
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "batch_date", "force_new")

    def __init__(self, *, batch_date: str | None = None, force_new: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_date = batch_date
        self.force_new = force_new

    def execute_step(self, context: Context) -> list[int]:
        from include.loop.nightly.batch import batch_id, list_batch

        date = resolve_batch_date(self.batch_date, context)
        batch = batch_id(self.workspace, date, context["run_id"], self.force_new)
        result = asdict(list_batch(self.workspace, batch, backfill=context["dag_run"].run_type == BACKFILL))
        self.log.info(
            "Batch %s: %d images, %d objects rejected; predicts with %s; %s", batch, result["images"],
            result["rejected"], result["champion"] or "no model yet", result["batch_uri"],
        )  # fmt: skip
        context["ti"].xcom_push(key=LISTED, value=result)
        return list(range(result["parts"]))


class TriageOperator(LoopOperator):
    """Weighs the images of one part of a batch: which of them are worth a person's time, and how urgently.
    `StartHumanLoopsOperator` chooses among those of all parts.

    :param part: number of the part, as `ListBatchOperator` returns them.
    :param threshold: overrides the pipeline's, for this batch: ask below this top score. Text from a
        template is taken for a number, and "" for None; so it is of `cap`.
    :param cap: overrides the pipeline's, for this batch: ask about at most this many images.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "batch", "part", "threshold", "cap")

    def __init__(
        self,
        *,
        batch: str,
        part: int,
        threshold: float | str | None = None,
        cap: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.part = part
        self.threshold = threshold
        self.cap = cap

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.triage import triage_part

        threshold = None if self.threshold in ("", None) else float(self.threshold)
        cap = None if self.cap in ("", None) else int(self.cap)
        result = asdict(triage_part(self.workspace, self.batch, self.part, threshold, cap))
        self.log.info(
            "Of %d images of part %d: %d that people might be asked about, %d unreadable",
            result["images"], result["part"], result["candidates"], result["unreadable"],
        )  # fmt: skip
        return result


class StartHumanLoopsOperator(LoopOperator):
    """Asks people: chooses the images among what triage found in all parts, says what asking will cost, and
    starts one human loop for each, none twice.

    A flow definition holds 5,000 open loops. When there is no room (HTTP 402), the task defers and tries
    again, until everything is asked or the batch's deadline has passed.

    :param threshold: as `TriageOperator` has it.
    :param cap: as `TriageOperator` has it.
    :param plan_only: ask nobody: log counts and cost, leave them in the XCom `plan`, and skip.
    """

    template_fields: Sequence[str] = (
        *LoopOperator.template_fields,
        "batch",
        "threshold",
        "cap",
        "plan_only",
    )
    operator_extra_links = (ReviewPortalLink(), OwnersViewLink())

    def __init__(
        self,
        *,
        batch: str,
        threshold: float | None = None,
        cap: int | None = None,
        plan_only: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.threshold = threshold
        self.cap = cap
        self.plan_only = plan_only

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.plan import plan_review, work_of
        from include.loop.nightly.questions import prepare
        from include.loop.nightly.triage import decide

        decided = decide(self.workspace, self.batch, threshold=self.threshold, cap=self.cap)
        chosen = asdict(decided)
        self.log.info(
            "Of %d images: ask about %d (%d as audits), leave %d, unreadable %d; %s",
            chosen["images"], chosen["ask"], chosen["audit"], chosen["skip"], chosen["unreadable"],
            work_of(decided),
        )  # fmt: skip
        if decided.budget is not None:
            self.log.info(
                "triage.budget leaves %.0f minutes for this batch; %.0f of them are planned.",
                decided.budget / 60, decided.expected_seconds / 60,
            )  # fmt: skip
            if not decided.ask:
                self.log.warning("The next image does not fit into that: nobody is asked about any of them.")
        if chosen["blind"]:
            self.log.info("How they were chosen: %s", chosen["blind"])
        if chosen["again"]:
            self.log.info("%d of these are asked again: their batch is set aside.", chosen["again"])
        self.log.info("Every image that was looked at, with decision and reason: %s", chosen["triage_uri"])
        if self.plan_only:
            plan = asdict(plan_review(self.workspace, self.batch))
            self.end_with_plan(context, plan, plan["text"])
        prepared = prepare(self.workspace, self.batch)
        self.log.info(
            "%d questions (%d images have changed or gone since triage) in %s; asking by %s",
            prepared.asked, prepared.unreadable, prepared.questions_uri, prepared.flow_definition_arn,
        )  # fmt: skip
        self._tell_prelabels(prepared.prelabels)
        self._tell_drift(context)
        if self.find_portal():
            self.log.info("Reviewers answer at %s", self.portal_url)
        return self._start(context, tries=0)

    def _tell_prelabels(self, prelabels: EndpointPrelabels | None) -> None:
        """What became of the endpoint that was to give the first answers, when one was asked."""
        if prelabels is None:
            return
        self.log.info(
            "No model yet: people begin with the answers of endpoint %s on %d images.",
            prelabels.endpoint, prelabels.images,
        )  # fmt: skip
        if prelabels.missing:
            self.log.warning("On %d images they begin with nothing:", prelabels.missing)
            for reason, count in prelabels.reasons:
                self.log.warning("%d x %s", count, reason)

    def _tell_drift(self, context: Context) -> None:
        """Tell when the images look different to the model: people on the first batch, once however often the
        task is tried, the log on each. No reason to fail a task.
        """
        from include.loop.core.records.nightly import Started
        from include.loop.live.drift import tell
        from include.loop.nightly.appearance import judge_appearance

        try:
            here = judge_appearance(self.workspace, self.batch)
            asked = Started.find(self.workspace.storage, self.batch) is not None
        except Exception as error:
            self.log.warning("How the images look was not told: %s: %s", type(error).__name__, error)
            return
        if here is None or not here.moved:
            return
        self.log.warning("%s", tell(here))
        if not asked and any(one.since == self.batch for one in here.moved):
            self.notify(context, NotifyEvent.DRIFT, "the images look different", tell(here))

    def resume(self, context: Context, event: Any, tries: int) -> dict[str, Any]:
        with domain_errors():
            return self._start(context, tries)

    def _start(self, context: Context, tries: int) -> dict[str, Any]:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from include.loop.nightly.questions import start

        state = asdict(start(self.workspace, self.batch))
        self.log.info(
            "%d of %d human loops are there: %d started now, %d were there before, %d refused",
            state["asked"] - state["remaining"] - state["refused"], state["asked"],
            state["started"], state["existing"], state["refused"],
        )  # fmt: skip
        now = datetime.now(UTC)
        if not state["remaining"] or now >= datetime.fromisoformat(state["deadline"]):
            if state["remaining"]:
                self.log.warning("Deadline %s: %d are left unasked.", state["deadline"], state["remaining"])
            notify_of_queue(self, context, self.batch)
            return state
        # People need a while to make room: look less and less often, up to every ten intervals.
        pause = self.workspace.environment.review.poll_seconds * min(tries + 1, 10)
        self.log.info("No room for %d more: trying again in %.0f s.", state["remaining"], pause)
        self.defer(
            trigger=DateTimeTrigger(moment=now + timedelta(seconds=pause)),
            method_name="resume",
            kwargs={"tries": tries + 1},
        )


class AugmentedManifestOperator(LoopOperator):
    """Turns the answers into labels: an augmented manifest for the batch, and a quarantine with a reason
    for each bad record.

    Once committed, a batch's labels never change: a second run returns the same. Answers that came after
    the deadline of an earlier batch are picked up here, so give it `max_active_tis_per_dag=1`.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "batch")

    def __init__(self, *, batch: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.nightly.labels import assemble, reasons

        result = asdict(assemble(self.workspace, self.batch))
        self.log.info(
            "%d labels (%d without an object, %d late ones of earlier batches) in %s",
            result["labels"], result["negatives"], result["late"], result["manifest_uri"],
        )  # fmt: skip
        for name in ("labels", "quarantined", "reviewer_seconds"):
            gauge(f"batch.{name}", result[name], pipeline=self.pipeline)
        if result["copies"]:
            self.log.info("They serve %d more images that have the same bytes.", result["copies"])
        if result["quarantined"]:
            self.log.warning("%d bad records: %s", result["quarantined"], result["quarantine_uri"])
            for reason, count, image in reasons(self.workspace, self.batch)[:REASONS]:
                self.log.warning("%d x %s, for instance %r", count, reason, image)
        if result["disagreed"]:
            self.log.warning(
                "%d of them because reviewers disagree: no majority either way is no label (`review: "
                "task_count:` of an odd number settles more)", result["disagreed"],
            )  # fmt: skip
        if result["open"]:
            self.log.warning("%d loops are still open: the next batch collects them.", result["open"])
        self._judge_audits()
        return result

    def _judge_audits(self) -> None:
        """How good the model at work was. The labels are committed: whatever is wrong here stops no night."""
        from include.loop.nightly.audits import judge_audits

        try:
            judged = judge_audits(self.workspace, self.batch).audited
        except Exception as error:
            self.log.warning(
                "The audits are not summed up: %s: %s. `python -m include.loop live-quality` tries again.",
                type(error).__name__, error,
            )  # fmt: skip
            return
        for item in judged:
            self.log.info(
                "Audits of batch %s with a label now: %d, and on %d of them the model %s was all right",
                item.batch, item.tally.images, item.tally.right, item.model,
            )  # fmt: skip


class NotifyTrainingOperator(LoopOperator):
    """Succeeds, and so emits its outlet, when there are labels that the champion has not learned from, and
    that are to be tried now; skips otherwise.

    The event says only that it is time to look: training reads from S3 what is new.

    :param batch: id of the batch that came last, for the event; empty when its date had no images.
    """

    template_fields: Sequence[str] = (*LoopOperator.template_fields, "batch", "plan_only")

    def __init__(self, *, batch: str = "", plan_only: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.plan_only = plan_only

    def execute_step(self, context: Context) -> dict[str, Any]:
        from include.loop.dataset.plan import plan_training

        if self.plan_only:
            raise AirflowSkipException("plan_only: no labels were made.")
        waiting = asdict(plan_training(self.workspace, pictures=True))
        if not waiting["new_labels"]:
            why = waiting["note"] or "There is no label that the pipeline has not learned from."
            raise AirflowSkipException(why)
        self.log.info(
            "%d labels in %d shards are to be learned: training is notified.",
            waiting["new_labels"],
            waiting["shards"],
        )
        counts = {name: waiting[name] for name in ("new_labels", "shards")}
        self.describe_event(context, batch=self.batch, **counts)
        return {"new_labels": waiting["new_labels"]}
