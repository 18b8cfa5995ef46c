"""One compilation of a network for all tests of the algorithms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from include.algorithms.entrypoint import processor


@pytest.fixture(scope="session", autouse=True)
def compiled_once(compiled: Path) -> Iterator[None]:
    """The same in this process, and in those that it starts itself."""
    settings = {
        "jax_compilation_cache_dir": str(compiled / processor()),
        "jax_persistent_cache_min_compile_time_secs": 0.2,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            jax.config.update(name, value)
            patch.setenv(name.upper(), str(value))
        yield
