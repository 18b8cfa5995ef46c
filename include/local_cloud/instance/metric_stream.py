"""The CloudWatch metrics of one training job, where ``TrainingJobAnalytics`` and alarms look for them.

Takes values from any thread and sends them every few seconds, those of one second as one set of statistics,
so that a chatty job costs CloudWatch no more than a quiet one. A CloudWatch that takes none is named once in
the log and disturbs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from include.local_cloud.instance.cloud import Cloud
from include.local_cloud.instance.faults import ClientFault
from include.local_cloud.instance.stream import Stream

NAMESPACE = "/aws/sagemaker/TrainingJobs"
_SEND_SECONDS = 5.0
_BATCH = 1_000  # what PutMetricData allows


class MetricStream(Stream):
    """Takes values by ``add``."""

    def __init__(self, cloud: Cloud, job: str, say: Callable[[str], None]) -> None:
        super().__init__(cloud, "metrics", _SEND_SECONDS)
        self._say = say
        self._dimensions = [{"Name": "TrainingJobName", "Value": job}]
        self._sets: dict[tuple[str, int], list[tuple[datetime, float]]] = {}  # by metric and second
        self._refused = False

    def add(self, name: str, value: float, moment: datetime) -> None:
        """CloudWatch has no place for values that are not finite."""
        if math.isfinite(value):
            with self._guard:
                self._sets.setdefault((name, int(moment.timestamp())), []).append((moment, value))

    def _send(self) -> None:
        with self._guard:
            sets, self._sets = self._sets, {}
        data = [self._datum(name, values) for (name, _), values in sets.items()]
        for start in range(0, len(data), _BATCH):
            put = partial(_put, data[start : start + _BATCH])
            try:
                self._cloud.call("cloudwatch", put, "metrics")
            except ClientFault as fault:
                if not self._refused:
                    self._say(f"[sagemaker logs]: CloudWatch did not take all metrics of this job: {fault}")
                self._refused = True

    def _datum(self, name: str, pairs: list[tuple[datetime, float]]) -> dict[str, Any]:
        values = [value for _, value in pairs]
        return {
            "MetricName": name,
            "Dimensions": self._dimensions,
            "Timestamp": pairs[-1][0],  # of a value, and so never before the job's own start
            "StatisticValues": {
                "SampleCount": len(values),
                "Sum": math.fsum(values),
                "Minimum": min(values),
                "Maximum": max(values),
            },
            "Unit": "None",
        }


def _put(data: list[dict[str, Any]], cloudwatch: Any) -> None:
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
