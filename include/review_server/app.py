"""The review server put together: the AWS operations, the workers' interface, and the background.

``create_review`` gives one ``Review``; its ``control`` and ``runtime`` are implementations for
``include.wire.AwsService``, its ``asgi`` is the whole server for a port of its own. Whoever mounts it starts
and stops it, or lets the ASGI lifespan do so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy.exc import DataError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from include import wire
from include.review_server import private_files
from include.review_server.api.api_keys import ApiKeys
from include.review_server.api.callers import Callers
from include.review_server.api.flow_definitions import FlowDefinitionOperations, FlowJobs
from include.review_server.api.human_loops import WAIT_FOR_S3, HumanLoopOperations
from include.review_server.api.labeling_jobs import LabelingJobOperations
from include.review_server.api.tags import TagOperations, Tags
from include.review_server.api.task_uis import TaskUiOperations
from include.review_server.api.work_teams import WorkteamOperations
from include.review_server.arns import Arns
from include.review_server.bodies import CONTROL_BODY, LARGEST_BODY, bounded_body
from include.review_server.clock import Clock, utc_now
from include.review_server.db.database import Database
from include.review_server.db.statuses import QueueKind
from include.review_server.errors import BodyTooLarge, DatabaseAway
from include.review_server.health import Health, disk_problem
from include.review_server.labeling.auto.rounds import AutoLabeling
from include.review_server.labeling.cloud_logs import CloudLogs
from include.review_server.labeling.functions import Functions
from include.review_server.labeling.initializing import Initializing
from include.review_server.labeling.logs import JobLog, WorkerLog
from include.review_server.labeling.responses import WorkerResponses, worker_prefix
from include.review_server.labeling.steps import labeling_steps
from include.review_server.metrics import OTHERS, TOKEN, Metrics, note_operation
from include.review_server.people.accounts import Accounts
from include.review_server.portal.away import database_away, no_text
from include.review_server.portal.frames import Frames
from include.review_server.portal.portal import portal_routes
from include.review_server.portal.statistics import Statistics
from include.review_server.portal.worker_session import SessionRoutes
from include.review_server.portal.worker_tasks import TaskRoutes
from include.review_server.s3 import ObjectStore
from include.review_server.settings import ReviewSettings
from include.review_server.templates.component_files import component_routes
from include.review_server.templates.grants import ReadAccess
from include.review_server.templates.render_pool import RenderPool
from include.review_server.work.answers import Identities
from include.review_server.work.background import BackgroundWorker
from include.review_server.work.complaints import Complaints
from include.review_server.work.deadlines import Deadlines
from include.review_server.work.delivery import Deliveries
from include.review_server.work.events import EndEvents
from include.review_server.work.outputs import LoopOutputs
from include.review_server.work.owning import Owning
from include.review_server.work.tasks import Tasks
from include.wire import AwsError

# Of the data directory. Not its keys: those that others could read are refused, not covered up.
_OWN_FILES = ("review.db", "review.db-wal", "review.db-shm", "review.db-journal")

SecretOf = Callable[[str], str | None]


class Control:
    """The human-review operations of the ``sagemaker`` API, found by name among the parts that have them."""

    def __init__(self, *parts: object) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> object:
        for part in self._parts:
            if hasattr(part, name) and not name.startswith("_"):
                return getattr(part, name)
        raise AttributeError(name)


class Review:
    """A review server. Made by ``create_review``; does nothing until it is started."""

    def __init__(
        self,
        settings: ReviewSettings,
        clock: Clock,
        secret_of: SecretOf | None,
        tags: TagOperations | None,
    ) -> None:
        self.settings = settings
        self.database = Database(settings.database)
        keys = ApiKeys(settings.api_keys_file)
        self._own_keys = None if secret_of else keys
        # Signatures are by the real time, whatever a test does to the clock of leases.
        self.callers = Callers(self.database, utc_now, settings.region, secret_of or keys.secret)
        store = ObjectStore(settings)
        arns = Arns(settings.region, settings.account_id)
        url = settings.public_url
        # Two for the tasks at work; what owners and API callers try out waits for a third of its own.
        self._renderers, self._trials = RenderPool(2), RenderPool(1)
        access = self.access = ReadAccess(self.database, store, settings.read_prefixes)
        self.accounts = Accounts(self.database, clock)
        self.metrics = Metrics(self.database, clock, lambda: self.background.ill, settings.data_dir / TOKEN)
        self.tasks = Tasks(self.database, clock, self.wake, self.metrics.answered, settings.undo_seconds)
        self.deadlines = Deadlines(self.database, clock)
        self.flow_jobs = FlowJobs(self.database, clock, store, self._trials)
        self.deliveries = Deliveries(
            self.database,
            clock,
            store,
            {
                QueueKind.FLOW_DEFINITION: LoopOutputs(arns, Identities(url)),
                QueueKind.LABELING_JOB: WorkerResponses(Identities(url, worker_prefix(arns.region))),
            },
            self.wake,
        )
        self.events = EndEvents(self.database, clock, arns, settings)
        self.functions = Functions(settings, store)
        self._logs = CloudLogs(settings)
        self.database.on_turn = WorkerLog(self._logs, arns, clock).note
        tags = tags or Tags(self.database)
        self.control = Control(
            TaskUiOperations(self.database, clock, arns, self._trials, access, url),
            WorkteamOperations(self.database, clock, arns, url),
            FlowDefinitionOperations(self.database, clock, arns, self.wake),
            LabelingJobOperations(
                self.database, clock, arns, tags, self.functions, settings.auto_labeling, self.wake
            ),
            tags,
        )
        least = settings.auto_labeling.minimum_objects
        self.initializing = Initializing(self.database, clock, store, self._trials, least, self.wake)
        self.runtime = HumanLoopOperations(self.database, clock, arns, store, self.wake)
        # Calls of programs have threads of their own, and those that wait for S3 others again: whatever hangs
        # there, reviewers' requests find theirs free.
        self._calls = ThreadPoolExecutor(16, "review-calls")
        self._waiting_calls = ThreadPoolExecutor(8, "review-calls-s3")
        job_log = JobLog(self._logs)
        machine = AutoLabeling(self.database, clock, settings, store, job_log.say)
        self.background = BackgroundWorker(
            [
                self.flow_jobs.activate,
                self.flow_jobs.delete,
                self.initializing.initialize,
                self.deadlines.end_leases,
                self.deadlines.end_availability,
                self.deadlines.make_final,
                self.deliveries.deliver,
                self.events.send,
                *labeling_steps(
                    self.database, clock, arns, store, self.functions, machine, job_log, self.wake
                ),
            ]
        )
        self.health = Health(
            {"the database": self.database.problem, "the disk": partial(disk_problem, self._stored_in())},
            [
                lambda: self.background.failing,
                lambda: store.reach.problems,
                lambda: self.events.reach.problems,
                lambda: self.functions.ill,
            ],
        )
        statistics = Statistics(self.database, clock)
        frames = Frames(self.database, access, self._renderers, self._trials, clock, url)
        session_routes = SessionRoutes(self.accounts, clock, secure_cookie=url.startswith("https:"))
        task_routes = TaskRoutes(
            self.accounts,
            self.tasks,
            Complaints(self.database, clock),
            statistics,
            clock,
            least_seconds=settings.least_seconds,
            ahead_frame=lambda person, item: f"/frame/{frames.ahead_ticket(person, item)}",
        )
        server = Starlette(
            routes=[
                Route("/_nightloop/health", self._health),
                Route("/metrics", self.metrics.page),
                *session_routes.routes(),
                *task_routes.routes(),
                *component_routes(),
                *portal_routes(
                    self.database,
                    self.accounts,
                    self.tasks,
                    frames,
                    clock,
                    access,
                    Owning(self.database, clock, self.wake),
                    settings.least_seconds,
                ),
                Route("/{path:path}", self._aws, methods=["GET", "POST", "PUT", "DELETE"]),
            ],
            exception_handlers={DatabaseAway: database_away, DataError: no_text},
            lifespan=self._lifespan,
        )
        self.asgi = self.metrics.counting(server, server.routes)
        self._services = [
            wire.AwsService("sagemaker", self.control),
            wire.AwsService("sagemaker-a2i-runtime", self.runtime),
        ]
        self._operations = {name for service in self._services for name in service.implemented()}

    def _stored_in(self) -> Path:
        """The directory whose disk everything depends on."""
        file = self.database.url.database if self.database.is_sqlite else None
        return Path(file).parent if file else self.settings.data_dir

    def start(self) -> None:
        """Bring the database up to date and begin with what an earlier process left. Safe to call again."""
        if not self.background.is_alive:
            private_files.tighten(self._stored_in(), *_OWN_FILES)
            if self._own_keys:
                self._own_keys.create()
            self.metrics.start()
            self.database.upgrade()
            self._renderers.start()
            self._trials.start(ready=0)
            self._logs.start()
            self.background.start()

    def stop(self) -> None:
        """Finish the jobs in hand. Everything else is in the database. Safe to call again."""
        self.background.stop()
        self._renderers.stop()
        self._trials.stop()
        self._logs.stop()

    def wake(self) -> None:
        """There is something for the background to do."""
        self.background.wake()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(self.start)
        yield
        await run_in_threadpool(self.stop)

    async def _health(self, _request: Request) -> Response:
        if not self.background.is_alive:
            return JSONResponse({"status": "ill", "failing": ["the background is not running"]}, 503)
        if failing := await self.health.failing():
            return JSONResponse({"status": "ill", "failing": failing}, 503)
        return JSONResponse({"status": "ok"})

    async def _aws(self, request: Request) -> Response:
        """An AWS call, once its signature is checked: no page of another site can send a signed one."""
        raw = wire.Request(
            method=request.method,
            path=request.scope["raw_path"].decode("latin-1"),
            query=request.scope["query_string"].decode("latin-1"),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        service = next((service for service in self._services if service.matches(raw)), None)
        named = service.operation(raw) if service else None
        note_operation(request, named if named in self._operations else OTHERS)
        if service is None:
            return _aws_error(AwsError("UnknownOperationException", "no operation has that address", 404))
        try:
            # Before the body is read: what is not signed at all costs nothing.
            self.callers.claimed(raw)
            body = await bounded_body(request, CONTROL_BODY if service.name == "sagemaker" else LARGEST_BODY)
            call = wire.Request(raw.method, raw.path, raw.query, raw.headers, body)
            operation = service.operation(call) or ""
            in_thread = asyncio.get_running_loop().run_in_executor
            await in_thread(self._calls, self.callers.check, call, operation)
        except AwsError as error:
            return _aws_error(error)
        except BodyTooLarge as error:
            return _aws_error(AwsError("RequestEntityTooLargeException", str(error), 413))
        threads = self._waiting_calls if operation in WAIT_FOR_S3 else self._calls
        reply = await in_thread(threads, service.reply, call)
        return Response(reply.body, reply.status, dict(reply.headers))


def create_review(
    settings: ReviewSettings,
    clock: Clock = utc_now,
    secret_of: SecretOf | None = None,
    tags: TagOperations | None = None,
) -> Review:
    """A review server by its settings.

    ``clock`` is there for tests that cannot wait for a lease to end. ``secret_of`` gives the secret of an API
    caller's key to a server that is mounted where keys exist already, and ``tags`` are the tags of that
    place; alone, it keeps its own (``api_keys``, ``api.tags``).
    """
    return Review(settings, clock, secret_of, tags)


def _aws_error(error: AwsError) -> Response:
    body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message})
    headers = {"x-amzn-ErrorType": error.code}
    return Response(body, error.status or 400, headers, media_type="application/json")
