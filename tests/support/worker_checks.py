"""What an Airflow worker of Nightloop can do in the environment this runs in, as a JSON file.

Run by tests/test_requirements.py with the Python of an environment that holds requirements.txt alone, and
with the variables that docker-compose.yaml gives its services: ``FILE COMMANDS``. Nothing is connected to.
"""

from __future__ import annotations

import ast
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Everything that Airflow's processes run, plugins under the name that Airflow gives them.
SOURCES = (ROOT / "dags", ROOT / "plugins", ROOT / "include" / "loop")


def main() -> None:
    told = {check.__name__: _told(check) for check in CHECKS}
    Path(sys.argv[1]).write_text(json.dumps(told))


def _told(check: Callable[[], Any]) -> Any:
    try:
        return check()
    except Exception as error:  # told to the test, which fails by it
        return f"{type(error).__name__}: {error}"


def imports() -> dict[str, str]:
    """Every import statement of ours, those inside functions too: what fails, and why."""
    failed = {}
    for module, name in sorted({found for path in _files() for found in _imported(path)}):
        try:
            if not (name and hasattr(importlib.import_module(module), name)):
                importlib.import_module(f"{module}.{name}" if name else module)
        except Exception as error:
            failed[f"{module}.{name}".rstrip(".")] = f"{type(error).__name__}: {error}"
    return failed


def _files() -> Iterator[Path]:
    for folder in SOURCES:
        yield from folder.rglob("*.py")


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    yield node
    if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from _run(child)


def executor() -> str:
    from airflow.executors.executor_loader import ExecutorLoader

    return ExecutorLoader.import_default_executor_cls()[0].__name__


def celery() -> list[str]:
    """The classes behind the broker and the result backend of the configuration."""
    from airflow.providers.celery.executors.celery_executor_utils import app

    backend, _ = importlib.import_module("celery.app.backends").by_url(app.conf.result_backend, app.loader)
    return [type(app.connection().transport).__name__, backend.__name__]


def database() -> str:
    from airflow import settings

    engine: Any = settings.engine
    return str(engine.dialect.driver)


def commands() -> list[str]:
    """The commands of every service, as Airflow's own parser takes them."""
    from airflow.cli.cli_parser import get_parser

    parser = get_parser()
    told = []
    for words in json.loads(sys.argv[2]):
        parser.parse_args(words)
        told.append(" ".join(words))
    return told


def providers() -> dict[str, str]:
    """Every entry point of the providers that requirements.txt brings: what fails, and why."""
    failed = {}
    for point in metadata.entry_points(group="apache_airflow_provider"):
        try:
            point.load()()
        except Exception as error:
            failed[point.value] = f"{type(error).__name__}: {error}"
    return failed


def hooks() -> list[str]:
    from airflow.providers_manager import ProvidersManager

    known = ProvidersManager().hooks
    return sorted(name for name in known if known[name] is not None)


def plugins() -> dict[str, Any]:
    from airflow import plugins_manager

    found, errors = plugins_manager._get_plugins()
    [ours] = [plugin for plugin in found if plugin.name == "nightloop"]
    return {"errors": errors, "routes": [route.path for route in ours.fastapi_apps[0]["app"].routes]}


def dags() -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(ROOT / "dags"))
    return {"errors": bag.import_errors, "ids": sorted(bag.dags)}


def installed() -> dict[str, str]:
    return {item.name: item.version for item in metadata.distributions()}


CHECKS = (installed, database, executor, celery, commands, providers, hooks, plugins, dags, imports)

if __name__ == "__main__":
    main()
