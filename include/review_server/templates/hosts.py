"""Hosts that an owner allows a template to load images, scripts and styles from: named one by one.

A host is exact (no wildcard), is reached by https alone, and may have a port. None is allowed until somebody
says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, or_, select
from sqlalchemy.orm import Session

from include.review_server.clock import Clock
from include.review_server.db.allowed_hosts import hosts_of, hosts_of_text
from include.review_server.db.database import Database
from include.review_server.db.models import HumanTaskUi, LabelingJob, TemplateHost, Worker
from include.review_server.templates.host_names import parse_host

MOST_HOSTS = 20
_MOST_LISTED = 200


@dataclass(frozen=True)
class AllowedHost:
    """A host, who allowed it (None: whoever runs the server) and when."""

    host: str
    allowed_by: str | None
    allowed_at: datetime


@dataclass(frozen=True)
class NamedTemplate:
    """A human task UI, or the template of a labeling job, and the hosts that it may use."""

    name: str
    job: bool
    hosts: list[str]


class TemplateHosts:
    """Shows and changes what is allowed. A template is named by its human task UI, or by a labeling job.

    What is allowed is allowed to its text, whatever other names the same text has.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, name: str, *, job: bool = False) -> list[AllowedHost]:
        """What is allowed. ``LookupError`` when there is no such template."""
        with self._database.read() as session:
            query = (
                select(TemplateHost, Worker.name)
                .outerjoin(Worker, Worker.id == TemplateHost.allowed_by)
                .where(TemplateHost.human_task_ui_id.in_(_same(_template(session, name, job))))
                .order_by(TemplateHost.host)
            )
            return [AllowedHost(row.host, by, row.allowed_at) for row, by in session.execute(query)]

    def templates(self) -> list[NamedTemplate]:
        """The templates that work is done with, the newest first."""
        query = (
            select(HumanTaskUi.name, HumanTaskUi.content_sha256, LabelingJob.name.label("job"))
            .outerjoin(LabelingJob, LabelingJob.human_task_ui_id == HumanTaskUi.id)
            .where(or_(HumanTaskUi.deleted_at.is_(None), LabelingJob.id.is_not(None)))
            .order_by(HumanTaskUi.id.desc())
            .limit(_MOST_LISTED)
        )
        with self._database.read() as session:
            return [
                NamedTemplate(row.job or row.name, row.job is not None, hosts_of(session, row.content_sha256))
                for row in session.execute(query)
            ]

    def for_text(self, template: str) -> list[str]:
        """The hosts that a template may use, by its text."""
        with self._database.read() as session:
            return hosts_of_text(session, template)

    def allow(self, name: str, host: str, by: str | None = None, *, job: bool = False) -> str:
        """Allow a host; the host as it is kept. ``ValueError`` for what is no host, or one too many."""
        host = parse_host(host)
        with self._database.write() as session:
            template = _template(session, name, job)
            query = select(TemplateHost.host).where(TemplateHost.human_task_ui_id.in_(_same(template)))
            allowed = set(session.scalars(query))
            if host not in allowed and len(allowed) >= MOST_HOSTS:
                raise ValueError(f"a template may use {MOST_HOSTS} hosts: withdraw one first")
            if host not in allowed:
                now = self._clock()
                session.add(
                    TemplateHost(human_task_ui_id=template.id, host=host, allowed_by=by, allowed_at=now)
                )
        return host

    def withdraw(self, name: str, host: str, *, job: bool = False) -> None:
        """Allow a host no more. Pages that are open keep what they have loaded."""
        with self._database.write() as session:
            same = _same(_template(session, name, job))
            session.execute(
                delete(TemplateHost).where(
                    TemplateHost.human_task_ui_id.in_(same), TemplateHost.host == host.strip().lower()
                )
            )


def _template(session: Session, name: str, job: bool) -> HumanTaskUi:
    query = select(HumanTaskUi)
    if job:
        query = query.join(LabelingJob, LabelingJob.human_task_ui_id == HumanTaskUi.id)
        query = query.where(LabelingJob.key_name == name.lower())
    else:
        query = query.where(HumanTaskUi.name == name, HumanTaskUi.deleted_at.is_(None))
    found = session.scalars(query).one_or_none()
    if found is None:
        raise LookupError(f"there is no {'labeling job' if job else 'human task UI'} {name}")
    return found


def _same(template: HumanTaskUi) -> Select[int]:
    """The ids of all templates with the same text; one that is not read yet is like no other."""
    query = select(HumanTaskUi.id)
    if not template.content_sha256:
        return query.where(HumanTaskUi.id == template.id)
    return query.where(HumanTaskUi.content_sha256 == template.content_sha256)
