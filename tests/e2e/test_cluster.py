"""What docker-compose.yaml describes, at work: a backfill on Celery workers, with PostgreSQL and Redis.

The same three nights are lived twice, by two pipelines with the same images: once undisturbed, once with
kill -9 of a service in the middle of every step. What people answered must be the same in both.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from include.stack.airflow import dag_id
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import ENVIRONMENT, TINY, _free_ports
from tests.e2e.stack import PATIENCE
from tests.support.cloud import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(3600)]

DATES = ["2026-10-01", "2026-10-02", "2026-10-03"]
WORKER, TRIGGERER, SCHEDULER = "airflow-worker", "airflow-triggerer", "airflow-scheduler"
# What dies in the middle of which step: while it is running, or while it waits without a worker (deferred).
NIGHTS = (
    (
        ("list_batch", "running", WORKER),
        ("batch_inference", "deferred", TRIGGERER),
        ("triage", "running", SCHEDULER),
        ("start_human_loops", "running", "postgres"),
        ("wait_for_human_loops", "deferred", "redis"),
        ("assemble_manifest", "running", WORKER),
    ),
    (
        ("list_batch", "running", "redis"),
        ("batch_inference", "running", WORKER),
        ("triage", "running", "postgres"),
        ("start_human_loops", "running", WORKER),
        ("wait_for_human_loops", "deferred", TRIGGERER),
        ("assemble_manifest", "running", SCHEDULER),
    ),
    (
        ("list_batch", "running", SCHEDULER),
        ("batch_inference", "deferred", "postgres"),
        ("triage", "running", WORKER),
        ("start_human_loops", "running", "redis"),
        ("wait_for_human_loops", "deferred", SCHEDULER),
        ("assemble_manifest", "running", "postgres"),
    ),
)
TRAINING = (
    ("build_dataset", "running", WORKER),
    ("train", "deferred", TRIGGERER),
    ("evaluate", "deferred", SCHEDULER),
    ("register", "running", "postgres"),
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    root = tmp_path_factory.mktemp("cluster")
    variables = ("CLOUD", "REVIEW", "AIRFLOW", "POSTGRES", "REDIS")
    ports = dict(zip(variables, _free_ports(len(variables)), strict=True))
    config = root / "config"
    (config / "environments").mkdir(parents=True)
    (config / "pipelines").mkdir()
    portal = f"http://127.0.0.1:{ports['REVIEW']}"
    (config / "environments" / "local.yaml").write_text(ENVIRONMENT.format(portal=portal))
    for pipeline in ("tiny", "drilled"):
        (config / "pipelines" / f"{pipeline}.yaml").write_text(TINY)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW_"))},
        "NIGHTLOOP_HOME": str(root / "home"),
        "NIGHTLOOP_CONFIG_DIR": str(config),
        **{f"NIGHTLOOP_{name}_PORT": str(port) for name, port in ports.items()},
    }
    cluster = Cluster(root, environment)
    try:
        cluster.up()
        cluster.prepare()
        yield cluster
    finally:
        cluster.down()


def check(cluster: Cluster, pipeline: str) -> None:
    """Each batch once, each image asked once, each job once, and every answer in the manifest."""
    batches = cluster.runs(dag_id("nightly_review", pipeline), "backfill")
    assert [run["state"] for run in batches] == ["success"] * len(DATES)
    for date in DATES:
        loops = cluster.loops(date, pipeline)
        assert len(loops) == 8
        assert set(loops.values()) == {"Completed"}
        assert sorted(cluster.labelled(date, pipeline)) == sorted(loops)
        assert cluster.batch(date, pipeline).labels()["answers"] == 8
    predicting = [
        job for job in cluster.jobs(pipeline) if any(date.replace("-", "") in job.name for date in DATES)
    ]
    assert [job.status for job in predicting] == ["Completed"] * len(DATES)


def learn(cluster: Cluster, pipeline: str) -> str:
    """Begin one training on all nights together; the id of its run, by hand or by one of their events."""
    training = dag_id("incremental_training", pipeline)
    cluster.airflow.unpause(training)
    cluster.airflow.trigger(training)

    def first() -> str | None:
        running = [run for run in cluster.runs(training) if run["state"] == "running"]
        return str(running[0]["dag_run_id"]) if running else None

    return eventually(first, within=PATIENCE)


def jobs(cluster: Cluster, pipeline: str) -> Counter[tuple[str, str]]:
    """How many jobs of which kind ended how."""
    return Counter((job.kind, job.status) for job in cluster.jobs(pipeline))


def drill(
    cluster: Cluster, pipeline: str, flow: str, run: str, blows: tuple[tuple[str, str, str], ...]
) -> None:
    """Kill each service in the middle of its step, and wait for the end of that step; prints what it took."""
    dag = dag_id(flow, pipeline)
    with ExitStack() as work:
        for task, state, service in blows:
            hit = cluster.caught(dag, run, task, state)
            killed = cluster.service_of(hit) if service == WORKER else service
            began = time.monotonic()
            cluster.kill_service(killed)
            if task == "wait_for_human_loops":  # nobody has answered before
                work.enter_context(cluster.reviewers(cluster.root / pipeline / "truth.jsonl"))
            cluster.wait_for(dag, run, task, "success", "failed")
            seconds = time.monotonic() - began
            print(f"kill -9 {killed:18} {task:21} {state:9} {seconds:4.0f} s to its end", flush=True)
    assert cluster.ended(dag, run) == "success"
    tries = Counter(instance["try_number"] for instance in cluster.instances(dag, run))
    print(f"{run}: tasks by tries {dict(tries)}", flush=True)


def test_a_backfill_on_celery_workers_asks_labels_and_learns(cluster: Cluster) -> None:
    cluster.begin("tiny")
    cluster.backfill("tiny", DATES, at_once=len(DATES))
    with cluster.reviewers(cluster.root / "tiny" / "truth.jsonl"):
        cluster.settled(dag_id("nightly_review", "tiny"))
    check(cluster, "tiny")
    learn(cluster, "tiny")
    cluster.settled(dag_id("incremental_training", "tiny"))
    assert cluster.lessons("tiny")[0] == set(DATES)
    print(jobs(cluster, "tiny"), f"{cluster.cpu_seconds():.0f} CPU seconds so far")


def test_kill_9_of_a_service_in_every_step_loses_nothing_and_doubles_nothing(cluster: Cluster) -> None:
    cluster.begin("drilled")
    runs = cluster.backfill("drilled", DATES, at_once=1)
    for run, blows in zip(runs, NIGHTS, strict=True):
        drill(cluster, "drilled", "nightly_review", run, blows)
    check(cluster, "drilled")
    for date in DATES:
        assert cluster.lines("drilled", date) == cluster.lines("tiny", date) != {}

    run = learn(cluster, "drilled")
    drill(cluster, "drilled", "incremental_training", run, TRAINING)
    cluster.settled(dag_id("incremental_training", "drilled"))
    assert cluster.lessons("drilled")[0] == set(DATES)
    assert jobs(cluster, "drilled") == jobs(cluster, "tiny")
    print(jobs(cluster, "drilled"), f"{cluster.cpu_seconds():.0f} CPU seconds so far")


def test_a_task_that_killed_workers_had_taken_is_given_to_others(
    cluster: Cluster,
) -> None:
    """Nobody has it then: Redis gave it away, and Airflow was not told that it runs."""
    dag = dag_id("review_setup", "tiny")
    workers = ("airflow-worker-1", "airflow-worker-2")
    for worker in workers:
        cluster.stop_pool(worker)
    run = cluster.airflow.trigger(dag)
    taken = cluster.caught(dag, run, "setup_bucket", "queued")
    eventually(cluster.taken, within=PATIENCE)
    began = time.monotonic()
    for worker in workers:
        cluster.kill_service(worker)
    assert cluster.ended(dag, run) == "success"
    print(f"{taken['task_id']}: {time.monotonic() - began:.0f} s to the end of its run")
