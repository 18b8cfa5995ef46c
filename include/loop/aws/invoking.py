"""One image to an endpoint, and its answer.

Takes an endpoint's name and the bytes of an image, gives InvokeEndpoint's reply. What is larger than it takes
is the caller's to leave out or to shrink.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.loop.core.errors import DeploymentFailed
from include.loop.core.storage import error_code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

MAX_BYTES = 6_291_456  # the most InvokeEndpoint takes
CONTENT_TYPE, ACCEPT = "application/x-image", "application/json"


def invoke(
    runtime: SageMakerRuntimeClient,
    endpoint: str,
    body: bytes,
    image: str,
    content_type: str = CONTENT_TYPE,
    accept: str = ACCEPT,
) -> dict[str, Any]:
    """InvokeEndpoint's answer. DeploymentFailed when the model failed on the image."""
    try:
        return dict(
            runtime.invoke_endpoint(EndpointName=endpoint, ContentType=content_type, Accept=accept, Body=body)
        )
    except ClientError as error:
        if error_code(error) != "ModelError":
            raise
        raise DeploymentFailed(f"endpoint {endpoint} failed on {image}: {error}") from None
