"""The owners' page of the hosts that templates may load from.

``/owner/templates/hosts?ui=NAME`` or ``?job=NAME`` shows and changes them; without a name it lists the
templates. What is allowed holds for the next task that is shown.
"""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.errors import UnknownTask
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.portal.owner_access import OwnedPages
from include.review_server.portal.rendering import Pages
from include.review_server.templates.hosts import MOST_HOSTS, TemplateHosts

_PATH = "/owner/templates/hosts"


class HostPages(OwnedPages):
    """The page and its form."""

    def __init__(self, accounts: Accounts, database: Database, clock: Clock, pages: Pages) -> None:
        super().__init__(accounts, pages)
        self._hosts = TemplateHosts(database, clock)

    def routes(self) -> list[BaseRoute]:
        return [
            Route(_PATH, self._shown(self._show)),
            Route(_PATH, self._shown(self._change), methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        return await self._page(request, await self._owner(request))

    async def _page(self, request: Request, owner: SignedIn, typed: str = "", problem: str = "") -> Response:
        """The page; with what was typed and what is wrong with it."""
        name, job = _named(request)
        try:
            hosts = await run_in_threadpool(self._hosts.of, name, job=job) if name else []
        except LookupError:
            raise UnknownTask(name) from None
        templates = [] if name else await run_in_threadpool(self._hosts.templates)
        return self._pages.page(
            "owner_hosts",
            400 if problem else 200,
            person=owner,
            ui=name,
            job=job,
            hosts=hosts,
            templates=templates,
            most=MOST_HOSTS,
            typed=typed,
            problem=problem,
        )

    async def _change(self, request: Request) -> Response:
        owner, fields = await self._sent(request)
        name, job = _named(request)
        try:
            if host := fields.get("withdraw"):
                await run_in_threadpool(self._hosts.withdraw, name, host, job=job)
            else:
                host = fields.get("allow", "")
                await run_in_threadpool(self._hosts.allow, name, host, owner.worker_id, job=job)
        except LookupError:
            raise UnknownTask(name) from None
        except ValueError as error:
            return await self._page(request, owner, fields.get("allow", ""), str(error))
        return self._pages.redirect(f"{_PATH}?{urlencode({'job' if job else 'ui': name})}")


def _named(request: Request) -> tuple[str, bool]:
    """The template's name, and whether it is a labeling job's."""
    job = request.query_params.get("job", "")
    return (job or request.query_params.get("ui", ""))[:200], bool(job)
