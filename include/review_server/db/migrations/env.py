"""Alembic's entry: runs the revisions on the connection that ``Database.upgrade`` hands in."""

from __future__ import annotations

from alembic import context

from include.review_server.db.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
