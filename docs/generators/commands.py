"""The page of the command line: what `--help` of each program prints, and the targets of make."""

from __future__ import annotations

import argparse
import ast
import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

from docs.generators import code, first_paragraph, table

ROOT = Path(__file__).resolve().parents[2]
# Each with the module that has its parser.
PROGRAMS = {
    "include.loop": "include.loop.commands.program",
    "include.stack": "include.stack.__main__",
    "include.review_server": "include.review_server.__main__",
    "include.local_cloud": "include.local_cloud.__main__",
}
INTRODUCTION = """# Command line

Every program runs by `.venv/bin/python -m` in the root of the repository. What speaks to AWS runs on the
local stack with `.venv/bin/python -m include.stack run` before it, which sets addresses and keys."""


def page() -> str:
    # argparse wraps to the terminal's width and names its user's program: here neither is the builder's.
    with mock.patch.dict(os.environ, COLUMNS="100"):
        programs = [part for name in PROGRAMS for part in _program(name)]
    return "\n\n".join([INTRODUCTION, "## make", _targets(), *programs, "## Benchmarks", _benchmarks()])


def _targets() -> str:
    found = re.findall(
        r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    return table(("Target", "What it does"), ((code(f"make {name}"), text) for name, text in found))


def _program(name: str) -> Iterator[str]:
    parser: argparse.ArgumentParser = import_module(PROGRAMS[name])._parser()
    for depth, title, each in _commands(name, parser):
        yield f"{'#' * depth} {title}\n\n```text\n{each.format_help().strip()}\n```"


def _commands(
    title: str, parser: argparse.ArgumentParser, depth: int = 2
) -> Iterator[tuple[int, str, argparse.ArgumentParser]]:
    """A program and the commands below it, each with the depth of its heading."""
    yield depth, title, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from _commands(f"{title} {name}", inner, min(depth + 1, 4))


def _benchmarks() -> str:
    rows = []
    for path in sorted((ROOT / "benchmarks").glob("[a-z]*.py")):
        text = path.read_text(encoding="utf-8")
        if 'if __name__ == "__main__":' in text:  # the others are what the benchmarks share
            says = ast.get_docstring(ast.parse(text))
            rows.append((code(f"python -m benchmarks.{path.stem}"), first_paragraph(says)))
    return table(("Command", "What it measures"), rows)
