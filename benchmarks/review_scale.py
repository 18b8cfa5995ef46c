"""What a page of ListHumanLoops and the next task cost as a flow definition grows: one table per database.

    python -m benchmarks.review_scale --loops 1000 10000 100000 1000000 --database sqlite postgresql

The tables are filled by statements, not calls: all loops but the last five thousand (the most that may be in
flight) are Completed, each with its input, task and answer. Times are of the server's own functions, without
HTTP, on a database that is not in the operating system's cache more than it would be anyway. PostgreSQL is a
cluster of its own with fsync on.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from include.review_server.app import Review, create_review
from include.review_server.clock import utc_now
from include.review_server.db.models import FlowDefinition, HumanTaskUi
from include.review_server.db.statuses import FlowStatus
from include.review_server.settings import ReviewSettings
from tests.support.postgresql import PostgreSQL

ARN = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/flow"
OPEN = 5_000
CALLS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite"])
    options = parser.parse_args()
    for kind in options.database:
        print(f"\n{kind}: milliseconds, median / 99th of {CALLS} calls")
        print(f"{'loops':>9} {'fill':>6}  {'first page':>13} {'deep page':>13} {'take':>13} {'answer':>13}")
        for loops in options.loops:
            with _review(kind) as review:
                began = time.perf_counter()
                token = _fill(review, loops)
                filled = time.perf_counter() - began
                cells = " ".join(f"{cell:>13}" for cell in _measure(review, token))
                print(f"{loops:>9,} {filled:>5.0f}s  {cells}", flush=True)


@contextmanager
def _review(kind: str) -> Iterator[Review]:
    with tempfile.TemporaryDirectory(prefix="nightloop-scale-") as data:
        if kind == "sqlite":
            yield _made(ReviewSettings(data_dir=Path(data)))
        else:
            with PostgreSQL(durable=True) as cluster:
                yield _made(ReviewSettings(data_dir=Path(data), database_url=cluster.database()))


def _made(settings: ReviewSettings) -> Review:
    review = create_review(settings)
    review.database.upgrade()
    return review


def _fill(review: Review, loops: int) -> str:
    """Fill the tables; the session token of a worker."""
    _, password = review.accounts.add("ann", "team")
    review.accounts.add("ben", "team")
    workers = {member.name: member.worker_id for member in review.accounts.members()}
    now = utc_now()
    with review.database.write() as session:
        session.add(HumanTaskUi(id=1, name="ui", content="x", content_sha256="0", created_at=now))
        session.flush()
        session.add(
            FlowDefinition(
                id=1,
                name="flow",
                status=FlowStatus.ACTIVE,
                created_at=now,
                workteam_name="team",
                human_task_ui_id=1,
                title="t",
                description="d",
                workers_per_item=1,
                is_open=True,
                availability_seconds=864_000,
                time_limit_seconds=3_600,
                output_path="s3://bucket/out",
                request="{}",
                in_flight=min(loops, OPEN),
            )
        )
    numbers = (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :loops)"
        if review.database.is_sqlite
        else "WITH numbers AS (SELECT n FROM generate_series(1, :loops) AS n)"
    )
    values = {
        "loops": loops,
        "ended": loops - min(loops, OPEN),
        "now": int(now.timestamp() * 1000),
        "ben": workers["ben"],
    }
    with review.database.write() as session:
        for statement in _FILL:
            session.execute(text(f"{statement.replace('NUMBERS', numbers)}"), values)
    with review.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
    signed_in = review.accounts.sign_in("ann", password or "")
    return signed_in.worker_id


_FILL = (
    """INSERT INTO work_items (id, kind, queue_id, status, vacancies, created_at, available_until,
       finished_at) NUMBERS SELECT n, 'FlowDefinition', 1,
       CASE WHEN n <= :ended THEN 'Completed' ELSE 'InProgress' END,
       CASE WHEN n <= :ended THEN 0 ELSE 1 END, :now - 1000000000 + n * 100, :now + 864000000,
       CASE WHEN n <= :ended THEN :now END FROM numbers""",
    """INSERT INTO human_loops (id, name, input_sha256) NUMBERS
       SELECT n, 'loop-' || n, '0' FROM numbers""",
    """INSERT INTO item_inputs (item_id, content) NUMBERS
       SELECT n, '{"taskObject": "s3://photos/' || n || '.jpg", "labels": ["0", "1"]}' FROM numbers""",
    """INSERT INTO tasks (id, item_id, queue_id, worker_id, status, accepted_at, expires_at, ended_at) NUMBERS
       SELECT 'task-' || n, n, 1, :ben, 'Answered', :now, :now, :now FROM numbers WHERE n <= :ended""",
    """INSERT INTO answers (task_id, content) NUMBERS
       SELECT 'task-' || n, '{"annotatedResult": {"boundingBoxes": []}}' FROM numbers WHERE n <= :ended""",
)


def _measure(review: Review, worker_id: str) -> list[str]:
    listing = review.runtime.list_human_loops
    first = {"FlowDefinitionArn": ARN, "MaxResults": 100}
    # As deep as a caller can be: close to the oldest loop, in the order that begins with the newest.
    oldest = listing(first | {"SortOrder": "Ascending"})["HumanLoopSummaries"][-1]["CreationTime"]
    deep = first | {"CreationTimeBefore": oldest}
    taken: Iterator[str] = iter(())
    answers = itertools.count()

    def take() -> None:
        nonlocal taken
        found = review.tasks.take(worker_id, "flow-definition/flow")
        assert found
        assert found[1]
        taken = iter([found[0].id])

    def answer() -> None:
        review.tasks.answer(worker_id, next(taken), f'{{"n": {next(answers)}}}')

    times: dict[str, list[float]] = {"first": [], "deep": [], "take": [], "answer": []}
    for _ in range(CALLS):
        times["first"].append(_seconds(lambda: listing(first)))
        times["deep"].append(_seconds(lambda: listing(deep)))
        times["take"].append(_seconds(take))
        times["answer"].append(_seconds(answer))
    return [_cell(seconds) for seconds in times.values()]


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _cell(seconds: list[float]) -> str:
    hundredths = statistics.quantiles(seconds, n=100)
    return f"{1000 * hundredths[49]:.1f} / {1000 * hundredths[98]:.1f}"


if __name__ == "__main__":
    main()
