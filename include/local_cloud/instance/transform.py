"""A batch-transform job on its machine: one request per object, one ``.out`` per good answer.

A bad object spoils only itself: the job ends Failed, and the other outputs are kept, as documented. Outputs
are uploaded when all is done; a job that is stopped stores none. On disk they have numbers: an object's key
is no file's name.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx

from include.local_cloud import model_reply
from include.local_cloud.control import outcomes, request_members
from include.local_cloud.control.models import model_named, served_by
from include.local_cloud.instance import archives, channels
from include.local_cloud.instance.cloud import split_uri
from include.local_cloud.instance.context import InstanceContext
from include.local_cloud.instance.faults import AlgorithmFault, ClientFault, StopRequested
from include.local_cloud.instance.logs import LogStream
from include.local_cloud.instance.model_server import ModelServer
from include.local_cloud.store import TRANSFORM_JOB
from include.wire import AwsError

LOG_GROUP = "/aws/sagemaker/TransformJobs"
_UPLOADS = 8
_AHEAD = 4  # objects read before it is their turn: the model waits for no request of S3
_SMALL = 16 << 20  # bytes; where objects may be larger, none is read ahead
_MAX_RETRIES = 3  # ModelClientConfig's default
_TIMEOUT = 600
_MOST_ANSWER = 256 << 20
_MOST_KEY = 1024  # bytes, S3's limit
_CONTRACT = {"SAGEMAKER_BATCH": "true"}  # what tells a container that it serves a transform job


@dataclass(frozen=True)
class Task:
    """One object: its URI, where its output goes, and the file in which the output waits for that."""

    uri: str
    target: str
    path: Path


@dataclass(frozen=True)
class Failure:
    """One object without an output, and why."""

    uri: str
    reason: str
    client: bool  # whether the object is to blame, or the model


@dataclass(frozen=True)
class Limits:
    """How many requests at once, and how large one may be (bytes, None for any)."""

    concurrent: int
    payload: int | None


class TransformJob:
    """``run`` takes the job to its end; it raises only when this process must end."""

    def __init__(self, context: InstanceContext) -> None:
        self._context, self._job = context, context.document
        self._outputs = context.home / "out"
        client = self._job.get("ModelClientConfig", {})
        self._retries: int = client.get("InvocationsMaxRetries", _MAX_RETRIES)
        self._seconds: float = client.get("InvocationsTimeoutInSeconds", _TIMEOUT)
        self._http = model_reply.client(100)

    def run(self) -> None:
        machine = f"{self._context.name}/algo-1-{int(time.time() * 1000)}"
        try:
            with ExitStack() as stack:
                log, data_log = (
                    stack.enter_context(LogStream(self._context.cloud, LOG_GROUP, stream))
                    for stream in (machine, f"{machine}/data-log")
                )
                failures, total = self._work(log, data_log)
        except StopRequested:
            self._end("Stopped")
        except ClientFault as fault:
            self._end("Failed", f"ClientError: {fault}")
        except AlgorithmFault as fault:
            self._end("Failed", str(fault))
        else:
            self._end("Failed" if failures else "Completed", _summary(failures, total))

    def _work(self, log: LogStream, data_log: LogStream) -> tuple[list[Failure], int]:
        context, job = self._context, self._job
        shutil.rmtree(self._outputs, ignore_errors=True)  # of an instance that was lost
        with context.change() as document:
            document["TransformStartTime"] = datetime.now(UTC)
        context.watch.check()
        try:
            definition = served_by(model_named(context.store, job["ModelName"]))
        except AwsError as error:
            raise ClientFault(error.message) from None
        request_members.tell(log.say, job, definition)
        tasks = self._tasks()
        self._outputs.mkdir()
        server = ModelServer(context, definition, job.get("Environment", {}), log.say, _CONTRACT)
        try:
            server.start()
            limits = self._limits(server.url)
            data_log.say(
                f"[sagemaker logs]: MaxConcurrentTransforms={limits.concurrent}, "
                f"MaxPayloadInMB={job.get('MaxPayloadInMB', 6)}, BatchStrategy=SINGLE_RECORD"
            )
            turns = threading.Semaphore(limits.concurrent)
            ahead = _AHEAD if limits.payload and limits.payload <= _SMALL else 0
            with ThreadPoolExecutor(limits.concurrent + ahead) as pool:
                done = pool.map(lambda task: self._one(server, task, limits, turns, data_log), tasks)
                failures = [failure for failure in done if failure is not None]
        finally:
            server.stop()
        self._upload(tasks)
        return failures, len(tasks)

    def _tasks(self) -> list[Task]:
        """The job's objects. Keys are opaque: what an output's key is made of is never looked into."""
        source, target = self._job["TransformInput"], self._job["TransformOutput"]["S3OutputPath"].rstrip("/")
        return [
            Task(uri, f"{target}/{relative}.out", self._outputs / str(number))
            for number, (uri, relative) in enumerate(
                channels.objects(self._context.cloud, source["DataSource"]["S3DataSource"])
            )
        ]

    def _one(
        self, server: ModelServer, task: Task, limits: Limits, turns: threading.Semaphore, log: LogStream
    ) -> Failure | None:
        """Transform one object, in its turn; its output waits on disk."""
        self._context.watch.check()
        uri = task.uri
        failure: Failure | None
        try:
            _check_key(task.target)
            packed = self._job["TransformInput"].get("CompressionType") == "Gzip"
            body = self._context.cloud.read(uri, None if packed else limits.payload)
            if packed:
                body = b"".join(archives.gunzip(BytesIO(body), uri, limits.payload))
        except ClientFault as fault:
            failure = Failure(uri, str(fault), client=True)
        else:
            with turns:
                failure = self._ask(server, task, body, limits)
        if failure is not None:
            log.say(f"[sagemaker logs]: {uri.removeprefix('s3://')}: {failure.reason}")
        return failure

    def _ask(self, server: ModelServer, task: Task, body: bytes, limits: Limits) -> Failure | None:
        uri = task.uri
        if limits.payload is not None and len(body) > limits.payload:
            return Failure(uri, f"its bytes exceed MaxPayloadInMB ({limits.payload >> 20} MB)", client=True)
        output, source = self._job["TransformOutput"], self._job["TransformInput"]
        headers = {
            name: value
            for name, value in (("Content-Type", source.get("ContentType")), ("Accept", output.get("Accept")))
            if value
        }
        failure: Failure | None = None
        for _ in range(1 + self._retries):
            self._context.watch.check()
            try:
                reply = model_reply.ask(
                    self._http,
                    "POST",
                    f"{server.url}/invocations",
                    most=_MOST_ANSWER,
                    seconds=self._seconds,
                    content=body,
                    headers=headers,
                )
            except httpx.TransportError as error:
                failure = Failure(
                    uri, f"AlgorithmError: the model server did not answer: {error!r}", client=False
                )
                if not server.is_running():
                    return failure
                continue
            if len(reply.content) > _MOST_ANSWER:
                return Failure(uri, f"the answer exceeds {_MOST_ANSWER >> 20} MiB", client=False)
            if 200 <= reply.status < 300:
                task.path.write_bytes(reply.content)
                return None
            said = " ".join(reply.text.split())[:400]
            failure = Failure(
                uri, f"Bad HTTP status received from algorithm: {reply.status} {said}", client=True
            )
            if reply.status < 500:
                return failure
            failure = Failure(uri, failure.reason, client=False)
        return failure

    def _limits(self, url: str) -> Limits:
        """The request's own numbers, else those of the container's /execution-parameters, else one and 6
        MB.
        """
        reply = None
        try:
            reply = model_reply.ask(
                self._http, "GET", f"{url}/execution-parameters", most=64 << 10, seconds=self._seconds
            )
            told = json.loads(reply.content) if reply.status == 200 else {}
            concurrent = self._job.get("MaxConcurrentTransforms") or told.get("MaxConcurrentTransforms") or 1
            payload = self._job.get("MaxPayloadInMB", told.get("MaxPayloadInMB", 6))
            if not (type(concurrent) is type(payload) is int and 1 <= concurrent <= 1000 >= payload >= 0):
                raise ValueError("its numbers are none")
        except (httpx.TransportError, ValueError, AttributeError, RecursionError) as error:
            said = f": {reply.text[:200]!r}" if reply else ""
            raise AlgorithmFault(f"AlgorithmError: /execution-parameters: {error}{said}") from None
        return Limits(concurrent, payload << 20 if payload else None)

    def _upload(self, tasks: list[Task]) -> None:
        accept = self._job["TransformOutput"].get("Accept", "application/json")

        def send(task: Task) -> None:
            self._context.watch.check()
            if task.path.exists():
                self._context.cloud.write(task.target, task.path.read_bytes(), accept)

        with ThreadPoolExecutor(_UPLOADS) as pool:
            for _ in pool.map(send, tasks):
                pass

    def _end(self, status: str, reason: str = "") -> None:
        with self._context.change() as document:
            outcomes.end(document, TRANSFORM_JOB, status, reason=reason)


def _check_key(target: str) -> None:
    """An output without a place costs its object; found out when it is stored, it would cost the job."""
    length = len(split_uri(target)[1].encode("utf-8", "surrogatepass"))
    if length > _MOST_KEY:
        raise ClientFault(f"the key of its output would have {length:,} bytes; S3 takes {_MOST_KEY:,}")


def _summary(failures: list[Failure], total: int) -> str:
    if not failures:
        return ""
    first = failures[0]
    # A key may be as long as a reason may be, and would leave no room for it.
    name = first.uri if len(first.uri) <= 300 else f"{first.uri[:200]}…{first.uri[-99:]}"
    blame = "ClientError" if all(failure.client for failure in failures) else "AlgorithmError"
    return (
        f"{blame}: {len(failures)} of {total} objects have no output, the first is {name} "
        f"({first.reason}). "
        "See job logs for more information"
    )
