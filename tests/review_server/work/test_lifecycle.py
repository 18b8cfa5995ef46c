"""Whatever callers, workers and the clock do in whatever order, the bookkeeping of loops stays true."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import func, select

from include.review_server.api.human_loops import HumanLoopOperations
from include.review_server.arns import Arns
from include.review_server.db.database import Database
from include.review_server.db.models import (
    Answer,
    Delivery,
    Draft,
    FlowDefinition,
    HumanLoop,
    Membership,
    Task,
    Worker,
)
from include.review_server.db.statuses import BARRING_TASKS, SEATED_TASKS, ItemStatus, QueueKind, TaskStatus
from include.review_server.errors import TaskNotInHand
from include.review_server.s3 import ObjectStore
from include.review_server.settings import ReviewSettings
from include.review_server.work.answers import Identities
from include.review_server.work.deadlines import Deadlines
from include.review_server.work.delivery import Deliveries
from include.review_server.work.outputs import LoopOutputs
from include.review_server.work.tasks import Tasks
from include.wire import AwsError
from tests.review_server.rig import MovableClock, insert_flow
from tests.support.cloud import LocalCloud

_ARN = "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/flow"
_COUNT, _LIMIT, _AVAILABLE, _UNDO = 2, 30, 100, 10


def test_the_bookkeeping_stays_true(cloud: LocalCloud, bucket: str):
    access_key_id, secret_access_key = cloud.keys()
    store = ObjectStore(
        ReviewSettings(
            data_dir=Path("unused"),
            s3_endpoint_url=cloud.endpoint_url,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
        )
    )
    arns = Arns("us-east-1", "000000000000")

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.data = Path(tempfile.mkdtemp())
            self.clock = MovableClock()
            self.database = Database(f"sqlite:///{self.data / 'review.db'}")
            self.database.upgrade()
            self.tasks = Tasks(self.database, self.clock, undo_seconds=_UNDO)
            self.runtime = HumanLoopOperations(self.database, self.clock, arns, store)
            self.deadlines = Deadlines(self.database, self.clock)
            writer = LoopOutputs(arns, Identities("http://127.0.0.1"))
            writers = {QueueKind.FLOW_DEFINITION: writer}
            self.deliveries = Deliveries(self.database, self.clock, store, writers)
            self.workers = [f"{i:016x}" for i in range(3)]
            with self.database.write() as session:
                session.add_all(Worker(id=i, name=i, created_at=self.clock()) for i in self.workers)
                session.flush()
                session.add_all(Membership(worker_id=i, workteam_name="team") for i in self.workers)
            insert_flow(
                self.database,
                workers_per_item=_COUNT,
                availability_seconds=_AVAILABLE,
                time_limit_seconds=_LIMIT,
                output_path=f"s3://{bucket}/out",
            )
            self.taken: list[tuple[str, str]] = []
            self.names: list[str] = []

        @rule()
        def start(self) -> None:
            name = f"loop-{len(self.names)}"
            self.runtime.start_human_loop(
                {"HumanLoopName": name, "FlowDefinitionArn": _ARN, "HumanLoopInput": {"InputContent": "{}"}}
            )
            self.names.append(name)

        @rule(worker=st.integers(0, 2))
        def take(self, worker: int) -> None:
            taken = self.tasks.take(self.workers[worker])
            if taken and taken[1]:
                self.taken.append((self.workers[worker], taken[0].id))

        @rule(
            pick=st.integers(0),
            action=st.sampled_from(["answer", "answer", "answer", "undo", "decline", "give_back"]),
        )
        def end_task(self, pick: int, action: str) -> None:
            if self.taken:
                worker, task = self.taken[pick % len(self.taken)]
                extra = ["{}"] if action == "answer" else []
                with suppress(TaskNotInHand):
                    getattr(self.tasks, action)(worker, task, *extra)

        @rule(pick=st.integers(0), action=st.sampled_from(["stop_human_loop", "delete_human_loop"]))
        def end_loop(self, pick: int, action: str) -> None:
            if self.names:
                with suppress(AwsError):
                    getattr(self.runtime, action)({"HumanLoopName": self.names[pick % len(self.names)]})
                self.taken = [t for t in self.taken if self._exists(t[1])]

        @rule(seconds=st.sampled_from([1, _UNDO, _LIMIT, _AVAILABLE]))
        def time_passes(self, seconds: int) -> None:
            self.clock.advance(seconds)

        @rule()
        def the_background_works(self) -> None:
            self.deadlines.end_leases()
            self.deadlines.end_availability()
            self.deadlines.make_final()
            self.deliveries.deliver()

        def _exists(self, task_id: str) -> bool:
            with self.database.read() as session:
                return session.get(Task, task_id) is not None

        @invariant()
        def counts_are_true(self) -> None:
            with self.database.read() as session:
                loops = list(session.scalars(select(HumanLoop)))
                flow = session.scalars(select(FlowDefinition)).one()
                assert flow.in_flight == sum(not loop.status.is_terminal for loop in loops)
                for loop in loops:
                    tasks = list(session.scalars(select(Task).where(Task.item_id == loop.id)))
                    seated = sum(task.status in SEATED_TASKS for task in tasks)
                    answered = sum(task.status is TaskStatus.ANSWERED for task in tasks)
                    barred = [task.worker_id for task in tasks if task.status in BARRING_TASKS]
                    assert len(barred) == len(set(barred)), "workers are distinct"
                    assert answered <= _COUNT
                    free = _COUNT - seated if loop.status is ItemStatus.IN_PROGRESS else 0
                    assert loop.vacancies == free
                    if loop.status in (ItemStatus.COMPLETED, ItemStatus.WRITING):
                        assert answered == _COUNT
                    all_in = loop.status is ItemStatus.IN_PROGRESS and answered == _COUNT
                    assert (loop.settles_at is not None) == all_in
                    given = session.scalar(
                        select(func.count()).where(
                            Answer.task_id.in_([task.id for task in tasks]),
                        )
                    )
                    assert given == answered, "what is given is there, what was taken back is not"
                    if loop.status.is_terminal:
                        kept = select(func.count()).where(Draft.task_id.in_([task.id for task in tasks]))
                        assert session.scalar(kept) == 0
                        assert not any(task.status is TaskStatus.IN_HAND for task in tasks)
                    waiting = session.get(Delivery, loop.id) is not None
                    assert waiting == (
                        loop.status is ItemStatus.WRITING
                        or (loop.status is ItemStatus.STOPPING and answered > 0 and seated == answered)
                    )
                held = select(func.count()).where(Task.status == TaskStatus.IN_HAND).group_by(Task.worker_id)
                assert all(count == 1 for count in session.scalars(held))

        def teardown(self) -> None:
            self.deliveries.close()
            self.database.close()
            shutil.rmtree(self.data)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
