"""What a training image runs: ``train`` or ``serve``, under SageMaker's container contract.

An algorithm's ``__main__`` names itself and its two modules here. JAX is not imported before the verb is
known, and not before it is told where to keep what it compiles.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import platform
import signal
import sys
import threading
from pathlib import Path

from include.algorithms.container import Container, run


def main(package: str, arguments: list[str]) -> int:
    """The exit code of ``python -m <package> train|serve``."""
    if arguments not in (["train"], ["serve"]):
        print(f"usage: python -m {package} train|serve", file=sys.stderr)
        return 2
    (verb,) = arguments
    _keep_compilations(package.rpartition(".")[2].replace("_", "-"))
    work = getattr(importlib.import_module(f"{package}.{verb}"), verb)
    if verb == "train":
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())  # SageMaker leaves 120 seconds to save the model
        work = functools.partial(work, stop=stop)
    return run(Container.here(), work)


def _keep_compilations(name: str) -> None:
    """Let XLA keep compiled networks in the user's cache directory, where there is one: compiling costs a
    small job more time than learning. Must come before JAX is imported.
    """
    if home := os.environ.get("XDG_CACHE_HOME"):
        place = Path(home, name, processor())
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(place))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


def processor() -> str:
    """A name for what this processor can do: code compiled for another one may not run on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:12]}"
