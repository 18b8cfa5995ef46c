"""DAG files and the plugin are light, and no plugin file stands in for another module."""

from __future__ import annotations

import importlib.machinery
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cloud import ROOT

HEAVY = [
    "fastapi",
    "pandas",
    "boto3",
    "botocore",
    "aiobotocore",
    "sagemaker",
    "jax",
    "numpy",
    "pyarrow",
    "PIL",
]
PARSE = """
import json, runpy, sys, time
import airflow.sdk, airflow.plugins_manager, airflow.providers.standard.operators.trigger_dagrun
airflow.sdk.Asset(name="any", uri="s3://a-bucket/key")  # for its address, the provider imports boto3
before, report = set(sys.modules), {}
for path in sys.argv[2:]:
    start = time.process_time()
    runpy.run_path(path)
    report[path] = time.process_time() - start
heavy = [name for name in sys.argv[1].split(",") if name in set(sys.modules) - before]
print(json.dumps({"heavy": heavy, "seconds": report}))
"""


def test_dag_files_and_the_plugin_parse_fast_and_without_heavy_libraries(tmp_path: Path) -> None:
    for kind, name, text in [
        ("pipelines", "digits", "classes: ['0']"),
        (
            "environments",
            "local",
            "region: us-east-1\nbucket: a-bucket\npipeline: digits\nalgorithm: local\n"
            "role_arn: arn:aws:iam::000000000000:role/nightloop",
        ),
    ]:
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{name}.yaml").write_text(text)
    files = sorted(str(path) for folder in ("dags", "plugins") for path in (ROOT / folder).glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-c", PARSE, ",".join(HEAVY), *files],
        env=os.environ
        | {
            "AIRFLOW_HOME": str(tmp_path / "home"),
            "NIGHTLOOP_CONFIG_DIR": str(tmp_path),
            "NIGHTLOOP_ENVIRONMENT": "local",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["heavy"] == []
    assert max(report["seconds"].values()) < 2


def test_airflow_takes_one_file_of_ours_for_a_plugin() -> None:
    """Airflow runs each plugin file under its bare name, which would replace a module of that name."""
    from airflow.sdk._shared.module_loading import find_path_from_directory

    found = list(find_path_from_directory(str(ROOT / "plugins"), ".airflowignore", "glob"))
    assert found == [str(ROOT / "plugins" / "nightloop_plugin.py")]


def stems() -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins").rglob("*.py") if path.stem != "__init__")


def test_file_names_in_plugins_are_unique() -> None:
    assert len(set(stems())) == len(stems())


@pytest.mark.parametrize("stem", [*stems(), "a2i", "nightloop"])
def test_no_file_in_plugins_shadows_a_module(stem: str) -> None:
    """Even where the ignore file is lost on the way (an unzipped plugins.zip), nothing is replaced."""
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() not in {ROOT, ROOT / "plugins"}]
    assert importlib.machinery.PathFinder.find_spec(stem, elsewhere) is None
    assert stem not in sys.stdlib_module_names
