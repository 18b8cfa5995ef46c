"""Whom a loop is not offered to while others are left: those who have answered its question before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "earlier_answers",
        sa.Column(
            "loop_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("human_loops.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("worker_id", sa.String(16), primary_key=True),
    )


def downgrade() -> None:
    op.drop_table("earlier_answers")
