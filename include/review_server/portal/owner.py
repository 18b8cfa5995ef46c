"""The owners' pages: how the work goes, one flow definition or labeling job at a time, and the bench for
templates.

Owners are members whom the operator made one; everybody else gets 403. ``/owner/flows/{name}`` and
``/owner/labeling-jobs/{name}`` are addresses to keep: Airflow's tasks link to them.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from include.review_server import jsontext
from include.review_server.bodies import CONTROL_BODY, bounded_body
from include.review_server.db.statuses import LabelingStatus
from include.review_server.errors import BadAnswer, Forbidden, RenderBusy, UnknownTask
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.portal.frames import Frames, message_frame
from include.review_server.portal.job_statistics import JobStatistics
from include.review_server.portal.pages import PersonalPages
from include.review_server.portal.rendering import PAGE_HEADERS, Pages
from include.review_server.portal.statistics import SAMPLE, Statistics
from include.review_server.templates.check import MOST_CHARACTERS

# In the order of a loop's life, as the API shows them.
_STATUSES = ("InProgress", "Stopping", "Completed", "Stopped", "Failed")
_EXAMPLE = """{
  "taskObject": "s3://BUCKET/KEY.jpg",
  "labels": ["cat", "dog"],
  "initialValue": []
}"""


class OwnerPages(PersonalPages):
    """The routes below ``/owner``."""

    def __init__(
        self,
        accounts: Accounts,
        statistics: Statistics,
        jobs: JobStatistics,
        frames: Frames,
        pages: Pages,
    ) -> None:
        super().__init__(accounts, pages)
        self._statistics = statistics
        self._jobs = jobs
        self._frames = frames

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/owner", self._shown(self._overview)),
            Route("/owner/flows/{name}", self._shown(self._flow)),
            Route("/owner/labeling-jobs/{name}", self._shown(self._job)),
            Route("/owner/templates", self._shown(self._bench)),
            Route("/owner/templates/check", self._shown(self._check), methods=["POST"]),
            Route("/owner/templates/preview", self._shown(self._preview), methods=["POST"]),
        ]

    async def _overview(self, request: Request) -> Response:
        owner = await self._owner(request)
        flows = await run_in_threadpool(self._statistics.flows)
        jobs = await run_in_threadpool(self._jobs.jobs)
        return self._pages.page("owner", person=owner, flows=flows, jobs=jobs, statuses=_STATUSES)

    async def _flow(self, request: Request) -> Response:
        owner = await self._owner(request)
        name = request.path_params["name"]
        flow = await run_in_threadpool(self._statistics.flow, name)
        if flow is None:
            raise UnknownTask(name)
        return self._pages.page(
            "flow", person=owner, flow=flow, statuses=_STATUSES, **await self._work(flow.queue_id)
        )

    async def _job(self, request: Request) -> Response:
        owner = await self._owner(request)
        name = request.path_params["name"]
        job = await run_in_threadpool(self._jobs.job, name)
        if job is None:
            raise UnknownTask(name)
        failures = await run_in_threadpool(self._jobs.failures, job.queue_id) if job.failed else []
        stopping = job.status == LabelingStatus.STOPPING
        in_hand = await run_in_threadpool(self._jobs.in_hand, job.queue_id) if stopping else None
        work = await self._work(job.queue_id)
        return self._pages.page(
            "labeling_job", person=owner, job=job, failures=failures, in_hand=in_hand, **work
        )

    async def _work(self, queue_id: int) -> dict[str, Any]:
        """What both kinds of page say about the people who work."""
        hours = await run_in_threadpool(self._statistics.hours, queue_id)
        workers = await run_in_threadpool(self._statistics.workers, queue_id)
        return {"hours": hours, "workers": workers, "sample": SAMPLE}

    async def _bench(self, request: Request) -> Response:
        owner = await self._owner(request)
        return self._pages.page("bench", person=owner, example=_EXAMPLE)

    async def _check(self, request: Request) -> Response:
        """What is wrong with a template: ``{"findings": […]}``."""
        owner, template, task_input = await self._tried(request)
        findings = await self._frames.findings(owner, template, task_input)
        return JSONResponse({"findings": findings}, headers=PAGE_HEADERS)

    async def _preview(self, request: Request) -> Response:
        """The frame's document for a template that an owner tries, with the same policy as at work."""
        try:
            owner, template, task_input = await self._tried(request)
            frame = await self._frames.of_trial(owner, template, task_input)
        except BadAnswer as error:
            return message_frame(400, str(error))
        except RenderBusy as error:
            return message_frame(503, str(error))
        if not frame.html:
            return message_frame(200, "; ".join(error.message for error in frame.rendered.errors))
        return HTMLResponse(frame.html, headers=frame.headers)

    async def _tried(self, request: Request) -> tuple[SignedIn, str, str]:
        """Who tries what: the template and its input (JSON text), by a form that is the portal's own."""
        owner = await self._owner(request)
        fields = await _form(request)
        if not secrets.compare_digest(fields.get("csrf_token", "").encode(), owner.csrf_token.encode()):
            raise Forbidden("send the form from the portal's own page: reload it")
        template, task_input = fields.get("template", ""), fields.get("input", "").strip() or "{}"
        if len(template) > MOST_CHARACTERS:
            raise BadAnswer(
                f"the template has {len(template):,} characters, and {MOST_CHARACTERS:,} are allowed"
            )
        try:
            await run_in_threadpool(jsontext.parse, task_input)
        except ValueError as error:
            raise BadAnswer(f"the input is not JSON: {error}") from None
        return owner, template, task_input

    async def _owner(self, request: Request) -> SignedIn:
        person = await self._person(request)
        if not person.is_owner:
            raise Forbidden("It is for owners. Whoever runs the server can make you one.")
        return person


async def _form(request: Request) -> dict[str, Any]:
    try:
        body = await bounded_body(request, CONTROL_BODY)
        fields = await run_in_threadpool(_fields, body)
    except ValueError as error:
        raise BadAnswer(f"the form cannot be read: {error}") from None
    return {name: values[-1] for name, values in fields.items()}


def _fields(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10)
