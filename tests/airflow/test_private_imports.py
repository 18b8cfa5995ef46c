"""What we use of Airflow beyond its public interface: each named, so that an upgrade knows where to look.

Public is what Airflow's documentation lists ("Public Interface of Airflow"): the SDK's own names, its
exceptions, base triggers, plugins, executors, and the providers' classes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module

from tests.support.cloud import ROOT

PUBLIC = (
    "airflow.sdk",
    "airflow.sdk.exceptions",
    "airflow.sdk.observability",
    "airflow.triggers.base",
    "airflow.plugins_manager",
    "airflow.executors.local_executor",
)
PUBLIC_OF_PROVIDERS = ("hooks", "operators", "notifications", "extractors")
PRIVATE = {
    # A person's answer to a question that its task waits for by a trigger of our own.
    "airflow.sdk.execution_time.hitl.upsert_hitl_detail",
    "airflow.sdk.execution_time.hitl.get_hitl_detail_content_detail",
    # Who may see a report.
    "airflow.api_fastapi.core_api.security.GetUserDep",
    "airflow.api_fastapi.core_api.security.requires_access_dag",
    # A connection that is looked for without blocking an event loop.
    "airflow.providers.amazon.aws.utils.connection_wrapper.AwsConnectionWrapper",
    # Waiting for room, and for a flow definition.
    "airflow.providers.standard.triggers.temporal.DateTimeTrigger",
    "airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
    # For annotations only.
    "airflow.sdk.types.TaskInstanceKey",
}


def imported() -> Iterator[str]:
    """Every name of Airflow's that the product imports, with its module."""
    files = [path for folder in ("dags", "plugins", "include") for path in (ROOT / folder).rglob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "airflow":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "airflow")


def is_public(name: str) -> bool:
    module = name.rpartition(".")[0]
    parts = module.split(".")
    return module in PUBLIC or (parts[1] == "providers" and bool(set(PUBLIC_OF_PROVIDERS) & set(parts)))


def test_every_private_import_is_named_here_and_still_there() -> None:
    assert {name for name in imported() if not is_public(name)} == PRIVATE
    for name in PRIVATE:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name
