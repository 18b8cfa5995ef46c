"""The AWS clients of a pipeline, by what they are for.

Takes a function that makes a boto3 client, gives one value that every step is handed with its workspace.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from include import __version__
from include.loop.core.storage import CONNECTIONS

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_a2i_runtime import AugmentedAIRuntimeClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

# For botocore's Config. Left to itself it puts a client's name together anew for every request: a quarter of
# the processor's time of each.
SETTINGS: dict[str, Any] = {"max_pool_connections": CONNECTIONS, "user_agent": f"nightloop/{__version__}"}


class Clients:
    """Each client is made when it is first used, and kept.

    ``make`` takes boto3's name of the service, and whether it is the review plane's: Amazon A2I, or the
    review server that stands in its place, may have another address than the rest.
    """

    def __init__(self, make: Callable[[str, bool], Any]) -> None:
        self._make = make

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self._make("s3", False)
        return client

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """Jobs, models, the registry and endpoints."""
        client: SageMakerClient = self._make("sagemaker", False)
        return client

    @cached_property
    def sagemaker_runtime(self) -> SageMakerRuntimeClient:
        """Answers of models that are served."""
        client: SageMakerRuntimeClient = self._make("sagemaker-runtime", False)
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """What jobs wrote."""
        client: CloudWatchLogsClient = self._make("logs", False)
        return client

    @cached_property
    def review(self) -> SageMakerClient:
        """Flow definitions, worker task templates and work teams, at the review plane."""
        client: SageMakerClient = self._make("sagemaker", True)
        return client

    @cached_property
    def a2i(self) -> AugmentedAIRuntimeClient:
        """Human loops, at the review plane."""
        client: AugmentedAIRuntimeClient = self._make("sagemaker-a2i-runtime", True)
        return client
