"""The workers' pages: sign in, the queue, one task at work, and the frame in which its template runs.

Handlers ask ``Accounts``, ``Tasks`` and ``Frames`` and hand values to jinja2. Pages only show; everything
that changes something goes through the interface below ``/worker`` (``worker_tasks``), called by the pages'
scripts with the session's CSRF token.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from include.review_server.clock import Clock
from include.review_server.db.models import LONGEST_COMMENT
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import BadAnswer, Forbidden, NotSignedIn, RenderBusy, UnknownTask
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.people.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from include.review_server.portal.frames import NOT_SHOWN, Frames, message_frame
from include.review_server.portal.rendering import Pages
from include.review_server.portal.worker_http import COOKIE
from include.review_server.work.tasks import Tasks

Handler = Callable[[Request], Awaitable[Response]]

# Our own pages only: a foreign address behind ?next= would make the sign-in page a lure.
_OWN_PAGE = re.compile(r"/(?:[A-Za-z0-9_-][A-Za-z0-9_/.-]*)?")

# What became of a task that is not in hand any more, and what to do now.
_ENDINGS = {
    TaskStatus.ANSWERED: ("Your answer is in", "You have answered this task."),
    TaskStatus.DECLINED: ("You declined this task", "Somebody else will be asked."),
    TaskStatus.RETURNED: ("You gave this task back", "It waits in the queue again."),
    TaskStatus.EXPIRED: ("The time for this task ran out", "It waits in the queue again."),
    TaskStatus.WITHDRAWN: (
        "This task was withdrawn",
        "An owner took it back, or the answer is not needed any more.",
    ),
}


class PersonalPages:
    """What every group of pages shares: who is signed in, and what to show to who may not see a page."""

    def __init__(self, accounts: Accounts, pages: Pages) -> None:
        self._accounts = accounts
        self._pages = pages

    async def _person(self, request: Request) -> SignedIn:
        return await run_in_threadpool(self._accounts.session, request.cookies.get(COOKIE))

    def _shown(self, handler: Handler) -> Handler:
        async def show(request: Request) -> Response:
            try:
                return await handler(request)
            except NotSignedIn:
                return self._pages.redirect(f"/sign-in?next={own_page(request.url.path)}")
            except Forbidden as error:
                return self._pages.page("message", 403, heading="This page is not yours", text=str(error))
            except BadAnswer as error:
                return self._pages.page("message", 400, heading="That did not work", text=str(error))
            except RenderBusy as error:
                return self._pages.page("message", 503, heading="One moment", text=str(error))
            except UnknownTask:
                text = "There is no such task, or it is somebody else's."
                return self._pages.page("message", 404, heading="Nothing here", text=text)

        return show


class WorkerPages(PersonalPages):
    """The routes of ``/``, ``/sign-in``, ``/welcome``, ``/work/…`` and ``/frame/…``."""

    def __init__(
        self,
        accounts: Accounts,
        tasks: Tasks,
        frames: Frames,
        pages: Pages,
        clock: Clock,
        least_seconds: float,
    ) -> None:
        super().__init__(accounts, pages)
        self._tasks = tasks
        self._frames = frames
        self._clock = clock
        self._least_seconds = least_seconds

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self._shown(self._queue)),
            Route("/sign-in", self._sign_in),
            Route("/welcome", self._welcome),
            Route("/work/{task_id}", self._shown(self._work)),
            Route("/frame/{ticket}", self._frame),
        ]

    async def _sign_in(self, request: Request) -> Response:
        return self._pages.page("sign_in", next=own_page(request.query_params.get("next", "/")))

    async def _welcome(self, _request: Request) -> Response:
        # The invitation's secret is in the address's fragment, which browsers send to nobody.
        return self._pages.page("welcome", shortest=SHORTEST_PASSWORD, longest=LONGEST_PASSWORD)

    async def _queue(self, request: Request) -> Response:
        person = await self._person(request)
        queues = await run_in_threadpool(self._tasks.queue, person.worker_id)
        in_hand = await run_in_threadpool(self._tasks.in_hand, person.worker_id)
        busy = {task.queue for task in in_hand}
        return self._pages.page(
            "queue",
            person=person,
            queues=[queue for queue in queues if queue.waiting and queue.queue not in busy],
            # "Nothing waits" is said when that is so: what others hold may come back.
            in_hand_waiting=sum(queue.waiting for queue in queues if queue.queue in busy),
            held=sum(queue.held_elsewhere for queue in queues),
            paused=[queue.title for queue in queues if queue.is_paused and queue.open],
            in_hand=in_hand,
            has_teams=bool(queues),
            now=self._clock(),
        )

    async def _work(self, request: Request) -> Response:
        person = await self._person(request)
        task = await run_in_threadpool(self._tasks.get, person.worker_id, request.path_params["task_id"])
        now = self._clock()
        status = task.status
        if status is TaskStatus.IN_HAND and now >= task.expires_at:
            status = TaskStatus.EXPIRED
        if status is not TaskStatus.IN_HAND:
            heading, text = _ENDINGS[status]
            may_reopen = await run_in_threadpool(self._tasks.may_undo, person.worker_id, task.id)
            reopen = task.id if may_reopen else None
            return self._pages.page("message", 410, person=person, heading=heading, text=text, reopen=reopen)
        ticket = self._frames.ticket(person, task.id)
        return self._pages.page(
            "work",
            person=person,
            task=task,
            ticket=ticket,
            now=now,
            least_seconds=self._least_seconds,
            longest_comment=LONGEST_COMMENT,
        )

    async def _frame(self, request: Request) -> Response:
        try:
            person = await self._person(request)
            opens = self._frames.opened_by(person, request.path_params["ticket"])
            if isinstance(opens, int):
                ahead = await run_in_threadpool(self._tasks.ahead_input, person.worker_id, opens)
                frame = await self._frames.of_item(ahead.queue_id, ahead.input)
            else:
                task_input = await run_in_threadpool(self._input_of, person, opens)
                frame = await self._frames.of_task(opens, task_input)
        except (NotSignedIn, Forbidden, UnknownTask) as error:
            return message_frame(403, str(error))
        except RenderBusy as error:
            return message_frame(503, str(error))
        if not frame.html:
            return message_frame(200, NOT_SHOWN)
        return HTMLResponse(frame.html, headers=frame.headers)

    def _input_of(self, person: SignedIn, task_id: str) -> str:
        task = self._tasks.get(person.worker_id, task_id)
        # Images are signed here, so here it is asked once more whether the task is in hand.
        if task.status is not TaskStatus.IN_HAND or self._clock() >= task.expires_at:
            raise Forbidden("this task is not in your hand any more: go back to the queue")
        return task.input


def own_page(path: str) -> str:
    """The path when it is one of ours to come back to, the queue otherwise."""
    return path if _OWN_PAGE.fullmatch(path) else "/"
