"""Up, down and status of a cluster: the local cloud, then every service when those it waits for are well.

What is shared with `make up` is in include/stack: supervisord, the lock, the ports, ending what is left over.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from include.cluster import compose
from include.cluster.instances import Instance, instances, programs
from include.cluster.settings import COMPOSE_FILE, ClusterSettings
from include.cluster.variables import variables
from include.stack import health, lifecycle
from include.stack.processes import CLOUD, ProgramState, Supervisor
from include.stack.secrets import ADMINISTRATOR, load_or_create
from include.stack.settings import PROJECT, StackError

_PATIENCE = 900.0  # seconds for one step of starting: many Airflows on two busy cores


class Cluster:
    """One cluster. Raises StackError for a docker-compose.yaml that it does not understand."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.settings = settings

    @cached_property
    def instances(self) -> list[Instance]:
        return instances(self.settings, compose.read(COMPOSE_FILE, variables(self.settings)))

    @cached_property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.settings, programs(self.settings, self.instances))

    def instance(self, name: str) -> Instance:
        """A process by its name, or the first of a service."""
        for instance in self.instances:
            if name in (instance.name, instance.service_name):
                return instance
        names = ", ".join(instance.name for instance in self.instances)
        raise StackError(f"{name} is no part of the cluster; there are {names}")

    def up(self, say: health.Say) -> bool:
        """Bring it up; False when it was up already. On any failure or Ctrl-C all of it is stopped again."""
        self.settings.make_directories()
        return lifecycle.bring_up(
            self.settings, self.supervisor, say, lambda: not self.missing(), lambda: self._start(say)
        )

    def down(self) -> int:
        """Stop it in the reverse order; returns how many processes supervisord had running."""
        if not self.settings.home.exists():
            return 0
        with lifecycle.only_one(self.settings):
            count = sum(state.pid > 0 for state in self.supervisor.programs())
            grace = sum(
                {instance.level: instance.program().stop_seconds for instance in self.instances}.values()
            )
            lifecycle.take_down(self.settings, self.supervisor, patience=grace + 60)
        return count

    def missing(self) -> list[str]:
        """The parts that are not well now."""
        states = {state.name: state for state in self.supervisor.programs()}
        if not states:
            return [CLOUD, *(instance.name for instance in self.instances)]
        with ThreadPoolExecutor() as pool:
            well = pool.map(lambda instance: _is_ready(instance, states), self.instances)
        found = {CLOUD: self._cloud()[CLOUD]} | dict(
            zip((instance.name for instance in self.instances), well, strict=True)
        )
        return [name for name, is_well in found.items() if not is_well]

    def addresses(self) -> str:
        """Where everything is and how to sign in, for the end of `make cluster`."""
        settings = self.settings
        home = os.path.relpath(settings.home, PROJECT)
        password = load_or_create(settings).password
        return f"""
  Airflow        {settings.airflow.url}   sign in as {ADMINISTRATOR}, password {password}
  Review portal  {settings.review.url}   accounts are made by
                 .venv/bin/python -m include.cluster exec review \\
                   python -m include.review_server members add NAME --team reviewers --data /var/lib/review
  Local cloud    {settings.cloud.url}   in place of AWS
  PostgreSQL, Redis   127.0.0.1:{settings.postgres.number}, 127.0.0.1:{settings.redis.number}
  Logs           {settings.home if home.startswith("..") else home}/logs
"""

    def _start(self, say: health.Say) -> None:
        say("starting the local cloud in place of AWS")
        self.supervisor.start_program(CLOUD)
        health.wait_for_parts(self.settings, self.supervisor, say, self._cloud, [CLOUD], _PATIENCE)
        lifecycle.make_bucket(self.settings)
        # From here on with the keys that it has made.
        self.__dict__.pop("instances", None)
        for level in sorted({instance.level for instance in self.instances}):
            step = [instance for instance in self.instances if instance.level == level]
            say(f"starting {', '.join(instance.name for instance in step)}")
            for instance in step:
                self.supervisor.start_program(instance.name)
            self._wait(step, say)

    def _wait(self, step: list[Instance], say: health.Say) -> None:
        names = [instance.name for instance in step]
        ready: dict[str, bool] = dict.fromkeys(names, False)

        def parts() -> dict[str, bool]:
            states = {state.name: state for state in self.supervisor.programs()}
            for instance in step:  # once it was well, it is not asked again: each asking starts a program
                ready[instance.name] = ready[instance.name] or _is_ready(instance, states, _PATIENCE / 3)
            return dict(ready)

        health.wait_for_parts(self.settings, self.supervisor, say, parts, names, _PATIENCE)

    def _cloud(self) -> dict[str, bool]:
        return {CLOUD: health.cloud_parts(self.settings)["local cloud"]}


def _is_ready(instance: Instance, states: dict[str, ProgramState], patience: float = 0) -> bool:
    """Whether it is well; of what runs once, whether it has. StackError when that has failed."""
    state = states[instance.name]
    if instance.service.runs_once:
        if state.state == "EXITED" and state.exit_code:
            tails = health.log_tails(instance.settings, [instance.name])
            raise StackError(f"{instance.name} ended with {state.exit_code}.\n{tails}")
        return state.state == "EXITED"
    return state.state == "RUNNING" and instance.is_well(patience)
