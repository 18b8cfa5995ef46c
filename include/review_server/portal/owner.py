"""The owners' first page, with every flow definition and labeling job, and the bench for templates.

Owners are members whom the operator made one; everybody else gets 403.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from include.review_server import jsontext
from include.review_server.bodies import CONTROL_BODY
from include.review_server.errors import BadAnswer, RenderBusy
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.portal.frames import Frames, message_frame
from include.review_server.portal.job_statistics import JobStatistics
from include.review_server.portal.owner_access import OwnedPages
from include.review_server.portal.rendering import PAGE_HEADERS, Pages
from include.review_server.portal.statistics import LOOP_STATUSES, Statistics
from include.review_server.templates.check import MOST_CHARACTERS
from include.review_server.templates.host_names import parse_host
from include.review_server.templates.hosts import MOST_HOSTS

_EXAMPLE = """{
  "taskObject": "s3://my-photos/cat.jpg",
  "labels": ["cat", "dog"],
  "initialValue": []
}"""


class OwnerPages(OwnedPages):
    """The routes of ``/owner`` and ``/owner/templates``."""

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
            Route("/owner/templates", self._shown(self._bench)),
            Route("/owner/templates/check", self._shown(self._check), methods=["POST"]),
            Route("/owner/templates/preview", self._shown(self._preview), methods=["POST"]),
        ]

    async def _overview(self, request: Request) -> Response:
        owner = await self._owner(request)
        flows = await run_in_threadpool(self._statistics.flows)
        jobs = await run_in_threadpool(self._jobs.jobs)
        return self._pages.page("owner", person=owner, flows=flows, jobs=jobs, statuses=LOOP_STATUSES)

    async def _bench(self, request: Request) -> Response:
        owner = await self._owner(request)
        return self._pages.page("bench", person=owner, example=_EXAMPLE)

    async def _check(self, request: Request) -> Response:
        """What is wrong with a template: ``{"findings": […]}``."""
        owner, template, task_input, hosts = await self._tried(request)
        findings = await self._frames.findings(owner, template, task_input, hosts)
        return JSONResponse({"findings": findings}, headers=PAGE_HEADERS)

    async def _preview(self, request: Request) -> Response:
        """The frame's document for a template that an owner tries, with the same policy as at work."""
        try:
            owner, template, task_input, hosts = await self._tried(request)
            frame = await self._frames.of_trial(owner, template, task_input, hosts)
        except BadAnswer as error:
            return message_frame(400, str(error))
        except RenderBusy as error:
            return message_frame(503, str(error))
        if not frame.html:
            return message_frame(200, "; ".join(error.message for error in frame.rendered.errors))
        return HTMLResponse(frame.html, headers=frame.headers)

    async def _tried(self, request: Request) -> tuple[SignedIn, str, str, list[str]]:
        """Who tries what: the template, its input (JSON text) and hosts besides those that are allowed.

        By a form that is the portal's own.
        """
        owner, fields = await self._sent(request, CONTROL_BODY)
        template, task_input = fields.get("template", ""), fields.get("input", "").strip() or "{}"
        if len(template) > MOST_CHARACTERS:
            raise BadAnswer(
                f"the template has {len(template):,} characters, and {MOST_CHARACTERS:,} are allowed"
            )
        try:
            await run_in_threadpool(jsontext.parse, task_input)
        except ValueError as error:
            raise BadAnswer(f"the input is not JSON: {error}") from None
        try:
            hosts = [parse_host(host) for host in fields.get("hosts", "").replace(",", " ").split()]
        except ValueError as error:
            raise BadAnswer(str(error)) from None
        if len(hosts) > MOST_HOSTS:
            raise BadAnswer(f"a template may use {MOST_HOSTS} hosts")
        return owner, template, task_input, hosts
