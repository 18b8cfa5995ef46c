"""What all owners' pages share: that only owners see them, their forms, and the queue that an address names.

``/owner/flows/{name}`` and ``/owner/labeling-jobs/{name}`` are addresses to keep: Airflow's tasks link to
them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from sqlalchemy import Select, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from include.review_server.bodies import SMALL_BODY, bounded_body
from include.review_server.db.database import Database
from include.review_server.db.models import FlowDefinition, LabelingJob, WorkQueue
from include.review_server.db.statuses import FlowStatus
from include.review_server.errors import BadAnswer, BodyTooLarge, Forbidden, UnknownTask
from include.review_server.people.accounts import SignedIn
from include.review_server.portal.pages import PersonalPages

FLOWS, JOBS = "flows", "labeling-jobs"
# SQLite's and PostgreSQL's largest.
_LARGEST_ID = (1 << 63) - 1


@dataclass(frozen=True)
class Queue:
    """The queue that a page is about; ``base`` is the beginning of its pages' addresses."""

    id: int
    kind: str
    name: str
    title: str
    workteam: str
    output_path: str
    base: str


def find_queue(database: Database, kind: str, name: str) -> Queue:
    """The queue of a live flow definition or of a labeling job. ``UnknownTask`` when there is none."""
    query: Select[Any]
    if kind == FLOWS:
        query = select(FlowDefinition).where(
            FlowDefinition.name == name, FlowDefinition.status != FlowStatus.DELETED
        )
    else:
        query = select(LabelingJob).where(LabelingJob.key_name == name.lower())
    with database.read() as session:
        queue: WorkQueue | None = session.scalars(query).one_or_none()
        if queue is None:
            raise UnknownTask(name)
        return Queue(
            queue.id,
            kind,
            queue.name,
            queue.title,
            queue.workteam_name,
            queue.output_path,
            f"/owner/{kind}/{queue.name}",
        )


class OwnedPages(PersonalPages):
    """Pages for owners; everybody else gets 403."""

    async def _owner(self, request: Request) -> SignedIn:
        person = await self._person(request)
        if not person.is_owner:
            raise Forbidden("It is for owners. Whoever runs the server can make you one.")
        return person

    async def _sent(self, request: Request, most: int = SMALL_BODY) -> tuple[SignedIn, dict[str, str]]:
        """Who sent which fields, by a form that is the portal's own."""
        owner = await self._owner(request)
        try:
            body = await bounded_body(request, most)
            fields = await run_in_threadpool(_fields, body)
        except BodyTooLarge as error:
            raise BadAnswer(f"the form cannot be read: {error}") from None
        if not secrets.compare_digest(fields.get("csrf_token", "").encode(), owner.csrf_token.encode()):
            raise Forbidden("send the form from the portal's own page: reload it")
        return owner, fields


def number(text: str) -> int:
    """An item's number in an address. ``UnknownTask`` when it can be none."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _LARGEST_ID:
        raise UnknownTask(text[:60])
    return int(text)


def _fields(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
    except ValueError as error:
        raise BadAnswer(f"the form cannot be read: {error}") from None
    # No database finds a text with NUL in it, and PostgreSQL does not even look.
    return {name: values[-1].replace("\0", "") for name, values in fields.items()}
