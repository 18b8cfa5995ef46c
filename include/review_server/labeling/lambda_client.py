"""Functions of labeling jobs that AWS Lambda runs, or a program that answers as Lambda does.

The endpoint is named by the operator (``--lambda-endpoint``); without it no function of Lambda is ever
called. Each call waits for the function's own end, which Lambda limits to 15 minutes. How the function is to
reach the S3 of the job is for whoever deploys it to say (AWS_ENDPOINT_URL among its variables, for a local
cloud).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.review_server import jsontext
from include.review_server.labeling.function_errors import FunctionAway, LambdaFailed
from include.review_server.reach import Reach
from include.review_server.settings import OF_AWS, ReviewSettings
from include.wire import strictjson

_LONGEST_RUN = 910  # seconds: those of any function, and some for the way
_LARGEST_REPLY = 6 * 1024 * 1024  # bytes, of a function that is waited for
_LATER = {"TooManyRequestsException", "EC2ThrottledException", "ResourceNotReadyException"}


class Lambda:
    """Lambda, at the endpoint of the settings; it has whatever it is asked for until it says otherwise."""

    def __init__(self, settings: ReviewSettings) -> None:
        endpoint = settings.lambda_endpoint
        self._client = boto3.session.Session(
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            region_name=settings.region,
        ).client(
            "lambda",
            endpoint_url=None if endpoint == OF_AWS else endpoint,
            # Once: whether to call a second time is decided where the job's state is.
            config=Config(connect_timeout=3, read_timeout=_LONGEST_RUN, retries={"total_max_attempts": 1}),
        )
        self.reach = Reach("Lambda")

    def has(self, arn: str) -> bool:
        return True

    def call(self, arn: str, event: Mapping[str, Any]) -> Any:
        try:
            with self.reach.used("the endpoint"):
                reply = self._client.invoke(FunctionName=arn, Payload=json.dumps(event).encode())
                payload = reply["Payload"].read(_LARGEST_REPLY + 1)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _LATER or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise FunctionAway(f"Lambda did not call {arn}: {error}") from error
            raise LambdaFailed(code, error.response["Error"].get("Message", "")) from error
        except BotoCoreError as error:
            raise FunctionAway(f"Lambda cannot be asked: {error}") from error
        if reply.get("FunctionError"):
            raise LambdaFailed(reply["FunctionError"], _said(payload))
        if len(payload) > _LARGEST_REPLY:
            raise LambdaFailed("Function.ResponseSizeTooLarge", f"It may return {_LARGEST_REPLY} bytes.")
        try:
            value = strictjson.loads(payload)
            jsontext.dump(value)  # it will be stored: 1e999 is read as infinity, and cannot be written
            return value
        except ValueError as error:
            raise LambdaFailed("Runtime.MarshalError", f"What it returned is not JSON: {error}") from error


def _said(payload: bytes) -> str:
    """What a function that failed told of it, in one sentence."""
    try:
        told = strictjson.loads(payload)
    except ValueError:
        return ""
    if not isinstance(told, dict) or not told.get("errorMessage"):
        return ""
    kind = f"{told['errorType']}: " if told.get("errorType") else ""
    return f"It said: {kind}{told['errorMessage']}"
