"""S3, IAM, STS, SQS, EventBridge, CloudWatch and its Logs: ministack's services, mounted in this process,
made to survive kill -9.

Takes requests that are not SageMaker's, admitted and whole. ministack writes S3 objects through to disk, but
everything else only at an orderly exit; here bucket settings and IAM are saved before the client hears that
they were made, logs and metrics are written to a journal, and the rest (queues, events) is saved a moment
later.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from include.local_cloud.asgi import Message, Receive, Send
from include.local_cloud.base import call, paging
from include.local_cloud.base.bucket_region import keep_buckets_here
from include.local_cloud.base.journal import Journal
from include.local_cloud.credentials import Temporary
from include.local_cloud.settings import ACCOUNT_ID, REGION, write_atomically
from include.wire import AwsError, Request
from include.wire.sigv4 import Signature

log = logging.getLogger(__name__)

# ministack has a hundred more; these alone are reachable.
SERVICES = ("s3", "iam", "sts", "sqs", "events", "logs", "monitoring")
_SAVED_AT_ONCE = ("s3", "iam")
_JOURNALED = ("logs", "monitoring")
_SAVED_LATER_SECONDS = 5.0  # a copy of all that a service has costs time: at most one each few seconds


class BaseServices:
    """Answers by ASGI's ``send``. ``start`` and ``stop`` belong to the server's lifespan."""

    def __init__(self, data: Path, port: int) -> None:
        # ministack reads its settings from the environment when it is imported, once.
        os.environ.update(
            {
                "PERSIST_STATE": "1",
                "STATE_DIR": str(data / "base-services"),
                "SERVICES": ",".join(SERVICES),
                "AUTH": "false",  # who may come in is decided before (access), by keys of our own
                "GATEWAY_PORT": str(port),
                "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
                "MINISTACK_REGION": REGION,
                "SFTP_ENABLED": "0",
                "IOT_MTLS_ENABLED": "0",
                "LOG_LEVEL": "WARNING",
            }
        )
        from ministack import app as ministack
        from ministack.core import persistence

        from include.local_cloud.base import object_files

        object_files.install(data / "s3")
        keep_buckets_here(ministack._get_module("s3"))
        self._ministack, self._persistence = ministack, persistence
        self._folder = data / "base-services"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._journals = {
            service: Journal(module, self._folder, _file_of(module), self._write)
            for service in _JOURNALED
            for module in [self._module(service)]
        }
        self._unsaved: set[str] = set()
        self._saver: asyncio.Task[None] | None = None

    def issued(self, key_id: str) -> Temporary | None:
        """A temporary access key that STS gave out (AssumeRole and the like), or None once it has expired.

        Raises ``AwsError`` for a key that was asked for with a policy of its own: nobody here reads policies,
        so the key would do more than whoever asked for it meant.
        """
        sts = self._module("sts")
        session = sts._sessions.get(key_id)
        if session is None or sts._session_expired(session):
            return None
        if session.get("SessionPolicies"):
            message = "the local cloud reads no session policies: ask without Policy and PolicyArns"
            raise AwsError("AccessDenied", message, 403)
        return Temporary(session["SecretAccessKey"], session["SessionToken"])

    async def start(self) -> None:
        for service in SERVICES:
            module = self._module(service)
            if saved := self._persistence.load_state(_file_of(module)):
                module.load_persisted_state(saved)
            if journal := self._journals.get(service):
                await journal.start(saved)
            paging.install(module, service)
        self._saver = asyncio.create_task(self._save_later())

    async def stop(self) -> None:
        if self._saver:
            self._saver.cancel()
        for service in SERVICES:
            try:
                if journal := self._journals.get(service):
                    journal.stop()
                else:
                    self._save(service)
            except OSError:
                log.exception("what %s holds could not be saved", service)

    async def __call__(self, signature: Signature, request: Request, receive: Receive, send: Send) -> None:
        """Let the service that the request is signed for answer it. Raises ``AwsError``."""
        service = signature.service
        answer = await call.answer(self._module(service), signature, request)
        is_head = request.method == "HEAD"
        if not _changes_settings(request, service):
            await self._ministack._send_if_handled(send, answer, receive, head=is_head)
            return

        async def save_then_send(message: Message) -> None:
            # The promise of a 200 is kept even when the process is killed right after it.
            if message["type"] == "http.response.start" and message["status"] < 300:
                if service in _SAVED_AT_ONCE:
                    try:
                        self._save(service)
                    except OSError as error:
                        raise AwsError("InternalError", f"it could not be saved: {error}", 500) from error
                elif service not in _JOURNALED:
                    self._unsaved.add(service)
            await send(message)

        await self._ministack._send_if_handled(save_then_send, answer, receive, head=is_head)

    async def preflight(self, request: Request, receive: Receive, send: Send) -> None:
        """Answer a browser that asks what another site's page may do: as the bucket's CORS rules say."""
        answer = call.preflight(self._module("s3"), request)
        await self._ministack._send_if_handled(send, answer, receive)

    async def _save_later(self) -> None:
        while True:
            await asyncio.sleep(_SAVED_LATER_SECONDS)
            for service in list(self._unsaved):
                try:
                    self._save(service)
                    self._unsaved.discard(service)
                except OSError:
                    log.exception("what %s holds could not be saved; it is tried again", service)

    def _save(self, service: str) -> None:
        module = self._module(service)
        self._write(_file_of(module), module.get_state())

    def _write(self, name: str, state: dict[str, Any]) -> None:
        """Raises OSError, which ministack's own would only log; the form is what its ``load_state`` reads."""
        version = self._persistence._state_format_version(name)
        content = {"__ministack_format__": version, "payload": state}
        text = json.dumps(content, default=self._persistence._json_default)
        write_atomically(self._folder / f"{name}.json", text)

    def _module(self, service: str) -> ModuleType:
        return self._ministack._get_module(self._ministack.SERVICE_REGISTRY[service]["module"])


def _file_of(module: ModuleType) -> str:
    """The name under which ministack keeps the state of a module."""
    return module.__name__.rpartition(".")[2]


def _changes_settings(request: Request, service: str) -> bool:
    """Whether the request may change state that ministack itself does not write to disk."""
    if service != "s3":
        return request.method != "GET"
    is_bucket = "/" not in request.path.strip("/")
    return is_bucket and request.method in ("PUT", "DELETE")
