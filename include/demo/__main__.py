"""`make demo`: starts the stack, trains a first model by day, runs three nights of review, and compares.

Works as a person would, with simulated reviewers: see `story.py`. DEMO_SEED changes every image; KEEP=1
leaves the stack running. The exit code says whether the promises of `promises.py` were kept.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from include.demo import promises
from include.demo.story import Story
from include.demo.table import table
from include.stack import lifecycle
from include.stack.settings import StackError, StackSettings


def main() -> int:
    try:
        seed = int(os.environ.get("DEMO_SEED") or 42)
        outer = StackSettings.from_environment()
    except (ValueError, StackError) as error:
        print(f"DEMO_SEED is a whole number, the ports are numbers: {error}", file=sys.stderr)
        return 1
    keep = os.environ.get("KEEP", "") not in ("", "0")
    directory = outer.home / "demo"
    settings = outer.demo  # apart from the state of `make up`, and new each time
    story = Story(settings, directory, seed)
    summary, interrupted = None, False
    try:
        with lifecycle.interruptible():
            summary = story.tell()
            (directory / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    except (StackError, FileNotFoundError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        interrupted = True
        print("\ninterrupted", file=sys.stderr)
    finally:
        if interrupted or not keep:
            story.progress.say("stopping what the demo started")
            lifecycle.down(settings)
    code = _verdict(summary, directory) if summary else 1
    if keep and not interrupted and lifecycle.is_up(settings):
        print(f"\nLeft running. Stop it with `make down`.\n{lifecycle.addresses(settings)}")
    return 130 if interrupted else code


def _verdict(summary: dict[str, Any], directory: Path) -> int:
    places = {
        "the numbers": directory / "summary.json",
        "before and after": directory / "pictures",
        "the reports": directory / "reports" / "index.html",
    }
    shown = "\n".join(f"  {name:20}{_shown(path)}" for name, path in places.items())
    print(f"\n{table(summary)}\n\n{shown}")
    if not (unkept := promises.broken(summary)):
        print("\nEvery promise was kept.")
        return 0
    print("\nNot kept:\n" + "\n".join(f"  - {promise}" for promise in unkept), file=sys.stderr)
    return 1


def _shown(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    # Images, labels, models, logs, passwords: what is made here is for nobody else on this machine.
    os.umask(0o077)
    sys.exit(main())
