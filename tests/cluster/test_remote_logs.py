"""Logs of tasks in S3, as docker-compose.yaml sets them up: what workers upload, the API server reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.cluster import compose
from include.cluster.settings import COMPOSE_FILE, ClusterSettings
from include.cluster.variables import variables
from tests.support.cloud import ROOT, LocalCloud

LOG = "dag_id=nightly/run_id=one/task_id=triage/attempt=1.log"
# Written and uploaded as a task's supervisor does, then read as the API server does, on another disk.
THERE_AND_BACK = f"""
import shutil, sys
from pathlib import Path
from airflow.logging_config import get_remote_task_log, load_logging_config
from airflow.sdk.log import load_remote_conn_id, load_remote_log_handler

base, log = Path(sys.argv[1]), "{LOG}"
(base / log).parent.mkdir(parents=True)
(base / log).write_text('{{"event": "what the task said"}}')
worker = load_remote_log_handler()
print(worker and load_remote_conn_id())
if worker:
    worker.upload(log)
    shutil.rmtree(base)
    load_logging_config()
    print(*get_remote_task_log().read(log, None)[1])
"""


def airflow_variables(home: Path, service: str = "airflow-worker", **given: str) -> dict[str, str]:
    settings = ClusterSettings.from_environment({"NIGHTLOOP_HOME": str(home)})
    file = compose.read(COMPOSE_FILE, variables(settings, {}) | given)
    return file.services[service].environment


def told(tmp_path: Path, given: dict[str, str]) -> list[str]:
    """The lines of THERE_AND_BACK with a worker's variables."""
    base = tmp_path / "logs"
    own = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(base),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PYTHONPATH": str(ROOT),
    }
    result = subprocess.run(
        [sys.executable, "-c", THERE_AND_BACK, base], env=given | own, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return [line for line in result.stdout.splitlines() if "[" not in line]


def test_a_log_reaches_s3_and_is_read_where_the_worker_s_disk_is_not(
    cloud: LocalCloud, bucket: str, tmp_path: Path
) -> None:
    key, secret = cloud.keys()
    given = airflow_variables(
        tmp_path,
        AWS_ACCESS_KEY_ID=key,
        AWS_SECRET_ACCESS_KEY=secret,
        AWS_ENDPOINT_URL=cloud.endpoint_url,
        NIGHTLOOP_LOGS=f"s3://{bucket}/logs",
    )
    assert told(tmp_path, given) == ["aws_default", '{"event": "what the task said"}']
    stored = cloud.client("s3").get_object(Bucket=bucket, Key=f"logs/{LOG}")["Body"].read()
    assert stored == b'{"event": "what the task said"}'


def test_without_a_place_logs_stay_where_they_are(tmp_path: Path) -> None:
    assert told(tmp_path, airflow_variables(tmp_path)) == ["None"]


@pytest.mark.parametrize("place", ["", "s3://bucket/logs"])
def test_every_airflow_service_is_told_the_same_place(tmp_path: Path, place: str) -> None:
    names = ["apiserver", "scheduler", "dag-processor", "triggerer", "worker"]
    settings = [
        {
            name: value
            for name, value in airflow_variables(tmp_path, f"airflow-{service}", NIGHTLOOP_LOGS=place).items()
            if name.startswith("AIRFLOW__LOGGING__")
        }
        for service in names
    ]
    assert settings == [settings[0]] * len(names)
    assert settings[0]["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"] == place
