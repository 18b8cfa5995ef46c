from __future__ import annotations

import json
import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.local_cloud.control.algorithms import BUILT_IN
from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.metric_stream import NAMESPACE, MetricStream
from include.local_cloud.instance.training import Metrics
from include.local_cloud.instance.watch import Watch
from include.local_cloud.settings import Settings
from include.local_cloud.store import TRAINING_JOB, Store
from tests.support.cloud import LocalCloud

LOG = """\
#quality_metric: host=algo-1, epoch=0, batch=100 train cross_entropy <loss>=(0.912)
#quality_metric: host=algo-1, epoch=0, batch=100 train smooth_l1 <loss>=(0.511)
#quality_metric: host=algo-1, epoch=0, validation mAP <score>=(0.29)
[03/04/2026 10:06:02 INFO 139920000000000] Updating the best model with validation-mAP=0.29
#progress_metric: host=algo-1, completed 3 %
#throughput_metric: host=algo-1, train throughput=110.4 records/second
#quality_metric: host=algo-1, epoch=1, validation mAP <score>=(0.31)
"""


def test_the_documented_expressions_read_the_documented_lines_and_the_last_value_counts() -> None:
    metrics = Metrics(BUILT_IN[0].metrics)
    for line in LOG.splitlines():
        metrics.read(line)
    assert {item["MetricName"]: item["Value"] for item in metrics.final()} == {
        "train:cross_entropy": 0.912,
        "train:smooth_l1": 0.511,
        "train:progress": 3.0,
        "train:throughput": 110.4,
        "validation:mAP": 0.31,
    }


def test_a_match_that_is_no_number_is_no_metric() -> None:
    metrics = Metrics({"a": r"a=(\S+)"})
    metrics.read("a=none")
    assert metrics.final() == []


def as_an_instance(data: Path, job: str) -> Cloud:
    """The cloud as the instance of a training job sees it."""
    settings = Settings.load(data)
    return Cloud(data, Watch(settings, Store(settings.documents), TRAINING_JOB, job))


def test_a_chatty_job_costs_cloudwatch_few_requests_and_no_value_is_lost(
    cloud: LocalCloud, bucket: str
) -> None:
    before = cloud.requests().get("monitoring:PutMetricData", 0)
    start, said = datetime.now(UTC), list[str]()
    with MetricStream(as_an_instance(cloud.data, bucket), bucket, said.append) as metrics:
        for value in (*map(float, range(3_000)), math.inf, math.nan):
            metrics.add("score", value, datetime.now(UTC))

    assert said == []
    asked = cloud.requests()["monitoring:PutMetricData"] - before
    assert 1 <= asked <= 20, "one request each few seconds"
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName="score",
        Dimensions=[{"Name": "TrainingJobName", "Value": bucket}],
        StartTime=start - timedelta(minutes=1),
        EndTime=start + timedelta(minutes=2),
        Period=60,
        Statistics=["SampleCount", "Sum", "Maximum"],
    )["Datapoints"]
    assert sum(point["SampleCount"] for point in points) == 3_000
    assert sum(point["Sum"] for point in points) == sum(range(3_000))
    assert max(point["Maximum"] for point in points) == 2_999


def test_a_cloudwatch_that_takes_nothing_costs_a_line_and_not_the_job(
    cloud: LocalCloud, bucket: str, tmp_path: Path
) -> None:
    for name in ("settings.json", "credentials"):
        shutil.copy(cloud.data / name, tmp_path / name)
    # The review port knows the key and has no CloudWatch.
    (tmp_path / "endpoints.json").write_text(json.dumps({"cloud": cloud.review_url}))
    said: list[str] = []
    with MetricStream(as_an_instance(tmp_path, bucket), bucket, said.append) as metrics:
        for second in range(1_001):  # more than one request may carry
            metrics.add("score", 1.0, datetime.now(UTC) - timedelta(seconds=second))

    (line,) = said
    assert line.startswith("[sagemaker logs]: CloudWatch did not take all metrics of this job: ")
