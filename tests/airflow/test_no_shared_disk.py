"""Workers of Celery and Kubernetes share no disk, and have nothing but what requirements.txt installs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nightloop.dag_factory import dag_id
from tests.airflow.place import Place
from tests.review_server.rig import Rig
from tests.support.cloud import ROOT, LocalCloud
from tests.support.environments import python_of

# Long enough to make the environment, where `make test` has not made it before.
pytestmark = pytest.mark.timeout(1_800)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What the Dockerfile copies, without the pipelines and environments of the project."""
    image = tmp_path / "airflow"
    for folder in ("dags", "plugins", "include"):
        shutil.copytree(ROOT / folder, image / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for settings in image.glob("include/*/*.yaml"):
        settings.unlink()
    return image


def test_a_round_and_a_night_run_task_by_task_in_empty_directories(
    cloud: LocalCloud, rig: Rig, bucket: str, image: Path, tmp_path: Path
) -> None:
    place = Place(cloud, rig, bucket, image / "include")
    place.set_up_review()
    place.add_labels("labels/dt=2026-11-01/augmented.manifest", {f"{n}.jpg": 30 + n for n in range(6)})
    place.put("labels/dt=2026-11-01/quarantine.jsonl", b"")
    place.put("labels/dt=2026-11-01/summary.json", b'{"batch": "2026-11-01", "labels": 6}')
    place.add_labels("test/day.manifest", {"1.jpg": 40, "2.jpg": 50})
    place.settings["test_sets"] = {"day": "test/day.manifest"}
    place.environment_settings["deployment"] = {"smoke_test_images": 1}
    place.save()
    place.put_images("2026-11-02", 5)
    before = files(image)

    learned, asked = run(
        place, image, tmp_path, ("incremental_training", "2026-11-02"), ("nightly_review", "2026-11-03")
    )

    assert learned["state"] == "success", learned
    skipped = [learned["tasks"].pop(f"{task} -1") for task in ("approve", "look_again")]
    assert skipped == ["skipped", "skipped"], "nobody need agree, and nothing is new"
    assert set(learned["tasks"].values()) == {"success"}, learned
    assert asked["state"] == "success", asked
    assert set(asked["tasks"].values()) == {"success"}, asked
    assert files(image) == before, "no task writes beside the code"


def run(place: Place, image: Path, tmp_path: Path, *runs: tuple[str, str]) -> Any:
    """Runs of flows one after the other, while people answer; what worker_flows.py told of each."""
    told, log = tmp_path / "told.json", tmp_path / "log"
    named = [(dag_id(flow, place.name), date) for flow, date in runs]
    python = python_of("worker", "requirements.txt", "constraints.txt")
    variables = place.variables() | {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(image),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(image / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(image / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "180",
    }
    del variables["NIGHTLOOP_CONFIG_DIR"]  # the image has its settings where the code has them
    (tmp_path / "home").mkdir()
    with log.open("w") as output:
        # -P: what lies beside the program is not on the path of its imports.
        process = subprocess.Popen(
            [python, "-P", ROOT / "tests/support/worker_flows.py", told, json.dumps(named)],
            cwd=tmp_path / "home", env=variables, start_new_session=True,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            while process.poll() is None:
                place.answer()
                try:
                    process.wait(1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a task's process, too
            process.wait()
    assert process.returncode == 0, log.read_text()[-5000:]
    return json.loads(told.read_text())


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}
