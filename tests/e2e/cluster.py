"""A running cluster as its drill sees it: a stack of another kind, whose services die as containers do."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import redis

from include.cluster.settings import ClusterSettings
from include.cluster.variables import variables
from include.stack import stray_processes
from include.stack.airflow import dag_id
from tests.e2e.stack import FIRST_DATE, PATIENCE, SAMPLE, Stack
from tests.support.cloud import eventually

Instance = dict[str, Any]  # a task instance, as Airflow's REST API tells of it


class Cluster(Stack):
    """``environment`` is that of every command; ``root`` is a directory of the test's own."""

    settings: ClusterSettings

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        super().__init__(root, environment)
        self.settings = ClusterSettings.from_environment(environment)

    def up(self) -> None:
        self.run("include.cluster", "up")

    def down(self) -> None:
        self.run("include.cluster", "down")

    def inside(self, service: str, *words: str) -> str:
        """As ``docker compose exec`` does."""
        return self.run("include.cluster", "exec", service, *words)

    def airflow_cli(self, *arguments: str) -> str:
        return self.inside("airflow-scheduler", "airflow", *arguments)

    # ---- the work

    def prepare(self) -> None:
        """Two reviewers with an account."""
        self.environment |= {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.settings.aws_credentials),
            "AWS_CONFIG_FILE": str(self.settings.aws_config),
        }
        for name in ("ada", "ben"):
            self.inside(
                "review", "python", "-m", "include.review_server", "members", "add", name,
                "--team", "reviewers", "--data", "/var/lib/review", "--credentials", str(self.credentials),
            )  # fmt: skip

    def begin(self, pipeline: str) -> None:
        """The sample in a pipeline's folder, its review plane and its first model."""
        self.run(
            "include.samples.digit_scenes", "--seed", "5", "--out", str(self.root / pipeline), *SAMPLE,
            "--first-date", FIRST_DATE, "--bucket", "nightloop-local", "--pipeline", pipeline,
            "--endpoint-url", self.settings.cloud.url,
        )  # fmt: skip
        for flow in ("review_setup", "initial_training", "nightly_review"):
            self.airflow.unpause(dag_id(flow, pipeline), PATIENCE)
        self.follow(dag_id("review_setup", pipeline))
        self.follow(dag_id("initial_training", pipeline))

    def backfill(self, pipeline: str, dates: list[str], at_once: int) -> list[str]:
        """Begin the batches of the dates, ``at_once`` of them; the ids of their runs, in order."""
        nightly = dag_id("nightly_review", pipeline)
        if not self.runs(nightly, "backfill"):
            self.airflow_cli(
                "backfill", "create", "--dag-id", nightly, "--max-active-runs", str(at_once),
                "--from-date", dates[0], "--to-date", dates[-1],
            )  # fmt: skip
        eventually(lambda: len(self.runs(nightly, "backfill")) == len(dates), within=PATIENCE, pause=1)
        runs = sorted(self.runs(nightly, "backfill"), key=lambda run: str(run["logical_date"]))
        return [str(run["dag_run_id"]) for run in runs]

    def instances(self, dag: str, run: str) -> list[Instance]:
        return list(self.get(f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"])

    def caught(self, dag: str, run: str, task: str, state: str) -> Instance:
        """The instance of a task while it is in this state. Fails when the task has ended before that."""

        def found() -> Instance | None:
            mine = [instance for instance in self.instances(dag, run) if instance["task_id"] == task]
            ended = [instance["state"] for instance in mine if instance["state"] in ("success", "failed")]
            assert not ended, f"{task} was never seen {state}: it is {ended}"
            return next((instance for instance in mine if instance["state"] == state), None)

        return eventually(found, within=PATIENCE, pause=0.1)

    def lines(self, pipeline: str, date: str) -> dict[str, Any]:
        """A date's labels by image name, without what names the pipeline, the loop or the time."""
        body = self.batch(date, pipeline).read(f"labels/dt={date}/augmented.manifest") or b""
        found = {}
        for line in map(json.loads, body.splitlines()):
            image = line.pop("source-ref").rpartition("/")[2]
            found[image] = {
                name: value for name, value in line.items() if name != "loop" and "metadata" not in name
            }
        return found

    # ---- accidents

    def service_of(self, instance: Instance) -> str:
        """The worker that a running task is in."""
        return str(psutil.Process(instance["pid"]).environ()["SUPERVISOR_PROCESS_NAME"])

    def processes_of(self, service: str) -> list[psutil.Process]:
        return stray_processes.find(self.settings.home, service)

    def kill_service(self, name: str) -> None:
        """kill -9 of all its processes, as a container dies; its process manager starts it again."""
        found = self.processes_of(name)
        assert found, f"{name} is not running"
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)

    def stop_pool(self, worker: str) -> None:
        """Stop what runs a worker's tasks, so that it takes tasks and begins none."""
        [main] = [process for process in self.processes_of(worker) if _is_first(process)]
        for process in main.children(recursive=True):
            process.suspend()

    def taken(self) -> int:
        """How many tasks Celery's workers have taken from Redis and not reported as done."""
        password = variables(self.settings)["REDIS_PASSWORD"]
        with redis.Redis(port=self.settings.redis.number, password=password) as client:
            return int(client.hlen("unacked"))

    def cpu_seconds(self) -> float:
        """What the cluster's processes have used so far, those that have ended included.

        Without what a process that was killed had not yet told its parent.
        """
        total = 0.0
        for process in stray_processes.find(self.settings.home):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total


def _is_first(process: psutil.Process) -> bool:
    """Whether it is a service's first process: that which supervisord started."""
    parent = process.parent()
    return parent is None or "supervisor.supervisord" in " ".join(parent.cmdline())
