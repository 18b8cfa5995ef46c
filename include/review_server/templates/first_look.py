"""A template looked at when work with it begins: what is wrong becomes complaints for the queue's owner.

Takes a template, gives the texts; the creation itself goes on, as on AWS. What comes from a host that an
owner has allowed to the same text before is not blocked. Whoever creates a queue writes the texts in its own
transaction.
"""

from __future__ import annotations

from include.review_server.db.allowed_hosts import hosts_of_text
from include.review_server.db.database import Database
from include.review_server.errors import RenderBusy
from include.review_server.templates.findings import Finding, Severity
from include.review_server.templates.render_pool import RenderPool

_MOST = 20


def first_look(renderers: RenderPool, database: Database, template: str) -> list[str]:
    """What its owner should know before anybody works; nothing when the server is too busy to look."""
    with database.read() as session:
        hosts = hosts_of_text(session, template)
    try:
        found = renderers.static_check(template, hosts)
    except (RenderBusy, RuntimeError):  # the pool has said why in the log
        return []
    findings = [
        Finding(one["code"], one["message"], one["line"], Severity(one["severity"])) for one in found[:_MOST]
    ]
    return [f"The template, {finding}" for finding in findings]
