"""The workers' HTTP interface to tasks: see the queue, take a task, keep what is done of it, answer, take the
answer back, decline or give it back. JSON.

It turns requests into calls of ``Tasks`` and their refusals into 4xx replies. The portal's pages stand on
this interface.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from include.review_server import jsontext
from include.review_server.bodies import LARGEST_BODY, json_object
from include.review_server.clock import Clock, iso
from include.review_server.db.models import LONGEST_COMMENT
from include.review_server.db.statuses import TaskStatus
from include.review_server.errors import BadAnswer, TaskNotInHand
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.portal.statistics import Statistics
from include.review_server.portal.worker_bodies import (
    comment_of,
    content_of,
    moment_of,
    reason_of,
    seconds_of,
    wish_of,
)
from include.review_server.portal.worker_http import PREFIX, WorkerRoutes, json_reply, refusals
from include.review_server.work.complaints import Complaints
from include.review_server.work.tasks import Tasks
from include.review_server.work.views import TaskView

# What people write, every character of it escaped, and as much again for a page that did not cut it.
_WORDS_BODY = 16 * LONGEST_COMMENT


class TaskRoutes(WorkerRoutes):
    """The queue and the tasks of whoever is signed in."""

    def __init__(
        self,
        accounts: Accounts,
        tasks: Tasks,
        complaints: Complaints,
        statistics: Statistics,
        clock: Clock,
        least_seconds: float = 0,
        ahead_frame: Callable[[SignedIn, int], str] | None = None,
    ) -> None:
        """``ahead_frame`` gives the address at which a worker's page may fetch the frame of an item ahead."""
        super().__init__(accounts, clock)
        self._tasks = tasks
        self._complaints = complaints
        self._statistics = statistics
        self._least_seconds = least_seconds
        self._ahead_frame = ahead_frame

    def routes(self) -> list[Route]:
        return [
            Route(f"{PREFIX}/queue", refusals(self._queue), methods=["GET"]),
            Route(f"{PREFIX}/done", refusals(self._done), methods=["GET"]),
            Route(f"{PREFIX}/answers", refusals(self._answers), methods=["GET"]),
            Route(f"{PREFIX}/tasks", refusals(self._take), methods=["POST"]),
            Route(f"{PREFIX}/tasks/ahead", refusals(self._ahead), methods=["POST"]),
            Route(f"{PREFIX}/tasks/{{task_id}}", refusals(self._task), methods=["GET"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/draft", refusals(self._draft), methods=["GET"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/draft", refusals(self._keep_draft), methods=["PUT"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/answer", refusals(self._answer), methods=["POST"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/undo", refusals(self._undo), methods=["POST"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/complaint", refusals(self._complain), methods=["POST"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/again", refusals(self._again), methods=["POST"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/decline", refusals(self._decline), methods=["POST"]),
            Route(f"{PREFIX}/tasks/{{task_id}}/return", refusals(self._give_back), methods=["POST"]),
        ]

    async def _queue(self, request: Request) -> Response:
        worker = await self._signed_in(request)
        begin = request.query_params.get("since")
        since = moment_of(begin) if begin else None
        queues = await run_in_threadpool(self._tasks.queue, worker.worker_id, since)
        in_hand = await run_in_threadpool(self._tasks.in_hand, worker.worker_id)
        return json_reply(
            200,
            {
                "queues": [
                    {
                        "queue": queue.queue,
                        "title": queue.title,
                        "description": queue.description,
                        "is_paused": queue.is_paused,
                        "waiting": queue.waiting,
                        "held_elsewhere": queue.held_elsewhere,
                        "open": queue.open,
                        "done_today": queue.done_today,
                        "available_until": iso(queue.available_until) if queue.available_until else None,
                    }
                    for queue in queues
                ],
                "in_hand": [_summary(task) for task in in_hand],
                "server_time": iso(self._clock()),
            },
        )

    async def _done(self, request: Request) -> Response:
        worker = await self._signed_in(request)
        since = moment_of(request.query_params.get("since", ""))
        count = await run_in_threadpool(self._statistics.answered_since, worker.worker_id, since)
        return json_reply(200, {"answered": count, "since": iso(since), "server_time": iso(self._clock())})

    async def _answers(self, request: Request) -> Response:
        worker = await self._signed_in(request)
        key = request.query_params.get("queue")
        answers = await run_in_threadpool(self._tasks.answers, worker.worker_id, key)
        listed = [
            {
                "task_id": answer.task_id,
                "item": answer.item,
                "queue": answer.queue,
                "title": answer.title,
                "answered_at": iso(answer.answered_at),
                "reopenable": answer.reopenable,
                "undo_until": iso(answer.undo_until) if answer.undo_until else None,
                "comment": answer.comment,
            }
            for answer in answers
        ]
        return json_reply(200, {"answers": listed, "server_time": iso(self._clock())})

    async def _take(self, request: Request) -> Response:
        worker = await self._writer(request)
        body = await json_object(request)
        queue, prefer = wish_of(body, "")
        taken = await run_in_threadpool(self._tasks.take, worker.worker_id, queue, prefer)
        if taken is None:
            return Response(status_code=204)
        task, is_new = taken
        return self._shown(task, 201 if is_new else 200)

    async def _ahead(self, request: Request) -> Response:
        worker = await self._writer(request)
        body = await json_object(request)
        queue, task_id = body.get("queue"), body.get("task_id")
        if not isinstance(queue, str | None) or not isinstance(task_id, str | None):
            raise BadAnswer('the body must be {"queue": "…", "task_id": "…"}, or one of the two')
        if queue is None and task_id is not None:
            queue = (await run_in_threadpool(self._tasks.get, worker.worker_id, task_id)).queue
        ahead = await run_in_threadpool(self._tasks.ahead, worker.worker_id, queue)
        if ahead is None:
            return Response(status_code=204)
        frame = self._ahead_frame(worker, ahead.item_id) if self._ahead_frame else None
        values = {"item_hint": ahead.hint, "item": ahead.item, "queue": ahead.queue, "frame": frame}
        return json_reply(200, values)

    async def _task(self, request: Request) -> Response:
        worker = await self._signed_in(request)
        task = await run_in_threadpool(self._tasks.get, worker.worker_id, request.path_params["task_id"])
        return self._shown(task, 200)

    async def _answer(self, request: Request) -> Response:
        worker = await self._writer(request)
        body = await json_object(request, LARGEST_BODY, lone_surrogates=True)
        active, seen = seconds_of(body, "active_seconds"), seconds_of(body, "seen_seconds")
        if seen is not None and seen < self._least_seconds:
            raise BadAnswer(
                f"the task was seen for {seen:.1f} seconds before the answer was sent, and "
                f"{self._least_seconds:g} are the least: look at it again"
            )
        wish = body.get("next")
        if not isinstance(wish, dict | None):
            raise BadAnswer('next must be {"queue": "…", "prefer": "…"}, or left out')
        queue, prefer = wish_of(wish or {}, "next.")
        comment = comment_of(body)
        task_id = request.path_params["task_id"]

        def answer() -> tuple[datetime | None, TaskView | None]:
            given = worker.worker_id, task_id, content_of(body), active, comment
            if wish is None:
                return self._tasks.answer(*given), None
            return self._tasks.answer_and_take(*given, key=queue, prefer=prefer)

        # One thread for all of it: somebody waits for the next task.
        until, following = await run_in_threadpool(answer)
        values = {
            "task_id": task_id,
            "status": TaskStatus.ANSWERED,
            "undo_until": iso(until) if until else None,
            "server_time": iso(self._clock()),
        }
        texts = {"next": self._task_text(following) if following else "null"}
        return Response(jsontext.splice(values, texts), 200, media_type="application/json")

    async def _undo(self, request: Request) -> Response:
        worker = await self._writer(request)
        task_id = request.path_params["task_id"]
        task = await run_in_threadpool(self._tasks.undo, worker.worker_id, task_id)
        return self._shown(task, 200)

    async def _complain(self, request: Request) -> Response:
        worker = await self._writer(request)
        message = (await json_object(request, _WORDS_BODY)).get("message")
        if not isinstance(message, str) or not message.strip():
            raise BadAnswer('the body must be {"message": "…"}: what is wrong, in a sentence')
        task_id = request.path_params["task_id"]
        await run_in_threadpool(self._complaints.say, worker.worker_id, task_id, message)
        return Response(status_code=204)

    async def _draft(self, request: Request) -> Response:
        worker = await self._signed_in(request)
        task_id = request.path_params["task_id"]
        draft = await run_in_threadpool(self._tasks.draft, worker.worker_id, task_id)
        if draft is None:
            return Response(status_code=204)
        body = jsontext.splice({"task_id": task_id}, {"answer_content": draft})
        return Response(body, media_type="application/json")

    async def _keep_draft(self, request: Request) -> Response:
        worker = await self._writer(request)
        body = await json_object(request, LARGEST_BODY, lone_surrogates=True)
        text = await run_in_threadpool(content_of, body)
        await run_in_threadpool(
            self._tasks.keep_draft, worker.worker_id, request.path_params["task_id"], text
        )
        return Response(status_code=204)

    async def _again(self, request: Request) -> Response:
        worker = await self._writer(request)
        task_id = request.path_params["task_id"]
        task = await run_in_threadpool(self._tasks.take_again, worker.worker_id, task_id)
        if task is None:
            raise TaskNotInHand("somebody else has this task now, or it has ended: take the next one")
        return self._shown(task, 200 if task.id == task_id else 201)

    async def _decline(self, request: Request) -> Response:
        worker = await self._writer(request)
        body = await json_object(request, _WORDS_BODY)
        reason, comment = reason_of(body), comment_of(body)
        task_id = request.path_params["task_id"]
        await run_in_threadpool(self._tasks.decline, worker.worker_id, task_id, reason, comment)
        return self._ended(task_id, TaskStatus.DECLINED)

    async def _give_back(self, request: Request) -> Response:
        worker = await self._writer(request)
        task_id = request.path_params["task_id"]
        await run_in_threadpool(self._tasks.give_back, worker.worker_id, task_id)
        return self._ended(task_id, TaskStatus.RETURNED)

    def _shown(self, task: TaskView, status: int) -> Response:
        return Response(self._task_text(task), status, media_type="application/json")

    def _task_text(self, task: TaskView) -> str:
        # A worker sees inputs, and so images, of tasks in hand only.
        texts = {"input": task.input} if task.status is TaskStatus.IN_HAND else {}
        values = {**_summary(task), "server_time": iso(self._clock())}
        return jsontext.splice(values, texts)

    def _ended(self, task_id: str, status: TaskStatus) -> Response:
        return json_reply(200, {"task_id": task_id, "status": status, "server_time": iso(self._clock())})


def _summary(task: TaskView) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "status": task.status,
        "item": task.item,
        "item_hint": task.hint,
        "queue": task.queue,
        "title": task.title,
        "description": task.description,
        "accepted_at": iso(task.accepted_at),
        "expires_at": iso(task.expires_at),
        "comment": task.comment,
        "hosts": list(task.hosts),
    }
