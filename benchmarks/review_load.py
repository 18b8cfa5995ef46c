"""Two hundred people at once on ten thousand open loops: how long a take and a submit last, and what is lost.

    python -m benchmarks.review_load --database sqlite --answers 4000 --think 4
    python -m benchmarks.review_load --database postgresql --answers 4000 --think 0

The server runs as ``python -m include.review_server serve``, S3 is the local cloud, PostgreSQL a cluster of
its own with fsync on; all of them and the workers share this machine. A worker takes a task,
thinks for half to one and a half times ``--think`` seconds, and submits, until ``--answers`` have been
accepted. Then every output.json is read: each accepted answer must be in exactly one of them, once. Exit
status 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
from argon2 import PasswordHasher
from sqlalchemy import func, select

from include.review_server.clock import utc_now
from include.review_server.db.database import Database
from include.review_server.db.models import FlowDefinition, HumanLoop, ItemInput
from include.review_server.db.statuses import ItemStatus
from include.review_server.people.accounts import Accounts
from include.review_server.portal.worker_http import COOKIE
from include.review_server.settings import ReviewSettings
from tests.review_server.process import Process
from tests.support.cloud import ROLE, LocalCloud, eventually
from tests.support.postgresql import PostgreSQL

FLOWS = ("first", "second")  # five thousand loops may be in flight in each
LOOPS = 5_000
BUCKET = "load"


@dataclass
class Results:
    """What the workers saw. ``accepted``: the mark of each answer that was acknowledged."""

    takes: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    began: int = 0  # answers under way or accepted
    working_since: float = 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--answers", type=int, default=4_000)
    parser.add_argument(
        "--think", type=float, default=4.0, help="seconds between take and submit (%(default)s)"
    )
    options = parser.parse_args()
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightloop-load-")))
        cloud = stack.enter_context(LocalCloud(data / "cloud"))
        url = None
        if options.database == "postgresql":
            url = stack.enter_context(PostgreSQL(durable=True)).database()
        server = stack.enter_context(Process(cloud, data / "review", database_url=url).start())
        database = Database(ReviewSettings(data_dir=data / "review", database_url=url).database)
        _prepare(cloud, server.url, database)
        people = _people(database, options.workers)
        print(
            f"{options.database}, {len(FLOWS) * LOOPS:,} open loops, {options.workers} workers, "
            f"thinking {options.think:g} s, {os.cpu_count()} cores",
            flush=True,
        )
        results = Results()
        asyncio.run(_work(server.url, people, options, results))
        lasted = time.perf_counter() - results.working_since
        written = eventually(lambda: _all_written(database, len(results.accepted)), within=600)
        delivered = time.perf_counter() - results.working_since
        print(f"{len(results.accepted):,} answers in {lasted:.0f} s ({len(results.accepted) / lasted:.0f}/s)")
        for name, seconds in (("take", results.takes), ("submit", results.submits)):
            cut = statistics.quantiles([1000 * s for s in seconds], n=100)
            print(
                f"{name:>7}: median {cut[49]:.0f} ms, p90 {cut[89]:.0f} ms, p99 {cut[98]:.0f} ms, "
                f"worst {1000 * max(seconds):.0f} ms"
            )
        print(
            f"refusals: {dict(results.refused) or 'none'}; outputs written {delivered - lasted:.1f} s later"
        )
        return _verdict(cloud, written, results)


def _prepare(cloud: LocalCloud, url: str, database: Database) -> None:
    """A bucket, a team, two flow definitions, and their loops (straight into the tables: it is quicker)."""
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    sagemaker = cloud.session().client("sagemaker", endpoint_url=url, region_name="us-east-1")
    ui = sagemaker.create_human_task_ui(
        HumanTaskUiName="ui", UiTemplate={"Content": "<crowd-form></crowd-form>"}
    )
    team = sagemaker.create_workteam(
        WorkteamName="team",
        Description="t",
        MemberDefinitions=[{"OidcMemberDefinition": {"Groups": ["reviewers"]}}],
    )
    for name in FLOWS:
        sagemaker.create_flow_definition(
            FlowDefinitionName=name,
            RoleArn=ROLE,
            OutputConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
            HumanLoopConfig={
                "WorkteamArn": team["WorkteamArn"],
                "HumanTaskUiArn": ui["HumanTaskUiArn"],
                "TaskTitle": "t",
                "TaskDescription": "d",
                "TaskCount": 1,
            },
        )
    for name in FLOWS:
        eventually(functools.partial(_is_active, sagemaker, name))
    now = utc_now()
    content = json.dumps({"taskObject": "s3://load/1.jpg", "labels": list("0123456789"), "initialValue": []})
    with database.write() as session:
        for flow in session.scalars(select(FlowDefinition)):
            flow.in_flight = LOOPS
            loops = [
                HumanLoop(
                    name=f"{flow.name}-{number:05}",
                    queue_id=flow.id,
                    status=ItemStatus.IN_PROGRESS,
                    vacancies=1,
                    created_at=now,
                    available_until=now.replace(year=now.year + 1),
                    input_sha256="0",
                )
                for number in range(LOOPS)
            ]
            session.add_all(loops)
            session.flush()
            session.add_all(ItemInput(item_id=loop.id, content=content) for loop in loops)


def _is_active(sagemaker: Any, name: str) -> bool:
    reply = sagemaker.describe_flow_definition(FlowDefinitionName=name)
    return bool(reply["FlowDefinitionStatus"] == "Active")


def _people(database: Database, count: int) -> list[dict[str, str]]:
    """Members who are signed in: what each sends with every request. Hashing passwords is not measured."""
    quick = functools.partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
    headers = []
    with mock.patch("include.review_server.people.passwords.PasswordHasher", quick):
        accounts = Accounts(database, utc_now)
    for number in range(count):
        member, password = accounts.add(f"worker-{number:03}", "team")
        session = accounts.sign_in(member.name, password or "")
        headers.append({"cookie": f"{COOKIE}={session.token}", "x-csrf-token": session.csrf_token})
    return headers


async def _work(
    url: str, people: list[dict[str, str]], options: argparse.Namespace, results: Results
) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        results.working_since = time.perf_counter()
        workers = [_worker(http, sent, number, options, results) for number, sent in enumerate(people)]
        await asyncio.gather(*workers)


async def _worker(
    http: aiohttp.ClientSession,
    headers: dict[str, str],
    number: int,
    options: argparse.Namespace,
    results: Results,
) -> None:
    chance = random.Random(number)
    flow = FLOWS[number % len(FLOWS)]
    await asyncio.sleep(chance.random() * options.think)
    while results.began < options.answers:
        results.began += 1
        mark = results.began
        taken = time.perf_counter()
        async with http.post(
            "/worker/tasks", json={"queue": f"flow-definition/{flow}"}, headers=headers
        ) as reply:
            task: dict[str, Any] = await reply.json() if reply.status == 201 else {}
            results.takes.append(time.perf_counter() - taken)
        if not task:
            results.refused[reply.status] += 1
            return
        await asyncio.sleep(options.think * (0.5 + chance.random()))
        submitted = time.perf_counter()
        body = {"answer_content": {"mark": mark, "annotatedResult": {"boundingBoxes": []}}}
        async with http.post(f"/worker/tasks/{task['task_id']}/answer", json=body, headers=headers) as reply:
            await reply.read()
            results.submits.append(time.perf_counter() - submitted)
        if reply.status == 200:
            results.accepted.append(mark)
        else:
            results.refused[reply.status] += 1


def _all_written(database: Database, answers: int) -> int:
    completed = select(func.count()).where(HumanLoop.status == ItemStatus.COMPLETED)
    with database.read() as session:
        count = session.scalars(completed).one()
    return count if count >= answers else 0


def _verdict(cloud: LocalCloud, written: int, results: Results) -> int:
    """Read every output.json and hold the answers in them against those that were acknowledged."""
    s3 = cloud.client("s3", max_pool_connections=16)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def marks(key: str) -> list[int]:
        output = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        return [answer["answerContent"]["mark"] for answer in output["humanAnswers"]]

    with ThreadPoolExecutor(16) as pool:
        found = Counter(mark for some in pool.map(marks, keys) for mark in some)
    accepted = Counter(results.accepted)
    lost, extra = accepted - found, found - accepted
    print(
        f"{len(keys):,} output.json of {written:,} completed loops: {sum(lost.values())} answers lost, "
        f"{sum(extra.values())} counted twice or never acknowledged"
    )
    return 1 if lost or extra or len(keys) != written else 0


if __name__ == "__main__":
    sys.exit(main())
