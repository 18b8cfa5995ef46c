"""What other systems see of the loop: numbers by OTLP over HTTP, lineage as OpenLineage's own events."""

from __future__ import annotations

import atexit
import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from nightloop.operators.loop_operator import LoopOperator
from nightloop.seen_outside import count, gauge
from tests.airflow.listeners import listening


class Collector(BaseHTTPRequestHandler):
    """Takes what an OpenTelemetry exporter sends, and says that it is fine."""

    server: Any

    def do_POST(self) -> None:
        self.server.posts.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Airflow's metrics as a task's process sets them up, sent to a collector of the test's own."""
    with listening(Collector) as collector:
        for name, value in {"ON": "True", "HOST": "127.0.0.1", "PORT": str(collector.port)}.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__OTEL_{name}", value)
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
        yield collector
    without_metrics(monkeypatch)


def without_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics

    atexit.unregister(flush_otel_metrics)  # the collector is gone by then
    monkeypatch.undo()
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)


def numbers(collector: Any) -> dict[str, tuple[float, dict[str, str]]]:
    """The last point of each metric, with its attributes."""
    from opentelemetry import metrics
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    provider: Any = metrics.get_meter_provider()
    provider.force_flush()
    provider.shutdown()
    found = {}
    for post in collector.posts:
        request: Any = ExportMetricsServiceRequest.FromString(post)
        for group in (scope for resource in request.resource_metrics for scope in resource.scope_metrics):
            for metric in group.metrics:
                point = (metric.gauge.data_points or metric.sum.data_points)[-1]
                tags = {item.key: item.value.string_value for item in point.attributes}
                found[metric.name] = (point.as_double or point.as_int, tags)
    return found


def test_numbers_of_the_loop_are_airflows_own_metrics(metrics: Any) -> None:
    gauge("score", 0.75, pipeline="pets", slice="day", model="challenger")
    gauge("score", None, pipeline="pets", slice="night", model="champion")
    count("verdicts", pipeline="pets", promote="true")
    found = numbers(metrics)
    assert found["airflow.nightloop.score"] == (
        0.75, {"pipeline": "pets", "slice": "day", "model": "challenger"},
    )  # fmt: skip
    assert found["airflow.nightloop.verdicts"] == (1, {"pipeline": "pets", "promote": "true"})


def test_a_metric_that_cannot_be_sent_fails_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing: Any = SimpleNamespace  # knows no operation
    stats.initialize(factory=nothing, export_legacy_names=False)
    with caplog.at_level(logging.WARNING):
        gauge("score", 0.5, pipeline="pets")
    without_metrics(monkeypatch)
    assert "nightloop.score was not sent" in caplog.text


class Step(LoopOperator):
    def execute_step(self, context: Any) -> dict[str, Any]:
        self.set_lineage(["s3://bucket/pets/datasets/d1/dataset.json"], ["s3://bucket/pets/models/m.tar.gz"])
        return {}


def test_what_a_task_read_and_wrote_is_an_event_of_openlineage(tmp_path: Path) -> None:
    from airflow.providers.openlineage.extractors import ExtractorManager
    from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
    from airflow.utils.state import TaskInstanceState
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.file import FileConfig, FileTransport

    with DAG("incremental_training__pets"):
        step = Step(task_id="train", pipeline="pets")
    step.execute({})
    run: Any = SimpleNamespace(run_id="manual__1")
    told = ExtractorManager().extract_metadata(run, step, TaskInstanceState.SUCCESS, SimpleNamespace())
    log = tmp_path / "lineage.ndjson"
    client = OpenLineageClient(transport=FileTransport(FileConfig(log_file_path=str(log), append=True)))
    OpenLineageAdapter(client).complete_task(
        run_id="01a223cb-67c7-77d6-b59b-f4457e737811", job_name="incremental_training__pets.train",
        end_time="2026-11-02T00:00:00+00:00", task=told, nominal_start_time=None, nominal_end_time=None,
        owners=None, tags=None, job_description=None,
    )  # fmt: skip
    event = json.loads(log.read_text())
    assert [(item["namespace"], item["name"]) for item in event["inputs"]] == [
        ("s3://bucket", "pets/datasets/d1/dataset.json")
    ]
    assert [item["name"] for item in event["outputs"]] == ["pets/models/m.tar.gz"]
