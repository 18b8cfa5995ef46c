"""docker-compose.yaml as the cluster reads it: what every service runs, in which order, and how it is well.

Variables are filled in as Docker Compose does. What is written there and has no meaning here is refused, with
its place: a cluster that passes over a line would show something else than what the file describes.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from include.stack.settings import StackError

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<operator>:[-?+])(?P<word>[^}$]*))?\})?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(value: object) -> object:
    """A duration of compose ("1m30s"), in seconds."""
    parts = re.findall(r"(\d+)(ms|s|m|h)", value) if isinstance(value, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError(f"{value!r} is no duration, such as 30s or 1m30s")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


Seconds = Annotated[float, BeforeValidator(_seconds)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class HealthCheck(_Part):
    test: list[str]  # CMD and words, or CMD-SHELL and a line for sh
    interval: Seconds
    timeout: Seconds
    retries: int
    start_period: Seconds = 0


class Dependency(_Part):
    condition: Literal["service_healthy", "service_completed_successfully"]


class Limits(_Part):
    """Read so that every service has them. Processes of one machine are not held to them."""

    cpus: str
    memory: str
    pids: int


class Resources(_Part):
    limits: Limits


class Deploy(_Part):
    resources: Resources
    replicas: int = Field(default=1, ge=1)


class Mount(_Part):
    """A file of the top-level `configs`; uid says whose it is in a container, here it is the user's own."""

    source: str
    target: str
    uid: str = "0"
    mode: int = 0o444


class Build(_Part):
    context: str
    target: str


class Service(_Part):
    image: str
    build: Build | None = None
    command: list[str] = []
    environment: dict[str, str] = {}
    volumes: list[str] = []
    configs: list[Mount] = []
    ports: list[str] = []
    depends_on: dict[str, Dependency] = {}
    restart: Literal["always", "no"]
    stop_grace_period: Seconds
    healthcheck: HealthCheck
    deploy: Deploy

    @property
    def runs_once(self) -> bool:
        return self.restart == "no"


class Config(_Part):
    content: str


class Compose(BaseModel):
    """The whole file. `networks` are not needed on one machine: everything is at 127.0.0.1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    services: dict[str, Service]
    configs: dict[str, Config] = {}
    volumes: dict[str, None] = {}
    networks: dict[str, Any] = {}

    def order(self) -> list[list[str]]:
        """The services in steps: those of one wait for services of earlier steps only.

        Raises StackError for a dependency on no service, and for a circle.
        """
        waits = {name: set(service.depends_on) for name, service in self.services.items()}
        for name, needed in waits.items():
            if unknown := sorted(needed - self.services.keys()):
                raise StackError(f"service {name} depends on {', '.join(unknown)}, which is no service")
        sorter = graphlib.TopologicalSorter(waits)
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            raise StackError(f"services wait for each other: {' → '.join(error.args[1])}") from None
        steps = []
        while sorter.is_active():
            ready = sorter.get_ready()
            steps.append(sorted(ready, key=list(self.services).index))
            sorter.done(*ready)
        return steps


def read(path: Path, variables: Mapping[str, str]) -> Compose:
    """The file with its variables filled in. StackError names the place and what is wrong with it."""
    document = yaml.safe_load(path.read_text())
    parts = {key: value for key, value in document.items() if not key.startswith("x-")}
    try:
        return Compose.model_validate(_filled(parts, variables, ""))
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, item['loc']))}: {_why(item)}" for item in error.errors()]
        message = "\n".join([f"{path} has what `make cluster` does not understand:", *lines])
        raise StackError(f"{message}\nTeach include/cluster what it means, or leave it out.") from None


def _why(item: Any) -> str:
    return "is not known here" if item["type"] == "extra_forbidden" else item["msg"]


def _filled(value: Any, variables: Mapping[str, str], place: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(item, variables, f"{place}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables, f"{place}.{number}") for number, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, operator, word = match["name"], match["operator"], match["word"]
        if name is None:
            raise StackError(
                f"{place}: only $$, ${{NAME}}, ${{NAME:-else}}, ${{NAME:+then}} and ${{NAME:?why}} are "
                f"understood: {value!r}"
            )
        given = variables.get(name, "")
        if operator == ":?" and not given:
            raise StackError(f"{place}: the variable {name} is not set. {word}".rstrip())
        if operator == ":+":
            return word if given else ""
        return given or word or "" if operator == ":-" else given

    return _VARIABLE.sub(one, value)
