"""The training-job operations of SageMaker's control plane.

A request is checked, written down as the document that Describe gives back, and left to the dispatcher;
nothing is waited for. Rules beyond the service model (which the wire has checked) are those of the
developer guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePosixPath

from include.local_cloud.control import listing, request_members, variables
from include.local_cloud.control.algorithms import Algorithms
from include.local_cloud.control.tags import Tags, labeling_job
from include.local_cloud.settings import arn
from include.local_cloud.store import TRAINING_JOB, AlreadyExists, Document, Store
from include.wire import AwsError

DEFAULT_RUNTIME = 86_400
MAX_RUNTIME = 432_000  # the account quota "longest training run"
MAX_KEEP_ALIVE = 3_600  # of a warm pool, as the developer guide says; the service model allows more
ML_ROOT = "/opt/ml"
_LONGEST_NAME = 255  # bytes, of a directory
DEFAULT_CHECKPOINTS = f"{ML_ROOT}/checkpoints"
# Of the container contract, and what is made of them.
_TAKEN = ("code", "input", "model", "output", "model.tar.gz", "output.tar.gz")


class TrainingJobs:
    """``wake`` tells the dispatcher that there is something to do."""

    def __init__(self, store: Store, algorithms: Algorithms, tags: Tags, wake: Callable[[], None]) -> None:
        self._store, self._algorithms, self._tags, self._wake = store, algorithms, tags, wake

    def create_training_job(self, params: Document) -> Document:
        name = params["TrainingJobName"]
        job_arn = arn(TRAINING_JOB.arn, name)
        document = self._accepted(params)
        now = datetime.now(UTC)
        document |= {
            "TrainingJobArn": job_arn,
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [
                {"Status": "Starting", "StartTime": now, "StatusMessage": "Starting the training job"}
            ],
            "ModelArtifacts": {"S3ModelArtifacts": ""},
            **({"WarmPoolStatus": {"Status": "InUse"}} if _keeps_warm(params) else {}),
            "CreationTime": now,
            **labeling_job(params),
        }
        try:
            self._store.create(TRAINING_JOB, name, document)
        except AlreadyExists:
            raise AwsError(
                "ResourceInUse",
                "Training job names must be unique within an AWS account and region, and a training "
                "job with this "
                f"name already exists ({job_arn})",
            ) from None
        self._tags.put(job_arn, params.get("Tags", []))
        self._wake()
        return {"TrainingJobArn": job_arn}

    def describe_training_job(self, params: Document) -> Document:
        found = self._store.rows(TRAINING_JOB, [("name = ?", params["TrainingJobName"])], "name", 1)
        if not found:
            raise _missing()
        return found[0].document | {"LastModifiedTime": datetime.fromtimestamp(found[0].modified, UTC)}

    def list_training_jobs(self, params: Document) -> Document:
        # The service model says Ascending, and filters a page after it was cut.
        jobs, token = listing.page(
            self._store, TRAINING_JOB, params, order="Ascending", status_after_the_cut=True
        )
        return {"TrainingJobSummaries": jobs, "NextToken": token}

    def stop_training_job(self, params: Document) -> None:
        name = params["TrainingJobName"]
        if self._store.find(TRAINING_JOB, name) is None:
            raise _missing()
        with self._store.change(TRAINING_JOB, name) as job:
            if job["TrainingJobStatus"] == "Stopping":
                return
            if job["TrainingJobStatus"] != "InProgress":
                raise AwsError(
                    "ValidationException",
                    "The request was rejected because the training job is in status "
                    f"{job['TrainingJobStatus']}",
                )
            job["TrainingJobStatus"] = "Stopping"
            move(job, "Stopping", "Stopping the training job")
        self._wake()

    def _accepted(self, params: Document) -> Document:
        """The request as Describe shows it, once it is known to be sound."""
        without_effect = request_members.check(request_members.TRAINING_JOB, params)
        for member in ("AlgorithmSpecification", "ResourceConfig"):
            if not params.get(member):
                raise AwsError("ValidationException", f"{member} is required")
        specification = params["AlgorithmSpecification"]
        if not specification.get("TrainingImage"):
            raise AwsError("ValidationException", "AlgorithmSpecification.TrainingImage is required here")
        algorithm = self._algorithms.of_image(specification["TrainingImage"])
        if algorithm.metrics:
            if specification.get("MetricDefinitions"):
                raise AwsError(
                    "ValidationException",
                    "You can't override the metric definitions for Amazon SageMaker algorithms. "
                    "Please retry the "
                    "request without specifying metric definitions.",
                )
            definitions = [{"Name": name, "Regex": regex} for name, regex in algorithm.metrics.items()]
            specification = specification | {"MetricDefinitions": definitions}
        for definition in specification.get("MetricDefinitions", []):
            _check_regex(definition)
        self._check_channels(params.get("InputDataConfig", []), specification["TrainingInputMode"])
        stopping = {"MaxRuntimeInSeconds": DEFAULT_RUNTIME} | params.get("StoppingCondition", {})
        spot = bool(params.get("EnableManagedSpotTraining"))
        self._check_stopping(stopping, spot)
        self._check_keep_alive(params["ResourceConfig"].get("KeepAlivePeriodInSeconds"), spot)
        variables.check(params.get("Environment", {}))
        if checkpoints := params.get("CheckpointConfig"):
            _check_checkpoints(checkpoints)
        defaults = {
            "EnableNetworkIsolation": False,
            "EnableInterContainerTrafficEncryption": False,
            "EnableManagedSpotTraining": False,
        }
        kept = {name: value for name, value in params.items() if name != "Tags"}
        kept[request_members.KEPT_AS] = without_effect
        return defaults | kept | {"AlgorithmSpecification": specification, "StoppingCondition": stopping}

    @staticmethod
    def _check_channels(channels: list[Document], job_mode: str) -> None:
        names = [channel["ChannelName"] for channel in channels]
        if len(set(names)) < len(names):
            raise AwsError("ValidationException", f"Channel names must be unique, found {', '.join(names)}")
        # A Pipe channel is read from NAME_0, NAME_1 and so on.
        pipes = [
            channel["ChannelName"] for channel in channels if channel.get("InputMode", job_mode) == "Pipe"
        ]
        for channel in channels:
            where = f"Channel {channel['ChannelName']}"
            if channel["ChannelName"] in (".", ".."):
                raise AwsError("ValidationException", f"{where}: this is no name of a directory")
            if channel["ChannelName"].rstrip("0123456789") in {f"{pipe}_" for pipe in pipes}:
                raise AwsError("ValidationException", f"{where}: a Pipe channel's epoch has this name")
            source = channel["DataSource"].get("S3DataSource")
            if source is None:
                raise AwsError("ValidationException", f"{where}: only an S3DataSource is available here")
            if source["S3DataType"] == "AugmentedManifestFile":
                mode = channel.get("InputMode", job_mode)
                if mode != "Pipe":
                    raise AwsError(
                        "ValidationException",
                        f"{where}: AugmentedManifestFile needs InputMode Pipe, not {mode}",
                    )
                if not source.get("AttributeNames"):
                    raise AwsError(
                        "ValidationException", f"{where}: AugmentedManifestFile needs AttributeNames"
                    )

    @staticmethod
    def _check_stopping(condition: Document, spot: bool) -> None:
        runtime, wait = condition["MaxRuntimeInSeconds"], condition.get("MaxWaitTimeInSeconds")
        if runtime > MAX_RUNTIME:
            raise AwsError(
                "ResourceLimitExceeded",
                "The account-level service limit 'Longest run time for a training job' is "
                f"{MAX_RUNTIME} Seconds, "
                f"with a request of {runtime} Seconds",
            )
        if spot and (wait is None or wait < runtime):
            raise AwsError(
                "ValidationException",
                "MaxWaitTimeInSeconds is required with EnableManagedSpotTraining and must not be below "
                "MaxRuntimeInSeconds",
            )
        if wait is not None and not spot:
            raise AwsError("ValidationException", "MaxWaitTimeInSeconds needs EnableManagedSpotTraining")

    @staticmethod
    def _check_keep_alive(seconds: int | None, spot: bool) -> None:
        if seconds and spot:
            raise AwsError(
                "ValidationException", "KeepAlivePeriodInSeconds cannot be used with managed spot training"
            )
        if seconds and seconds > MAX_KEEP_ALIVE:
            raise AwsError(
                "ValidationException",
                f"KeepAlivePeriodInSeconds is {seconds}; at most {MAX_KEEP_ALIVE} is allowed",
            )


def _check_checkpoints(config: Document) -> None:
    if not config["S3Uri"].startswith("s3://"):
        raise AwsError(
            "ValidationException", f"CheckpointConfig: S3Uri must be s3://…, not {config['S3Uri']!r}"
        )
    local = PurePosixPath(config.get("LocalPath", DEFAULT_CHECKPOINTS))
    inside = local.relative_to(ML_ROOT).parts if local.is_relative_to(ML_ROOT) else ()
    is_path = "\0" not in str(local) and all(len(part.encode()) <= _LONGEST_NAME for part in inside)
    if not inside or inside[0] in _TAKEN or ".." in inside or not is_path:
        raise AwsError(
            "ValidationException",
            f"CheckpointConfig: LocalPath is {str(local)!r}; here it must be a directory of its own below "
            f"{ML_ROOT}, such as {DEFAULT_CHECKPOINTS}, because there is no container around the job",
        )


def _check_regex(definition: Document) -> None:
    try:
        re.compile(definition["Regex"])
    except (re.error, OverflowError, RecursionError) as error:
        raise AwsError("ValidationException", f"Metric {definition['Name']} has no regex: {error}") from None


def move(job: Document, secondary_status: str, message: str) -> None:
    """Enter the next secondary status: closes the last transition and opens the new one."""
    now = datetime.now(UTC)
    transitions = job["SecondaryStatusTransitions"]
    if transitions:
        transitions[-1].setdefault("EndTime", now)
    job["SecondaryStatus"] = secondary_status
    transitions.append({"Status": secondary_status, "StartTime": now, "StatusMessage": message})


def _keeps_warm(params: Document) -> bool:
    return bool(params["ResourceConfig"].get("KeepAlivePeriodInSeconds"))


def _missing() -> AwsError:
    # SageMaker says ValidationException here, and Airflow's provider looks for that code.
    return AwsError("ValidationException", "Requested resource not found.")
