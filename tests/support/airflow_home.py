"""Importing this gives Airflow an AIRFLOW_HOME of the test session's own, with this checkout's DAGs.

Airflow reads its settings when it is imported, so they are written here, before any test module is. What the
other rooms' tests see of the environment is put back at once.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.cloud import ROOT

HOME = Path(tempfile.mkdtemp(prefix="nightloop-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
(HOME / "airflow.cfg").write_text(
    f"""
[core]
dags_folder = {ROOT / "dags"}
plugins_folder = {ROOT / "plugins"}
load_examples = False
unit_test_mode = False
dagbag_import_timeout = 180

[database]
sql_alchemy_conn = sqlite:///{HOME / "airflow.db"}?timeout=60
load_default_connections = False

[logging]
base_log_folder = {HOME / "logs"}
"""
)
assert "airflow" not in sys.modules, "Airflow was imported before its settings were written"
_before = os.environ.get("AIRFLOW_HOME")
os.environ["AIRFLOW_HOME"] = str(HOME)
import airflow.settings  # noqa: E402, F401

if _before is None:
    del os.environ["AIRFLOW_HOME"]
else:
    os.environ["AIRFLOW_HOME"] = _before
