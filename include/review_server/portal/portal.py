"""The portal put together: its pages for workers and for owners, over the review server's own parts."""

from __future__ import annotations

from starlette.routing import BaseRoute

from include.review_server.clock import Clock
from include.review_server.db.database import Database
from include.review_server.people.accounts import Accounts
from include.review_server.portal.frames import Frames
from include.review_server.portal.job_statistics import JobStatistics
from include.review_server.portal.owner import OwnerPages
from include.review_server.portal.owner_hosts import HostPages
from include.review_server.portal.owner_queues import QueuePages
from include.review_server.portal.pages import WorkerPages
from include.review_server.portal.rendering import Pages
from include.review_server.portal.statistics import Statistics
from include.review_server.templates.grants import ReadAccess
from include.review_server.work.owning import Owning
from include.review_server.work.tasks import Tasks


def portal_routes(
    database: Database,
    accounts: Accounts,
    tasks: Tasks,
    frames: Frames,
    clock: Clock,
    access: ReadAccess,
    owning: Owning,
    least_seconds: float,
) -> list[BaseRoute]:
    """Every page's route, for the review server's application."""
    pages = Pages()
    statistics = Statistics(database, clock)
    return [
        *pages.routes(),
        *WorkerPages(accounts, tasks, frames, pages, clock, least_seconds).routes(),
        *OwnerPages(accounts, statistics, JobStatistics(database, clock), frames, pages).routes(),
        *HostPages(accounts, database, clock, pages).routes(),
        *QueuePages(accounts, database, clock, access, owning, pages).routes(),
    ]
