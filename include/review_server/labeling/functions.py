"""A labeling job's two functions: what people are shown of an object, and what their answers come to.

The built-in ones (``PRE-…``, ``ACS-…``) work in this process. One of the requester's own is a callable that
the operator has named when the server was started (``callables``), or else a function of AWS Lambda at the
endpoint that the operator has named (``lambda_client``). The text of an ARN only ever chooses among these:
nothing that a request names is imported or run here. Payloads are those of the developer guide ("Processing
with AWS Lambda"), with the members that real events have besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from include.review_server.labeling import callables, custom_labels
from include.review_server.labeling.consolidation import AnsweredObject, Consolidated, JobFacts, consolidate
from include.review_server.labeling.function_errors import FunctionFailed, LambdaFailed
from include.review_server.labeling.jobs import JobView
from include.review_server.labeling.lambda_client import Lambda
from include.review_server.labeling.task_types import built_in
from include.review_server.s3 import ObjectStore
from include.review_server.s3_location import S3Location
from include.review_server.settings import ReviewSettings

_PRE_VERSION, _POST_VERSION = "2018-10-16", "2018-10-06"
# Old samples of AWS write the second name, and its values as texts.
_HUMAN_NEEDED = ("isHumanAnnotationRequired", "humanAnnotationRequired")


class Place(Protocol):
    """Where functions of one kind are: the operator's callables, or Lambda."""

    def has(self, arn: str) -> bool:
        """Whether a function of this ARN is to be looked for here."""

    def call(self, arn: str, event: Mapping[str, Any]) -> Any:
        """The function's reply. Raises ``LambdaFailed``, or ``FunctionAway`` when it may answer later."""


class Functions:
    """The functions of a server with these settings. Raises ``CallableMissing``."""

    def __init__(self, settings: ReviewSettings, store: ObjectStore) -> None:
        named = callables.load(settings.labeling_functions)
        self._lambda = Lambda(settings) if settings.lambda_endpoint is not None else None
        self._places: list[Place] = [callables.Callables(named, store.client)]
        if self._lambda is not None:
            self._places.append(self._lambda)

    def problem(self, *arns: str | None) -> str | None:
        """Why a job with these functions could not run here, or None."""
        for arn in arns:
            if arn and built_in(arn) is None and self._place(arn) is None:
                return (
                    f"the function {arn} is not here: its name is none of the callables that this server was "
                    "started with (--labeling-function NAME=MODULE:CALLABLE), and no Lambda endpoint was "
                    "given (--lambda-endpoint)"
                )
        return None

    @property
    def ill(self) -> list[str]:
        """What was wrong with the last call of Lambda, for health; empty when it went well."""
        return self._lambda.reach.problems if self._lambda else []

    def task_input(self, job: JobView, line: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the template is given as ``task.input`` about the object of a manifest's line; None when
        nobody need be asked about it.

        Raises ``FunctionFailed``, which fails the job, and ``FunctionAway`` when it may go better later.
        """
        if job.task_type is not None:
            value = line["source-ref"] if "source-ref" in line else line["source"]
            return {"taskObject": value, "labels": list(job.categories), "manifestLine": dict(line)}
        if job.pre_arn is None or built_in(job.pre_arn) is not None:
            return dict(line)
        event = {"version": _PRE_VERSION, "labelingJobArn": job.arn, "dataObject": dict(line)}
        return _task_input(job.pre_arn, self._call(job, job.pre_arn, event))

    def consolidated(
        self,
        job: JobView,
        request: S3Location,
        objects: Sequence[AnsweredObject],
        responses: Mapping[int, str],
        now: datetime,
    ) -> list[Consolidated]:
        """What the answers about some objects come to, in the objects' order.

        ``request`` is the object in S3 that holds the answers as functions read them (consolidation-request);
        ``responses`` the URI of each object's worker-response file. Raises as ``task_input`` does; what is
        wrong with the answers about one object fails that one alone.
        """
        if job.task_type is not None:
            files_at = job.output.consolidated_file("").uri
            facts = JobFacts(job.name, job.label_attribute, tuple(job.categories), files_at)
            return consolidate(job.task_type, facts, objects, now)
        if job.acs_arn is None or built_in(job.acs_arn) is not None:
            return [custom_labels.unconsolidated(job, thing.number, responses, now) for thing in objects]
        event = {
            "version": _POST_VERSION,
            "labelingJobArn": job.arn,
            "labelCategories": list(job.categories),
            "labelAttributeName": job.label_attribute,
            "roleArn": job.role_arn,
            "outputConfig": job.output.annotations.uri,
            "payload": {"s3Uri": request.uri},
        }
        reply = self._call(job, job.acs_arn, event)
        try:
            return custom_labels.read(job, reply, [thing.number for thing in objects], now)
        except ValueError as error:
            raise FunctionFailed(f"ClientError: the function {job.acs_arn} {error}") from None

    def _call(self, job: JobView, arn: str, event: Mapping[str, Any]) -> Any:
        place = self._place(arn)
        if place is None:  # the server was started otherwise when the job was created
            raise FunctionFailed(f"ClientError: {self.problem(arn)}")
        try:
            return place.call(arn, event)
        except LambdaFailed as failure:
            # The words that AWS's jobs fail with, and what the function said.
            raise FunctionFailed(
                f"ClientError: Exception invoking the Lambda function {arn}. LambdaErrorCode: "
                f"{failure.code}. Ensure the Lambda function exists, that the role {job.role_arn} has "
                f"permissions to invoke it and try your request again. {failure.said}"
            ) from failure

    def _place(self, arn: str) -> Place | None:
        return next((place for place in self._places if place.has(arn)), None)


def _task_input(arn: str, reply: Any) -> dict[str, Any] | None:
    """The reply of a pre-annotation function, read as old and new ones write it."""
    reply = reply if isinstance(reply, dict) else {}
    needed = _truth(next((reply[name] for name in _HUMAN_NEEDED if name in reply), True))
    task_input = reply.get("taskInput")
    if needed is None or (needed and not isinstance(task_input, dict)):
        raise FunctionFailed(
            f"ClientError: the pre-annotation function {arn} must return "
            '{"taskInput": {…}, "isHumanAnnotationRequired": true or false}; it returned something else'
        )
    return task_input if needed else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None
