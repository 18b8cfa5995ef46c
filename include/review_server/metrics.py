"""``GET /metrics``: how the server and its reviewers get on, for Prometheus.

What this process has done since it started is counted (answers, reviewers' seconds, requests); what waits
(tasks, open human loops, outputs and events that nobody has yet) is read from the database when somebody
asks, so every server on one database says the same of it. Labels come from short lists: operations that are
implemented, routes by their pattern, the newest queues, and one name for all the rest.

It is served on the server's only port, where a scraper of another machine or container reaches it through
the proxy, and shows flow definitions by name: unlike health it is for the operator alone. Whoever asks must
send the token that lies in the data directory (mode 0600, made at the first start) as a bearer. To take
callers from loopback without one would be to take everybody's, once a proxy on this machine forgets to say
for whom it calls. In Prometheus: ``authorization: {credentials_file: DIR/metrics-token}``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Select, func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from include.review_server import private_files
from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.models import (
    Complaint,
    Delivery,
    Event,
    FlowDefinition,
    Task,
    WorkItem,
    WorkQueue,
    inline,
)
from include.review_server.db.statuses import DeclineReason, FlowStatus, TaskStatus
from include.review_server.errors import DatabaseAway
from include.review_server.work.answers import FAST_SECONDS

TOKEN = "metrics-token"  # noqa: S105 -- the file's name
OTHERS = "(others)"  # no flow definition and no operation can have that name
_MOST_QUEUES = 100
_OPERATION = "nightloop.operation"  # in ASGI's scope
_BY_QUEUE = {
    "tasks_waiting": "Places of human loops and of objects of labeling jobs that workers can take now.",
    "tasks_leased": "Tasks that workers have in hand.",
    "oldest_waiting_seconds": "Age of the oldest item that workers can take now; 0 when there is none.",
    "complaints": "Complaints of templates and their pages, each as often as it came.",
    "queue_paused": "1 while an owner has paused it.",
}
_NOT_SAID = "NotSaid"

App = Callable[..., Awaitable[None]]


class Metrics:
    """Counters of one server, and the page that shows them.

    ``ill`` says of each background job whether it is; ``token`` is the file of the secret that whoever asks
    must send.
    """

    def __init__(
        self, database: Database, clock: Clock, ill: Callable[[], Mapping[str, bool]], token: Path
    ) -> None:
        self._token_file, self._token = token, ""
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "nightloop_review_answers", "Answers accepted since the start.", registry=self._registry
        )
        self._seconds = Counter(
            "nightloop_review_reviewer_seconds",
            "Seconds that reviewers worked on these answers, without the pauses that their pages measured.",
            registry=self._registry,
        )
        self._fast = Counter(
            "nightloop_review_answers_too_fast",
            f"Of these answers, those on which less than {FAST_SECONDS:.0f} second was spent.",
            registry=self._registry,
        )
        self._requests = Counter(
            "nightloop_review_requests",
            "Requests answered since the start, by AWS operation or route and HTTP status.",
            ["operation", "status"],
            registry=self._registry,
        )
        self._registry.register(_Waiting(database, clock, ill))

    def start(self) -> None:
        """Make the token at the first start. ``PermissionError`` when others could read it."""
        if not self._token_file.exists():
            private_files.write(self._token_file, secrets.token_urlsafe(32) + "\n")
        self._token = private_files.read(self._token_file).strip()

    def answered(self, seconds: float) -> None:
        """An answer was accepted, on which a reviewer has worked for so long."""
        self._answers.inc()
        self._seconds.inc(seconds)
        if seconds < FAST_SECONDS:
            self._fast.inc()

    async def page(self, request: Request) -> Response:
        kind, _, sent = request.headers.get("authorization", "").partition(" ")
        # An empty token is that of a server which has not started: nobody has it.
        if kind.lower() != "bearer" or not self._token or not _same(sent.strip(), self._token):
            text = f"send the token in {TOKEN} of the data directory: Authorization: Bearer TOKEN"
            return PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})
        shown = await run_in_threadpool(generate_latest, self._registry)
        return Response(shown, media_type=CONTENT_TYPE_LATEST)

    def counting(self, app: App, routes: Sequence[BaseRoute]) -> App:
        """The application, with its answers counted by the route that made them."""
        names = {_endpoint(route): _name(route) for route in routes}

        async def counted(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            async def noting(message: Mapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    operation = scope.get(_OPERATION) or names.get(scope.get("endpoint"), OTHERS)
                    self._requests.labels(operation, message["status"]).inc()
                await send(message)

            await app(scope, receive, noting)

        return counted


def note_operation(request: Request, operation: str) -> None:
    """Let the request be counted as a call of this AWS operation instead of by its route."""
    request.scope[_OPERATION] = operation


class _Waiting(Collector):
    """What waits, as the database says now, and how the background gets on."""

    def __init__(self, database: Database, clock: Clock, ill: Callable[[], Mapping[str, bool]]) -> None:
        self._database, self._clock, self._ill = database, clock, ill

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge(
            "background_job_ill", "1 for a job of the background that fails or hangs.", "job", self._ill()
        )
        try:
            yield from self._read()
            away = 0
        except DatabaseAway:
            away = 1
        text = "1 when the database could not be read: then no line tells what waits."
        yield GaugeMetricFamily("nightloop_review_database_away", text, away)

    def _read(self) -> Iterator[GaugeMetricFamily]:
        flows = (
            select(FlowDefinition.id, FlowDefinition.name, FlowDefinition.in_flight)
            .where(FlowDefinition.status != FlowStatus.DELETED)
            .order_by(FlowDefinition.id.desc())
        )
        waiting = (
            select(WorkItem.queue_id, func.sum(WorkItem.vacancies))
            .where(WorkItem.vacancies > inline(0))
            .group_by(WorkItem.queue_id)
        )
        leased = (
            select(Task.queue_id, func.count())
            .where(Task.status == inline(TaskStatus.IN_HAND))
            .group_by(Task.queue_id)
        )
        complaints = select(Complaint.queue_id, func.sum(Complaint.times)).group_by(Complaint.queue_id)
        declined = (
            select(Task.reason, func.count())
            .where(Task.status == inline(TaskStatus.DECLINED))
            .group_by(Task.reason)
        )
        now = self._clock()
        with self._database.read() as session:
            found = session.execute(flows).all()
            newest = (
                select(WorkQueue).where(WorkQueue.is_open).order_by(WorkQueue.id.desc()).limit(_MOST_QUEUES)
            )
            shown = list(session.scalars(newest))
            queues = {queue.id: queue.key for queue in shown}
            oldest: dict[int, float] = {}
            for number, created_at in session.execute(_oldest()):
                # Those of queues without a name share a line, which tells of the oldest of them.
                number = number if number in queues else 0
                oldest[number] = max(oldest.get(number, 0), (now - created_at).total_seconds())
            counted: dict[str, dict[int, float]] = {
                "tasks_waiting": {row[0]: row[1] for row in session.execute(waiting)},
                "tasks_leased": {row[0]: row[1] for row in session.execute(leased)},
                "oldest_waiting_seconds": oldest,
                "complaints": {row[0]: row[1] for row in session.execute(complaints)},
                "queue_paused": {queue.id: float(queue.is_paused) for queue in shown},
            }
            reasons = {row[0]: row[1] for row in session.execute(declined)}
            outputs = session.scalar(select(func.count()).select_from(Delivery)) or 0
            events = session.scalar(select(func.count()).select_from(Event)) or 0
        names_of_flows = {row.id: row.name for row in found[:_MOST_QUEUES]}
        in_flight = {row.id: row.in_flight for row in found}
        text = "Human loops that are not terminal."
        yield _gauge("open_human_loops", text, "flow_definition", _by_name(names_of_flows, in_flight))
        for name, counts in counted.items():
            yield _gauge(name, _BY_QUEUE[name], "queue", _by_name(queues, counts))
        text = "Tasks that workers declined, of the items that are still there."
        names = dict.fromkeys([*(reason.value for reason in DeclineReason), _NOT_SAID], 0.0)
        for reason, count in reasons.items():
            names[reason.value if reason else _NOT_SAID] += count
        yield _gauge("tasks_declined", text, "reason", names)
        text = "Results of human loops and of objects that S3 does not have yet."
        yield GaugeMetricFamily("nightloop_review_outputs_waiting", text, outputs)
        text = "Ends of human loops and labeling jobs that the queue or bus has not been told yet."
        yield GaugeMetricFamily("nightloop_review_events_waiting", text, events)


def _oldest() -> Select[int, datetime]:
    """By queue, when the first item that can be taken was made: items come in the order of their ids."""
    first = (
        select(func.min(WorkItem.id).label("id"))
        .where(WorkItem.vacancies > inline(0))
        .group_by(WorkItem.queue_id)
        .subquery()
    )
    return select(WorkItem.queue_id, WorkItem.created_at).join(first, first.c.id == WorkItem.id)


def _by_name(names: Mapping[int, str], counts: Mapping[int, float]) -> dict[str, float]:
    """Counts by id as counts by name: 0 for a name without any; what has no name together."""
    summed = dict.fromkeys(names.values(), 0.0)
    for number, count in counts.items():
        name = names.get(number, OTHERS)
        summed[name] = summed.get(name, 0.0) + float(count)
    return summed


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"nightloop_review_{name}", text, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge


def _endpoint(route: BaseRoute) -> Any:
    """What Starlette puts into the scope when this route was chosen: a handler, or a mounted application."""
    return getattr(route, "endpoint", None) or getattr(route, "app", None)


def _name(route: BaseRoute) -> str:
    methods = sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"})
    return f"{'|'.join(methods)} {getattr(route, 'path', OTHERS)}"


def _same(sent: str, token: str) -> bool:
    return hmac.compare_digest(sent.encode(errors="replace"), token.encode())
