"""What docker-compose.yaml describes, at work: a backfill on Celery workers, with PostgreSQL and Redis.

The same three nights are lived twice, by two pipelines with the same images: once undisturbed, once with
kill -9 of services in the middle of the steps. What people answered must be the same in both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from include.stack.airflow import dag_id
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import ENVIRONMENT, TINY, _free_ports
from tests.e2e.stack import PATIENCE
from tests.support.cloud import eventually

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(3600)]

DATES = ["2026-10-01", "2026-10-02", "2026-10-03"]
KILLED = ("airflow-worker-1", "airflow-triggerer", "airflow-scheduler", "postgres", "redis")


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
        cluster.members()
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
    jobs = [job for job in cluster.jobs(pipeline) if job.kind == "transform"]
    predicted = [job for job in jobs if any(date.replace("-", "") in job.name for date in DATES)]
    assert sorted(job.status for job in predicted) == ["Completed"] * len(DATES)


def test_a_backfill_on_celery_workers_asks_labels_and_ends(cluster: Cluster) -> None:
    cluster.begin("tiny")
    with cluster.reviewers(cluster.root / "tiny" / "truth.jsonl"):
        cluster.backfill("tiny", DATES)
        cluster.settled(dag_id("nightly_review", "tiny"))
    check(cluster, "tiny")


def test_kill_9_of_every_service_in_the_middle_loses_nothing_and_doubles_nothing(cluster: Cluster) -> None:
    nightly = dag_id("nightly_review", "drilled")
    cluster.begin("drilled")
    with cluster.reviewers(cluster.root / "drilled" / "truth.jsonl"):
        cluster.backfill("drilled", DATES)
        runs = [run["dag_run_id"] for run in cluster.runs(nightly, "backfill")]
        for killed, task in zip(
            KILLED,
            ("batch_inference", "wait_for_human_loops", "triage", "start_human_loops", "assemble_manifest"),
            strict=True,
        ):
            eventually(
                lambda task=task: any(
                    cluster.tasks(nightly, run).get(task) in ("running", "deferred", "success")
                    for run in runs
                ),
                within=PATIENCE,
                pause=0.5,
            )
            cluster.kill_service(killed)
        cluster.settled(nightly)
    check(cluster, "drilled")
    for date in DATES:
        assert cluster.labels("drilled", date) == cluster.labels("tiny", date) != {}
