"""A fresh ML root for each test of the detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.algorithms.object_detection.jobs import Job


@pytest.fixture
def new_job(tmp_path: Path) -> Callable[[], Job]:
    return lambda: Job(tmp_path / "ml")
