"""`make mwaa`: what it packs loads where MWAA places it, with only what requirements.txt installs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from include.cluster import mwaa
from include.stack.settings import StackError
from tests.support.environments import python_of
from tests.test_setup import ROOT, constraints, requirements

# Long enough to make the environment, where `make test` has not made it before.
pytestmark = pytest.mark.timeout(1_200)

# Everything packed is imported, and Airflow finds the DAGs and the one plugin.
LOADED = """
import importlib, json, os, pkgutil, sys
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
import include, nightloop
for package in (include, nightloop):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module.name.endswith("__main__") or importlib.import_module(module.name)
found, errors = plugins_manager._get_plugins()
print(json.dumps({
    "errors": {**bag.import_errors, **errors},
    "dags": len(bag.dags),
    "plugins": [plugin.name for plugin in found if plugin.name == "nightloop"],
    "from": include.__path__[0],
    "environment": os.environ["NIGHTLOOP_ENVIRONMENT"],
}))
"""


def test_an_environment_without_a_file_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no environment 'nowhere'.*there are .*local.*aws\.example\.yaml"):
        mwaa.pack("nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mwaa_is_asked_for_what_we_pin_but_for_what_it_holds_itself(tmp_path: Path) -> None:
    mwaa.pack("local", tmp_path)
    first, *lines = (tmp_path / "requirements.txt").read_text().splitlines()
    path = re.fullmatch(r'--constraint "/usr/local/airflow/(dags/\S+)"', first)
    assert path is not None
    asked = {canonicalize_name(Requirement(line.partition(" #")[0]).name) for line in lines}
    ours = {canonicalize_name(item.name) for item in requirements("requirements.txt")}
    assert asked == ours - {"apache-airflow", "celery"}
    kept = dict(line.split("==") for line in (tmp_path / path[1]).read_text().splitlines() if "==" in line)
    assert {canonicalize_name(name) for name in kept} == constraints().keys() - mwaa.HELD_BY_MWAA


def test_dags_and_plugin_load_where_mwaa_places_them(tmp_path: Path) -> None:
    """No PYTHONPATH, which MWAA takes away, and an unpacking that has lost .airflowignore."""
    mwaa.pack("local", tmp_path / "packed")
    home = tmp_path / "airflow"
    shutil.copytree(tmp_path / "packed" / "dags", home / "dags")
    with zipfile.ZipFile(tmp_path / "packed" / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    lost = home / "plugins" / ".airflowignore"
    lost.unlink()
    python = python_of("worker", "requirements.txt", "constraints.txt")
    start = f'. {tmp_path}/packed/startup.sh && exec "{python}" -P -c "$LOADED"'
    result = subprocess.run(
        ["sh", "-c", start],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AIRFLOW_HOME": str(home), "LOADED": LOADED}
        | {"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "180"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    told = json.loads(result.stdout.splitlines()[-1])
    pipelines = list((ROOT / "include" / "pipelines").glob("*.yaml"))
    assert told == {
        "errors": {},
        "dags": len(pipelines) * len(list((ROOT / "dags").glob("*.py"))),
        "plugins": ["nightloop"],
        "from": str(home / "plugins" / "include"),
        "environment": "local",
    }
