"""The owners' pages of one queue: how it stands (kept up to date by itself), its answers, one item, the files
to take away, and what an owner does to it.

A page's live part is asked for again by its script (``/now``), with the ETag of what it has. What changes
something is a form of the portal's own, answered with the page that it came from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.db.statuses import LabelingStatus
from include.review_server.errors import BadAnswer, TaskNotInHand, UnknownTask
from include.review_server.people.accounts import Accounts
from include.review_server.portal.job_statistics import JobStatistics
from include.review_server.portal.owner_access import FLOWS, JOBS, OwnedPages, Queue, find_queue, number
from include.review_server.portal.owner_answers import ORDERS, STATUSES, Answers, Asked
from include.review_server.portal.owner_charts import Charts, legend, seconds
from include.review_server.portal.owner_export import Exports
from include.review_server.portal.owner_given import FLAGS
from include.review_server.portal.owner_item import Items
from include.review_server.portal.owner_now import Nows
from include.review_server.portal.owner_sample import SAMPLE, Samples
from include.review_server.portal.owner_tally import LEAST_COMPARED
from include.review_server.portal.rendering import PAGE_HEADERS, Pages
from include.review_server.portal.statistics import LOOP_STATUSES, Statistics
from include.review_server.templates.grants import ReadAccess
from include.review_server.work.owning import MOST_PRIORITY, Owning

_PAGES = {FLOWS: "flow", JOBS: "labeling_job"}
# What was done, as the page that comes next says it.
_DONE = {
    "pause": "Paused: nothing of it is offered until you resume it.",
    "resume": "Resumed: workers are offered its tasks again.",
    "priority": "The priority is set.",
    "release": "Released: the task waits for everybody again.",
    "reassign": "Given away: the task waits for that person alone.",
    "offer": "The item is offered to everybody again.",
}

Act = Callable[[int, dict[str, str], str], None]


class QueuePages(OwnedPages):
    """The routes below ``/owner/flows/{name}`` and ``/owner/labeling-jobs/{name}``."""

    def __init__(
        self,
        accounts: Accounts,
        database: Database,
        clock: Clock,
        access: ReadAccess,
        owning: Owning,
        pages: Pages,
    ) -> None:
        super().__init__(accounts, pages)
        self._database = database
        self._statistics = Statistics(database, clock)
        self._jobs = JobStatistics(database, clock)
        self._nows = Nows(database, clock)
        self._samples = Samples(database)
        self._charts = Charts(database, clock)
        self._answers = Answers(database, self._samples)
        self._items = Items(database, access)
        self._exports = Exports(database)
        self._owning = owning
        self._acts: dict[str, Act] = {
            "pause": lambda queue, _, by: owning.pause(queue, True, by),
            "resume": lambda queue, _, by: owning.pause(queue, False, by),
            "priority": lambda queue, fields, by: owning.set_priority(queue, _whole(fields), by),
            "release": lambda queue, fields, by: owning.release(queue, fields.get("task", ""), by),
            "reassign": lambda queue, fields, by: owning.reassign(
                queue, fields.get("task", ""), fields.get("worker", ""), by
            ),
            "offer": lambda queue, fields, by: owning.offer_to_all(queue, number(fields.get("item", "")), by),
        }

    def routes(self) -> list[BaseRoute]:
        return [route for kind in _PAGES for route in self._of(kind)]

    def _of(self, kind: str) -> Iterator[BaseRoute]:
        def shown(handler: Callable[[Request, Queue], Awaitable[Response]]) -> Any:
            async def handle(request: Request) -> Response:
                await self._owner(request)
                name = request.path_params["name"]
                return await handler(request, await run_in_threadpool(find_queue, self._database, kind, name))

            return self._shown(handle)

        base = f"/owner/{kind}/{{name}}"
        yield Route(base, shown(self._page))
        yield Route(f"{base}/now", shown(self._now))
        yield Route(f"{base}/answers", shown(self._list))
        yield Route(f"{base}/answers.csv", shown(self._csv))
        yield Route(f"{base}/answers.json", shown(self._json))
        yield Route(f"{base}/items/{{item}}", shown(self._item))
        for action in self._acts:
            yield Route(f"{base}/{action}", shown(self._act(action)), methods=["POST"])

    async def _page(self, request: Request, queue: Queue) -> Response:
        owner = await self._owner(request)
        done = _DONE.get(request.query_params.get("done", ""))
        values = await run_in_threadpool(self._values, queue)
        return self._pages.page(_PAGES[queue.kind], person=owner, done=done, **values)

    async def _now(self, request: Request, queue: Queue) -> Response:
        """The live part of the page; 304 when nothing has changed."""
        owner = await self._owner(request)

        def render() -> str:
            return self._pages.text(f"{_PAGES[queue.kind]}_now", person=owner, **self._values(queue))

        html = await run_in_threadpool(render)
        mark = f'"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'
        headers = PAGE_HEADERS | {"ETag": mark}
        if request.headers.get("if-none-match") == mark:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(html, headers=headers)

    def _values(self, queue: Queue) -> dict[str, Any]:
        """What the page of a queue says."""
        sample = self._samples.of(queue.id)
        hours = self._charts.hours(queue.id)
        values = self._of_flow(queue) if queue.kind == FLOWS else self._of_job(queue)
        return values | {
            "queue": queue,
            "now": self._nows.of(queue.id),
            "sample": sample.tally,
            "is_compared": sample.is_complete,
            "most": SAMPLE,
            "least": LEAST_COMPARED,
            "hours": hours,
            "legend": legend(hours),
            "steps": seconds(sample),
            "members": self._owning.members(queue.id),
            "most_priority": MOST_PRIORITY,
        }

    def _of_flow(self, queue: Queue) -> dict[str, Any]:
        flow = self._statistics.flow(queue.name)
        if flow is None:
            raise UnknownTask(queue.name)
        return {"flow": flow, "statuses": LOOP_STATUSES}

    def _of_job(self, queue: Queue) -> dict[str, Any]:
        job = self._jobs.job(queue.name)
        if job is None:
            raise UnknownTask(queue.name)
        stopping = job.status == LabelingStatus.STOPPING
        return {
            "job": job,
            "failures": self._jobs.failures(queue.id) if job.failed else [],
            "in_hand": self._jobs.in_hand(queue.id) if stopping else None,
        }

    async def _list(self, request: Request, queue: Queue) -> Response:
        owner = await self._owner(request)
        asked = Asked.of(request.query_params)
        lines, after = await run_in_threadpool(self._answers.page, queue.id, asked)
        workers = await run_in_threadpool(self._answers.workers, queue.id)
        return self._pages.page(
            "owner_answers",
            person=owner,
            queue=queue,
            asked=asked,
            lines=lines,
            after=after,
            workers=workers,
            flags=FLAGS,
            statuses=STATUSES,
            orders=ORDERS,
            most=SAMPLE,
        )

    async def _item(self, request: Request, queue: Queue) -> Response:
        owner = await self._owner(request)
        item = await run_in_threadpool(self._items.show, queue, number(request.path_params["item"]))
        return self._pages.page(
            "owner_item", person=owner, queue=queue, item=item, flags=FLAGS, picture=item.picture
        )

    async def _csv(self, _: Request, queue: Queue) -> Response:
        return _file(self._exports.csv(queue.id), "text/csv; charset=utf-8", f"{queue.name}.csv")

    async def _json(self, _: Request, queue: Queue) -> Response:
        return _file(self._exports.json(queue.id), "application/json", f"{queue.name}.json")

    def _act(self, action: str) -> Callable[[Request, Queue], Awaitable[Response]]:
        async def act(request: Request, queue: Queue) -> Response:
            owner, fields = await self._sent(request)
            try:
                await run_in_threadpool(self._acts[action], queue.id, fields, owner.name)
            except TaskNotInHand as error:
                raise BadAnswer(str(error)) from None
            return self._pages.redirect(f"{queue.base}?done={action}")

        return act


def _whole(fields: dict[str, str]) -> int:
    text = fields.get("priority", "").strip()
    if not text.removeprefix("-").isdecimal() or len(text) > 4 or not text.isascii():
        raise BadAnswer(f"a priority is a whole number from {-MOST_PRIORITY} to {MOST_PRIORITY}")
    return int(text)


def _file(parts: Iterator[str], kind: str, name: str) -> Response:
    # A queue's name has letters, digits and hyphens alone.
    headers = PAGE_HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, headers=headers, media_type=kind)
