from __future__ import annotations

from include.local_cloud.algorithms import BUILT_IN
from include.local_cloud.instance.training import Metrics

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
