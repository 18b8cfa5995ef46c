"""One variant of an endpoint on its machine: serves its model until it is retired.

A server that dies is started again, as SageMaker replaces a machine.
"""

from __future__ import annotations

import time

from include.local_cloud.control import outcomes, request_members, rollout
from include.local_cloud.instance.faults import AlgorithmFault, ClientFault, StopRequested
from include.local_cloud.instance.logs import LogStream
from include.local_cloud.instance.model_server import STARTUP_SECONDS, ModelServer
from include.local_cloud.instance.post import Post
from include.local_cloud.store import INSTANCE

_LOOK_SECONDS = 0.2


class Deployment:
    """``run`` returns when the deployment is retired or has failed for good."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def run(self) -> None:
        post, deployment = self._post, self._post.document
        group = f"/aws/sagemaker/Endpoints/{deployment['EndpointName']}"
        stream = f"{deployment['VariantName']}/i-{deployment['Version']:08x}-{int(time.time() * 1000)}"
        with LogStream(post.cloud, group, stream) as log:
            request_members.tell(log.say, deployment, deployment["Container"])
            server = ModelServer(post, deployment["Container"], {}, log.say)
            try:
                while True:
                    self._serve(server)
            except StopRequested:
                server.drain()  # requests that came before the switch are still answered
            except (ClientFault, AlgorithmFault) as fault:
                reason = str(fault) if isinstance(fault, AlgorithmFault) else f"ClientError: {fault}"
                outcomes.failed(post.store, post.kind, post.name, reason)
            finally:
                server.stop()

    def _serve(self, server: ModelServer) -> None:
        """Until the server dies; raises when the deployment is to end."""
        post = self._post
        server.start(post.document.get("StartupSeconds") or STARTUP_SECONDS)
        with post.store.change(INSTANCE, post.key) as record:
            record |= {"port": server.port, "launches": 1}  # it came up: earlier deaths are forgotten
        with post.change() as document:
            if document["DeploymentStatus"] == "Creating":
                document["DeploymentStatus"] = "InService"
        rollout.settle(post.store, post.document["EndpointName"])
        while server.is_running():
            post.watch.check()
            post.watch.sleep(_LOOK_SECONDS)
