"""Queues and items apart from their owners, and labeling jobs as owners.

The tables of flow definitions and loops become those of queues and items, with what is a flow definition's or
a loop's alone moved out: ids stay, and what refers to them follows. SQLite rebuilds a table to take a column
away; ``database.migrate`` has switched its foreign keys off for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHILDREN = ("tasks", "loop_inputs", "deliveries", "earlier_answers")


def upgrade() -> None:
    _drop_indexes("flow_definitions", "live_name", "by_team", "by_status", "by_template")
    _drop_indexes("human_loops", "by_creation", "by_status", "offered", "open", "by_deadline")
    _drop_indexes("tasks", "one_per_worker_and_loop", "one_in_hand", "by_loop", "answered_by_flow")
    _rename("flow_definitions", "work_queues")
    _rename("human_loops", "work_items")
    for table in _CHILDREN:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN loop_id TO item_id")
    for table in ("work_items", "tasks"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN flow_id TO queue_id")
    op.execute("ALTER TABLE work_queues RENAME COLUMN task_count TO workers_per_item")
    _rename("loop_inputs", "item_inputs")
    op.drop_index("loop_events_by_due_time", "loop_events")
    _rename("loop_events", "events")
    op.create_index("events_by_due_time", "events", ["due_at"])

    op.create_table(
        "flow_definitions",
        _of("work_queues"),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("failure_reason", sa.String(1024)),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("in_flight", sa.Integer, nullable=False),
    )
    _copy("flow_definitions", "work_queues", "id, name, status, failure_reason, request, in_flight")
    op.create_table(
        "human_loops",
        _of("work_items"),
        sa.Column("name", sa.String(63), nullable=False, unique=True),
        sa.Column("input_sha256", sa.String(64), nullable=False),
    )
    _copy("human_loops", "work_items", "id, name, input_sha256")
    with op.batch_alter_table("work_queues") as queues:
        queues.add_column(_kind())
        queues.add_column(sa.Column("is_open", sa.Boolean, nullable=False, server_default=sa.false()))
        for name in ("name", "status", "failure_reason", "request", "in_flight"):
            queues.drop_column(name)
    op.execute(
        "UPDATE work_queues SET is_open = (SELECT status = 'Active' FROM flow_definitions f "
        "WHERE f.id = work_queues.id)"
    )
    with op.batch_alter_table("work_items") as items:
        items.add_column(_kind())
        items.drop_column("name")
        items.drop_column("input_sha256")
    for table, columns in (("work_queues", ("kind", "is_open")), ("work_items", ("kind",))):
        with op.batch_alter_table(table) as changed:
            for name in columns:
                changed.alter_column(name, server_default=None)

    _index("flow_definitions_live_name", ["name"], where="status != 'Deleted'", unique=True)
    _index("flow_definitions_by_status", ["status"])
    _index("work_queues_by_team", ["workteam_name", "is_open"])
    _index("work_queues_by_template", ["human_task_ui_id"])
    _index("work_items_by_creation", ["queue_id", "created_at", "id"])
    _index("work_items_by_status", ["queue_id", "status"])
    _index("work_items_offered", ["queue_id", "id"], where="vacancies > 0")
    _index("work_items_open", ["queue_id", "id"], where="status = 'InProgress'")
    _index("work_items_by_deadline", ["available_until"], where="status = 'InProgress'")
    _index_tasks("item", "queue")
    op.create_table(
        "drafts",
        sa.Column("task_id", sa.String(32), sa.ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("content", sa.Text, nullable=False),
    )
    _create_labeling_jobs()


def downgrade() -> None:
    op.drop_table("drafts")
    _drop_labeling_jobs()
    _drop_indexes("flow_definitions", "live_name", "by_status")
    _drop_indexes("work_queues", "by_team", "by_template")
    _drop_indexes("work_items", "by_creation", "by_status", "offered", "open", "by_deadline")
    _drop_indexes("tasks", "one_per_worker_and_item", "one_in_hand", "by_item", "answered_by_queue")
    with op.batch_alter_table("work_queues") as queues:
        queues.add_column(sa.Column("name", sa.String(63)))
        queues.add_column(sa.Column("status", sa.String(16)))
        queues.add_column(sa.Column("failure_reason", sa.String(1024)))
        queues.add_column(sa.Column("request", sa.Text))
        queues.add_column(sa.Column("in_flight", sa.Integer))
        queues.drop_column("kind")
        queues.drop_column("is_open")
    with op.batch_alter_table("work_items") as items:
        items.add_column(sa.Column("name", sa.String(63)))
        items.add_column(sa.Column("input_sha256", sa.String(64)))
        items.drop_column("kind")
    for table, owner, names in (
        ("work_queues", "flow_definitions", ("name", "status", "failure_reason", "request", "in_flight")),
        ("work_items", "human_loops", ("name", "input_sha256")),
    ):
        values = ", ".join(
            f"{name} = (SELECT {name} FROM {owner} o WHERE o.id = {table}.id)"  # noqa: S608
            for name in names
        )
        op.execute(f"UPDATE {table} SET {values}")  # noqa: S608 -- names of this file
        op.drop_table(owner)
    with op.batch_alter_table("work_queues") as queues:
        for name, kind in (
            ("name", sa.String(63)),
            ("status", sa.String(16)),
            ("request", sa.Text()),
            ("in_flight", sa.Integer()),
        ):
            queues.alter_column(name, existing_type=kind, nullable=False)
    with op.batch_alter_table("work_items") as items:
        items.alter_column("name", existing_type=sa.String(63), nullable=False)
        items.alter_column("input_sha256", existing_type=sa.String(64), nullable=False)
        items.create_unique_constraint("human_loops_name_key", ["name"])
    op.execute("ALTER TABLE work_queues RENAME COLUMN workers_per_item TO task_count")
    _rename("item_inputs", "loop_inputs")
    op.drop_index("events_by_due_time", "events")
    _rename("events", "loop_events")
    op.create_index("loop_events_by_due_time", "loop_events", ["due_at"])
    for table in _CHILDREN:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN item_id TO loop_id")
    for table in ("work_items", "tasks"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN queue_id TO flow_id")
    _rename("work_queues", "flow_definitions")
    _rename("work_items", "human_loops")
    _index("flow_definitions_live_name", ["name"], where="status != 'Deleted'", unique=True)
    _index("flow_definitions_by_team", ["workteam_name", "status"])
    _index("flow_definitions_by_status", ["status"])
    _index("flow_definitions_by_template", ["human_task_ui_id"])
    _index("human_loops_by_creation", ["flow_id", "created_at", "id"])
    _index("human_loops_by_status", ["flow_id", "status"])
    _index("human_loops_offered", ["flow_id", "id"], where="vacancies > 0")
    _index("human_loops_open", ["flow_id", "id"], where="status = 'InProgress'")
    _index("human_loops_by_deadline", ["available_until"], where="status = 'InProgress'")
    _index_tasks("loop", "flow")


def _create_labeling_jobs() -> None:
    op.create_table(
        "labeling_jobs",
        _of("work_queues"),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("key_name", sa.String(63), nullable=False, unique=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("failure_reason", sa.String(1024)),
        sa.Column("modified_at", sa.BigInteger, nullable=False),
        sa.Column("reference_code", sa.String(64), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("task_type", sa.String(64)),
        sa.Column("label_attribute", sa.String(127), nullable=False),
        sa.Column("categories", sa.Text, nullable=False),
        sa.Column("manifest_etag", sa.String(128)),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("manifest_bytes", "manifest_read")),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("iteration", "objects", "existing", "human_labeled", "machine_labeled", "failed")
        ),
        sa.Column("final_model_arn", sa.String(2048)),
        sa.Column("ends_as", sa.String(16)),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("changes", "published", "published_iteration")
        ),
    )
    _index("labeling_jobs_by_status", ["status"])
    op.create_table(
        "consolidations",
        sa.Column("id", _big(), primary_key=True),
        sa.Column("job_id", _big(), sa.ForeignKey("labeling_jobs.id"), nullable=False),
        sa.Column("iteration", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("stamp", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
    )
    _index("consolidations_by_stamp", ["job_id", "stamp"], unique=True)
    _index("consolidations_open", ["job_id", "id"], where="ended_at IS NULL")
    op.create_table(
        "data_objects",
        *_of_job(),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("iteration", sa.Integer),
        sa.Column("failure_reason", sa.String(1024)),
        sa.Column("consolidation_id", _big(), sa.ForeignKey("consolidations.id")),
    )
    _index("data_objects_by_status", ["job_id", "status", "number"])
    _index("data_objects_by_iteration", ["job_id", "iteration", "number"])
    _index("data_objects_by_consolidation", ["consolidation_id"])
    for table in ("object_lines", "object_labels"):
        op.create_table(table, *_of_job(), sa.Column("content", sa.Text, nullable=False))
    _create_automated_labeling()
    op.create_table(
        "object_items",
        _of("work_items"),
        sa.Column("job_id", _big(), sa.ForeignKey("labeling_jobs.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
    )
    _index("object_items_by_object", ["job_id", "number"], unique=True)
    op.create_table(
        "resource_tags",
        sa.Column("arn", sa.String(256), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("value", sa.String(256), nullable=False),
    )


def _create_automated_labeling() -> None:
    job, _ = _of_job()
    op.create_table(
        "learning_rounds",
        job,
        sa.Column("iteration", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("threshold", sa.Text),
        sa.Column("passed", sa.Text, nullable=False),
        sa.Column("labeled_at", sa.BigInteger),
    )
    op.create_table(
        "predictions",
        *_of_job(),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("content", sa.Text),
    )
    _index("predictions_by_confidence", ["job_id", "confidence", "number"])


def _drop_labeling_jobs() -> None:
    for table, key in (
        ("answers", "task_id IN (SELECT id FROM tasks WHERE queue_id IN (SELECT id FROM labeling_jobs))"),
        ("tasks", "queue_id IN (SELECT id FROM labeling_jobs)"),
        ("item_inputs", "item_id IN (SELECT id FROM object_items)"),
        ("deliveries", "item_id IN (SELECT id FROM object_items)"),
    ):
        op.execute(f"DELETE FROM {table} WHERE {key}")  # noqa: S608 -- names of this file
    op.drop_table("resource_tags")
    op.drop_table("object_items")
    for table in (
        "predictions",
        "learning_rounds",
        "object_labels",
        "object_lines",
        "data_objects",
        "consolidations",
        "labeling_jobs",
    ):
        op.drop_table(table)
    op.execute("DELETE FROM work_items WHERE kind = 'LabelingJob'")
    op.execute("DELETE FROM work_queues WHERE kind = 'LabelingJob'")


def _rename(table: str, new: str) -> None:
    op.rename_table(table, new)
    if op.get_bind().dialect.name == "postgresql":
        # A key's name must be free for the table that comes in this one's place.
        op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT {table}_pkey TO {new}_pkey")


def _copy(target: str, source: str, columns: str) -> None:
    op.execute(f"INSERT INTO {target} ({columns}) SELECT {columns} FROM {source}")  # noqa: S608


def _kind() -> sa.Column[str]:
    return sa.Column("kind", sa.String(16), nullable=False, server_default="FlowDefinition")


def _of(parent: str) -> sa.Column[int]:
    """The id of a row that says more of another table's row."""
    ondelete = "CASCADE" if parent == "work_items" else None
    key = sa.ForeignKey(f"{parent}.id", ondelete=ondelete)
    return sa.Column("id", _big(), key, primary_key=True, autoincrement=False)


def _of_job() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("job_id", _big(), sa.ForeignKey("labeling_jobs.id"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    )


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _index_tasks(item: str, queue: str) -> None:
    seated = "status IN ('InHand', 'Answered', 'Declined')"
    _index(f"tasks_one_per_worker_and_{item}", [f"{item}_id", "worker_id"], where=seated, unique=True)
    _index("tasks_one_in_hand", ["worker_id", f"{queue}_id"], where="status = 'InHand'", unique=True)
    _index(f"tasks_by_{item}", [f"{item}_id"])
    _index(f"tasks_answered_by_{queue}", [f"{queue}_id", "ended_at"], where="status = 'Answered'")


def _drop_indexes(table: str, *names: str) -> None:
    for name in names:
        op.drop_index(f"{table}_{name}", table)


def _index(name: str, columns: list[str], where: str | None = None, unique: bool = False) -> None:
    table = next(table for table in _INDEXED if name.startswith(f"{table}_"))
    only = None if where is None else sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=only, postgresql_where=only)


_INDEXED = (
    "flow_definitions",
    "human_loops",
    "work_queues",
    "work_items",
    "tasks",
    "labeling_jobs",
    "consolidations",
    "data_objects",
    "object_items",
    "predictions",
)
