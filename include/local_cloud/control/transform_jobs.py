"""The batch-transform operations of SageMaker's control plane.

As with training jobs, a request is checked, written down and left to the dispatcher.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from include.local_cloud.control import listing, request_members, variables
from include.local_cloud.control.models import model_named
from include.local_cloud.control.tags import Tags, labeling_job
from include.local_cloud.settings import arn
from include.local_cloud.store import TRANSFORM_JOB, AlreadyExists, Document, Store
from include.wire import AwsError

MAX_BYTES_IN_FLIGHT_MB = 100


class TransformJobs:
    """``wake`` tells the dispatcher that there is something to do."""

    def __init__(self, store: Store, tags: Tags, wake: Callable[[], None]) -> None:
        self._store, self._tags, self._wake = store, tags, wake

    def create_transform_job(self, params: Document) -> Document:
        name = params["TransformJobName"]
        job_arn = arn(TRANSFORM_JOB.arn, name)
        model_named(self._store, params["ModelName"])
        _check(params)
        variables.check(params.get("Environment", {}))
        kept = {member: value for member, value in params.items() if member != "Tags"}
        kept[request_members.KEPT_AS] = request_members.check(request_members.TRANSFORM_JOB, params)
        document = kept | {
            "TransformJobArn": job_arn,
            "TransformJobStatus": "InProgress",
            "CreationTime": datetime.now(UTC),
            **labeling_job(params),
        }
        try:
            self._store.create(TRANSFORM_JOB, name, document)
        except AlreadyExists:
            raise AwsError(
                "ResourceInUse",
                "Job name must be unique within an AWS account and region, and a job with this name "
                "already exists "
                f"({job_arn})",
            ) from None
        self._tags.put(job_arn, params.get("Tags", []))
        self._wake()
        return {"TransformJobArn": job_arn}

    def describe_transform_job(self, params: Document) -> Document:
        return self._job(params["TransformJobName"])

    def list_transform_jobs(self, params: Document) -> Document:
        jobs, token = listing.page(self._store, TRANSFORM_JOB, params)
        return {"TransformJobSummaries": jobs, "NextToken": token}

    def stop_transform_job(self, params: Document) -> None:
        name = params["TransformJobName"]
        self._job(name)
        with self._store.change(TRANSFORM_JOB, name) as job:
            if job["TransformJobStatus"] == "Stopping":
                return
            if job["TransformJobStatus"] != "InProgress":
                raise AwsError(
                    "ValidationException",
                    "The request was rejected because the transform job is in status "
                    f"{job['TransformJobStatus']}",
                )
            job["TransformJobStatus"] = "Stopping"
        self._wake()

    def _job(self, name: str) -> Document:
        document = self._store.find(TRANSFORM_JOB, name)
        if document is None:
            message = f"Could not find requested job with name: {name}"
            raise AwsError("ValidationException", message)
        return document


def _check(params: Document) -> None:
    source = params["TransformInput"]
    data_type = source["DataSource"]["S3DataSource"]["S3DataType"]
    if data_type not in ("S3Prefix", "ManifestFile"):
        raise AwsError(
            "ValidationException",
            f"S3DataType {data_type} is not for batch transform: S3Prefix or ManifestFile",
        )
    split = source.get("SplitType", "None")
    if split != "None":
        raise AwsError(
            "ValidationException",
            f"SplitType {split} is not available in the local cloud: one object is one request "
            "(SplitType None)",
        )
    if params.get("BatchStrategy") == "MultiRecord":
        raise AwsError(
            "ValidationException", "BatchStrategy MultiRecord needs SplitType Line, RecordIO or TFRecord"
        )
    processing = params.get("DataProcessing", {})
    filters = [processing.get(member, "$") for member in ("InputFilter", "OutputFilter")]
    if processing.get("JoinSource", "None") != "None" or filters != ["$", "$"]:
        raise AwsError(
            "ValidationException", "DataProcessing is for CSV and JSON data, and not available here"
        )
    in_flight = params.get("MaxConcurrentTransforms", 1) * params.get("MaxPayloadInMB", 6)
    if in_flight > MAX_BYTES_IN_FLIGHT_MB:
        raise AwsError(
            "ValidationException",
            f"MaxConcurrentTransforms * MaxPayloadInMB is {in_flight}; at most "
            f"{MAX_BYTES_IN_FLIGHT_MB} is allowed",
        )
