"""`make mwaa`: dags/, plugins.zip, requirements.txt and startup.sh for Amazon MWAA, in NIGHTLOOP_HOME/mwaa.

Takes the name of an environment in include/environments. MWAA lets nobody set PYTHONPATH, and `plugins/` is
on the path of every process: so `include` travels in plugins.zip, as much of it as tasks import.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from include.stack.settings import PROJECT, StackError, StackSettings

# What dags/ and plugins/ import of include, and the settings that they read.
ROOMS = ("consensus", "loop", "pictures", "recordio", "pipelines", "environments")
# MWAA's image fixes their versions: with others among the constraints, nothing would be installed.
HELD_BY_MWAA = {
    "apache-airflow", "apache-airflow-core", "apache-airflow-task-sdk", "billiard", "celery", "fluent-logger",
    "gevent", "greenlet", "gunicorn", "kombu", "sqlalchemy", "sqlalchemy-utils", "statsd", "vine",
    "watchtower",
}  # fmt: skip
CONSTRAINTS = "nightloop-constraints.txt"

STARTUP = """#!/bin/sh
# MWAA runs this on every container before Airflow, and keeps what it exports.
export NIGHTLOOP_ENVIRONMENT={environment}
# Without it Airflow would run every file below plugins/ as a plugin.
ignore="${{AIRFLOW_HOME:-/usr/local/airflow}}/plugins/.airflowignore"
[ -e "$ignore" ] || printf '%s\\n' {ignored} > "$ignore"
"""


def pack(environment: str, out: Path) -> None:
    """Write everything anew. Raises StackError for an environment that has no file."""
    file = PROJECT / "include" / "environments" / f"{environment}.yaml"
    if not file.is_file():
        there = sorted(path.stem for path in file.parent.glob("*.yaml") if ".example" not in path.name)
        raise StackError(
            f"no environment {environment!r}: {file} is missing; there are {', '.join(there)}. Copy "
            "aws.example.yaml to that name and fill it in (docs/how-to/aws.md)"
        )
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(PROJECT / "dags", out / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    with zipfile.ZipFile(out / "plugins.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(_plugins()):
            above = PROJECT / "plugins" if path.is_relative_to(PROJECT / "plugins") else PROJECT
            archive.write(path, path.relative_to(above))
    (out / "dags" / CONSTRAINTS).write_text("".join(_constraints()))
    (out / "requirements.txt").write_text("".join(_requirements()))
    ignored = " ".join(f"'{line}'" for line in _ignored())
    (out / "startup.sh").write_text(STARTUP.format(environment=environment, ignored=ignored))


def _plugins() -> list[Path]:
    include = PROJECT / "include"
    folders = [PROJECT / "plugins", *(include / room for room in ROOMS)]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [include / "__init__.py", *(path for path in files if path.suffix != ".pyc")]


def _ignored() -> list[str]:
    lines = (PROJECT / "plugins" / ".airflowignore").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def _constraints() -> list[str]:
    lines = (PROJECT / "constraints.txt").read_text().splitlines(keepends=True)
    return [line for line in lines if canonicalize_name(line.partition("==")[0]) not in HELD_BY_MWAA]


def _requirements() -> list[str]:
    lines = (PROJECT / "requirements.txt").read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("#") and not _is_held(line)]
    return [f'--constraint "/usr/local/airflow/dags/{CONSTRAINTS}"\n', *kept]


def _is_held(line: str) -> bool:
    named = Requirement(re.sub(r"\s#.*", "", line).strip())
    return canonicalize_name(named.name) in HELD_BY_MWAA


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m include.cluster.mwaa", description=__doc__)
    parser.add_argument("environment", help="name of a file in include/environments, without .yaml")
    out = StackSettings.from_environment().home / "mwaa"
    try:
        pack(parser.parse_args().environment, out)
    except StackError as error:
        sys.exit(f"make mwaa: {error}")
    print(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}")


if __name__ == "__main__":
    main()
