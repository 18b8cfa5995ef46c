from __future__ import annotations

from typing import Any

import pytest

from include.local_cloud.control.deployment_config import check
from include.wire import AwsError


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def count(value: int) -> dict[str, Any]:
    return {"Type": "INSTANCE_COUNT", "Value": value}


def blue_green(kind: str, wait: int = 60, **changes: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait}
    routing |= {name: changes.pop(name) for name in ("CanarySize", "LinearStepSize") if name in changes}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, **changes}}


def rolling(size: dict[str, Any], wait: int = 60, **changes: Any) -> dict[str, Any]:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": wait, **changes}}


ALARMS = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "live-5xx"}]}}


@pytest.mark.parametrize(
    "config",
    [
        blue_green("ALL_AT_ONCE", 0),
        blue_green("ALL_AT_ONCE", 300, TerminationWaitInSeconds=299, MaximumExecutionTimeoutInSeconds=600),
        blue_green("CANARY", CanarySize=percent(50)) | ALARMS,
        blue_green("CANARY", CanarySize=count(2)),
        blue_green("LINEAR", LinearStepSize=percent(10)),
        blue_green("LINEAR", 100, LinearStepSize=percent(50), MaximumExecutionTimeoutInSeconds=600),
        rolling(percent(5)),
        rolling(count(2), RollbackMaximumBatchSize=percent(100)) | ALARMS,
        rolling(percent(50), 200, MaximumExecutionTimeoutInSeconds=600),
    ],
)
def test_what_sagemaker_carries_out_is_accepted(config: dict[str, Any]) -> None:
    check(config, instances=4)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (blue_green("ALL_AT_ONCE") | rolling(percent(10)), "not both"),
        (ALARMS, "AutoRollbackConfiguration needs"),
        (blue_green("CANARY"), "CanarySize belongs to traffic of Type CANARY, and is required"),
        (blue_green("LINEAR"), "LinearStepSize belongs"),
        (blue_green("ALL_AT_ONCE", CanarySize=percent(10)), "CanarySize belongs"),
        (blue_green("CANARY", CanarySize=percent(51)), "CanarySize is 51 %; from 0 % to 50 %"),
        (blue_green("CANARY", CanarySize=count(3)), "CanarySize is 3 of 4 instances"),
        (blue_green("LINEAR", LinearStepSize=percent(9)), "LinearStepSize is 9 %; from 10 % to 50 %"),
        (rolling(percent(4)), "MaximumBatchSize is 4 %; from 5 % to 50 %"),
        (
            blue_green(
                "ALL_AT_ONCE", 300, TerminationWaitInSeconds=300, MaximumExecutionTimeoutInSeconds=600
            ),
            "MaximumExecutionTimeoutInSeconds is 600; its waits alone take 600 s",
        ),
        (
            blue_green("LINEAR", 100, LinearStepSize=percent(10), MaximumExecutionTimeoutInSeconds=900),
            "its waits alone take 1000 s",
        ),
        (
            rolling(percent(20), 200, MaximumExecutionTimeoutInSeconds=1000),
            "its waits alone take 1000 s",
        ),
    ],
)
def test_what_could_not_be_carried_out_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(AwsError, match="DeploymentConfig") as error:
        check(config, instances=4)
    assert error.value.code == "ValidationException"
    assert said in error.value.message
