"""The frame in which a worker template runs: its ticket, its document, and the policy that confines it.

A template is a stranger's program. It runs in a sandboxed frame without ``allow-same-origin``, so on an
opaque origin: no cookie, no storage, no API of ours, no look at the page around it. Its policy
(``frame_policy``) lets it load the components, and the images that the template was granted (signed URLs of
S3), and nothing else. It is rendered in a process of its own (``render_pool``).

A ticket is good for one task of one session and for a minute. It is signed with the session's own CSRF token,
so it needs no secret of its own and ends with the session. The template can read it from its address; without
the cookie, which the template has not, it opens nothing. A ticket may also be for an item that its worker
will probably get next: the page loads that frame ahead. It opens while the item is offered to that worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from itsdangerous import BadData, BadSignature, URLSafeSerializer
from markupsafe import escape
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import HumanTaskUi, Task, WorkQueue
from include.review_server.errors import Forbidden, UnknownTask
from include.review_server.people.accounts import SignedIn
from include.review_server.portal.turns import Turns
from include.review_server.templates import component_files
from include.review_server.templates.frame_policy import frame_headers, message_headers
from include.review_server.templates.grants import Grant, ReadAccess
from include.review_server.templates.hosts import TemplateHosts
from include.review_server.templates.liquid import Rendered
from include.review_server.templates.render_pool import RenderPool
from include.review_server.work.complaints import complain

NOT_SHOWN = (
    "This task cannot be shown: its template has a mistake, which only its owner can mend. The owner was "
    "told. Stop the task, and decline it or come back later."
)
_TICKET_LIFE = timedelta(seconds=60)
_LONGEST_TICKET = 200  # a task's id, a time and a signature have about a hundred characters


@dataclass(frozen=True)
class Frame:
    """A document for the frame, and the headers without which it must not be sent."""

    html: str
    headers: dict[str, str]
    rendered: Rendered


class Frames:
    """Makes tickets and documents. ``work`` renders tasks, ``trials`` what owners try on the bench."""

    def __init__(
        self,
        database: Database,
        access: ReadAccess,
        work: RenderPool,
        trials: RenderPool,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._database = database
        self._access = access
        self._work, self._work_turns = work, Turns(work.size)
        self._trials, self._trial_turns = trials, Turns(trials.size)
        self._hosts = TemplateHosts(database, clock)
        self._clock = clock
        self._components_url = component_files.components_url(public_url)

    def ticket(self, person: SignedIn, task_id: str) -> str:
        """What opens the frame of that task for that session within the next minute."""
        until = (self._clock() + _TICKET_LIFE).timestamp()
        return str(_signer(person).dumps([task_id, until]))

    def ahead_ticket(self, person: SignedIn, item_id: int) -> str:
        """What opens, within the next minute, the frame of an item that is offered to the worker."""
        until = (self._clock() + _TICKET_LIFE).timestamp()
        return str(_signer(person).dumps([item_id, until]))

    def opened_by(self, person: SignedIn, ticket: str) -> str | int:
        """The task that a ticket is for, or the number of an item.

        ``Forbidden`` when it is another session's, altered or too old.
        """
        try:
            if len(ticket) > _LONGEST_TICKET:
                raise BadSignature("too long")
            opens, until = _signer(person).loads(ticket)
            until = float(until)
        except (BadData, ValueError, TypeError, OverflowError):
            # Who holds the session can sign whatever they like: a ticket that unpacks to 40 MB as well.
            raise Forbidden("this frame belongs to another session: open the task again") from None
        if self._clock().timestamp() > until:
            raise Forbidden("this frame's address has expired: reload the task")
        # Who holds the session can sign any number: whether the item is offered is asked where it is shown.
        return opens if isinstance(opens, int) and 0 < opens < 2**63 else str(opens)

    async def of_task(self, task_id: str, task_input: str) -> Frame:
        """The document of a task. ``UnknownTask`` when there is none, ``RenderBusy`` after a long wait."""
        template, output_path = await run_in_threadpool(self._template_of, task_id)
        frame = await self._at_work(template, output_path, task_input)
        if not frame.html:
            await run_in_threadpool(self._tell_owner, task_id, frame.rendered)
        return frame

    async def of_item(self, queue_id: int, task_input: str) -> Frame:
        """The document of an item that has no task yet, of the queue with that number."""
        template, output_path = await run_in_threadpool(self._template_of_queue, queue_id)
        return await self._at_work(template, output_path, task_input)

    async def _at_work(self, template: str, output_path: str, task_input: str) -> Frame:
        grant = self._access.for_loop(task_input, output_path)
        group = hashlib.sha256(template.encode()).hexdigest()
        async with self._work_turns.turn(group):
            return await run_in_threadpool(self._document, self._work, template, task_input, grant)

    async def of_trial(
        self, owner: SignedIn, template: str, task_input: str, hosts: Sequence[str] = ()
    ) -> Frame:
        """The same for a template that an owner tries, with these hosts as if they were allowed."""
        async with self._trial_turns.turn(owner.worker_id):
            grant = self._access.for_bench()
            return await run_in_threadpool(self._document, self._trials, template, task_input, grant, hosts)

    async def findings(
        self, owner: SignedIn, template: str, task_input: str, hosts: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """What is wrong with a template that an owner tries with these hosts, as JSON objects."""
        async with self._trial_turns.turn(owner.worker_id):
            allowed = await run_in_threadpool(self._hosts.for_text, template)
            checked = await run_in_threadpool(self._trials.check, template, task_input, [*allowed, *hosts])
            return checked.findings

    def _tell_owner(self, task_id: str, rendered: Rendered) -> None:
        """Why a task could not be shown. Where somebody else says the same just now, it is said."""
        with suppress(IntegrityError), self._database.write() as session:
            if task := session.get(Task, task_id):
                for error in rendered.errors:
                    line = f"line {error.line}: " if error.line else ""
                    message = f"The template cannot be shown: {line}{error.message}"
                    complain(session, task.queue_id, message.split("\n")[0], self._clock(), task.item_id)

    def _template_of(self, task_id: str) -> tuple[str, str]:
        """The worker task template of a task, and where its queue's owner writes."""
        query = (
            select(HumanTaskUi.content, WorkQueue.output_path)
            .join(WorkQueue, WorkQueue.human_task_ui_id == HumanTaskUi.id)
            .join(Task, Task.queue_id == WorkQueue.id)
            .where(Task.id == task_id)
        )
        with self._database.read() as session:
            found = session.execute(query).one_or_none()
        if found is None:
            raise UnknownTask(f"no task {task_id}")
        return found.content, found.output_path

    def _template_of_queue(self, queue_id: int) -> tuple[str, str]:
        query = (
            select(HumanTaskUi.content, WorkQueue.output_path)
            .join(WorkQueue, WorkQueue.human_task_ui_id == HumanTaskUi.id)
            .where(WorkQueue.id == queue_id)
        )
        with self._database.read() as session:
            found = session.execute(query).one_or_none()
        if found is None:
            raise UnknownTask("no such queue")
        return found.content, found.output_path

    def _document(
        self,
        renderers: RenderPool,
        template: str,
        task_input: str,
        grant: Grant,
        hosts: Sequence[str] = (),
    ) -> Frame:
        rendered = renderers.document(template, task_input, self._components_url, grant)
        grant.admit(rendered.presigned)
        allowed = dict.fromkeys([*self._hosts.for_text(template), *hosts])
        headers = frame_headers(f"{self._components_url}/", grant.granted, list(allowed))
        return Frame(rendered.content, headers, rendered)


def message_frame(status: int, text: str) -> Response:
    """What the frame shows when there is no document for it. It runs nothing."""
    page = f"<!doctype html><meta charset=utf-8><title>No task</title><p>{escape(text)}</p>"
    return HTMLResponse(page, status, message_headers())


def _signer(person: SignedIn) -> URLSafeSerializer:
    return URLSafeSerializer(person.csrf_token, salt="nightloop frame")
