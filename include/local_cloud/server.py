"""The cloud as one process: two ports, one event loop, and everything behind them in its order of start and
stop.

Takes ``Settings``; ``serve`` returns when the process was asked to end and nothing is left running.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from include.local_cloud import credentials
from include.local_cloud.base.services import BaseServices
from include.local_cloud.control.algorithms import Algorithms
from include.local_cloud.control.sagemaker import SageMaker
from include.local_cloud.control.tags import Tags
from include.local_cloud.dispatcher import Dispatcher
from include.local_cloud.gateway.access import Access
from include.local_cloud.gateway.admission import Admission
from include.local_cloud.gateway.invocations import Invocations
from include.local_cloud.gateway.policies import ADMINISTRATOR, REVIEW_SERVER
from include.local_cloud.gateway.review_port import ReviewPort
from include.local_cloud.gateway.routing import Gateway
from include.local_cloud.locks import Lock
from include.local_cloud.settings import ACCOUNT_ID, REGION, Settings, write_atomically
from include.local_cloud.store import Store
from include.review_server.app import create_review
from include.review_server.settings import ReviewSettings, read_prefixes
from include.wire import AwsService, listening


class AlreadyRunning(RuntimeError):
    """Another cloud works in the same data directory."""


class DispatcherDied(RuntimeError):
    """Nobody starts jobs any more: the process must be started again."""


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises ``AlreadyRunning``, and OSError when a port is taken."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = Lock.take(settings.lock)
    if lock is None:
        raise AlreadyRunning(
            f"a local cloud is running in {settings.data} already: stop it, or use another --data"
        )
    with (
        _listening(settings.host, settings.port) as cloud,
        _listening(settings.host, settings.review_port) as review,
    ):
        settings = replace(settings, port=cloud.getsockname()[1], review_port=review.getsockname()[1])
        await _serve(settings, cloud, review)
    lock.release()


async def _serve(settings: Settings, cloud: socket.socket, review: socket.socket) -> None:
    key = credentials.load_or_create(settings.data)
    cloud_url, review_url = (
        f"http://{settings.host}:{port}" for port in (settings.port, settings.review_port)
    )
    settings.save()
    store = Store(settings.documents)
    loop = asyncio.get_running_loop()
    died = asyncio.Event()

    def dispatcher_died() -> None:
        loop.call_soon_threadsafe(died.set)

    dispatcher = Dispatcher(settings, store, dispatcher_died)
    requests: Counter[str] = Counter()
    base = BaseServices(settings.data, settings.port)
    review_key = credentials.derived(key, REVIEW_SERVER.name)
    access = Access({key: ADMINISTRATOR, review_key: REVIEW_SERVER}, base.issued)
    human = create_review(
        ReviewSettings(
            data_dir=settings.data,
            s3_endpoint_url=cloud_url,
            region=REGION,
            account_id=ACCOUNT_ID,
            public_url=review_url,
            access_key_id=review_key.id,
            secret_access_key=review_key.secret,
            read_prefixes=read_prefixes(os.environ),
            least_seconds=settings.least_seconds,
            undo_seconds=settings.undo_seconds,
            labeling_functions=settings.labeling_functions,
            lambda_endpoint=settings.lambda_endpoint,
            logs_endpoint=cloud_url,
            auto_labeling=replace(settings.auto_labeling, endpoint=cloud_url),
        ),
        secret_of=access.caller_secret,
        tags=Tags(store),
    )
    jobs = SageMaker(store, Algorithms(settings.algorithms), dispatcher.wake, human.control)
    control = AwsService("sagemaker", jobs)
    loops = AwsService("sagemaker-a2i-runtime", human.runtime)
    gateway = Gateway(
        [control, loops, AwsService("sagemaker-runtime", Invocations(store))],
        base,
        Admission(access, settings.data),
        requests,
    )
    servers = [_Server(gateway), _Server(ReviewPort(human.asgi, [control, loops], requests))]

    await base.start()
    await asyncio.to_thread(human.start)

    def end() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    running = [
        asyncio.create_task(server.serve(sockets=[sock]))
        for server, sock in zip(servers, (cloud, review), strict=True)
    ]
    credentials.write_config(settings.data, cloud_url)
    write_atomically(settings.data / "endpoints.json", json.dumps({"cloud": cloud_url, "review": review_url}))
    dispatcher.start()
    for sock in (cloud, review):  # who has read the line below may connect, before uvicorn has had a turn
        sock.listen()
    print(f"local cloud ready: {cloud_url} (review {review_url})", flush=True)
    try:
        # Whichever ends first, ends the other: half a cloud is no use to anybody.
        death = asyncio.create_task(died.wait())
        await asyncio.wait([*running, death], return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Instances end while the ports still answer, so that none waits for a cloud that is going.
        await asyncio.to_thread(dispatcher.stop)
        await asyncio.to_thread(human.stop)
        end()
        await asyncio.gather(*running)
        await base.stop()
    if died.is_set():
        raise DispatcherDied("the dispatcher of jobs has ended by an error, see above")


class _Server(listening.Server):
    """Without uvicorn's own signal handlers: two servers share this process, and the order of the end is
    ours.
    """

    def __init__(self, app: Gateway | ReviewPort) -> None:
        # Loopback only: no proxy is in front, and nobody here may speak for another address.
        super().__init__(app, lifespan="off")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound TCP socket; port 0 takes a free one."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise OSError(f"port {port} on {host} cannot be used: {error.strerror}") from None
        yield sock
