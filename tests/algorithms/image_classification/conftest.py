"""A fresh ML root for each test of the classifier, and one trained model for all of them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.algorithms.image_classification.jobs import ColourJob, pictures


@dataclass(frozen=True)
class Trained:
    """What a job of ten epochs, run as a process, has left."""

    root: Path
    log: str
    archive: bytes  # model.tar.gz


@pytest.fixture
def new_job(tmp_path: Path) -> Callable[[], ColourJob]:
    return lambda: ColourJob(tmp_path / "ml")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, compiled_once: None) -> Trained:
    job = ColourJob(tmp_path_factory.mktemp("colours"))
    job.hyperparameters(epochs="10", top_k="2", kv_store="dist_sync")
    job.listed("train", pictures(30)).listed("validation", pictures(12, start=100))
    done = subprocess.run(
        [sys.executable, "-m", "include.algorithms.image_classification", "train"],
        env={**os.environ, "SM_ML_ROOT": str(job.root)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in job.container.model.iterdir():
            archive.add(path, path.name)
    return Trained(job.root, done.stdout, packed.getvalue())
