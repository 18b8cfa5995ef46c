"""The workers' HTTP interface: sign in, see the queue, take a task, keep what is done of it,
answer, decline or give it back. JSON.

It turns requests into calls of ``Accounts`` and ``Tasks`` and their refusals into 4xx replies. Writes need
the session's CSRF token in a header, so that another site's page cannot act with a worker's cookie. The
portal's pages stand on this interface.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from include.review_server import jsontext
from include.review_server.bodies import LARGEST_BODY, json_object
from include.review_server.clock import Clock, iso
from include.review_server.db.models import LONGEST_COMMENT
from include.review_server.db.statuses import DeclineReason, TaskStatus
from include.review_server.errors import (
    BadAnswer,
    BadInvitation,
    BodyTooLarge,
    Forbidden,
    NotSignedIn,
    TaskNotInHand,
    TooBusy,
    TooManyAttempts,
    TooManyComplaints,
    UnknownTask,
    WeakPassword,
)
from include.review_server.people.accounts import Accounts, SignedIn
from include.review_server.people.devices import DEVICE_DAYS
from include.review_server.people.passwords import Turnstile
from include.review_server.portal.statistics import Statistics
from include.review_server.work.complaints import Complaints, storable
from include.review_server.work.tasks import Tasks
from include.review_server.work.views import TaskView

COOKIE = "nightloop_session"
CSRF_HEADER = "x-csrf-token"
_PREFIX = "/worker"

# What people write, every character of it escaped, and as much again for a page that did not cut it.
_WORDS_BODY = 16 * LONGEST_COMMENT

# Every refusal that a worker can meet, and how HTTP says it.
_STATUSES: dict[type[Exception], int] = {
    BadAnswer: 400,
    BodyTooLarge: 413,
    WeakPassword: 400,
    NotSignedIn: 401,
    Forbidden: 403,
    UnknownTask: 404,
    BadInvitation: 404,
    TaskNotInHand: 409,
    TooManyAttempts: 429,
    TooManyComplaints: 429,
    TooBusy: 503,
}

# Where somebody has signed in, that is remembered beside the session, and sent only where one signs in.
_DEVICE_COOKIE = "nightloop_device"
_DEVICE_SECONDS = DEVICE_DAYS * 24 * 3600

Handler = Callable[[Request], Awaitable[Response]]


class WorkerApi:
    """The routes below ``/worker``."""

    def __init__(
        self,
        accounts: Accounts,
        tasks: Tasks,
        complaints: Complaints,
        statistics: Statistics,
        clock: Clock,
        secure_cookie: bool,
        least_seconds: float = 0,
        ahead_frame: Callable[[SignedIn, int], str] | None = None,
    ) -> None:
        """``ahead_frame`` gives the address at which a worker's page may fetch the frame of an item ahead."""
        self._accounts = accounts
        self._tasks = tasks
        self._complaints = complaints
        self._statistics = statistics
        self._clock = clock
        self._least_seconds = least_seconds
        self._ahead_frame = ahead_frame
        self._secure_cookie = secure_cookie
        # Two doors: a crowd of strangers that guess passwords does not stand in the way of those one knows.
        self._strangers = Turnstile("strangers", at_once=2, waiting=20)
        self._known = Turnstile("known", at_once=2, waiting=20)

    def routes(self) -> list[Route]:
        return [
            Route(f"{_PREFIX}/session", _refusals(self._sign_in), methods=["POST"]),
            Route(f"{_PREFIX}/session", _refusals(self._session), methods=["GET"]),
            Route(f"{_PREFIX}/session", _refusals(self._sign_out), methods=["DELETE"]),
            Route(f"{_PREFIX}/invitation", _refusals(self._accept), methods=["POST"]),
            Route(f"{_PREFIX}/queue", _refusals(self._queue), methods=["GET"]),
            Route(f"{_PREFIX}/done", _refusals(self._done), methods=["GET"]),
            Route(f"{_PREFIX}/answers", _refusals(self._answers), methods=["GET"]),
            Route(f"{_PREFIX}/tasks", _refusals(self._take), methods=["POST"]),
            Route(f"{_PREFIX}/tasks/ahead", _refusals(self._ahead), methods=["POST"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}", _refusals(self._task), methods=["GET"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/draft", _refusals(self._draft), methods=["GET"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/draft", _refusals(self._keep_draft), methods=["PUT"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/answer", _refusals(self._answer), methods=["POST"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/undo", _refusals(self._undo), methods=["POST"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/complaint", _refusals(self._complain), methods=["POST"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/again", _refusals(self._again), methods=["POST"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/decline", _refusals(self._decline), methods=["POST"]),
            Route(f"{_PREFIX}/tasks/{{task_id}}/return", _refusals(self._give_back), methods=["POST"]),
        ]

    async def _sign_in(self, request: Request) -> Response:
        body = await json_object(request)
        name, password = body.get("name"), body.get("password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise BadAnswer('the body must be {"name": "…", "password": "…"}')
        device = request.cookies.get(_DEVICE_COOKIE)
        is_known = device is not None and await run_in_threadpool(
            self._accounts.is_known_device, name, device
        )
        door = self._known if is_known else self._strangers
        # The client's, also behind a proxy that is trusted (``listening``).
        address = request.client.host if request.client else ""
        signed_in = await door.run(self._accounts.sign_in, name, password, address, device)
        if before := request.cookies.get(COOKIE):
            # Whoever planted or shared the old cookie keeps nothing.
            await run_in_threadpool(self._accounts.sign_out, before)
        reply = _json(201, {**_session(signed_in), "server_time": iso(self._clock())})
        secure = self._is_secure(request)
        reply.set_cookie(
            COOKIE, signed_in.token or "", path="/", httponly=True, samesite="strict", secure=secure
        )
        _remember_device(reply, signed_in.device, secure)
        return reply

    async def _session(self, request: Request) -> Response:
        signed_in = await self._signed_in(request)
        return _json(200, {**_session(signed_in), "server_time": iso(self._clock())})

    async def _sign_out(self, request: Request) -> Response:
        await self._writer(request)
        await run_in_threadpool(self._accounts.sign_out, request.cookies[COOKIE])
        reply = Response(status_code=204)
        reply.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return reply

    async def _accept(self, request: Request) -> Response:
        body = await json_object(request)
        token, password = body.get("token"), body.get("password")
        if not isinstance(token, str) or not isinstance(password, str):
            raise BadAnswer('the body must be {"token": "…", "password": "…"}')
        # What is no invitation costs a look and no place.
        await run_in_threadpool(self._accounts.check_invitation, token, password)
        member = await self._known.run(self._accounts.accept, token, password)
        reply = _json(200, {"worker_id": member.worker_id, "name": member.name})
        _remember_device(reply, member.device, self._is_secure(request))
        return reply

    async def _queue(self, request: Request) -> Response:
        worker = await self._signed_in(request)
        begin = request.query_params.get("since")
        since = _moment(begin) if begin else None
        queues = await run_in_threadpool(self._tasks.queue, worker.worker_id, since)
        in_hand = await run_in_threadpool(self._tasks.in_hand, worker.worker_id)
        return _json(
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
        since = _moment(request.query_params.get("since", ""))
        count = await run_in_threadpool(self._statistics.answered_since, worker.worker_id, since)
        return _json(200, {"answered": count, "since": iso(since), "server_time": iso(self._clock())})

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
        return _json(200, {"answers": listed, "server_time": iso(self._clock())})

    async def _take(self, request: Request) -> Response:
        worker = await self._writer(request)
        body = await json_object(request)
        queue, prefer = _wish(body, "")
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
        return _json(200, values)

    async def _task(self, request: Request) -> Response:
        worker = await self._signed_in(request)
        task = await run_in_threadpool(self._tasks.get, worker.worker_id, request.path_params["task_id"])
        return self._shown(task, 200)

    async def _answer(self, request: Request) -> Response:
        worker = await self._writer(request)
        body = await json_object(request, LARGEST_BODY, lone_surrogates=True)
        active, seen = _seconds(body, "active_seconds"), _seconds(body, "seen_seconds")
        if seen is not None and seen < self._least_seconds:
            raise BadAnswer(
                f"the task was seen for {seen:.1f} seconds before the answer was sent, and "
                f"{self._least_seconds:g} are the least: look at it again"
            )
        wish = body.get("next")
        if not isinstance(wish, dict | None):
            raise BadAnswer('next must be {"queue": "…", "prefer": "…"}, or left out')
        queue, prefer = _wish(wish or {}, "next.")
        comment = _comment(body)
        task_id = request.path_params["task_id"]

        def answer() -> tuple[datetime | None, TaskView | None]:
            given = worker.worker_id, task_id, _content(body), active, comment
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
        text = await run_in_threadpool(_content, body)
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
        reason, comment = _reason(body), _comment(body)
        task_id = request.path_params["task_id"]
        await run_in_threadpool(self._tasks.decline, worker.worker_id, task_id, reason, comment)
        return self._ended(task_id, TaskStatus.DECLINED)

    async def _give_back(self, request: Request) -> Response:
        worker = await self._writer(request)
        task_id = request.path_params["task_id"]
        await run_in_threadpool(self._tasks.give_back, worker.worker_id, task_id)
        return self._ended(task_id, TaskStatus.RETURNED)

    def _is_secure(self, request: Request) -> bool:
        # A trusted proxy says how the browser came (X-Forwarded-Proto).
        return self._secure_cookie or request.url.scheme == "https"

    async def _signed_in(self, request: Request) -> SignedIn:
        return await run_in_threadpool(self._accounts.session, request.cookies.get(COOKIE))

    async def _writer(self, request: Request) -> SignedIn:
        """The worker, proven to be the sender: a foreign page may have the cookie sent, but not the token."""
        worker = await self._signed_in(request)
        token = request.headers.get(CSRF_HEADER, "")
        if not secrets.compare_digest(token.encode(), worker.csrf_token.encode()):
            raise Forbidden(f"send the session's csrf_token in the header {CSRF_HEADER}")
        return worker

    def _shown(self, task: TaskView, status: int) -> Response:
        return Response(self._task_text(task), status, media_type="application/json")

    def _task_text(self, task: TaskView) -> str:
        # A worker sees inputs, and so images, of tasks in hand only.
        texts = {"input": task.input} if task.status is TaskStatus.IN_HAND else {}
        values = {**_summary(task), "server_time": iso(self._clock())}
        return jsontext.splice(values, texts)

    def _ended(self, task_id: str, status: TaskStatus) -> Response:
        return _json(200, {"task_id": task_id, "status": status, "server_time": iso(self._clock())})


def _refusals(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except tuple(_STATUSES) as error:
            error_body = {"code": type(error).__name__, "message": str(error)}
            reply = _json(_STATUSES[type(error)], {"error": error_body})
            if isinstance(error, TooManyAttempts | TooManyComplaints | TooBusy):
                reply.headers["retry-after"] = str(error.retry_after)
            return reply

    return answer


def _content(body: dict[str, Any]) -> str:
    """The answer of a body, as the JSON text that is kept."""
    content = body.get("answer_content")
    if not isinstance(content, dict):
        raise BadAnswer('the body must be {"answer_content": {…}}: a JSON object, as a form gives it')
    try:
        return jsontext.dump(content)
    except ValueError as error:
        raise BadAnswer(f"answer_content: {error}") from None


def _wish(body: dict[str, Any], place: str) -> tuple[str | None, str | None]:
    """The queue and the hint of a request for the next task."""
    queue, prefer = body.get("queue"), body.get("prefer")
    if not isinstance(queue, str | None):
        raise BadAnswer(f"{place}queue must be one of GET /worker/queue, such as flow-definition/NAME")
    if not isinstance(prefer, str | None):
        raise BadAnswer(f"{place}prefer must be an item_hint of POST /worker/tasks/ahead")
    return queue, prefer


def _seconds(body: dict[str, Any], name: str) -> float | None:
    seconds = body.get(name)
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float)):
        raise BadAnswer(f"{name} must be a number: the time at work without pauses")
    return seconds


def _reason(body: dict[str, Any]) -> DeclineReason | None:
    reason = body.get("reason")
    if reason is None:
        return None
    if not isinstance(reason, str) or reason not in set(DeclineReason):
        raise BadAnswer(f"reason must be one of {', '.join(DeclineReason)}, or left out")
    return DeclineReason(reason)


def _comment(body: dict[str, Any]) -> str | None:
    comment = body.get("comment")
    if not isinstance(comment, str | None):
        raise BadAnswer("comment must be a text, or left out")
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise BadAnswer(f"comment has {len(comment)} characters: {LONGEST_COMMENT} are the most")
    return storable(comment) or None if comment else None


def _remember_device(reply: Response, mark: str | None, secure: bool) -> None:
    reply.set_cookie(
        _DEVICE_COOKIE,
        mark or "",
        max_age=_DEVICE_SECONDS,
        path=f"{_PREFIX}/session",
        httponly=True,
        samesite="strict",
        secure=secure,
    )


def _moment(text: str) -> datetime:
    try:
        moment: datetime | None = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment and moment.tzinfo else None  # year 1 has no earlier zone
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise BadAnswer(f"since must be a time with its zone, as 2026-03-04T00:00:00Z, not {text!r}")
    return moment


def _session(worker: SignedIn) -> dict[str, Any]:
    return {
        "worker_id": worker.worker_id,
        "name": worker.name,
        "is_owner": worker.is_owner,
        "csrf_token": worker.csrf_token,
        "expires_at": iso(worker.expires_at),
    }


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


def _json(status: int, value: dict[str, Any]) -> Response:
    return Response(jsontext.dump(value), status, media_type="application/json")
