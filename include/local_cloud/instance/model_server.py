"""A model being served: its archive unpacked, its container up, and one HTTP request per record.

Takes a model's container definition; gives replies of ``/invocations``. Used by batch transform and by
endpoints.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from include.local_cloud import model_reply
from include.local_cloud.control.algorithms import Algorithms
from include.local_cloud.control.models import data_url
from include.local_cloud.instance import archives
from include.local_cloud.instance.container import Container, MlTree, wait_for
from include.local_cloud.instance.context import InstanceContext
from include.local_cloud.instance.faults import AlgorithmFault
from include.local_cloud.store import Document

STARTUP_SECONDS = 600.0
DRAIN_SECONDS = 30.0  # SageMaker's time between SIGTERM and SIGKILL for a container that serves
_PING_SECONDS = 2.0
_PING_BYTES = 64 << 10


class ModelServer:
    """``start`` returns when the model answers; ``stop`` ends it and all it started, ``drain`` gently.

    ``contract`` are variables that SageMaker itself sets in such a container.
    """

    def __init__(
        self,
        context: InstanceContext,
        definition: Document,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        contract: Mapping[str, str] | None = None,
    ) -> None:
        self._context, self._definition, self._say = context, definition, say
        self._contract = contract
        self._environment = {**definition.get("Environment", {}), **environment}
        self._algorithm = Algorithms(context.settings.algorithms).of_image(definition["Image"])
        self._container: Container | None = None
        self._tree: MlTree | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, within: float = STARTUP_SECONDS) -> None:
        """Raises ``ClientFault`` for a bad archive, ``AlgorithmFault`` when the model does not come up."""
        if self._tree is None:
            self._tree = MlTree(self._context.home / "ml")
            if url := data_url(self._definition):
                archive = Path(self._context.home / "model.tar.gz")
                self._context.cloud.download(url, archive)
                archives.unpack(archive, self._tree.model, url)
                archive.unlink()
        self._container = Container(
            self._algorithm,
            "serve",
            self._tree,
            self._context.settings,
            self._environment,
            self._say,
            self._contract,
        )
        self.port = self._container.port
        self._context.record(self._container.identity)
        deadline = time.monotonic() + within
        wait_for(lambda: self._answers(deadline), self._context.watch.check)

    def is_running(self) -> bool:
        return self._container is not None and self._container.exit_code() is None

    def drain(self) -> None:
        """Ask it to end when it has answered what it was asked, and leave it SageMaker's time for that."""
        if self._container is None:
            return
        self._container.terminate()
        deadline = time.monotonic() + DRAIN_SECONDS
        wait_for(lambda: not self.is_running() or time.monotonic() > deadline, self._context.watch.look)

    def stop(self) -> None:
        if self._container is not None:
            self._container.kill()

    def _answers(self, deadline: float) -> bool:
        assert self._container is not None  # noqa: S101 -- started before it is asked
        assert self._tree is not None  # noqa: S101 -- made with the container
        if (code := self._container.exit_code()) is not None:
            self._container.finish()
            said = self._tree.failure() or " | ".join(self._container.last_lines) or "it said nothing"
            raise AlgorithmFault(f"AlgorithmError: The model server ended with exit code {code}: {said}")
        if time.monotonic() > deadline:
            raise AlgorithmFault(
                "AlgorithmError: The model server did not pass the ping health check in time"
            )
        try:
            with model_reply.client(1) as http:
                ping = model_reply.ask(
                    http, "GET", f"{self.url}/ping", most=_PING_BYTES, seconds=_PING_SECONDS
                )
            return ping.status == 200
        except httpx.TransportError:
            return False
