"""The private network, the keys and the tags of an environment, in the words of SageMaker's requests.

Takes an environment, gives the parts that the requests of jobs, models and endpoints have in common. What is
not set is left out of a request, so that SageMaker's own default counts.
"""

from __future__ import annotations

import re
from typing import Any

from include.loop.config import Environment

# ml.g4dn.xlarge, ml.m5d.large: a "d" after the number means disks of the machine's own; some families have
# them without saying so.
OWN_DISKS = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|g5|g6|g6e|gr6|p5|p5e|p5en|trn1|trn1n|trn2)\.")


def given(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def vpc(environment: Environment) -> dict[str, list[str]] | None:
    """VpcConfig, or None outside of a private network."""
    network = environment.network
    if not network.subnets:
        return None
    return {"SecurityGroupIds": list(network.security_groups), "Subnets": list(network.subnets)}


def volume_key(environment: Environment, instance_type: str) -> str | None:
    """The key of a machine's storage volume. SageMaker refuses one for machines with disks of their own,
    which are encrypted by hardware.
    """
    return None if OWN_DISKS.match(instance_type) else environment.network.volume_kms_key


def tags(environment: Environment) -> list[dict[str, str]] | None:
    """Tags for whatever is created, for instance to divide its costs."""
    return [{"Key": key, "Value": value} for key, value in environment.tags.items()] or None
