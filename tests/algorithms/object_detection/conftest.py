"""A fresh ML root for each test of the detector, and one compilation of the network for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pytest

from tests.algorithms.object_detection.jobs import Job


@pytest.fixture
def new_job(tmp_path: Path) -> Callable[[], Job]:
    return lambda: Job(tmp_path / "ml")


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """JAX's cache on disk: the small jobs share their shapes, in this process and those they start."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.2,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            jax.config.update(name, value)
            patch.setenv(name.upper(), str(value))
        yield
