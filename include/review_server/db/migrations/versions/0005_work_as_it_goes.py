"""Answers that can be taken back, reasons and comments, paused queues, complaints, and hosts of templates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SETTLING = sa.text("settles_at IS NOT NULL")
_RESERVED = sa.text("reserved_for IS NOT NULL")
_DECLINED = sa.text("status = 'Declined'")


def upgrade() -> None:
    op.add_column(
        "work_queues", sa.Column("is_paused", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("work_queues", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.add_column("work_items", sa.Column("settles_at", sa.BigInteger))
    op.add_column("work_items", sa.Column("reserved_for", sa.String(16)))
    op.create_index(
        "work_items_by_settling",
        "work_items",
        ["settles_at"],
        sqlite_where=_SETTLING,
        postgresql_where=_SETTLING,
    )
    op.create_index(
        "work_items_reserved",
        "work_items",
        ["queue_id", "id"],
        sqlite_where=_RESERVED,
        postgresql_where=_RESERVED,
    )
    op.add_column("tasks", sa.Column("reason", sa.String(16)))
    op.add_column("tasks", sa.Column("comment", sa.String(1000)))
    op.create_index(
        "tasks_declined_by_queue",
        "tasks",
        ["queue_id", "ended_at", "reason"],
        sqlite_where=_DECLINED,
        postgresql_where=_DECLINED,
    )
    op.create_table(
        "complaints",
        _id(),
        sa.Column("queue_id", _number(), sa.ForeignKey("work_queues.id"), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("message", sa.String(1000), nullable=False),
        sa.Column("item_id", _number(), sa.ForeignKey("work_items.id", ondelete="SET NULL")),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
    )
    op.create_index("complaints_once", "complaints", ["queue_id", "sha256"], unique=True)
    op.create_index("complaints_by_time", "complaints", ["queue_id", "last_at"])
    op.create_index("complaints_by_item", "complaints", ["item_id"])
    op.create_table(
        "template_hosts",
        sa.Column("human_task_ui_id", _number(), sa.ForeignKey("human_task_uis.id"), primary_key=True),
        sa.Column("host", sa.String(260), primary_key=True),
        sa.Column("allowed_by", sa.String(16), sa.ForeignKey("workers.id")),
        sa.Column("allowed_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("template_hosts")
    op.drop_table("complaints")
    op.drop_index("tasks_declined_by_queue", "tasks")
    for name in ("comment", "reason"):
        op.drop_column("tasks", name)
    op.drop_index("work_items_reserved", "work_items")
    op.drop_index("work_items_by_settling", "work_items")
    for name in ("reserved_for", "settles_at"):
        op.drop_column("work_items", name)
    for name in ("priority", "is_paused"):
        op.drop_column("work_queues", name)


def _number() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", _number(), primary_key=True)
