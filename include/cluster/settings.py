"""Where a cluster lives and which ports it takes: NIGHTLOOP_HOME/cluster, and five NIGHTLOOP_*_PORT.

A cluster is a stack of another kind: it has the directories of one, and two ports more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.stack.settings import PROJECT, Port, StackSettings, port

COMPOSE_FILE = PROJECT / "docker-compose.yaml"


@dataclass(frozen=True)
class ClusterSettings(StackSettings):
    """Directories and ports of one cluster."""

    postgres: Port
    redis: Port

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ClusterSettings:
        """Read NIGHTLOOP_HOME and the five ports. Raises StackError for a port that is none."""
        local = StackSettings.from_environment(environment)
        return cls(
            home=local.cluster.home,
            cloud=local.cloud,
            review=local.review,
            airflow=local.airflow,
            # Not 5432 and 6379, which a machine may have in use.
            postgres=port(environment, "NIGHTLOOP_POSTGRES_PORT", 4568, "PostgreSQL"),
            redis=port(environment, "NIGHTLOOP_REDIS_PORT", 4569, "Redis"),
        )

    @property
    def ports(self) -> tuple[Port, ...]:
        return *super().ports, self.postgres, self.redis

    @property
    def review_credentials(self) -> Path:
        """The config `review-api-keys` of compose, where the service `review` reads it."""
        return self.services / "review" / "run" / "review-api-keys"

    @property
    def services(self) -> Path:
        """A directory for each process, which is to it what a container's file system would be."""
        return self.home / "services"

    @property
    def volumes(self) -> Path:
        """The named volumes of compose."""
        return self.home / "volumes"
