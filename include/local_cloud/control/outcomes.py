"""How a job's document changes when no instance is there for it: it waits, stops before it ran, or fails."""

from __future__ import annotations

from datetime import UTC, datetime

from include.local_cloud.control import rollout
from include.local_cloud.control.training_jobs import move
from include.local_cloud.store import DEPLOYMENT, TRAINING_JOB, Document, Kind, Store

MAX_REASON = 1024
WAITED_TOO_LONG = "Training job wait time exceeded MaxWaitTimeInSeconds"


def waits_for_room(store: Store, kind: Kind, document: Document, limit: int) -> None:
    """Say once that a training job is queued; a transform job has no secondary status to say it with.

    A spot job that has waited for longer than its MaxWaitTimeInSeconds is stopped.
    """
    if kind is not TRAINING_JOB:
        return
    patience = document["StoppingCondition"].get("MaxWaitTimeInSeconds")
    if patience and (datetime.now(UTC) - document["CreationTime"]).total_seconds() > patience:
        with store.change(kind, document[kind.name]) as job:
            end(job, kind, "Stopped", secondary="MaxWaitTimeExceeded", message=WAITED_TOO_LONG)
        return
    if document["SecondaryStatus"] != "Starting":
        return
    with store.change(kind, document[kind.name]) as job:
        if job["SecondaryStatus"] == "Starting":
            move(job, "Pending", f"Waiting for a free place: {limit} jobs run at once here")


def stopped_before_it_ran(store: Store, kind: Kind, name: str) -> None:
    with store.change(kind, name) as job:
        end(job, kind, "Stopped")


def failed(store: Store, kind: Kind, name: str, reason: str) -> None:
    with store.change(kind, name) as job:
        before = job[kind.status]
        end(job, kind, "Failed", reason=reason)
    if kind is DEPLOYMENT:
        if before == "InService":
            rollout.broke(store, job["EndpointName"], job["Version"], reason)
        rollout.settle(store, job["EndpointName"])


def end(
    job: Document, kind: Kind, status: str, *, secondary: str = "", message: str = "", reason: str = ""
) -> None:
    """Bring a job to its last status, with end times; ``reason`` is cut to SageMaker's 1,024 characters."""
    now = datetime.now(UTC)
    job[kind.status] = status
    if reason:
        job["FailureReason"] = reason[:MAX_REASON]
    if kind is DEPLOYMENT:
        return
    job.setdefault(f"{kind.stem.removesuffix('Job')}StartTime", now)
    job[f"{kind.stem.removesuffix('Job')}EndTime"] = now
    if kind is TRAINING_JOB:
        move(job, secondary or status, message or f"Training job {status.lower()}")
        last = job["SecondaryStatusTransitions"][-1]
        last["EndTime"] = last["StartTime"]  # not ``now``, which was a moment before
        seconds = max(1, round((now - job["TrainingStartTime"]).total_seconds()))
        # Nothing is billed here, so a spot job saves nothing; a warm pool ends with its job, kept for nobody.
        job["TrainingTimeInSeconds"] = job["BillableTimeInSeconds"] = seconds
        if "WarmPoolStatus" in job:
            job["WarmPoolStatus"] = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
