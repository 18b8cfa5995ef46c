"""A running stack as the drills see it: the command line, Airflow's REST API, the bucket, processes to kill.

Nothing here reaches into the code under test: what a drill observes is what a user could observe.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from include.demo.batch import Batch, Job
from include.stack.airflow import Airflow, dag_id
from include.stack.environment import MARKER
from include.stack.secrets import ADMINISTRATOR, load_or_create
from include.stack.settings import PROJECT, StackSettings
from tests.support.cloud import eventually

PATIENCE = 900.0  # a busy machine is slow: only what never comes is a failure
ENDED = frozenset({"success", "failed"})
# Answered right after it was asked, a question can be lost: the scheduler hears that the process which asked
# has ended when the task is queued again already, takes the task for dead, and it asks anew (four times of
# four, on a busy machine). No person is that quick.
THINKING = 15.0
GOING_HOME = 120.0  # reviewers finish the request in hand
SAMPLE = ["--train", "48", "--validation", "12", "--test", "12", "--batches", "8", "--batch-images", "8"]
FIRST_DATE = "2026-10-01"
REVIEW_SETUP, INITIAL_TRAINING, NIGHTLY_REVIEW, INCREMENTAL_TRAINING = (
    dag_id(flow, "tiny")
    for flow in ("review_setup", "initial_training", "nightly_review", "incremental_training")
)


class Stack:
    """``environment`` is that of every command; ``root`` is a directory of the test's own."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment
        self.settings = StackSettings.from_environment(environment)
        self.sample = root / "sample"
        self.credentials = root / "reviewers.json"
        self._first_seen: dict[tuple[str, int], float] = {}

    # ---- the command line

    def up(self) -> None:
        self.run("include.stack", "up")

    def down(self) -> None:
        self.run("include.stack", "down")

    def run(self, module: str, *arguments: str) -> str:
        """Run a module as a user would; its output. Fails with what it printed."""
        command = [sys.executable, "-m", module, *arguments]
        environment = self.environment | {"PYTHONPATH": str(PROJECT)}
        result = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, (
            f"{module} {arguments}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
        )
        return result.stdout

    def airflow_cli(self, *arguments: str) -> str:
        return self.run("include.stack", "run", "airflow", *arguments)

    def prepare(self) -> None:
        """The sample in the bucket, accounts for two reviewers, the review plane and a first model."""
        keys = {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.settings.aws_credentials),
            "AWS_CONFIG_FILE": str(self.settings.aws_config),
        }
        self.environment |= keys
        self.run(
            "include.samples.digit_scenes", "--seed", "5", "--out", str(self.sample), *SAMPLE,
            "--first-date", FIRST_DATE, "--bucket", "nightloop-local", "--pipeline", "tiny",
            "--endpoint-url", self.settings.cloud.url,
        )  # fmt: skip
        for name in ("ada", "ben"):
            self.run(
                "include.review_server", "members", "add", name, "--team", "reviewers",
                "--data", str(self.settings.cloud_data), "--credentials", str(self.credentials),
            )  # fmt: skip
        for dag in (REVIEW_SETUP, INITIAL_TRAINING, INCREMENTAL_TRAINING, NIGHTLY_REVIEW):
            self.airflow.unpause(dag, PATIENCE)
        self.follow(REVIEW_SETUP)
        self.follow(INITIAL_TRAINING)

    # ---- Airflow

    @cached_property
    def airflow(self) -> Airflow:
        secrets = load_or_create(self.settings)
        client = Airflow(
            self.settings.airflow.url, ADMINISTRATOR, secrets.password, self.settings.logs, print
        )
        client.sign_in()
        return client

    def follow(self, dag: str, **parameters: Any) -> str:
        """Trigger a run and wait for its success; its id."""
        run = self.airflow.trigger(dag, **parameters)
        self.ended(dag, run)
        self.airflow.follow(dag, run)  # what went wrong, in its words
        return run

    def get(self, path: str) -> dict[str, Any]:
        reply = eventually(partial(self._got, path), within=PATIENCE, pause=1.0)
        reply.raise_for_status()
        return dict(reply.json())

    def _got(self, path: str) -> httpx.Response | None:
        """What the API server answers; None where it, or its database, is away or takes too long."""
        try:
            reply = self.airflow._client.get(f"/api/v2/{path}", params={"limit": 100})
        except httpx.TransportError:
            return None
        return None if reply.is_server_error else reply

    def runs(self, dag: str, kind: str | None = None) -> list[dict[str, Any]]:
        """All runs of a DAG, or those of one type (scheduled, manual, backfill, asset_triggered)."""
        runs = self.get(f"dags/{dag}/dagRuns")["dag_runs"]
        return [run for run in runs if kind in (None, run["run_type"])]

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        found = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def wait_for(self, dag: str, run: str, task: str, *states: str) -> None:
        eventually(lambda: self.tasks(dag, run).get(task) in states, within=PATIENCE, pause=0.5)

    def state(self, dag: str, run: str) -> str:
        """The run's state; "unknown" while the API server cannot be asked."""
        try:
            return str(self.get(f"dags/{dag}/dagRuns/{run}")["state"])
        except httpx.HTTPError:
            return "unknown"

    def ended(self, dag: str, run: str) -> str:
        """The run's state once it has ended."""

        def ended() -> str | None:
            state = self.state(dag, run)
            return state if state in ENDED else None

        return eventually(ended, within=PATIENCE, pause=1.0)

    def asked(self, dag: str) -> list[dict[str, Any]]:
        """The questions of a DAG's runs that wait for a person in Airflow ("Required actions"), once a person
        could have read them.
        """
        found = self.get(f"dags/{dag}/dagRuns/~/hitlDetails")["hitl_details"]
        waiting = [item for item in found if not item["response_received"]]
        now = time.monotonic()

        def seen(task: dict[str, Any]) -> float:
            return now - self._first_seen.setdefault((task["id"], task["try_number"]), now)

        asking = [item for item in waiting if item["task_instance"]["state"] == "deferred"]
        return [item for item in asking if seen(item["task_instance"]) >= THINKING]

    def answer(self, question: dict[str, Any], option: str) -> None:
        """Answer a question as the form in Airflow's UI does."""
        task = question["task_instance"]
        reply = self.airflow._client.patch(
            f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/-1/hitlDetails",
            json={"chosen_options": [option], "params_input": {}},
        )
        reply.raise_for_status()

    def clear(self, dag: str, run: str) -> None:
        """Clear all tasks of a run, as the button in Airflow's UI does: it runs again from its first task."""
        reply = self.airflow._client.post(
            f"/api/v2/dags/{dag}/clearTaskInstances",
            json={"dry_run": False, "dag_run_id": run, "only_failed": False, "reset_dag_runs": True},
        )
        reply.raise_for_status()

    def output(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """What a task left for others."""
        value = self.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value")["value"]
        return dict(value if isinstance(value, dict) else json.loads(value))

    def settled(self, dag: str) -> list[dict[str, Any]]:
        """All runs of a DAG, once none is queued or running; whoever is asked there says yes."""

        def ended() -> list[dict[str, Any]] | None:
            for question in self.asked(dag):
                self.answer(question, "Approve")
            runs = self.runs(dag)
            return runs if runs and all(run["state"] in ENDED for run in runs) else None

        return eventually(ended, within=PATIENCE, pause=1.0) or []

    def recorded(self, dag: str) -> str:
        """A run of a training DAG that came to its end; others had nothing new to learn."""
        runs = [run["dag_run_id"] for run in self.runs(dag)]
        return next(run for run in runs if self.tasks(dag, run).get("record") == "success")

    # ---- what came of it

    def batch(self, date: str, pipeline: str = "tiny") -> Batch:
        return Batch(self.settings, pipeline, date)

    def jobs(self, pipeline: str = "tiny") -> list[Job]:
        """A pipeline's training and transform jobs: the same stack may be at work for another one."""
        return [job for job in self.batch("", pipeline).jobs() if job.name.startswith(f"{pipeline}-")]

    def loops(self, date: str, pipeline: str = "tiny") -> dict[str, str]:
        """Name and status of the human loops of one date."""
        prefix = f"{pipeline}-{date.replace('-', '')}-"
        found = self.batch(date, pipeline)._all_loops()
        mine = (loop for loop in found if loop["HumanLoopName"].startswith(prefix))
        return {loop["HumanLoopName"]: loop["HumanLoopStatus"] for loop in mine}

    def answered(self, date: str) -> int:
        """How many loops of a date are completed; 0 while the review server cannot be asked."""
        try:
            return sum(status == "Completed" for status in self.loops(date).values())
        except (BotoCoreError, ClientError):
            return 0

    def labelled(self, date: str, pipeline: str = "tiny") -> list[str]:
        """The loops whose answers are in the manifest of a date."""
        body = self.batch(date, pipeline).read(f"labels/dt={date}/augmented.manifest") or b""
        return [json.loads(line)["loop"] for line in body.splitlines()]

    def lessons(self, pipeline: str = "tiny") -> tuple[set[str], Counter[str]]:
        """The batches some model was trained on as new, and how often each came to a champion as new.

        A challenger that is not promoted takes nothing with it: its labels stay new for the next one.
        """
        batch = self.batch("", pipeline)
        tried: set[str] = set()
        learned: Counter[str] = Counter()
        for key in batch.keys("evaluations/"):
            if key.endswith("/verdict.json"):
                job = key.split("/")[1]
                dataset = batch.read_json(f"models/{job}/model.json")["dataset_id"]
                shards = batch.read_json(f"datasets/{dataset}/dataset.json")["shards"]
                tried |= set(shards)
                if batch.read_json(key)["promote"]:
                    learned.update(shards.keys())
        return tried, learned

    # ---- people

    @contextmanager
    def reviewers(self, truth: Path | None = None, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Two simulated reviewers at work until the block ends; ``options`` say how often they err."""
        command = [
            sys.executable, "-m", "include.samples.reviewers", "--review-url", self.settings.review.url,
            "--truth", str(truth or self.sample / "truth.jsonl"), "--credentials", str(self.credentials),
            "--workers", "2", "--until-idle", "1800", "--patience", str(PATIENCE), *options,
        ]  # fmt: skip
        with (self.root / "reviewers.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=self.environment | {"PYTHONPATH": str(PROJECT)},
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(GOING_HOME)

    # ---- accidents

    def processes(self, *words: str) -> list[psutil.Process]:
        """The stack's processes whose command line has all the words."""
        found = []
        for process in psutil.process_iter():
            try:
                line = " ".join(process.cmdline())
                if all(word in line for word in words) and process.environ().get(MARKER) == str(
                    self.settings.home
                ):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found

    def kill(self, *words: str) -> int:
        """kill -9 of every process that has the words; fails when there is none."""
        found = self.processes(*words)
        assert found, f"no process with {words} is running"
        for process in found:
            with suppress(ProcessLookupError):  # a job that has ended since
                os.kill(process.pid, signal.SIGKILL)
        return len(found)
