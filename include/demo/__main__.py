"""`make demo`: starts the stack, trains a first model by day, reviews three nightly batches, and compares.

Works as a person would, with simulated reviewers: see `scenario.py`. DEMO_SEED changes every image; KEEP=1
leaves the stack running. The exit code says whether every check of `checks.py` passed.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from include.demo import checks
from include.demo.scenario import Scenario
from include.demo.table import table
from include.demo.tasks import TASKS, DemoTask
from include.stack import lifecycle
from include.stack.settings import StackError, StackSettings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m include.demo", description=__doc__)
    parser.add_argument(
        "--task",
        choices=TASKS,
        default="detection",
        help="what the model learns: boxes around digits, or which digit it is (default: %(default)s)",
    )
    task = TASKS[parser.parse_args().task]
    try:
        seed = int(os.environ.get("DEMO_SEED") or 42)
        outer = StackSettings.from_environment()
    except (ValueError, StackError) as error:
        print(f"DEMO_SEED is a whole number, the ports are numbers: {error}", file=sys.stderr)
        return 1
    try:
        with _only_one(outer.home):
            return _run(task, outer, seed)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """A demo begins by removing what the last one left: never what another is at work on."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"a demo is running already in {home}: wait for its end or stop it there with Ctrl-C, or "
                "give this one a home and ports of its own (NIGHTLOOP_HOME, NIGHTLOOP_CLOUD_PORT, "
                "NIGHTLOOP_REVIEW_PORT, NIGHTLOOP_AIRFLOW_PORT)"
            ) from None
        yield


def _run(task: DemoTask, outer: StackSettings, seed: int) -> int:
    keep = os.environ.get("KEEP", "") not in ("", "0")
    directory = outer.home / "demo"
    settings = outer.demo  # apart from the state of `make up`, and new each time
    scenario = Scenario(task, settings, directory, seed)
    summary, interrupted = None, False
    try:
        with lifecycle.interruptible():
            summary = scenario.run()
            (directory / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    except (StackError, FileNotFoundError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
    except httpx.TransportError as error:
        print(
            f"\nThe demo failed: a part of its stack no longer answers ({error}). What it said last: "
            f"{os.path.relpath(settings.logs)}/",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted", file=sys.stderr)
    finally:
        if interrupted or not keep:
            scenario.progress.say("stopping what the demo started")
            lifecycle.down(settings)
    code = _verdict(task, summary, directory) if summary else 1
    if keep and not interrupted and lifecycle.is_running(settings):
        print(f"\nLeft running. Stop it with `make down`.\n{lifecycle.addresses(settings)}")
    return 130 if interrupted else code


def _verdict(task: DemoTask, summary: dict[str, Any], directory: Path) -> int:
    places = {
        "the numbers": directory / "summary.json",
        "before and after": directory / "pictures",
        "the reports": directory / "reports" / "index.html",
    }
    shown = "\n".join(f"  {name:20}{_shown(path)}" for name, path in places.items())
    print(f"\n{table(summary)}\n\n{shown}")
    if not (failed := checks.failed(summary, task.promises)):
        print("\nEvery check passed.")
        return 0
    print("\nFailed:\n" + "\n".join(f"  - {check}" for check in failed), file=sys.stderr)
    return 1


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    # Images, labels, models, logs, passwords: what is made here is for nobody else on this machine.
    os.umask(0o077)
    sys.exit(main())
