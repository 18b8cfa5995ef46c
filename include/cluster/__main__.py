"""The command line of the cluster: up, down, status, logs, exec.

python -m include.cluster up                                      start what docker-compose.yaml describes
python -m include.cluster exec airflow-scheduler airflow dags list   as `docker compose exec` does
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from include.cluster.cluster import Cluster
from include.cluster.instances import Instance
from include.cluster.settings import ClusterSettings
from include.stack import health, lifecycle, stray_processes
from include.stack.processes import CLOUD
from include.stack.settings import StackError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # what is made here is for nobody else on this machine
    try:
        with lifecycle.interruptible():
            code: int = options.command(Cluster(ClusterSettings.from_environment()), options)
            return code
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _up(cluster: Cluster, options: argparse.Namespace) -> int:
    started = time.monotonic()
    new = cluster.up(lambda line: print(f"[{time.monotonic() - started:4.0f} s] {line}", flush=True))
    print(f"The cluster is {'up' if new else 'already up'}. Stop it with `make cluster-down`.")
    print(cluster.addresses())
    return 0


def _down(cluster: Cluster, options: argparse.Namespace) -> int:
    count = cluster.down()
    kept = f"stopped {count} services; the state is kept in {cluster.settings.home}"
    print(kept if count else "nothing was running")
    return 0


def _status(cluster: Cluster, options: argparse.Namespace) -> int:
    """Exit code 0 when everything is well, 3 otherwise."""
    states = cluster.supervisor.programs() if cluster.settings.home.exists() else []
    if not states:
        orphans = len(stray_processes.find(cluster.settings.home))
        print(f"down, but {orphans} processes are left: `make cluster-down` ends them" if orphans else "down")
        return 3
    missing = cluster.missing()
    for state in states:
        word = "not well" if state.name in missing else "well"
        print(f"  {state.name:22} {state.state:9} {word:9} {state.description}")
    print("" if missing else cluster.addresses())
    return 3 if missing else 0


def _logs(cluster: Cluster, options: argparse.Namespace) -> int:
    names = options.names or [CLOUD, *(instance.name for instance in cluster.instances)]
    print(health.log_tails(cluster.settings, names, options.lines))
    return 0


def _exec(cluster: Cluster, options: argparse.Namespace) -> int:
    """Become a command in the place of a service's process."""
    instance = cluster.instance(options.name)
    if not options.words:
        raise StackError(
            f"exec what? For example: python -m include.cluster exec {options.name} airflow info"
        )
    if not instance.directory.is_dir():
        raise StackError(f"{instance.name} has not been started yet: `make cluster`")
    return _become(instance, [instance.places.text(word) for word in options.words])


def _start(cluster: Cluster, options: argparse.Namespace) -> int:
    """What supervisord runs: end what a killed predecessor has left, as a container would; be the process."""
    cluster = Cluster(replace(cluster.settings, home=options.home))  # NIGHTLOOP_HOME is that of `make up`
    instance = cluster.instance(options.name)
    stray_processes.end(cluster.settings.home, instance.name, grace=0)
    instance.prepare()
    return _become(instance, instance.words())


def _become(instance: Instance, words: list[str]) -> int:
    variables = instance.variables()
    os.environ["PATH"] = variables["PATH"]  # execvpe looks there
    os.chdir(instance.directory)
    try:
        os.execvpe(words[0], words, variables)  # noqa: S606 -- of compose, or what the person typed
    except OSError as error:
        raise StackError(f"{words[0]} cannot be run: {error.strerror}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.cluster", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("up", _up, "start what docker-compose.yaml describes, without a container engine"),
        ("down", _down, "stop all of it, in the reverse order"),
        ("status", _status, "what is running and what is well"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=function)
    logs = commands.add_parser("logs", help="the last lines of the services' logs")
    logs.add_argument("names", nargs="*", metavar="NAME")
    logs.add_argument("--lines", type=int, default=15)
    logs.set_defaults(command=_logs)
    inside = commands.add_parser("exec", help="run a command in the environment and directory of a service")
    inside.add_argument("name", metavar="SERVICE")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …")
    inside.set_defaults(command=_exec)
    start = commands.add_parser("start")  # supervisord's
    start.add_argument("home", type=Path)
    start.add_argument("name")
    start.set_defaults(command=_start)
    return parser


if __name__ == "__main__":
    sys.exit(main())
