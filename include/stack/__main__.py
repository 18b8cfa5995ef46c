"""The command line of the local stack: up, down, status, logs, env, run, rollback.

python -m include.stack up                      start everything and print the addresses
python -m include.stack run airflow dags list   a command in the environment of Airflow's processes
eval "$(python -m include.stack env)"           the same environment in this shell

All but up and down speak of the demo's stack when that was left running and this one is down.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from typing import NoReturn

from include.stack import environment, health, lifecycle, stray_processes
from include.stack.processes import PROGRAMS, Supervisor
from include.stack.rollback import in_words, rollback
from include.stack.settings import StackError, StackSettings


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # Images, labels, models, logs, passwords: what is made here is for nobody else on this machine.
    options.umask = os.umask(0o077)
    try:
        settings = StackSettings.from_environment()
        with lifecycle.interruptible():
            code: int = options.command(settings, options)
            sys.stdout.flush()
            return code
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `make status | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _up(settings: StackSettings, options: argparse.Namespace) -> int:
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - started:4.0f} s] {line}", flush=True)

    new = lifecycle.up(settings, say)
    print(f"Nightloop is {'up' if new else 'already up'}. Stop it with `make down`.")
    print(lifecycle.addresses(settings))
    return 0


def _down(settings: StackSettings, options: argparse.Namespace) -> int:
    count = lifecycle.down(settings, below=True)
    print(
        f"stopped {count} processes; the state is kept in {settings.home}" if count else "nothing was running"
    )
    return 0


def _status(settings: StackSettings, options: argparse.Namespace) -> int:
    """Exit code 0 when everything answers, 3 otherwise."""
    settings = lifecycle.that_runs(settings)
    programs = Supervisor(settings).programs()
    if not programs:
        orphans = len(stray_processes.find(settings.home))
        print(f"down, but {orphans} processes are left: `make down` ends them" if orphans else "down")
        return 3
    missing = health.missing_parts(settings)
    rows = [f"  {program.name:14} {program.state:9} {program.description}" for program in programs]
    rows.append(f"not ready: {', '.join(missing)}" if missing else lifecycle.addresses(settings))
    print("\n".join(rows))
    return 3 if missing else 0


def _logs(settings: StackSettings, options: argparse.Namespace) -> int:
    print(health.log_tails(lifecycle.that_runs(settings), options.program or PROGRAMS, options.lines))
    return 0


def _env(settings: StackSettings, options: argparse.Namespace) -> int:
    print(environment.as_exports(_everything(lifecycle.that_runs(settings))))
    return 0


def _run(settings: StackSettings, options: argparse.Namespace) -> int:
    """Become the given command; a supervised program first ends what a killed predecessor left running.

    Without that a restarted scheduler and its predecessor's workers would both run the same task.
    """
    if program := os.environ.get("SUPERVISOR_PROCESS_NAME"):
        stray_processes.end(settings.home, program, grace=5)
        variables = environment.airflow(settings)
    else:
        variables = _everything(lifecycle.that_runs(settings))
    if not options.words:
        raise StackError("run what? For example: python -m include.stack run airflow dags list")
    # What a command proposes to do next has to begin as it did itself.
    if not program:
        # What a person makes is theirs to show, and the stack's own stays below a closed folder.
        settings.home.mkdir(parents=True, exist_ok=True)
        os.umask(options.umask)
    variables[environment.BEGINNING] = shlex.join(sys.orig_argv[: -len(options.words)])
    _become(options.words, environment.inherited() | variables)


def _become(words: list[str], variables: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(words[0], words, variables)  # noqa: S606 -- what the person typed
    except OSError as error:
        meant = f" Did you mean python -m {words[0]}?" if words[0].startswith("include.") else ""
        raise StackError(f"{words[0]} cannot be run: {error.strerror}.{meant}") from None


def _everything(settings: StackSettings) -> dict[str, str]:
    """What Airflow's processes have, and what points other AWS tools at the local cloud: those too that do
    not read its address in AWS_CONFIG_FILE.
    """
    address = {"AWS_ENDPOINT_URL": settings.cloud.url}
    return environment.airflow(settings) | environment.aws(settings) | address


def _rollback(settings: StackSettings, options: argparse.Namespace) -> int:
    told = rollback(lifecycle.that_runs(settings), print, options.pipeline, options.number)
    print(f"\n{in_words(told)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.stack", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function, text in (
        ("up", _up, "start the local cloud, the review server and Airflow; print their addresses"),
        ("down", _down, "stop all of it, and make sure that nothing is left running"),
        ("status", _status, "what is running, and where"),
        ("env", _env, "shell lines with the environment of Airflow's processes"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=function)
    logs = commands.add_parser("logs", help="the last lines of the programs' logs")
    logs.add_argument("program", nargs="*", choices=[*PROGRAMS, "migrate", []], metavar="PROGRAM")
    logs.add_argument("--lines", type=int, default=15)
    logs.set_defaults(command=_logs)
    run = commands.add_parser("run", help="run a command in the environment of Airflow's processes")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …")
    run.set_defaults(command=_run)
    back = commands.add_parser("rollback", help="let the previous champion answer again")
    back.add_argument("--number", type=int, help="the champion to return to; without it, the previous one")
    back.add_argument("--pipeline", help="without it, the pipeline of the environment")
    back.set_defaults(command=_rollback)
    return parser


if __name__ == "__main__":
    sys.exit(main())
