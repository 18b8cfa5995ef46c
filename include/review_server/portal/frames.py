"""The frame in which a worker template runs: its ticket, its document, and the policy that confines it.

A template is a stranger's program. It runs in a sandboxed frame without ``allow-same-origin``, so on an
opaque origin: no cookie, no storage, no API of ours, no look at the page around it. Its policy lets it load
the components, and the images that the template was granted (signed URLs of S3), and nothing else.

A ticket is good for one task of one session and for a minute. It is signed with the session's own CSRF token,
so it needs no secret of its own and ends with the session. The template can read it from its address; without
the cookie, which the template has not, it opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from itsdangerous import BadSignature, URLSafeSerializer
from markupsafe import escape
from sqlalchemy import select
from starlette.responses import HTMLResponse, Response

from include.review_server import component_files, jsontext
from include.review_server.accounts import SignedIn
from include.review_server.clock import Clock
from include.review_server.database import Database
from include.review_server.errors import Forbidden, UnknownTask
from include.review_server.models import FlowDefinition, HumanTaskUi, Task
from include.review_server.s3 import ObjectStore, S3Location
from include.review_server.templates import Rendered, Templates, frame_document

_TICKET_LIFE = timedelta(seconds=60)
_SANDBOX = "sandbox allow-scripts allow-forms"


@dataclass(frozen=True)
class Frame:
    """A document for the frame, and the headers without which it must not be sent."""

    html: str
    headers: dict[str, str]
    rendered: Rendered


class Frames:
    """Makes tickets and documents."""

    def __init__(self, database: Database, store: ObjectStore, clock: Clock, public_url: str) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._components_url = component_files.components_url(public_url)

    def ticket(self, person: SignedIn, task_id: str) -> str:
        """What opens the frame of that task for that session within the next minute."""
        until = (self._clock() + _TICKET_LIFE).timestamp()
        return str(_signer(person).dumps([task_id, until]))

    def task_of(self, person: SignedIn, ticket: str) -> str:
        """The task that a ticket is for. ``Forbidden`` when it is another session's, altered or too old."""
        try:
            task_id, until = _signer(person).loads(ticket)
        except BadSignature:
            raise Forbidden("this frame belongs to another session: open the task again") from None
        if self._clock().timestamp() > until:
            raise Forbidden("this frame's address has expired: reload the task")
        return str(task_id)

    def template_of(self, task_id: str) -> str:
        """The worker task template of a task. ``UnknownTask`` when there is none."""
        query = (
            select(HumanTaskUi.content)
            .join(FlowDefinition, FlowDefinition.human_task_ui_id == HumanTaskUi.id)
            .join(Task, Task.flow_id == FlowDefinition.id)
            .where(Task.id == task_id)
        )
        with self._database.read() as session:
            content = session.scalar(query)
        if content is None:
            raise UnknownTask(f"no task {task_id}")
        return content

    def document(self, template: str, task_input: str) -> Frame:
        """The template with the input (JSON text) filled in, and the policy for exactly its images."""
        granted: list[str] = []

        def sign(location: S3Location) -> str:
            url = self._store.signed_url(location)
            granted.append(url.partition("?")[0])
            return url

        rendered = Templates(sign).render(template, jsontext.parse(task_input))
        html = frame_document(rendered.content, self._components_url) if rendered.content else ""
        return Frame(html, self._headers(granted), rendered)

    def _headers(self, granted: list[str]) -> dict[str, str]:
        # A path in a policy must match exactly, so the neighbours of a granted object stay out of reach.
        media = " ".join(dict.fromkeys(granted)) or "'none'"
        components = f"{self._components_url}/"
        policy = [
            _SANDBOX,
            "default-src 'none'",
            f"script-src {components} 'unsafe-inline'",
            f"style-src {components} 'unsafe-inline'",
            f"img-src {' '.join(dict.fromkeys(granted))} data: blob:",
            f"media-src {media}",
            f"connect-src {media}",
            "font-src 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            # The page's own origin: the sandbox makes the document's opaque, not that of its address.
            "frame-ancestors 'self'",
        ]
        return _frame_headers("; ".join(policy))


def message_frame(status: int, text: str) -> Response:
    """What the frame shows when there is no document for it. It runs nothing."""
    policy = f"{_SANDBOX}; default-src 'none'; frame-ancestors 'self'"
    page = f"<!doctype html><meta charset=utf-8><title>No task</title><p>{escape(text)}</p>"
    return HTMLResponse(page, status, _frame_headers(policy))


def _frame_headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # Signed URLs and tickets stay out of everybody's logs.
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }


def _signer(person: SignedIn) -> URLSafeSerializer:
    return URLSafeSerializer(person.csrf_token, salt="nightloop frame")
