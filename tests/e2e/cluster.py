"""A running cluster as its drill sees it: a stack, and the services of docker-compose.yaml to kill."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from include.cluster.cluster import Cluster as Services
from include.cluster.settings import ClusterSettings
from include.stack.airflow import dag_id
from tests.e2e.stack import FIRST_DATE, PATIENCE, SAMPLE, Stack
from tests.support.cloud import eventually

FLOWS = ("review_setup", "initial_training", "incremental_training", "nightly_review")


class Cluster(Stack):
    """``environment`` is that of every command; ``root`` is a directory of the test's own."""

    settings: ClusterSettings

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        super().__init__(root, environment)
        self.settings = ClusterSettings.from_environment(environment)
        self.services = Services(self.settings)

    def up(self) -> None:
        self.run("include.cluster", "up")

    def down(self) -> None:
        self.run("include.cluster", "down")

    def inside(self, service: str, *words: str) -> str:
        """As ``docker compose exec`` does."""
        return self.run("include.cluster", "exec", service, *words)

    def airflow_cli(self, *arguments: str) -> str:
        return self.inside("airflow-scheduler", "airflow", *arguments)

    def members(self) -> None:
        """Two reviewers with an account."""
        for name in ("ada", "ben"):
            self.inside(
                "review", "python", "-m", "include.review_server", "members", "add", name,
                "--team", "reviewers", "--data", "/var/lib/review", "--credentials", str(self.credentials),
            )  # fmt: skip

    def begin(self, pipeline: str) -> None:
        """The sample in a pipeline's folder, its review plane and its first model."""
        self.environment |= {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.settings.aws_credentials),
            "AWS_CONFIG_FILE": str(self.settings.aws_config),
        }
        sample = self.root / pipeline
        self.run(
            "include.samples.digit_scenes", "--seed", "5", "--out", str(sample), *SAMPLE,
            "--first-date", FIRST_DATE, "--bucket", "nightloop-local", "--pipeline", pipeline,
            "--endpoint-url", self.settings.cloud.url,
        )  # fmt: skip
        for flow in FLOWS:
            self.airflow.unpause(dag_id(flow, pipeline), PATIENCE)
        self.follow(dag_id("review_setup", pipeline))
        self.follow(dag_id("initial_training", pipeline))

    def backfill(self, pipeline: str, dates: list[str]) -> None:
        """Begin the batches of all dates at once."""
        nightly = dag_id("nightly_review", pipeline)
        self.airflow_cli(
            "backfill", "create", "--dag-id", nightly, "--max-active-runs", str(len(dates)),
            "--from-date", dates[0], "--to-date", dates[-1],
        )  # fmt: skip
        eventually(lambda: len(self.runs(nightly, "backfill")) == len(dates), within=PATIENCE, pause=1)

    def labels(self, pipeline: str, date: str) -> dict[str, object]:
        """A date's manifest, whichever pipeline it is of: image name to what people answered."""
        body = self.batch(date, pipeline).read(f"labels/dt={date}/augmented.manifest") or b""
        lines = [json.loads(line) for line in body.splitlines()]
        return {
            line["source-ref"].rpartition("/")[2]: next(
                value
                for key, value in line.items()
                if isinstance(value, dict) and not key.endswith("-metadata")
            )
            for line in lines
        }

    def kill_service(self, name: str) -> None:
        """kill -9 of a service's first process; its process manager starts it again."""
        [state] = [state for state in self.services.supervisor.programs() if state.name == name]
        assert state.pid, f"{name} is not running: {state.description}"
        os.kill(state.pid, signal.SIGKILL)
