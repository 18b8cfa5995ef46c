"""Deployment guardrails: how an endpoint's traffic is to move, checked as SageMaker checks it.

Takes the DeploymentConfig of CreateEndpoint or UpdateEndpoint and the number of instances of the new fleet;
raises ``ValidationException`` for what could not be carried out. Numbers and rules are the developer guide's.
Here all traffic moves at once when the new version answers, and nothing is waited for: there is no CloudWatch
alarm on this machine that could go off during a wait.
"""

from __future__ import annotations

import math

from include.local_cloud.store import Document
from include.wire import AwsError


def check(config: Document, instances: int) -> None:
    """Raises ``ValidationException`` naming the member, its value and what is allowed."""
    blue_green, rolling = config.get("BlueGreenUpdatePolicy"), config.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise _refused("give BlueGreenUpdatePolicy or RollingUpdatePolicy, not both")
    if config.get("AutoRollbackConfiguration") and not (blue_green or rolling):
        raise _refused("AutoRollbackConfiguration needs a BlueGreenUpdatePolicy or a RollingUpdatePolicy")
    if blue_green:
        _check_blue_green(blue_green, instances)
    if rolling:
        _check_rolling(rolling, instances)


def _check_blue_green(policy: Document, instances: int) -> None:
    routing = policy["TrafficRoutingConfiguration"]
    kind, wait = routing["Type"], routing["WaitIntervalInSeconds"]
    waits = 1
    for member, its_kind in (("CanarySize", "CANARY"), ("LinearStepSize", "LINEAR")):
        if (member in routing) != (kind == its_kind):
            raise _refused(f"{member} belongs to traffic of Type {its_kind}, and is required there")
    if kind == "CANARY":
        _share("CanarySize", routing["CanarySize"], instances, 0, 50)
    elif kind == "LINEAR":
        waits = math.ceil(100 / _share("LinearStepSize", routing["LinearStepSize"], instances, 10, 50))
    _check_time(policy, waits * wait + policy.get("TerminationWaitInSeconds", 0))


def _check_rolling(policy: Document, instances: int) -> None:
    share = _share("MaximumBatchSize", policy["MaximumBatchSize"], instances, 5, 50)
    if size := policy.get("RollbackMaximumBatchSize"):
        _share("RollbackMaximumBatchSize", size, instances, 5, 100)
    _check_time(policy, math.ceil(100 / share) * policy["WaitIntervalInSeconds"])


def _share(member: str, size: Document, instances: int, least: int, most: int) -> float:
    """The size in per cent of the new fleet."""
    counted = size["Type"] == "INSTANCE_COUNT"
    share = 100 * size["Value"] / instances if counted else size["Value"]
    if not least <= share <= most:
        given = f"{size['Value']} of {instances} instances" if counted else f"{size['Value']} %"
        raise _refused(f"{member} is {given}; from {least} % to {most} % of the new fleet is allowed")
    return float(share)


def _check_time(policy: Document, waits: int) -> None:
    limit = policy.get("MaximumExecutionTimeoutInSeconds")
    if limit is not None and limit <= waits:
        raise _refused(f"MaximumExecutionTimeoutInSeconds is {limit}; its waits alone take {waits} s")


def _refused(reason: str) -> AwsError:
    return AwsError("ValidationException", f"DeploymentConfig: {reason}")
