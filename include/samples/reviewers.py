"""Simulated reviewers: ordinary clients of the review server's worker interface, one thread each.

    python -m include.samples.reviewers --review-url http://127.0.0.1:4567 --truth truth.jsonl \\
        --credentials reviewers.json --until-idle 20

They sign in as members do, take tasks of human loops and of labeling jobs, correct the pre-labels towards the
truth (or choose the classes) with settable errors, and answer; an image that the truth does not know is
declined. Every answer says that it is simulated. Time is modelled (``reviewer_seconds``) and only waited for
with --pace. The last line is a JSON summary.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx

from include.samples.reviewing import Noise, review
from include.samples.truths import Truths

_POLL_SECONDS = 0.5
_REPORT_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """How the reviewers work together."""

    url: str
    truths: Truths
    noise: Noise
    seed: int
    seconds_per_box: float
    pace: float
    until_idle: float | None
    stop_after: int | None
    patience: float


class Crew:
    """What the reviewers' threads share: the tally, and when to go home."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.going_home = threading.Event()
        self._lock = threading.Lock()
        self._started = self._last_work = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._modelled_seconds = 0.0
        self._claimed = self._in_hand = 0

    def may_take(self) -> bool:
        """Whether one more task is wanted; counts it as claimed, so that --stop-after is exact."""
        with self._lock:
            wanted = self.plan.stop_after is None or self._claimed < self.plan.stop_after
            self._claimed += wanted
            return wanted

    def has_taken(self) -> None:
        """A task is in hand until its outcome is told."""
        with self._lock:
            self._in_hand += 1

    def found_nothing(self) -> None:
        """Give the claim back, and go home when nobody has had work for long enough."""
        with self._lock:
            self._claimed -= 1
            idle = 0.0 if self._in_hand else time.monotonic() - self._last_work
        if self.plan.until_idle is not None and idle >= self.plan.until_idle:
            self.going_home.set()
        self.going_home.wait(_POLL_SECONDS)

    def tell(self, outcome: str, actions: dict[str, int] | None = None, seconds: float = 0.0) -> None:
        """Add one outcome (answered, declined, lost) to the tally."""
        with self._lock:
            self._last_work = time.monotonic()
            self._in_hand -= 1
            self._counts.update({outcome: 1} | (actions or {}))
            self._modelled_seconds += seconds
            if outcome != "answers":
                self._claimed -= 1

    def summary(self, workers: int) -> dict[str, Any]:
        with self._lock:
            boxes = {
                f"boxes_{name}": self._counts[name] for name in ("drawn", "corrected", "checked", "deleted")
            }
            return {
                "answers": self._counts["answers"],
                "declined": self._counts["declined"],
                "lost": self._counts["lost"],
                **boxes,
                "classes_chosen": self._counts["chosen"],
                "workers": workers,
                "seconds": round(time.monotonic() - self._started, 1),
                "reviewer_seconds": round(self._modelled_seconds, 1),
                "reviewer_seconds_are": "simulated: modelled human time, not measured",
            }


class Reviewer:
    """One simulated person with an account of their own."""

    def __init__(self, crew: Crew, name: str, password: str) -> None:
        self._crew = crew
        self._plan = crew.plan
        self._name = name
        self._password = password
        self._http = httpx.Client(base_url=crew.plan.url, timeout=30)

    def work(self) -> None:
        """Take and answer until it is time to go home."""
        with self._http:
            while not self._crew.going_home.is_set() and self._crew.may_take():
                task = self._call("POST", "/worker/tasks", {})
                if task.status_code == 204:
                    self._crew.found_nothing()
                else:
                    self._crew.has_taken()
                    self._answer(task.json())

    def _answer(self, task: dict[str, Any]) -> None:
        address = f"/worker/tasks/{task['task_id']}"
        source = task["input"].get("taskObject")
        truth = self._plan.truths.find(source)
        if truth is None:
            self._call("POST", f"{address}/decline", {})
            self._crew.tell("declined")
            return
        # By name and image, so that neither threads nor the order of tasks change an answer.
        random = Random(f"{self._plan.seed}/{self._name}/{source}")  # noqa: S311 -- repeatable
        # A2I's templates call their element so; those of labeling jobs must call it by what it is.
        element = truth.element if task["queue"].startswith("labeling-job/") else "annotatedResult"
        reviewed = review(task["input"], truth, self._plan.noise, random, self._plan.seconds_per_box, element)
        self._crew.going_home.wait(reviewed.seconds * self._plan.pace)
        content = reviewed.content | {"reviewer": f"simulated: {self._name}, seed {self._plan.seed}"}
        reply = self._call("POST", f"{address}/answer", {"answer_content": content})
        if reply.status_code == 200:
            self._crew.tell("answers", dict(reviewed.actions), reviewed.seconds)
        else:
            # The lease ran out or the loop was withdrawn; someone else will be asked.
            self._crew.tell("lost", seconds=reviewed.seconds)

    def _call(self, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """One call; signs in when needed, and waits while the server is away (its answers are idempotent)."""
        give_up = time.monotonic() + self._plan.patience
        while True:
            try:
                reply = self._http.request(method, path, json=body)
                if reply.status_code == 401:
                    self._sign_in()
                    continue
                if reply.status_code < 500:
                    return self._accepted(reply)
                trouble = f"HTTP {reply.status_code}"
            except httpx.TransportError as error:
                trouble = str(error)
            if time.monotonic() > give_up or self._crew.going_home.wait(_POLL_SECONDS):
                raise ConnectionError(f"{self._plan.url} is away: {trouble}")

    def _accepted(self, reply: httpx.Response) -> httpx.Response:
        if reply.status_code in (400, 403):
            raise ValueError(f"{self._name}: {reply.request.url} refused: {reply.text}")
        return reply

    def _sign_in(self) -> None:
        reply = self._http.post("/worker/session", json={"name": self._name, "password": self._password})
        if reply.status_code == 401:
            raise PermissionError(f"{self._name} cannot sign in: {reply.json()['error']['message']}")
        if reply.status_code == 201:
            self._http.headers["x-csrf-token"] = reply.json()["csrf_token"]
        else:
            # Too many sign in at once, or have tried: the server says when to come again.
            self._crew.going_home.wait(float(reply.headers.get("retry-after", _POLL_SECONDS)))


def main(arguments: list[str] | None = None) -> int:
    """Run the reviewers; the exit status."""
    options = _parser().parse_args(arguments)
    crew = Crew(_plan(options))
    members = json.loads(options.credentials.read_text())["workers"]
    if len(members) < options.workers:
        print(
            f"error: {options.credentials} has {len(members)} workers, not {options.workers}", file=sys.stderr
        )
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: crew.going_home.set())
    failures: list[BaseException] = []

    def run(reviewer: Reviewer) -> None:
        try:
            reviewer.work()
        except (OSError, ValueError) as error:
            failures.append(error)
            crew.going_home.set()

    reviewers = [Reviewer(crew, m["name"], m["password"]) for m in members[: options.workers]]
    threads = [threading.Thread(target=run, args=(reviewer,)) for reviewer in reviewers]
    for thread in threads:
        thread.start()
    _report(crew, threads)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    print(json.dumps(crew.summary(len(threads))), flush=True)
    return 1 if failures else 0


def _report(crew: Crew, threads: list[threading.Thread]) -> None:
    """A line whenever something has changed, until everyone has gone home."""
    told = 0
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(_REPORT_SECONDS / len(threads))
        now = crew.summary(len(threads))
        if now["answers"] != told:
            told = now["answers"]
            print(f"{now['seconds']:8.1f} s  {told} answered, {now['declined']} declined", flush=True)


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        url=options.review_url,
        truths=Truths.read(options.truth),
        noise=Noise(options.missed, options.shifted, options.mislabelled, options.extra),
        seed=options.seed,
        seconds_per_box=options.seconds_per_box,
        pace=options.pace,
        until_idle=options.until_idle,
        stop_after=options.stop_after,
        patience=options.patience,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.samples.reviewers",
        description="Simulated reviewers who answer through the review server's own HTTP interface.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--review-url", required=True, metavar="URL", help="where the review server is")
    add("--truth", required=True, type=Path, metavar="FILE", help="truth.jsonl of the sample")
    add("--credentials", required=True, type=Path, metavar="FILE", help="as `members add` writes it")
    add("--workers", type=int, default=3, help="how many of them work, a thread each")
    add(
        "--missed",
        type=float,
        default=Noise.missed,
        help="share of boxes overlooked, or of several classes",
    )
    add("--shifted", type=float, default=Noise.shifted, help="share of boxes drawn badly")
    add(
        "--mislabelled",
        type=float,
        default=Noise.mislabelled,
        help="share of boxes or classes that are wrong",
    )
    add("--extra", type=float, default=Noise.extra, help="share of images with a box or class too many")
    add(
        "--seconds-per-box",
        type=float,
        default=7.0,
        help="modelled seconds to draw a box; a choice is a fifth",
    )
    add("--pace", type=float, default=0.0, help="share of the modelled time that is really waited")
    add("--seed", type=int, default=0, help="another seed, other errors")
    add("--patience", type=float, default=120.0, help="seconds to wait for a server that is away")
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--until-idle", type=float, metavar="SECONDS", help="go home when nothing came so long")
    end.add_argument("--stop-after", type=int, metavar="N", help="go home after so many answers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
