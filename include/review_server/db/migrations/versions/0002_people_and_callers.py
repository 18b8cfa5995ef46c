"""Active time, owners, invitations, failed sign-ins, seen signatures, and events that wait to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("active_milliseconds", sa.BigInteger))
    for by in ("worker", "flow"):
        op.create_index(
            f"tasks_answered_by_{by}",
            "tasks",
            [f"{by}_id", "ended_at"],
            sqlite_where=sa.text("status = 'Answered'"),
            postgresql_where=sa.text("status = 'Answered'"),
        )
    op.create_index("human_loops_by_status", "human_loops", ["flow_id", "status"])
    op.add_column("workers", sa.Column("is_owner", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "invitations",
        sa.Column("token_sha256", sa.String(64), primary_key=True),
        sa.Column("worker_id", sa.String(16), sa.ForeignKey("workers.id"), nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("invitations_by_worker", "invitations", ["worker_id"])
    op.create_index("invitations_by_end", "invitations", ["expires_at"])
    op.create_table(
        "failed_sign_ins",
        _id(),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("failed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("failed_sign_ins_by_subject", "failed_sign_ins", ["subject", "failed_at"])
    op.create_index("failed_sign_ins_by_time", "failed_sign_ins", ["failed_at"])
    op.create_table(
        "seen_signatures",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_index("seen_signatures_by_time", "seen_signatures", ["seen_at"])
    op.create_table(
        "loop_events",
        _id(),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.String(1024)),
    )
    op.create_index("loop_events_by_due_time", "loop_events", ["due_at"])


def downgrade() -> None:
    for table in ("loop_events", "seen_signatures", "failed_sign_ins", "invitations"):
        op.drop_table(table)
    op.drop_index("human_loops_by_status", "human_loops")
    for by in ("worker", "flow"):
        op.drop_index(f"tasks_answered_by_{by}", "tasks")
    op.drop_column("workers", "is_owner")
    op.drop_column("tasks", "active_milliseconds")


def _id() -> sa.Column[int]:
    # SQLite only counts up by itself in a column that is exactly INTEGER.
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
