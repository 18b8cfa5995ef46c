"""requirements.txt, installed alone from constraints.txt, is all that Airflow's processes need.

In an environment of its own, made once by ``.ci/setup`` and kept: what the local cloud, the tests or this
machine happen to have is not there. Everything that docker-compose.yaml, MWAA or the README name is imported.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeGuard

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.environments import python_of
from tests.test_setup import ROOT, compose, constraints, dockerfile, own_services, requirements

# Long enough to make the environment on a busy machine, where ``make test`` has not made it before.
pytestmark = pytest.mark.timeout(1_200)

# The review server and whom it may know (tests/test_architecture.py).
REVIEW_ROOMS = {"consensus", "pictures", "review_server", "wire"}
# Packages of the local cloud that no requirement of a worker brings along.
LOCAL_ONLY = {
    "ministack",
    "jax",
    "flax",
    "optax",
    "safetensors",
    "python-liquid",
    "supervisor",
    "argon2-cffi",
}


@pytest.fixture(scope="module")
def python() -> Path:
    return python_of("worker", "requirements.txt", "constraints.txt")


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What compose gives Airflow's services, with secrets of no account, for a copy of aws.example."""
    home = tmp_path_factory.mktemp("worker")
    (home / "environments").mkdir()
    shutil.copy(ROOT / "include/environments/aws.example.yaml", home / "environments/aws.yaml")
    given = compose()["services"]["airflow-worker"]["environment"]
    # What compose can do without is not given: it is empty.
    filled = {
        name: re.sub(
            r"\$\{(\w+)(:[-+])?[^}]*\}", lambda item: "" if item[2] else f"secret-of-{item[1]}", str(value)
        )
        for name, value in given.items()
    }
    return filled | {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": "c2l4dGVlbi1ieXRlcy10d2ljZS1tYWtlLWEta2V5ISE=",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
        "NIGHTLOOP_ENVIRONMENT": "aws",
        "NIGHTLOOP_CONFIG_DIR": str(home),
    }


@pytest.fixture(scope="module")
def told(python: Path, variables: Mapping[str, str]) -> Any:
    """What tests/support/worker_checks.py found."""
    file = Path(variables["HOME"]) / "told.json"
    result = subprocess.run(
        [python, "-m", "tests.support.worker_checks", str(file), json.dumps(commands())],
        cwd=ROOT, env=variables, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(file.read_text())


def commands() -> list[list[str]]:
    return [service["command"] for name, service in own_services().items() if name != "review"]


def test_nothing_but_the_pinned_requirements_is_there(told: Any) -> None:
    there = {str(canonicalize_name(name)): version for name, version in told["installed"].items()}
    pinned = constraints()
    assert {name: version for name, version in there.items() if pinned.get(name) != version}.keys() <= {"pip"}
    assert {str(canonicalize_name(item.name)) for item in requirements("requirements.txt")} <= there.keys()
    assert {canonicalize_name(item.name) for item in requirements("requirements-local.txt")} >= LOCAL_ONLY
    assert not LOCAL_ONLY & there.keys()


def test_every_import_of_dags_plugins_and_loop_can_be_made(told: Any) -> None:
    assert told["imports"] == {}


def test_the_executor_its_broker_its_results_and_the_database_start(told: Any) -> None:
    """A Celery whose names had moved was pinned once: scheduler and workers restarted for ever."""
    assert told["executor"] == "CeleryExecutor"
    assert told["celery"] == ["Transport", "DatabaseBackend"]
    assert told["database"] == "psycopg2"


def test_every_provider_and_the_hooks_that_connections_name_are_there(told: Any) -> None:
    assert told["providers"] == {}
    assert {"aws", "postgres"} <= set(told["hooks"])


def test_airflow_takes_every_command_of_compose(told: Any) -> None:
    assert told["commands"] == [" ".join(words) for words in commands()]
    assert "celery worker --skip-serve-logs" in told["commands"]


def test_dags_and_plugin_load_for_an_account_of_ones_own(told: Any) -> None:
    assert told["dags"] == {
        "errors": {},
        "ids": sorted(
            f"{flow.stem}__{pipeline.stem}"
            for flow in (ROOT / "dags").glob("*.py")
            for pipeline in (ROOT / "include" / "pipelines").glob("*.yaml")
        ),
    }
    assert told["plugins"]["errors"] == {}
    assert "/reports/{pipeline}/index.html" in told["plugins"]["routes"]


def test_the_worker_of_compose_starts_as_far_as_its_help(python: Path, variables: Mapping[str, str]) -> None:
    command = [str(python.parent / "airflow"), "celery", "worker", "--help"]
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "--concurrency" in result.stdout


def test_the_review_image_has_every_package_that_its_server_imports() -> None:
    """Its short list of packages in the Dockerfile, with what they require, against the server's imports."""
    listed = re.search(r"RUN pip install [^\n]*\\\n(.+)\n", dockerfile().split(" AS review")[1])
    assert listed is not None
    there = set(_closure(Requirement(word.strip('"')) for word in listed[1].split()))
    providers = metadata.packages_distributions()
    copied = re.findall(r"COPY include/(\w+) ", dockerfile().split(" AS review")[1])
    assert set(copied) == REVIEW_ROOMS
    wanted = {name for room in REVIEW_ROOMS for name in _imported(ROOT / "include" / room)}
    foreign = wanted - sys.stdlib_module_names - {"include"}
    assert {"starlette", "sqlalchemy", "botocore"} <= foreign
    missing = {name for name in foreign if not there & {canonicalize_name(item) for item in providers[name]}}
    assert missing == set()


def _imported(folder: Path) -> Iterator[str]:
    """Names of packages, but for those whose absence the code answers itself (``except ImportError``)."""
    for path in folder.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        answered = {inner for node in nodes if _answers_absence(node) for inner in node.body}
        for node in nodes:
            if node in answered:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            yield from (name.partition(".")[0] for name in names)


def _answers_absence(node: ast.AST) -> TypeGuard[ast.Try]:
    return isinstance(node, ast.Try) and any(
        isinstance(handler.type, ast.Name) and handler.type.id == "ImportError" for handler in node.handlers
    )


def _closure(wanted: Iterator[Requirement]) -> Iterator[str]:
    """The names of packages and of all that they require here, extras included."""
    waiting, seen = list(wanted), set[str]()
    while waiting:
        item = waiting.pop()
        if str(item) in seen:
            continue
        seen.add(str(item))
        yield str(canonicalize_name(item.name))
        for line in metadata.requires(item.name) or ():
            inner = Requirement(line)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in ("", *item.extras)
            ):
                waiting.append(inner)
