"""`make demo`: starts the stack, trains a first model, reviews three nightly batches, and compares.

Works as a person would, with simulated reviewers: see `scenario.py`. Another DEMO_SEED makes other images of
the sample; KEEP=1 leaves the stack running. The exit code says whether every check of `checks.py` passed.
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
from include.demo.samples import SAMPLES, TASKS, DemoSample
from include.demo.scenario import Scenario
from include.demo.table import table
from include.stack import lifecycle
from include.stack.settings import StackError, StackSettings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m include.demo", description=__doc__)
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument(
        "--sample",
        choices=SAMPLES,
        default="digits",
        help="what the images show: digits over photographs, boxes around them or one to a picture; or trees "
        "from the air, for which 20 MB are downloaded once (default: %(default)s)",
    )
    wanted.add_argument("--task", choices=TASKS, help="what is learned of the digits")
    options = parser.parse_args()
    sample = TASKS[options.task] if options.task else SAMPLES[options.sample]
    try:
        seed = int(os.environ.get("DEMO_SEED") or 42)
        outer = StackSettings.from_environment()
    except (ValueError, StackError) as error:
        print(f"DEMO_SEED is a whole number, the ports are numbers: {error}", file=sys.stderr)
        return 1
    try:
        with _only_one(outer.home):
            return _run(sample, outer, seed)
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


def _run(sample: DemoSample, outer: StackSettings, seed: int) -> int:
    keep = os.environ.get("KEEP", "") not in ("", "0")
    directory = outer.home / "demo"
    settings = outer.demo  # apart from the state of `make up`, and new each time
    scenario = Scenario(sample, settings, directory, seed)
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
    code = _verdict(sample, summary, directory) if summary else 1
    if keep and not interrupted and lifecycle.is_running(settings):
        print(f"\nLeft running. Stop it with `make down`.\n{lifecycle.addresses(settings)}")
    return 130 if interrupted else code


def _verdict(sample: DemoSample, summary: dict[str, Any], directory: Path) -> int:
    places = {
        "the numbers": directory / "summary.json",
        "before and after": directory / "pictures",
        "the reports": directory / "reports" / "index.html",
    }
    shown = "\n".join(f"  {name:20}{_shown(path)}" for name, path in places.items())
    print(f"\n{table(summary, sample.domains)}\n\n{shown}")
    if not (failed := checks.failed(summary, sample.promises, sample.domains)):
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
