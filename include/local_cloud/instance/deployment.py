"""One variant of an endpoint on its machine: serves its model until it is retired.

A server that dies is started again, as SageMaker replaces a machine.
"""

from __future__ import annotations

import time

from include.local_cloud.control import outcomes, request_members, rollout
from include.local_cloud.instance.context import InstanceContext
from include.local_cloud.instance.faults import AlgorithmFault, ClientFault, StopRequested
from include.local_cloud.instance.logs import LogStream
from include.local_cloud.instance.model_server import STARTUP_SECONDS, ModelServer
from include.local_cloud.store import INSTANCE

_LOOK_SECONDS = 0.2


class Deployment:
    """``run`` returns when the deployment is retired or has failed for good."""

    def __init__(self, context: InstanceContext) -> None:
        self._context = context

    def run(self) -> None:
        context, deployment = self._context, self._context.document
        group = f"/aws/sagemaker/Endpoints/{deployment['EndpointName']}"
        stream = f"{deployment['VariantName']}/i-{deployment['Version']:08x}-{int(time.time() * 1000)}"
        with LogStream(context.cloud, group, stream) as log:
            request_members.tell(log.say, deployment, deployment["Container"])
            server = ModelServer(context, deployment["Container"], {}, log.say)
            try:
                while True:
                    self._serve(server)
            except StopRequested:
                server.drain()  # requests that came before the switch are still answered
            except (ClientFault, AlgorithmFault) as fault:
                reason = str(fault) if isinstance(fault, AlgorithmFault) else f"ClientError: {fault}"
                outcomes.failed(context.store, context.kind, context.name, reason)
            finally:
                server.stop()

    def _serve(self, server: ModelServer) -> None:
        """Until the server dies; raises when the deployment is to end."""
        context = self._context
        server.start(context.document.get("StartupSeconds") or STARTUP_SECONDS)
        with context.store.change(INSTANCE, context.key) as record:
            record |= {"port": server.port, "launches": 1}  # it came up: earlier deaths are forgotten
        with context.change() as document:
            if document["DeploymentStatus"] == "Creating":
                document["DeploymentStatus"] = "InService"
        rollout.settle(context.store, context.document["EndpointName"])
        while server.is_running():
            context.watch.check()
            context.watch.sleep(_LOOK_SECONDS)
