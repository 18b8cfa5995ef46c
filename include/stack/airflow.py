"""A person at Airflow's door: signs in, unpauses and triggers DAGs, watches their tasks, reads their logs.

Speaks the public REST API (/api/v2) with the token of /auth/token and nothing else of Airflow.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from include.stack.secrets import ADMINISTRATOR, load_or_create
from include.stack.settings import StackError, StackSettings

_POLL_SECONDS = 1.0
_FINISHED = frozenset({"success", "failed"})
# What a task does next is told when it begins, waits (deferred: no worker slot is held) and ends.
_TOLD = {
    "running": "begins",
    "deferred": "waits",
    "success": "done",
    "skipped": "skipped",
    "failed": "FAILED",
    "upstream_failed": "not run",
    "up_for_retry": "failed, will be tried again",
}


def dag_id(flow: str, pipeline: str) -> str:
    """As the DAG files name themselves (plugins/nightloop/dag_factory.py)."""
    return f"{flow}__{pipeline}"


class RunFailed(StackError):
    """A DAG run did not succeed; the message has the failing task's last log lines and where the rest is."""


@dataclass
class Airflow:
    """One signed-in session. `logs` is the directory of the task logs."""

    url: str
    name: str
    password: str
    logs: Path
    say: Callable[[str], None]
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        # trust_env: a proxy of the user's environment does not know this machine's ports.
        self._client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    @classmethod
    def of(cls, settings: StackSettings, say: Callable[[str], None]) -> Airflow:
        """The administrator of a running stack, signed in. StackError when its Airflow does not answer."""
        password = load_or_create(settings).password
        session = cls(settings.airflow.url, ADMINISTRATOR, password, settings.logs / "tasks", say)
        try:
            session.sign_in()
        except httpx.HTTPError as error:
            raise StackError(
                f"Airflow cannot be signed in to ({error}). Is the stack up? `make status`"
            ) from error
        return session

    def sign_in(self) -> None:
        reply = self._client.post("/auth/token", json={"username": self.name, "password": self.password})
        reply.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"

    def unpause(self, dag: str, patience: float = 120) -> None:
        """Wait until the DAG file has been read, then let its runs start. StackError with import errors."""
        deadline = time.monotonic() + patience
        while self._client.patch(f"/api/v2/dags/{dag}", json={"is_paused": False}).status_code != 200:
            if time.monotonic() > deadline:
                errors = self._get("/api/v2/importErrors")["import_errors"]
                found = "\n".join(f"{error['filename']}\n{error['stack_trace']}" for error in errors)
                raise StackError(
                    f"Airflow does not know the DAG {dag}. {found or 'It has read no such file.'}"
                )
            time.sleep(_POLL_SECONDS)

    def find_dag(self, flow: str, pipeline: str | None) -> str:
        """The id of a flow's DAG: of the environment's own pipeline (None), or of the one that is named."""
        tags = ["nightloop", pipeline or "default"]
        reply = self._client.get("/api/v2/dags", params={"tags": tags, "tags_match_mode": "all"})
        reply.raise_for_status()
        ids = [str(dag["dag_id"]) for dag in reply.json()["dags"]]
        found = [dag for dag in ids if dag.split("__")[0] == flow]
        if not found:
            raise StackError(f"Airflow knows no DAG {flow} of a pipeline {pipeline!r}")
        return found[0]

    def trigger(self, dag: str, **parameters: Any) -> str:
        """Start a run by hand, as the form in the UI does; returns its id."""
        reply = self._client.post(
            f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": parameters}
        )
        if reply.is_error:
            raise StackError(f"Airflow refused to start {dag}: {reply.text}")
        return str(reply.json()["dag_run_id"])

    def runs_by_asset(self, dag: str) -> set[str]:
        """The ids of the runs that asset events have started so far."""
        runs = self._get(f"/api/v2/dags/{dag}/dagRuns")["dag_runs"]
        return {str(run["dag_run_id"]) for run in runs if run["run_type"] == "asset_triggered"}

    def new_run_by_asset(self, dag: str, known: set[str], patience: float = 90) -> str:
        """The id of a run that an asset event has started and that is not `known`, waiting for it."""
        deadline = time.monotonic() + patience
        while not (started := self.runs_by_asset(dag) - known):
            if time.monotonic() > deadline:
                raise RunFailed(f"no label asset has started {dag} within {patience:.0f} s")
            time.sleep(_POLL_SECONDS)
        return min(started)

    def returned(self, dag: str, run: str, task: str) -> Any:
        """What a task of a run has returned (its XCom), or None when it has returned nothing."""
        reply = self._client.get(
            f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value",
            params={"stringify": False},
        )
        if reply.status_code == 404:
            return None
        reply.raise_for_status()
        return reply.json()["value"]

    def follow(self, dag: str, run: str, follower: Callable[[dict[str, str]], None] | None = None) -> None:
        """Tell what the run's tasks do until it ends; `follower` gets their states at every look.

        Raises RunFailed when it does not end in success.
        """
        known: dict[str, str] = {}
        told: set[tuple[str, str]] = set()
        path = f"/api/v2/dags/{dag}/dagRuns/{run}"
        while True:
            state = self._get(path)["state"]  # before the tasks: whatever they did before its end is told
            tasks = self._get(f"{path}/taskInstances")["task_instances"]
            for task in sorted(tasks, key=lambda task: task["start_date"] or "9"):
                label = task["task_id"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else "")
                word = _TOLD.get(task["state"])
                if word and task["state"] != known.get(label) and (label, word) not in told:
                    self.say(f"{label:24} {word}{self._more(dag, run, task)}")
                    told.add((label, word))  # a task that has waited begins once more: nobody's business
                known[label] = task["state"]
            if follower:
                follower(known)
            if state in _FINISHED:
                break
            time.sleep(_POLL_SECONDS)
        if state != "success":
            raise RunFailed(self._failure_in_words(dag, run, tasks))

    def run_url(self, dag: str, run: str) -> str:
        """A run's page, for a person."""
        return f"{self.url}/dags/{dag}/runs/{run}"

    def _more(self, dag: str, run: str, task: dict[str, Any]) -> str:
        """How long a task took, or why it will be tried again."""
        if task["state"] == "success" and task["duration"]:
            return f" ({task['duration']:.0f} s)"
        if task["state"] == "up_for_retry":
            errors = [line for line in self._log(dag, run, task) if line.startswith("error")]
            return f": {errors[-1][8:]}" if errors else ""
        return ""

    def _failure_in_words(self, dag: str, run: str, tasks: list[dict[str, Any]]) -> str:
        lines = [f"{dag} failed (run {run}, {self.run_url(dag, run)})."]
        for task in tasks:
            if task["state"] == "failed":
                name, number = task["task_id"], max(task["try_number"], 1)
                lines.append(f"Task {name}, attempt {number}, ended with:")
                lines += [f"    {line}" for line in self._log(dag, run, task)[-15:]]
                place = f"dag_id={dag}/run_id={run}/task_id={name}/attempt={number}.log"
                lines.append(f"  All of it: {self.logs}/{place}")
        return "\n".join(lines)

    def _log(self, dag: str, run: str, task: dict[str, Any]) -> list[str]:
        """The lines of a task's last attempt, without Airflow's headings."""
        number = max(task["try_number"], 1)
        reply = self._client.get(
            f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task['task_id']}/logs/{number}",
            params={"map_index": task["map_index"]},
            headers={"Accept": "application/json"},
        )
        entries = reply.json().get("content", []) if reply.is_success else []
        return [_log_line(entry) for entry in entries if isinstance(entry, dict) and entry.get("level")]

    def _get(self, path: str) -> dict[str, Any]:
        reply = self._client.get(path, params={"limit": 100} if path.endswith("s") else None)
        reply.raise_for_status()
        return reply.json()


def _log_line(entry: dict[str, Any]) -> str:
    causes = (
        f"{cause.get('exc_type')}: {cause.get('exc_value')}" for cause in entry.get("error_detail") or []
    )
    return " ".join([f"{entry['level']:8}{entry.get('event', '')}", *causes])
