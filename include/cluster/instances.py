"""The processes of a cluster: one for each replica of each service, with a directory of its own.

Says what each runs, in which environment and where, and what asks it whether it is well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from include.cluster import images
from include.cluster.compose import Compose, Service
from include.cluster.places import Places, ports
from include.cluster.settings import ClusterSettings
from include.stack import environment
from include.stack.processes import CLOUD, Program, cloud_command
from include.stack.secrets import write_private
from include.stack.settings import PROJECT, StackError

# Of compose's services the cloud takes the place of AWS, and comes before all of them.
_AFTER_THE_CLOUD = 1


@dataclass(frozen=True)
class Instance:
    """One process. `level` is its step in the order of starting; `name` is its program's and its host's."""

    settings: ClusterSettings
    compose: Compose
    service_name: str
    name: str
    level: int

    @property
    def service(self) -> Service:
        return self.compose.services[self.service_name]

    @property
    def root(self) -> Path:
        return self.settings.services / self.name

    @cached_property
    def image(self) -> images.Image:
        return images.image_of(self.service.image)

    @cached_property
    def places(self) -> Places:
        mounted = [volume.split(":")[1] for volume in self.service.volumes]
        files = [config.target for config in self.service.configs]
        paths = [self.image.directory, "/docker-entrypoint-initdb.d", *mounted, *files]
        return Places(self.service_name, self.root, ports(self.settings), paths)

    @property
    def directory(self) -> Path:
        return self.places.path(self.image.directory)

    def words(self) -> list[str]:
        """The command, as it is run here."""
        words = self.image.words(self.service.command, self.name, self.settings)
        return [self.places.text(word) for word in words]

    def variables(self) -> dict[str, str]:
        """The environment: what every process of a stack has, the image's, and the service's."""
        own = self.image.environment(self.settings) | self.service.environment
        base = environment.base(self.settings)
        return {
            **environment.inherited(),
            **base,
            "PATH": f"{base['PATH']}{os.pathsep}{images.postgresql_programs()}",
            "HOME": str(self.root),  # nobody's ~/.aws
            "HOSTNAME": self.name,
            "NIGHTLOOP_INITDB": str(self.places.path("/docker-entrypoint-initdb.d")),
            **{name: self.places.text(value) for name, value in own.items()},
        }

    def prepare(self) -> None:
        """Make its directory: folders of the project and named volumes as links, the configs as files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for volume in self.service.volumes:
            source, target = volume.split(":")[:2]
            place = self.places.path(target)
            there = PROJECT / source if source.startswith("./") else self.settings.volumes / source
            there.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.is_dir():
                    place.rmdir()  # the directory itself, made above, is a volume
                place.symlink_to(there, target_is_directory=True)
        for config in self.service.configs:
            write_private(self.places.path(config.target), self.compose.configs[config.source].content + "\n")

    def is_well(self, patience: float = 0) -> bool:
        """What its health check says, once. It may take its own timeout, or `patience` seconds."""
        if not self.directory.is_dir():
            return False  # it has only just been started
        kind, *words = self.service.healthcheck.test
        words = [self.places.text(word) for word in words]
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        try:
            result = subprocess.run(  # noqa: S603 -- what docker-compose.yaml says
                command,
                cwd=self.directory,
                env=self.variables(),
                capture_output=True,
                timeout=max(patience, self.service.healthcheck.timeout),
            )
        except subprocess.TimeoutExpired:
            return False
        except FileNotFoundError:
            raise StackError(
                f"the health check of {self.service_name} runs {command[0]}, which this machine does not have"
            ) from None
        return result.returncode == 0

    def program(self) -> Program:
        """For supervisord. As with a container, what ends is started again however often."""
        to_all = self.image.stops_children and self.service.environment.get("DUMB_INIT_SETSID") != "0"
        return Program(
            self.name,
            f'"{sys.executable}" -m include.cluster start "{self.settings.home}" {self.name}',
            level=self.level,
            restarts=not self.service.runs_once,
            stop_signal=self.image.stop_signal,
            stop_seconds=int(self.service.stop_grace_period),
            stops_children=to_all,
            start_retries=10,
        )


def instances(settings: ClusterSettings, compose: Compose) -> list[Instance]:
    """All processes, in the order in which they are started."""
    found = []
    for level, step in enumerate(compose.order(), _AFTER_THE_CLOUD):
        for service in step:
            count = compose.services[service].deploy.replicas
            names = [service] if count == 1 else [f"{service}-{number}" for number in range(1, count + 1)]
            found += [Instance(settings, compose, service, name, level) for name in names]
    return found


def programs(settings: ClusterSettings, found: list[Instance]) -> list[Program]:
    """What supervisord runs: the local cloud in place of AWS, and the services."""
    cloud = Program(CLOUD, cloud_command(settings, review_port=0))
    return [cloud, *(instance.program() for instance in found)]
