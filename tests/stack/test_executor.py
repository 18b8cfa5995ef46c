"""What the scheduler imports for its tasks before it forks: libraries, and nothing that a fork would lose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from include.stack import environment
from include.stack.settings import PROJECT, StackSettings

# The module's own import is not counted: the executor itself is of this project.
PROGRAM = """
import json, os, sys
import include.stack.executor as executor
before = set(sys.modules)
for name in executor.LIBRARIES:
    executor.import_module(name)
rooms = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"threads": len(os.listdir("/proc/self/task")), "rooms": sorted(rooms)}))
"""


def test_the_libraries_of_the_tasks_start_no_thread_and_bring_nothing_of_this_project(tmp_path: Path) -> None:
    settings = StackSettings.from_environment({"NIGHTLOOP_HOME": str(tmp_path)})
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=PROJECT, capture_output=True, text=True, check=True,
        env={**os.environ, **environment.airflow(settings)},
    )  # fmt: skip
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["threads"] == 1
    assert {"boto3", "matplotlib", "numpy", "pandas", "pyarrow"} <= set(found["rooms"])
    assert not {"include", "nightloop", "dags", "jax"} & set(found["rooms"])
