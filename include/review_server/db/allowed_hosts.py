"""The hosts that a template may load from; what is allowed is allowed to its text."""

from __future__ import annotations

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.review_server.db.models import HumanTaskUi, TemplateHost


def hosts_of(session: Session, content_sha256: str) -> list[str]:
    """The hosts that the template with that hash may use."""
    query = select(TemplateHost.host).join(HumanTaskUi, HumanTaskUi.id == TemplateHost.human_task_ui_id)
    return sorted(set(session.scalars(query.where(HumanTaskUi.content_sha256 == content_sha256))))


def hosts_of_text(session: Session, template: str) -> list[str]:
    """The hosts that a template with that text may use."""
    return hosts_of(session, hashlib.sha256(template.encode(errors="replace")).hexdigest())
