"""Where AWS clients come from: an Airflow connection, with a fallback, for synchronous and asynchronous code.

Takes connection ids, gives boto3 clients (`get_conn`) and aiobotocore clients (`get_async_conn`). Imports
boto3 at the top, so operators and triggers import this module inside their methods, never at the head of
a file.
"""

from __future__ import annotations

import inspect
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowNotFoundException
from asgiref.sync import sync_to_async
from botocore.config import Config
from botocore.loaders import create_loader

from include.loop.core.clients import SETTINGS

if TYPE_CHECKING:
    import boto3
    from airflow.sdk import Connection
    from botocore.loaders import Loader

# botocore's standard mode waits up to 20 s between attempts: eight of them outlast the restart of a service.
PATIENT = Config(
    retries={"mode": "standard", "max_attempts": 8},
    connect_timeout=10,
    read_timeout=60,
    **SETTINGS,
)


@cache
def _service_models(data_path: str | None) -> Loader:
    return create_loader(data_path)


class LoopAwsHook(AwsBaseHook):
    """AwsBaseHook that looks for its connection without blocking an event loop.

    Settings of the connection (`config_kwargs`) win over the patient defaults of this hook.
    Give the service with `client_type`, e.g. "s3" or "sagemaker".
    """

    fallback_conn_id: ClassVar[str | None] = None

    @cached_property
    def conn_config(self) -> AwsConnectionWrapper:
        return self._wrap(self._find_connection())

    def get_session(self, region_name: str | None = None, deferrable: bool = False) -> boto3.session.Session:
        """As the provider's, but what botocore knows of AWS's services is read once in a process.

        A hook makes a session for every client, and each would parse these files anew: half a second for the
        clients of one task.
        """
        session = super().get_session(region_name, deferrable)
        if not deferrable:
            core = session._session
            core.register_component("data_loader", _service_models(core.get_config_variable("data_path")))
        return session

    def _get_caller(self, target_function_name: str = "execute") -> str:
        """The operator's name, which the provider tells AWS in the user agent.

        The provider's own looks up the source of every function on the way, for every client: half of the
        CPU time that a short task takes.
        """
        frame = inspect.currentframe()
        while frame is not None:
            caller = type(frame.f_locals.get("self"))
            if issubclass(caller, BaseOperator):
                return caller.__name__
            frame = frame.f_back
        return "Unknown"

    async def get_async_conn(self) -> Any:
        """An aiobotocore client, to be used as `async with await hook.get_async_conn() as client`."""
        if "conn_config" not in vars(self):
            connection = await self._afind_connection()
            # In a thread: reading the extras masks their secrets by a blocking call to the supervisor.
            self.conn_config = await sync_to_async(self._wrap)(connection)
        return await super().get_async_conn()

    def _candidates(self) -> list[str]:
        ids = [self.aws_conn_id, self.fallback_conn_id]
        return list(dict.fromkeys(conn_id for conn_id in ids if conn_id))

    def _find_connection(self) -> Connection | None:
        for conn_id in self._candidates():
            try:
                return self._found(self.get_connection(conn_id))
            except AirflowNotFoundException:
                continue
        self._warn_of_default()
        return None

    async def _afind_connection(self) -> Connection | None:
        for conn_id in self._candidates():
            try:
                return self._found(await self.aget_connection(conn_id))
            except AirflowNotFoundException:
                continue
        self._warn_of_default()
        return None

    def _found(self, connection: Connection) -> Connection:
        if connection.conn_id != self.aws_conn_id:
            self.log.info(
                "Connection %r is not defined: %s uses %r.",
                self.aws_conn_id,
                self.client_type,
                connection.conn_id,
            )
        return connection

    def _warn_of_default(self) -> None:
        # As the provider's own hooks do: on MWAA the role of the environment needs no connection at all.
        self.log.warning(
            "No connection %s: using the default AWS credentials.", " or ".join(self._candidates())
        )

    def _wrap(self, connection: Connection | None) -> AwsConnectionWrapper:
        wrapper = AwsConnectionWrapper(
            conn=connection, region_name=self._region_name, botocore_config=self._config, verify=self._verify
        )
        given = wrapper.botocore_config
        wrapper.botocore_config = PATIENT if given is None else PATIENT.merge(given)
        return wrapper


class AugmentedAIHook(LoopAwsHook):
    """The review plane: Amazon A2I, or the review server that takes its place.

    Uses the connection `aws_review`; where it is not defined, `aws_default`. `client_type` is
    "sagemaker-a2i-runtime" (human loops) unless "sagemaker" is asked for (flow definitions, task
    templates, work teams and labeling jobs of the same plane).

    >>> loops = AugmentedAIHook().get_conn()  # doctest: +SKIP
    >>> loops.list_human_loops(FlowDefinitionArn=arn, MaxResults=100)  # doctest: +SKIP
    """

    conn_name_attr = "aws_conn_id"
    default_conn_name = "aws_review"
    fallback_conn_id = "aws_default"

    def __init__(
        self,
        aws_conn_id: str | None = default_conn_name,
        *,
        client_type: str = "sagemaker-a2i-runtime",
        **kwargs: Any,
    ) -> None:
        super().__init__(aws_conn_id=aws_conn_id, client_type=client_type, **kwargs)
