"""The tables of the review plane: templates, teams, flow definitions, loops, tasks, answers, workers.

Times are milliseconds since 1970 and statuses plain text, so this file needs nothing of the code it serves.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "human_task_uis",
        _id(),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        _moment("created_at"),
        _moment("deleted_at", nullable=True),
    )
    _index("human_task_uis_live_name", "human_task_uis", ["name"], where="deleted_at IS NULL", unique=True)
    op.create_table(
        "workteams",
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("request", sa.Text, nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
    )
    op.create_table(
        "flow_definitions",
        _id(),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("failure_reason", sa.String(1024)),
        _moment("created_at"),
        sa.Column("workteam_name", sa.String(63), nullable=False),
        _reference("human_task_ui_id", "human_task_uis.id"),
        sa.Column("title", sa.String(128), nullable=False),
        sa.Column("description", sa.String(255), nullable=False),
        sa.Column("task_count", sa.Integer, nullable=False),
        sa.Column("availability_seconds", sa.BigInteger, nullable=False),
        sa.Column("time_limit_seconds", sa.BigInteger, nullable=False),
        sa.Column("output_path", sa.String(1024), nullable=False),
        sa.Column("kms_key_id", sa.String(2048)),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("in_flight", sa.Integer, nullable=False),
    )
    _index(
        "flow_definitions_live_name", "flow_definitions", ["name"], where="status != 'Deleted'", unique=True
    )
    _index("flow_definitions_by_team", "flow_definitions", ["workteam_name", "status"])
    _index("flow_definitions_by_status", "flow_definitions", ["status"])
    _index("flow_definitions_by_template", "flow_definitions", ["human_task_ui_id"])
    op.create_table(
        "human_loops",
        _id(),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        _reference("flow_id", "flow_definitions.id"),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("vacancies", sa.Integer, nullable=False),
        _moment("created_at"),
        _moment("available_until"),
        _moment("finished_at", nullable=True),
        sa.Column("failure_code", sa.String(32)),
        sa.Column("failure_reason", sa.String(1024)),
        sa.Column("input_sha256", sa.String(64), nullable=False),
    )
    _index("human_loops_by_creation", "human_loops", ["flow_id", "created_at", "id"])
    _index("human_loops_offered", "human_loops", ["flow_id", "id"], where="vacancies > 0")
    _index("human_loops_open", "human_loops", ["flow_id", "id"], where="status = 'InProgress'")
    _index("human_loops_by_deadline", "human_loops", ["available_until"], where="status = 'InProgress'")
    op.create_table(
        "loop_inputs",
        _reference("loop_id", "human_loops.id", primary_key=True, ondelete="CASCADE"),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_table(
        "deliveries",
        _reference("loop_id", "human_loops.id", primary_key=True, ondelete="CASCADE"),
        _moment("due_at"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.String(1024)),
    )
    _index("deliveries_by_due_time", "deliveries", ["due_at"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(256)),
        _moment("created_at"),
    )
    op.create_table(
        "memberships",
        sa.Column("worker_id", sa.String(16), sa.ForeignKey("workers.id"), primary_key=True),
        sa.Column("workteam_name", sa.String(63), primary_key=True),
    )
    op.create_table(
        "worker_sessions",
        sa.Column("token_sha256", sa.String(64), primary_key=True),
        sa.Column("worker_id", sa.String(16), sa.ForeignKey("workers.id"), nullable=False),
        sa.Column("csrf_token", sa.String(64), nullable=False),
        _moment("expires_at"),
    )
    _index("worker_sessions_by_worker", "worker_sessions", ["worker_id"])
    _index("worker_sessions_by_end", "worker_sessions", ["expires_at"])
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(32), primary_key=True),
        _reference("loop_id", "human_loops.id", ondelete="CASCADE"),
        _reference("flow_id", "flow_definitions.id"),
        sa.Column("worker_id", sa.String(16), sa.ForeignKey("workers.id"), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        _moment("accepted_at"),
        _moment("expires_at"),
        _moment("ended_at", nullable=True),
    )
    _index(
        "tasks_one_per_worker_and_loop",
        "tasks",
        ["loop_id", "worker_id"],
        where="status IN ('InHand', 'Answered', 'Declined')",
        unique=True,
    )
    _index("tasks_one_in_hand", "tasks", ["worker_id", "flow_id"], where="status = 'InHand'", unique=True)
    _index("tasks_by_lease_end", "tasks", ["expires_at"], where="status = 'InHand'")
    _index("tasks_by_loop", "tasks", ["loop_id"])
    op.create_table(
        "answers",
        sa.Column("task_id", sa.String(32), sa.ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "answers",
        "tasks",
        "worker_sessions",
        "memberships",
        "workers",
        "deliveries",
        "loop_inputs",
        "human_loops",
        "flow_definitions",
        "workteams",
        "human_task_uis",
    ):
        op.drop_table(table)


def _big() -> sa.types.TypeEngine[int]:
    # SQLite only counts up by itself in a column that is exactly INTEGER.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id() -> sa.Column[int]:
    return sa.Column("id", _big(), primary_key=True)


def _moment(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _reference(
    name: str, target: str, primary_key: bool = False, ondelete: str | None = None
) -> sa.Column[int]:
    key = sa.ForeignKey(target, ondelete=ondelete)
    return sa.Column(name, _big(), key, nullable=False, primary_key=primary_key)


def _index(name: str, table: str, columns: list[str], where: str | None = None, unique: bool = False) -> None:
    only = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=only, postgresql_where=only)
